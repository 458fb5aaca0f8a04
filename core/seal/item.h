/*
 * One item of an open input, sealed straight to the session: HPKE (hpke.h) with info =
 * L("2cvm/item/1"), aad = L("2cvm/item/1", manifest digest, session thumbprint, item id, u64be(n)).
 *
 * The plain form is u32be(length) content zeros, of the next power of two of 256 to
 * CVM_ITEM_PLAIN_MAX bytes: who sees the act learns no more of the length.
 *
 * Security: as with a release, the caller knows that the session is the one that it verified. The
 * number in the aad keeps an item in its place; the signed act around it says who sent it.
 */
#ifndef CVM_SEAL_ITEM_H
#define CVM_SEAL_ITEM_H

#include "core/seal/hpke.h"

#define CVM_ITEM_PLAIN_MIN 256
#define CVM_ITEM_PLAIN_MAX 32768 /* so that its act stays within CVM_ACT_MAX */
#define CVM_ITEM_BYTES_MAX (CVM_ITEM_PLAIN_MAX - 4)

/* Up to CVM_ITEM_BYTES_MAX bytes (CVM_E_TOO_LARGE); appends the ciphertext to `ret_ct`. */
int cvm_item_seal(const struct cvm_public_key *to, const struct cvm_digest *manifest,
                  const struct cvm_digest *session, const char *item_id, uint64_t n,
                  struct cvm_bytes content, uint8_t ret_enc[CVM_HPKE_ENC_LEN],
                  struct cvm_buf *ret_ct, struct cvm_error *err) CVM_MUST_USE;

/* Foreign enc and ct. CVM_E_HPKE_OPEN when it was not sealed for exactly this, CVM_E_PADDING when
 * the plain form is another. *ret_content points into *ret_plain. */
int cvm_item_open(const struct cvm_key *session_seal, const struct cvm_digest *manifest,
                  const struct cvm_digest *session, const char *item_id, uint64_t n,
                  const uint8_t enc[CVM_HPKE_ENC_LEN], struct cvm_bytes ct,
                  struct cvm_secret *ret_plain, struct cvm_bytes *ret_content,
                  struct cvm_error *err) CVM_MUST_USE;

#endif
