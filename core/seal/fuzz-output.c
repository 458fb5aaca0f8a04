/* Sealed outputs: the header is read before anything is authenticated. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/base/descriptor.h"
#include "core/seal/output.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cvm_key key;
    static const uint8_t secret[32] = {0x5a, 0xa5, 1, 2, 3};
    static int in = -1, out = -1;
    if (!key.secret.data && cvm_key_from_secret(&key, CVM_X25519, secret, NULL) < 0)
        abort();
    if (in < 0) {
        in = memfd_create("in", MFD_CLOEXEC);
        out = memfd_create("out", MFD_CLOEXEC);
    }
    if (ftruncate(in, 0) < 0 || lseek(in, 0, SEEK_SET) != 0 ||
        cvm_fd_write(in, data, size, NULL) < 0 || lseek(in, 0, SEEK_SET) != 0 ||
        lseek(out, 0, SEEK_SET) != 0)
        return 0;
    struct cvm_output_binding binding = {.output = "o"};
    struct cvm_error err = {0};
    if (cvm_output_open(&binding, &key, CVM_PADDING_NONE, 64, in, out, NULL, NULL, &err) == 0 ||
        err.code == CVM_OK)
        abort();
    return 0;
}
