/* Bytes that others wrote: a recorded document of answers, and what QEMU printed. The first byte
 * chooses. */
#include "orchestrator/host/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    if (data[0] & 1) {
        json_decref(cvm_host_qemu_answer((const char *)data + 1, size - 1));
        return 0;
    }
    CVM_AUTO_JSON json_t *answers = cvm_host_answers_parse(data + 1, size - 1, NULL);
    const struct cvm_host_place place = {.root = "/proc/self/fdinfo"}; /* a folder without facts */
    struct cvm_host_result results[CVM_HOST_CHECKS];
    if (answers && cvm_host_judge(&place, answers, 7, results, NULL) < 0)
        return 0;
    return 0;
}
