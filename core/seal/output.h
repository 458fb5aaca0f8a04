/*
 * Sealed outputs: `len32be(header) header blob`. The header is canonical JSON
 * {"keys":[{"ct","enc","kid"}, …],"manifest","output","session","version":1}; each recipient's
 * entry holds the blob's key, sealed by HPKE (info = L("2cvm/output/1"), aad = L("2cvm/output/1",
 * manifest digest, session thumbprint, output id)). The blob's associated data is SHA-256 of the
 * header, so that neither can be exchanged. kid is the thumbprint of the recipient's X25519 key;
 * recipients stand in manifest order.
 */
#ifndef CVM_SEAL_OUTPUT_H
#define CVM_SEAL_OUTPUT_H

#include "core/seal/blob.h"
#include "core/seal/hpke.h"

#define CVM_OUTPUT_RECIPIENTS_MAX 32
#define CVM_OUTPUT_HEADER_MAX 16384

struct cvm_output_binding {
    struct cvm_digest manifest;
    struct cvm_digest session; /* thumbprint of the session's signing key */
    const char *output;        /* borrowed id */
};

/*
 * Reads exactly `length` bytes from in_fd, writes the sealed file to out_fd (both at their offsets)
 * under a fresh key. ret_file is SHA-256 of the sealed file, for the receipt; ret_size its bytes;
 * both may be NULL.
 */
int cvm_output_seal(const struct cvm_output_binding *binding,
                    const struct cvm_public_key *recipients, size_t n, enum cvm_padding padding,
                    uint64_t max_bytes, int in_fd, uint64_t length, int out_fd,
                    struct cvm_digest *ret_file, uint64_t *ret_size,
                    struct cvm_error *err) CVM_MUST_USE;

/* Bytes of the sealed file that cvm_output_seal() would write. */
uint64_t cvm_output_sealed_size(const struct cvm_output_binding *binding, size_t recipients,
                                enum cvm_padding padding, uint64_t length, uint64_t max_bytes);

/*
 * Opens the sealed file in in_fd (from its offset to its end) for one recipient and writes the
 * content to out_fd. CVM_E_SEALED_FORMAT (not of this form, or for another manifest, session or
 * output), CVM_E_NOT_RECIPIENT, CVM_E_HPKE_OPEN, and those of cvm_blob_opener. ret_file (SHA-256 of
 * the sealed file, to compare with the receipt) and ret_length may be NULL.
 *
 * Security: anyone can seal to a recipient. Only the receipt, signed by the session key, says that
 * the isolate did: compare ret_file with it before the content is used.
 */
int cvm_output_open(const struct cvm_output_binding *binding, const struct cvm_key *mine,
                    enum cvm_padding padding, uint64_t max_bytes, int in_fd, int out_fd,
                    struct cvm_digest *ret_file, uint64_t *ret_length,
                    struct cvm_error *err) CVM_MUST_USE;

#endif
