/*
 * HPKE (RFC 9180), base mode, single shot: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
 *
 * Security: base mode does not say who sealed; the signed act around it does. `info` and `aad` are
 * always an L (hash.h).
 */
#ifndef CVM_SEAL_HPKE_H
#define CVM_SEAL_HPKE_H

#include "core/seal/jwk.h"

#define CVM_HPKE_ENC_LEN 32
#define CVM_HPKE_TAG_LEN 16

/* Appends the ciphertext (plain.len + 16 bytes) to `ret_ct`. CVM_E_KEY_FORMAT when `to` is of small
 * order. */
int cvm_hpke_seal(const struct cvm_public_key *to, struct cvm_bytes info, struct cvm_bytes aad,
                  struct cvm_bytes plain, uint8_t ret_enc[CVM_HPKE_ENC_LEN], struct cvm_buf *ret_ct,
                  struct cvm_error *err) CVM_MUST_USE;

/* Foreign enc and ct; 1 to CVM_SECRET_MAX plain bytes. CVM_E_HPKE_OPEN whatever is wrong with them.
 */
int cvm_hpke_open(const struct cvm_key *mine, const uint8_t enc[CVM_HPKE_ENC_LEN],
                  struct cvm_bytes info, struct cvm_bytes aad, struct cvm_bytes ct,
                  struct cvm_secret *ret, struct cvm_error *err) CVM_MUST_USE;

/* The one thing that 2cVM seals this way: 32 bytes (a content key, or a share of the seed). */
#define CVM_CONTENT_KEY_LEN 32
struct cvm_sealed_key {
    uint8_t enc[CVM_HPKE_ENC_LEN];
    uint8_t ct[CVM_CONTENT_KEY_LEN + CVM_HPKE_TAG_LEN];
};
int cvm_sealed_key_make(const struct cvm_public_key *to, struct cvm_bytes info,
                        struct cvm_bytes aad, const struct cvm_secret *key,
                        struct cvm_sealed_key *ret, struct cvm_error *err) CVM_MUST_USE;
int cvm_sealed_key_open(const struct cvm_key *mine, struct cvm_bytes info, struct cvm_bytes aad,
                        const struct cvm_sealed_key *sealed, struct cvm_secret *ret,
                        struct cvm_error *err) CVM_MUST_USE;

/* The members "enc" and "ct" (base64url) of a JSON object. Reading: the reader's error sticks,
 * zeros on failure. */
void cvm_sealed_key_write(const struct cvm_sealed_key *sealed, json_t *object);
struct cvm_sealed_key cvm_sealed_key_read(struct cvm_json_reader *r);

#endif
