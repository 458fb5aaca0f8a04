/*
 * Releasing a content key, or a share of the seed (item id "seed"), to one session for one
 * manifest: HPKE with info = L("2cvm/release/1"), aad = L("2cvm/release/1", manifest digest,
 * session thumbprint, item id).
 *
 * Security: the caller has verified the evidence of that session first, and written the release
 * down durably.
 */
#ifndef CVM_SEAL_RELEASE_H
#define CVM_SEAL_RELEASE_H

#include "core/seal/hpke.h"

/* `session` is the raw thumbprint of the session's signing key; `to` is its sealing key. */
int cvm_release_seal(const struct cvm_public_key *to, const struct cvm_digest *manifest,
                     const struct cvm_digest *session, const char *item_id,
                     const struct cvm_secret *key, struct cvm_sealed_key *ret,
                     struct cvm_error *err) CVM_MUST_USE;

/* CVM_E_HPKE_OPEN when it was not sealed to this key for exactly this manifest, session and item.
 */
int cvm_release_open(const struct cvm_key *session_seal, const struct cvm_digest *manifest,
                     const struct cvm_digest *session, const char *item_id,
                     const struct cvm_sealed_key *sealed, struct cvm_secret *ret,
                     struct cvm_error *err) CVM_MUST_USE;

#endif
