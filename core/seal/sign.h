/* Ed25519 (RFC 8032) over whole messages. Everything that signs goes through here. */
#ifndef CVM_SEAL_SIGN_H
#define CVM_SEAL_SIGN_H

#include "core/seal/jwk.h"

#define CVM_SIGNATURE_LEN 64

/* The key must be an Ed25519 pair. */
int cvm_ed25519_sign(const struct cvm_key *key, const void *data, size_t len,
                     uint8_t out[CVM_SIGNATURE_LEN], struct cvm_error *err) CVM_MUST_USE;

/* CVM_E_JWS_SIGNATURE when it does not verify. */
int cvm_ed25519_verify(const struct cvm_public_key *key, const void *data, size_t len,
                       const uint8_t signature[CVM_SIGNATURE_LEN],
                       struct cvm_error *err) CVM_MUST_USE;

#endif
