/* The certificate table of the GHCB, as configfs-tsm's auxblob and hosts deliver it: a hint,
 * believed by nobody. */
#include <string.h>

#include "core/evidence/certificate-entries.h"
#include "core/evidence/certificate-internal.h"

bool cvm_certificates_is_table(const void *data, size_t len)
{
    struct cvm_cursor t = cvm_cursor(data, len);
    struct cvm_certificate_entry e;
    int r;
    size_t n = 0;
    for (; (r = cvm_certificate_entry_next(&t, &e)) == 1; n++)
        ;
    return r == 0 && n > 0;
}

int cvm_certificates_add_table(struct cvm_certificates *c, const void *data, size_t len,
                               struct cvm_error *err)
{
    struct cvm_cursor t = cvm_cursor(data, len);
    struct cvm_certificate_entry e;
    struct cvm_error last = {0};
    size_t before = c->n, bad = 0;
    int r;
    while ((r = cvm_certificate_entry_next(&t, &e)) == 1)
        if (e.size > 0 && e.known && cvm_certificates_add_plain(c, e.data, e.size, &last) < 0)
            bad++;
    /* Clouds are known to put broken issuers into tables whose leaf is good. */
    if (bad && c->n == before) {
        if (err)
            *err = last;
        return -1;
    }
    CVM_ENSURE(r == 0, err, CVM_E_EVIDENCE_REFUSED, "the table of certificates is cut short");
    return 0;
}
