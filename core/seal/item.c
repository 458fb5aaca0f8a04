#include "core/seal/item.h"

#include <string.h>

#define LABEL "2cvm/item/1"
#define HEAD 4 /* the length */

static void bind(const struct cvm_digest *manifest, const struct cvm_digest *session,
                 const char *item_id, uint64_t n, struct cvm_buf *info, struct cvm_buf *aad)
{
    uint8_t number[8];
    for (int i = 0; i < 8; i++)
        number[i] = (uint8_t)(n >> (56 - 8 * i));
    struct cvm_bytes fields[] = {CVM_DIGEST_BYTES(manifest), CVM_DIGEST_BYTES(session),
                                 CVM_STR(item_id), CVM_BYTES(number, sizeof number)};
    cvm_label(info, LABEL, NULL, 0);
    cvm_label(aad, LABEL, fields, 4);
}

static size_t padded(size_t len)
{
    size_t size = CVM_ITEM_PLAIN_MIN;
    while (size < HEAD + len)
        size *= 2;
    return size;
}

int cvm_item_seal(const struct cvm_public_key *to, const struct cvm_digest *manifest,
                  const struct cvm_digest *session, const char *item_id, uint64_t n,
                  struct cvm_bytes content, uint8_t ret_enc[CVM_HPKE_ENC_LEN],
                  struct cvm_buf *ret_ct, struct cvm_error *err)
{
    CVM_ENSURE(content.len <= CVM_ITEM_BYTES_MAX, err, CVM_E_TOO_LARGE,
               "an item of %zu bytes, at most %d go into one act", content.len, CVM_ITEM_BYTES_MAX);
    CVM_AUTO_BUF struct cvm_buf info = {0}, aad = {0};
    CVM_AUTO_SECRET struct cvm_secret plain = {0};
    bind(manifest, session, item_id, n, &info, &aad);
    CVM_GUARD(cvm_secret_new(&plain, padded(content.len), err));
    memset(plain.data, 0, plain.len);
    for (int i = 0; i < HEAD; i++)
        plain.data[i] = (uint8_t)(content.len >> (24 - 8 * i));
    if (content.len)
        memcpy(plain.data + HEAD, content.data, content.len);
    return cvm_hpke_seal(to, CVM_BYTES(info.data, info.len), CVM_BYTES(aad.data, aad.len),
                         CVM_BYTES(plain.data, plain.len), ret_enc, ret_ct, err);
}

/* The content of a plain form that is exactly the one spelling of it. */
static int unpad(const struct cvm_secret *plain, struct cvm_bytes *ret, struct cvm_error *err)
{
    uint8_t any = 0;
    size_t len = 0;
    for (int i = 0; i < HEAD && plain->len >= HEAD; i++)
        len = len << 8 | plain->data[i];
    CVM_ENSURE(plain->len >= CVM_ITEM_PLAIN_MIN && len <= CVM_ITEM_BYTES_MAX &&
                   padded(len) == plain->len,
               err, CVM_E_PADDING, "an item of another size than its content asks for");
    for (size_t i = HEAD + len; i < plain->len; i++)
        any |= plain->data[i];
    CVM_ENSURE(!any, err, CVM_E_PADDING, "an item's padding is not zero");
    *ret = CVM_BYTES(plain->data + HEAD, len);
    return 0;
}

int cvm_item_open(const struct cvm_key *session_seal, const struct cvm_digest *manifest,
                  const struct cvm_digest *session, const char *item_id, uint64_t n,
                  const uint8_t enc[CVM_HPKE_ENC_LEN], struct cvm_bytes ct,
                  struct cvm_secret *ret_plain, struct cvm_bytes *ret_content,
                  struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf info = {0}, aad = {0};
    CVM_AUTO_SECRET struct cvm_secret plain = {0};
    struct cvm_bytes content;
    bind(manifest, session, item_id, n, &info, &aad);
    CVM_GUARD(cvm_hpke_open(session_seal, enc, CVM_BYTES(info.data, info.len),
                            CVM_BYTES(aad.data, aad.len), ct, &plain, err));
    CVM_GUARD(unpad(&plain, &content, err));
    *ret_plain = plain;
    *ret_content = content;
    plain = (struct cvm_secret){0};
    return 0;
}
