/*
 * Statements: compact JWS (RFC 7515), EdDSA. The protected header is the canonical JSON of exactly
 * alg, kid, typ; a detached one (RFC 7797, for commitments) has also "b64":false and
 * "crit":["b64"], and is written "header..signature".
 *
 * Security: exactly one spelling of a header is accepted; kid is the thumbprint of the signing key,
 * so a statement names who signed it; a statement of one type never passes for another. Nothing in
 * a parsed JWS may be believed before cvm_jws_verify() accepted it: kid and typ are there to choose
 * the key.
 */
#ifndef CVM_SEAL_JWS_H
#define CVM_SEAL_JWS_H

#include "core/seal/sign.h"

#define CVM_JWS_COMMITMENT "2cvm-commitment+jws" /* detached */
#define CVM_JWS_ACT "2cvm-act+jws"
#define CVM_JWS_RECEIPT "2cvm-receipt+jws"
#define CVM_JWS_STATEMENT "2cvm-statement+jws"

#define CVM_JWS_MAX (512 * 1024) /* bytes of a whole JWS */
#define CVM_JWS_TYP_MAX 40

struct cvm_jws { /* owned; zero-initialise, end with cvm_jws_free() */
    char kid[CVM_KID_TEXT];
    char typ[CVM_JWS_TYP_MAX + 1];
    bool detached;
    struct cvm_buf payload; /* decoded; empty when detached */
    struct cvm_buf input;   /* signed bytes: "header.payload", or "header." when detached */
    uint8_t signature[CVM_SIGNATURE_LEN];
};

/* Appends the compact form to `ret` (no newline). */
int cvm_jws_create(const struct cvm_key *key, const char *typ, const void *payload, size_t len,
                   struct cvm_buf *ret, struct cvm_error *err) CVM_MUST_USE;
int cvm_jws_create_detached(const struct cvm_key *key, const char *typ, const void *payload,
                            size_t len, struct cvm_buf *ret, struct cvm_error *err) CVM_MUST_USE;

/* Foreign bytes, attached or detached; CVM_E_JWS_FORMAT for all that is not exactly of the form
 * above. */
int cvm_jws_parse(const void *data, size_t len, struct cvm_jws *ret,
                  struct cvm_error *err) CVM_MUST_USE;

/* CVM_E_JWS_TYPE (other typ, or detached where it must not be), CVM_E_JWS_KEY (kid is another key),
 * CVM_E_JWS_SIGNATURE. */
int cvm_jws_verify(const struct cvm_jws *jws, const char *typ, const struct cvm_public_key *key,
                   struct cvm_error *err) CVM_MUST_USE;
int cvm_jws_verify_detached(const struct cvm_jws *jws, const char *typ,
                            const struct cvm_public_key *key, const void *payload, size_t len,
                            struct cvm_error *err) CVM_MUST_USE;

void cvm_jws_free(struct cvm_jws *jws);
#define CVM_AUTO_JWS CVM_CLEANUP(cvm_jws_free)

#endif
