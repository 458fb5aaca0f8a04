/*
 * Takes the place of 2cvm-compile in tests of the agent: the "component" is a text whose first word
 * says how the compiler behaves; anything else is taken over as the "compiled" code.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest-agent/sandbox/results.h"

static void tell(struct cvm_compile_result r)
{
    r.magic = CVM_COMPILE_RESULT_MAGIC;
    _exit(write(CVM_FD_RESULT, &r, sizeof r) == (ssize_t)sizeof r ? 0 : 1);
}

int main(void)
{
    static char text[1 << 20];
    ssize_t n = pread(CVM_FD_CODE, text, sizeof text - 1, 0);
    if (n < 0)
        return 1;
    if (!strncmp(text, "refuse-import", 13))
        tell((struct cvm_compile_result){.end = CVM_COMPILE_IMPORT,
                                         .function = (uint32_t)strtoul(text + 13, NULL, 10)});
    if (!strncmp(text, "refuse-outside", 14))
        tell((struct cvm_compile_result){.end = CVM_COMPILE_IMPORT,
                                         .function = CVM_WASI_FUNCTION_UNKNOWN});
    if (!strncmp(text, "refuse-shared", 13))
        tell((struct cvm_compile_result){.end = CVM_COMPILE_FEATURE});
    if (!strncmp(text, "refuse-invalid", 14))
        tell((struct cvm_compile_result){.end = CVM_COMPILE_INVALID});
    if (!strncmp(text, "compile-crash", 13))
        abort();
    if (!strncmp(text, "compile-slow", 12))
        for (;;)
            pause();
    if (!strncmp(text, "compile-lie", 11)) /* says more code than it may */
        tell((struct cvm_compile_result){.cwasm_bytes = UINT64_MAX});
    if (!strncmp(text, "compile-empty", 13)) /* says more code than it left */
        tell((struct cvm_compile_result){.cwasm_bytes = 4096});
    if (pwrite(CVM_FD_CWASM, text, (size_t)n, 0) != n)
        return 1;
    tell((struct cvm_compile_result){.cwasm_bytes = (uint64_t)n, .memory_bytes = 65536});
}
