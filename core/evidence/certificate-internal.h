/* One parsed certificate, inside core/evidence only. */
#ifndef CVM_EVIDENCE_CERTIFICATE_INTERNAL_H
#define CVM_EVIDENCE_CERTIFICATE_INTERNAL_H

#include <openssl/x509.h>

#include "core/evidence/certificate.h"

#define CVM_P384_POINT_LEN 97 /* uncompressed */

enum cvm_key_kind { CVM_KEY_OTHER = 0, CVM_KEY_RSA_4096, CVM_KEY_P384 };

struct cvm_certificate {
    X509 *x;
    struct cvm_bytes tbs; /* what is signed, exactly as it came: a part of the parsed bytes */
    enum cvm_key_kind kind;
    EVP_PKEY *key;                     /* NULL when it is of another kind, or broken */
    uint8_t point[CVM_P384_POINT_LEN]; /* of a P-384 key */
    struct cvm_digest
        spki;      /* SHA-256 of the SubjectPublicKeyInfo as it stands in the certificate */
    char name[64]; /* subject's common name, printable */
    int64_t not_before, not_after;
    bool has_amd; /* carries extensions under AMD's arc: a leaf */
};

/* Strict: the whole input is one DER certificate and nothing else, and would be written the same
 * way again. The input must outlive *ret. */
int cvm_certificate_parse(const void *der, size_t len, struct cvm_certificate *ret,
                          struct cvm_error *err) CVM_MUST_USE;
void cvm_certificate_free(struct cvm_certificate *c);

/* The key of c->x into c->kind, key and point. */
void cvm_key_read(struct cvm_certificate *c);
bool cvm_key_is_for(const struct cvm_certificate *c, enum cvm_issuer_signature kind);
EVP_PKEY *cvm_key_p384(const uint8_t point[CVM_P384_POINT_LEN]); /* NULL when it is off the curve */
/* With SHA-384; RSA by PSS with MGF1 of SHA-384 and a salt of 48 bytes. False also without key. */
bool cvm_key_verify(EVP_PKEY *key, enum cvm_issuer_signature kind, struct cvm_bytes signature,
                    struct cvm_bytes message);

/* Signature of `c` by `issuer` with exactly the parameters of that kind, and matching names. */
int cvm_certificate_issued_by(const struct cvm_certificate *c, const struct cvm_certificate *issuer,
                              enum cvm_issuer_signature kind, struct cvm_error *err) CVM_MUST_USE;

/* A certification authority that may sign certificates, with a path length of at most `pathlen`
 * (-1: any), key as its kind demands. */
int cvm_certificate_is_issuer(const struct cvm_certificate *c, int pathlen,
                              enum cvm_issuer_signature kind, struct cvm_error *err) CVM_MUST_USE;

/* AMD's extensions of a leaf into kind-dependent fields of *ret; line and kind are set already. */
int cvm_certificate_read_vek(const struct cvm_certificate *c, const struct cvm_line_info *line,
                             struct cvm_vek *ret, struct cvm_error *err) CVM_MUST_USE;

/*
 * Looks for issuer and leaf on every list that the root issued; lists of other roots are passed
 * over. Fills the fields crl_given, revoked, crl_from and crl_until. Refuses a list that cannot be
 * read, or that bears the root's name without its signature.
 */
int cvm_certificate_check_crls(const struct cvm_certificates *c, const struct cvm_certificate *root,
                               const struct cvm_certificate *issuer,
                               const struct cvm_certificate *leaf, enum cvm_issuer_signature kind,
                               struct cvm_vek *ret, struct cvm_error *err) CVM_MUST_USE;
/* Whether these bytes are one revocation list and nothing else. */
bool cvm_certificate_is_crl(const void *der, size_t len);
/* RSASSA-PSS with exactly AMD's parameters, or ECDSA with SHA-384. */
bool cvm_certificate_algorithm(const X509_ALGOR *alg, enum cvm_issuer_signature kind);
int cvm_certificate_time(const ASN1_TIME *t, int64_t *ret, struct cvm_error *err) CVM_MUST_USE;

/* The kinds of file that cvm_certificates_add() tells apart. */
int cvm_certificates_add_plain(struct cvm_certificates *c, const void *data, size_t len,
                               struct cvm_error *err) CVM_MUST_USE; /* DER or PEM */
bool cvm_certificates_is_table(const void *data, size_t len);
int cvm_certificates_add_table(struct cvm_certificates *c, const void *data, size_t len,
                               struct cvm_error *err) CVM_MUST_USE;

#endif
