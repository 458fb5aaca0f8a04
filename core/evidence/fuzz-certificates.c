/* Files of certificates (DER, PEM, many): nothing that comes from outside may verify by accident.
 */
#include "core/evidence/certificate-internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CVM_AUTO_CERTIFICATES struct cvm_certificates c = {0};
    if (cvm_certificates_add(&c, data, size, NULL) < 0)
        return 0;
    struct cvm_vek vek;
    if (cvm_certificates_verify(&c, &vek, NULL) == 0)
        return 0;
    struct cvm_certificate one;
    if (cvm_certificate_parse(c.der[0].data, c.der[0].len, &one, NULL) < 0)
        return 0;
    /* The extensions, also of certificates that no chain leads to. */
    size_t n;
    const struct cvm_line_info *lines = cvm_lines(&n);
    for (size_t i = 0; i < n; i++)
        for (int kind = CVM_VEK_VCEK; kind <= CVM_VEK_VLEK; kind++) {
            struct cvm_vek v = {.kind = (enum cvm_vek_kind)kind};
            if (cvm_certificate_read_vek(&one, &lines[i], &v, NULL) < 0)
                continue;
        }
    cvm_certificate_free(&one);
    return 0;
}
