/*
 * What makes simulated evidence: the SIMULATED root, an issuer below it, a signing key of its own,
 * and signed reports.
 *
 * Security: there is none, on purpose. The private keys of root and issuer are computed from a
 * sentence that is printed in the documentation; everybody can sign simulated reports. What keeps
 * them apart from real ones is the verifier: another pinned root, DEBUG set, another verdict and
 * another exit code.
 */
#ifndef CVM_PSP_ISSUER_H
#define CVM_PSP_ISSUER_H

#include <openssl/evp.h>

#include "core/evidence/report.h"

extern const char cvm_simulated_sentence[];

struct cvm_issuer { /* zero-initialise; free with cvm_issuer_free() */
    EVP_PKEY *key; /* the signing key of this PSP: P-384, made at start, never leaves the process */
    struct cvm_buf certificates[3]; /* DER: signing key, issuer, root */
    uint8_t chip_id[CVM_CHIP_ID_LEN];
    uint8_t report_id[32];
};

/* A fresh signing key and its chain. `now` is in seconds since 1970: the chain is valid from a day
 * before. */
int cvm_issuer_new(struct cvm_issuer *ret, int64_t now, struct cvm_error *err) CVM_MUST_USE;
void cvm_issuer_free(struct cvm_issuer *i);
#define CVM_AUTO_ISSUER CVM_CLEANUP(cvm_issuer_free)

/* Fills in everything but measurement, host_data and report_data, and is what every simulated
 * report starts from. */
void cvm_issuer_report(const struct cvm_issuer *i, struct cvm_report *ret);

/* Writes the report's bytes and signs them. */
int cvm_issuer_sign(const struct cvm_issuer *i, struct cvm_report *r, uint8_t ret[CVM_REPORT_LEN],
                    struct cvm_error *err) CVM_MUST_USE;

/* SHA-256 of the root's SubjectPublicKeyInfo: must be what lines.def pins. */
int cvm_simulated_root_digest(uint8_t ret[32], struct cvm_error *err) CVM_MUST_USE;

#endif
