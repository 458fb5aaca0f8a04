/* Any arguments, at a socket that they may name. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/psp/machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cvm_psp_started s;
    struct cvm_error err = {0};
    if (cvm_psp_started((const char *)data, size, "/v", &s, &err) != 1)
        return 0;
    if (!s.kernel || !s.initrd || !s.append || s.vcpus < 1 || s.vcpus > 512 || s.memory_mib < 1)
        abort();
    return strlen(s.kernel) > size;
}
