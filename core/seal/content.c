#include "core/seal/content.h"

struct cvm_digest cvm_content_digest(const uint8_t salt[CVM_SALT_LEN],
                                     const struct cvm_digest *sha256_of_bytes)
{
    struct cvm_bytes fields[] = {CVM_BYTES(salt, CVM_SALT_LEN), CVM_DIGEST_BYTES(sha256_of_bytes)};
    return cvm_label_sha256("2cvm/content/1", fields, 2);
}
