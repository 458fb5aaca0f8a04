/*
 * What a key server answers: leaf, chain and revocation list, each after a length (u16be), as
 * `--kds` takes them in; then all of it is judged. The simulated root stands in for AMD's, as its
 * key can be had for seeds that verify.
 */
#include <stdlib.h>

#include "core/base/cursor.h"
#include "core/evidence/certificate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cvm_cursor t = cvm_cursor(data, size);
    CVM_AUTO_CERTIFICATES struct cvm_certificates c = {0};
    for (int i = 0; i < 3; i++) {
        size_t n = (size_t)cvm_cursor_uint(&t, 2, true);
        const uint8_t *answer = cvm_cursor_take(&t, n);
        if (!answer || cvm_certificates_add(&c, answer, n, NULL) < 0)
            break;
    }
    struct cvm_vek vek;
    if (cvm_certificates_verify(&c, &vek, NULL) < 0)
        return 0;
    if (cvm_line_info(vek.line)->platform != CVM_ROOT_SIMULATED)
        abort(); /* nobody has AMD's keys */
    return 0;
}
