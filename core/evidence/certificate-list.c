/* The list itself, apart from its verification: the guest agent carries certificates but never
 * judges them. */
#include "core/evidence/certificate.h"

#include <string.h>

int cvm_certificates_add_der(struct cvm_certificates *c, const void *der, size_t len,
                             struct cvm_error *err)
{
    CVM_ENSURE(len > 0 && len <= CVM_CERTIFICATE_MAX, err, CVM_E_EVIDENCE_REFUSED,
               "a certificate of %zu bytes; at most %d are read", len, CVM_CERTIFICATE_MAX);
    for (size_t i = 0; i < c->n; i++)
        if (c->der[i].len == len && memcmp(c->der[i].data, der, len) == 0)
            return 0;
    CVM_ENSURE(c->n < CVM_CERTIFICATES_MAX, err, CVM_E_EVIDENCE_REFUSED,
               "more than %d certificates", CVM_CERTIFICATES_MAX);
    cvm_buf_append(&c->der[c->n++], der, len);
    return 0;
}

int cvm_certificates_add_crl(struct cvm_certificates *c, const void *der, size_t len,
                             struct cvm_error *err)
{
    CVM_ENSURE(len > 0 && len <= CVM_CRL_MAX && c->n_crls < CVM_CRLS_MAX, err,
               CVM_E_EVIDENCE_REFUSED, "a revocation list too large, or more than %d of them",
               CVM_CRLS_MAX);
    cvm_buf_append(&c->crl[c->n_crls++], der, len);
    return 0;
}

void cvm_certificates_free(struct cvm_certificates *c)
{
    for (size_t i = 0; i < c->n_crls; i++)
        cvm_buf_free(&c->crl[i]);
    c->n_crls = 0;
    for (size_t i = 0; i < c->n; i++)
        cvm_buf_free(&c->der[i]);
    c->n = 0;
}
