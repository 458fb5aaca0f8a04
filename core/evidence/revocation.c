#include <openssl/err.h>
#include <string.h>

#include "core/evidence/certificate-internal.h"

#define REFUSED CVM_E_EVIDENCE_REFUSED

static X509_CRL *read_crl(const void *der, size_t len)
{
    const unsigned char *p = der;
    X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)len);
    if (crl && p != (const unsigned char *)der + len) {
        X509_CRL_free(crl);
        crl = NULL;
    }
    ERR_clear_error();
    return crl;
}

bool cvm_certificate_is_crl(const void *der, size_t len)
{
    X509_CRL *crl = len <= CVM_CRL_MAX ? read_crl(der, len) : NULL;
    X509_CRL_free(crl);
    return crl != NULL;
}

/* Critical extensions that nobody here reads could limit what the list is about. */
static bool has_critical(const X509_CRL *crl)
{
    for (int i = 0; i < X509_CRL_get_ext_count(crl); i++)
        if (X509_EXTENSION_get_critical(X509_CRL_get_ext(crl, i)))
            return true;
    return false;
}

static bool lists(X509_CRL *crl, const struct cvm_certificate *c)
{
    X509_REVOKED *entry = NULL;
    return X509_CRL_get0_by_serial(crl, &entry, X509_get_serialNumber(c->x)) == 1;
}

static int check_one(X509_CRL *crl, const struct cvm_certificate *root,
                     const struct cvm_certificate *issuer, const struct cvm_certificate *leaf,
                     enum cvm_issuer_signature kind, struct cvm_vek *ret, struct cvm_error *err)
{
    const X509_ALGOR *alg = NULL;
    X509_CRL_get0_signature(crl, NULL, &alg);
    bool good = cvm_certificate_algorithm(alg, kind) && X509_CRL_verify(crl, root->key) == 1;
    ERR_clear_error();
    CVM_ENSURE(good, err, REFUSED, "a revocation list that \"%s\" did not sign", root->name);
    CVM_ENSURE(!has_critical(crl), err, REFUSED,
               "a revocation list with critical extensions that are not known");
    int64_t from, until;
    CVM_GUARD(cvm_certificate_time(X509_CRL_get0_lastUpdate(crl), &from, err));
    CVM_ENSURE(X509_CRL_get0_nextUpdate(crl), err, REFUSED,
               "a revocation list that does not say until when it holds");
    CVM_GUARD(cvm_certificate_time(X509_CRL_get0_nextUpdate(crl), &until, err));
    if (!ret->crl_given || from > ret->crl_from)
        ret->crl_from = from;
    if (!ret->crl_given || until < ret->crl_until)
        ret->crl_until = until;
    ret->crl_given = true;
    /* The root's list is about what the root issued. AMD's signing keys all have the serial number
     * 0. */
    ret->revoked |= lists(crl, issuer);
    if (ASN1_INTEGER_get(X509_get_serialNumber(leaf->x)) != 0)
        ret->revoked |= lists(crl, leaf);
    return 0;
}

int cvm_certificate_check_crls(const struct cvm_certificates *c, const struct cvm_certificate *root,
                               const struct cvm_certificate *issuer,
                               const struct cvm_certificate *leaf, enum cvm_issuer_signature kind,
                               struct cvm_vek *ret, struct cvm_error *err)
{
    for (size_t i = 0; i < c->n_crls; i++) {
        X509_CRL *crl = read_crl(c->crl[i].data, c->crl[i].len);
        CVM_ENSURE(crl, err, REFUSED, "a revocation list that cannot be read");
        int r = 0;
        if (X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_subject_name(root->x)) == 0)
            r = check_one(crl, root, issuer, leaf, kind, ret, err);
        X509_CRL_free(crl);
        CVM_GUARD(r);
    }
    return 0;
}
