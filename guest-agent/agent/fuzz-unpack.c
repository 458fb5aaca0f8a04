/* A packed program, whatever its bytes are: nothing is written or read outside. */
#include "guest-agent/agent/unpack.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t n = cvm_unpacked_size(CVM_BYTES(data, size));
    if (!n || n > 1 << 20)
        return 0;
    uint8_t *out = malloc(n);
    if (out && cvm_unpack(CVM_BYTES(data, size), out, n, NULL) == 0 && out[n - 1] == 1)
        out[0] = 1;
    free(out);
    return 0;
}
