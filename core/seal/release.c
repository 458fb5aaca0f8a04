#include "core/seal/release.h"

#include <string.h>

#define LABEL "2cvm/release/1"

static void bind(const struct cvm_digest *manifest, const struct cvm_digest *session,
                 const char *item_id, struct cvm_buf *info, struct cvm_buf *aad)
{
    struct cvm_bytes fields[] = {CVM_DIGEST_BYTES(manifest), CVM_DIGEST_BYTES(session),
                                 CVM_STR(item_id)};
    cvm_label(info, LABEL, NULL, 0);
    cvm_label(aad, LABEL, fields, 3);
}

int cvm_release_seal(const struct cvm_public_key *to, const struct cvm_digest *manifest,
                     const struct cvm_digest *session, const char *item_id,
                     const struct cvm_secret *key, struct cvm_sealed_key *ret,
                     struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf info = {0}, aad = {0};
    bind(manifest, session, item_id, &info, &aad);
    return cvm_sealed_key_make(to, CVM_BYTES(info.data, info.len), CVM_BYTES(aad.data, aad.len),
                               key, ret, err);
}

int cvm_release_open(const struct cvm_key *session_seal, const struct cvm_digest *manifest,
                     const struct cvm_digest *session, const char *item_id,
                     const struct cvm_sealed_key *sealed, struct cvm_secret *ret,
                     struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf info = {0}, aad = {0};
    bind(manifest, session, item_id, &info, &aad);
    return cvm_sealed_key_open(session_seal, CVM_BYTES(info.data, info.len),
                               CVM_BYTES(aad.data, aad.len), sealed, ret, err);
}
