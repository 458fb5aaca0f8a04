/*
 * Keys of participants and sessions: OKP keys (RFC 8037), Ed25519 to sign and X25519 to open what
 * was sealed.
 *
 * Public keys travel as JWK with exactly the members crv, kty, x; key ids are RFC 7638 thumbprints
 * (SHA-256). A private key file is the canonical JSON {"crv","d","kty","x"}, read and written here
 * without a JSON library so that no copy of "d" stays in memory that is not wiped.
 *
 * Security: keys of small order are refused (an Ed25519 one would verify forged signatures, an
 * X25519 one would make the shared secret known to everyone).
 */
#ifndef CVM_SEAL_JWK_H
#define CVM_SEAL_JWK_H

#include "core/base/json.h"

enum cvm_curve {
    CVM_ED25519,
    CVM_X25519,
};

struct cvm_public_key {
    uint8_t b[32];
};

/* A key pair. `secret` holds the 32 bytes of "d". End with cvm_key_free(). */
struct cvm_key {
    enum cvm_curve curve;
    struct cvm_public_key pub;
    struct cvm_secret secret;
};

int cvm_key_generate(struct cvm_key *ret, enum cvm_curve curve, struct cvm_error *err) CVM_MUST_USE;
/* From the 32 private bytes; computes the public half. */
int cvm_key_from_secret(struct cvm_key *ret, enum cvm_curve curve, const uint8_t secret[32],
                        struct cvm_error *err) CVM_MUST_USE;
void cvm_key_free(struct cvm_key *key); /* wipes; fine on a zeroed key */
#define CVM_AUTO_KEY CVM_CLEANUP(cvm_key_free)

/* CVM_E_KEY_FORMAT for an X25519 or Ed25519 key of small order. */
int cvm_public_key_check(const struct cvm_public_key *key, enum cvm_curve curve,
                         struct cvm_error *err) CVM_MUST_USE;

/* {"crv","kty","x"} and nothing else, of the wanted curve; else CVM_E_KEY_FORMAT. */
int cvm_jwk_parse(const json_t *jwk, enum cvm_curve curve, struct cvm_public_key *ret,
                  struct cvm_error *err) CVM_MUST_USE;
json_t *cvm_jwk(const struct cvm_public_key *key, enum cvm_curve curve); /* owned by the caller */

/*
 * A private key file: the canonical bytes, one newline at the end allowed. Refuses another curve,
 * and an "x" that does not belong to "d". The writer appends the canonical bytes without newline;
 * the buffer wipes itself when freed.
 */
int cvm_jwk_read_private(const void *data, size_t len, enum cvm_curve curve, struct cvm_key *ret,
                         struct cvm_error *err) CVM_MUST_USE;
void cvm_jwk_write_private(const struct cvm_key *key, struct cvm_buf *out);

/* RFC 7638: raw digest, and its base64url text (the `kid`), 43 characters. */
#define CVM_KID_TEXT 44
struct cvm_digest cvm_jwk_thumbprint(const struct cvm_public_key *key, enum cvm_curve curve);
char *cvm_jwk_kid(const struct cvm_public_key *key, enum cvm_curve curve,
                  char out[CVM_KID_TEXT]); /* returns out */
/* Raw thumbprint <-> kid text. */
char *cvm_kid_text(const struct cvm_digest *thumbprint, char out[CVM_KID_TEXT]);
int cvm_kid_parse(const char *kid, struct cvm_digest *ret, struct cvm_error *err) CVM_MUST_USE;

#endif
