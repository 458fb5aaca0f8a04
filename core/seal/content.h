/* The content digest of a component or data item: it fixes the bytes in the manifest and hides them
 * by a salt. */
#ifndef CVM_SEAL_CONTENT_H
#define CVM_SEAL_CONTENT_H

#include "core/base/hash.h"

#define CVM_SALT_LEN                                                                               \
    32 /* random, or all zero where anyone shall be able to recompute the digest (`pack --public`) \
        */

/* SHA-256 of L("2cvm/content/1", salt, SHA-256(bytes)). */
struct cvm_digest cvm_content_digest(const uint8_t salt[CVM_SALT_LEN],
                                     const struct cvm_digest *sha256_of_bytes);

#endif
