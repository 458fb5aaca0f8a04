/* Records as the agent reads them from processes that ran a participant's code: the first byte says
 * which. */
#include <stdint.h>
#include <string.h>

#include "guest-agent/sandbox/results.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_cell(const struct cvm_cell_result *r, const uint64_t *max, size_t n)
{
    if (r->n_outputs != n || r->end >= CVM_CELL_END_COUNT || r->exit_code > 255 ||
        (r->fuel | r->memory_bytes | r->stdout_bytes | r->stderr_bytes) > CVM_CELL_COUNT_MAX)
        __builtin_trap();
    for (size_t i = 0; i < n; i++)
        if (r->output_bytes[i] > max[i])
            __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const uint64_t max[3] = {0, 1000, UINT64_MAX / 2};
    struct cvm_error err;
    if (len == 0)
        return 0;
    if (data[0] & 1) {
        struct cvm_cell_result r;
        uint8_t whole[sizeof r] = {0};
        /* Short inputs are put into a record of the right length, else the fuzzer would have to
         * find it. */
        memcpy(whole, data + 1, len - 1 < sizeof r ? len - 1 : sizeof r);
        if (cvm_cell_result_read(whole, data[0] & 2 && len - 1 < sizeof r ? len - 1 : sizeof r, max,
                                 3, &r, &err) == 0)
            check_cell(&r, max, 3);
        return 0;
    }
    struct cvm_compile_result c;
    if (cvm_compile_result_read(data + 1, len - 1, 1000, &c, &err) == 0) {
        if (c.cwasm_bytes > 1000 || c.texts_bytes > CVM_TEXTS_MAX || c.side > 1 ||
            c.interface >= CVM_CELL_CALLS_MAX || !cvm_wasi_function_text(c.function))
            __builtin_trap();
        (void)cvm_compile_result_refuse(&c, "fuzz", &err);
    }
    return 0;
}
