/*
 * Certificates around a report: parsing (DER, PEM, many in one file, any order), AMD's extensions,
 * and the way from a pinned root to the key that signed a report.
 *
 * Security: nothing is accepted by its name. A root counts by the digest of its public key, an
 * issuer by its signature with exactly the parameters of its product, a leaf by both and by AMD's
 * extensions, each present once.
 */
#ifndef CVM_EVIDENCE_CERTIFICATE_H
#define CVM_EVIDENCE_CERTIFICATE_H

#include "core/evidence/line.h"
#include "core/evidence/report.h"

#define CVM_CERTIFICATES_MAX 16
#define CVM_CERTIFICATE_MAX 8192 /* bytes of one in DER */

#define CVM_CRLS_MAX 4
#define CVM_CRL_MAX 65536 /* bytes of one in DER */

struct cvm_certificates { /* zero-initialise; free with cvm_certificates_free() */
    struct cvm_buf der[CVM_CERTIFICATES_MAX];
    size_t n;
    struct cvm_buf crl[CVM_CRLS_MAX]; /* lists of revoked certificates, DER */
    size_t n_crls;
};
/* Appends the certificates in `data`: one DER, any number of PEM blocks, or a GHCB certificate
 * table with either inside. */
int cvm_certificates_add(struct cvm_certificates *c, const void *data, size_t len,
                         struct cvm_error *err) CVM_MUST_USE;
void cvm_certificates_free(struct cvm_certificates *c);
#define CVM_AUTO_CERTIFICATES CVM_CLEANUP(cvm_certificates_free)

enum cvm_vek_kind { CVM_VEK_VCEK, CVM_VEK_VLEK };

/* What a verified chain says about the signing key. */
struct cvm_vek {
    enum cvm_line line;
    enum cvm_vek_kind kind;
    struct cvm_tcb tcb;
    uint8_t hwid[CVM_CHIP_ID_LEN]; /* zero tail; VCEK only */
    size_t hwid_len;               /* 64, 8 on Turin, 0 for a VLEK */
    char product_name[32];
    char csp_id[128];       /* VLEK only */
    uint8_t public_key[97]; /* uncompressed P-384 point */
    int64_t not_before,
        not_after;  /* the common span of all certificates of the chain, seconds since 1970 */
    bool crl_given; /* a list signed by this chain's root is among them */
    bool revoked;   /* the issuer or the leaf stands on one */
    int64_t crl_from, crl_until; /* the common span of those lists */
    size_t unused;               /* certificates that were given but are not part of the chain */
};

/* Appends one certificate in DER; its bytes are not looked at before cvm_certificates_verify(). */
int cvm_certificates_add_der(struct cvm_certificates *c, const void *der, size_t len,
                             struct cvm_error *err) CVM_MUST_USE;

int cvm_certificates_add_crl(struct cvm_certificates *c, const void *der, size_t len,
                             struct cvm_error *err) CVM_MUST_USE;

/*
 * Finds the one leaf, its issuer and the pinned root among `c` and verifies every signature, usage
 * and extension; validity times are returned, not judged. CVM_E_EVIDENCE_REFUSED says what is
 * wrong.
 */
int cvm_certificates_verify(const struct cvm_certificates *c, struct cvm_vek *ret,
                            struct cvm_error *err) CVM_MUST_USE;

/*
 * The same for the key of one report: among several signing keys the one that signed it is
 * returned, the first that verifies when none did. `r` may be NULL: then more than one is refused.
 * Certificates that cannot be read are passed over, and named when something is missing.
 */
int cvm_certificates_verify_for(const struct cvm_certificates *c,
                                const struct cvm_line_info *anchors, size_t n_anchors,
                                const struct cvm_report *r, struct cvm_vek *ret,
                                struct cvm_error *err) CVM_MUST_USE;

/* The same with other anchors, for tests of this library: rows of the shape of cvm_lines(). */
int cvm_certificates_verify_with(const struct cvm_certificates *c,
                                 const struct cvm_line_info *anchors, size_t n_anchors,
                                 struct cvm_vek *ret, struct cvm_error *err) CVM_MUST_USE;

/* ECDSA P-384 / SHA-384 over the report's signed bytes as received. R and S must be in [1, n-1]. */
int cvm_report_verify_signature(const struct cvm_report *r, const uint8_t public_key[97],
                                struct cvm_error *err) CVM_MUST_USE;

#endif
