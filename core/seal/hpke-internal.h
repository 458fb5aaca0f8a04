/* HPKE with its choices open: the ephemeral key and the AEAD, so that the vectors of RFC 9180
 * (AES-128-GCM) apply. For tests. */
#ifndef CVM_SEAL_HPKE_INTERNAL_H
#define CVM_SEAL_HPKE_INTERNAL_H

#include "core/seal/hpke.h"

enum cvm_hpke_aead {
    CVM_HPKE_AES_128_GCM = 1,
    CVM_HPKE_AES_256_GCM = 2,
};

int cvm_hpke_seal_with(enum cvm_hpke_aead aead, const struct cvm_key *ephemeral,
                       const struct cvm_public_key *to, struct cvm_bytes info, struct cvm_bytes aad,
                       struct cvm_bytes plain, struct cvm_buf *ret_ct,
                       struct cvm_error *err) CVM_MUST_USE;
int cvm_hpke_open_with(enum cvm_hpke_aead aead, const struct cvm_key *mine,
                       const uint8_t enc[CVM_HPKE_ENC_LEN], struct cvm_bytes info,
                       struct cvm_bytes aad, struct cvm_bytes ct, struct cvm_secret *ret,
                       struct cvm_error *err) CVM_MUST_USE;

#endif
