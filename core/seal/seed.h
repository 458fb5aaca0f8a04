/*
 * The seed of a collaboration: each participant brings a share of 32 random bytes, commits to it in
 * the manifest and opens it in its release act; no one, the host included, can choose or know the
 * sum beforehand.
 */
#ifndef CVM_SEAL_SEED_H
#define CVM_SEAL_SEED_H

#include "core/base/hash.h"

#define CVM_SEED_LEN 32

/* SHA-256 of L("2cvm/seed/1", share). */
struct cvm_digest cvm_seed_commitment(const uint8_t share[CVM_SEED_LEN]);

/*
 * HKDF-SHA256(no salt, ikm = shares in manifest order, info = L("2cvm/seed/1", manifest digest,
 * component id), 32 bytes). Each share is 32 bytes; at most 128 shares.
 */
int cvm_seed_derive(const struct cvm_secret *shares, size_t n, const struct cvm_digest *manifest,
                    const char *component_id, struct cvm_secret *ret,
                    struct cvm_error *err) CVM_MUST_USE;

#endif
