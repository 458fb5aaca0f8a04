#include "core/base/hash.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

static void digest(const EVP_MD *md, const void *data, size_t len, uint8_t *out)
{
    if (EVP_Digest(data, len, out, NULL, md, NULL) != 1)
        abort();
}

struct cvm_digest cvm_sha256(const void *data, size_t len)
{
    struct cvm_digest d;
    digest(EVP_sha256(), data, len, d.b);
    return d;
}

void cvm_sha384(const void *data, size_t len, uint8_t out[CVM_SHA384_LEN])
{
    digest(EVP_sha384(), data, len, out);
}

void cvm_sha512(const void *data, size_t len, uint8_t out[CVM_SHA512_LEN])
{
    digest(EVP_sha512(), data, len, out);
}

void cvm_label(struct cvm_buf *out, const char *label, const struct cvm_bytes *fields, size_t n)
{
    cvm_buf_append_u32be(out, (uint32_t)strlen(label));
    cvm_buf_append_str(out, label);
    for (size_t i = 0; i < n; i++) {
        if (fields[i].len > UINT32_MAX)
            abort();
        cvm_buf_append_u32be(out, (uint32_t)fields[i].len);
        cvm_buf_append(out, fields[i].data, fields[i].len);
    }
}

struct cvm_digest cvm_label_sha256(const char *label, const struct cvm_bytes *fields, size_t n)
{
    CVM_AUTO_BUF struct cvm_buf b = {0};
    cvm_label(&b, label, fields, n);
    return cvm_sha256(b.data, b.len);
}

void cvm_label_sha512(const char *label, const struct cvm_bytes *fields, size_t n,
                      uint8_t out[CVM_SHA512_LEN])
{
    CVM_AUTO_BUF struct cvm_buf b = {0};
    cvm_label(&b, label, fields, n);
    cvm_sha512(b.data, b.len, out);
}

static void hasher_start(struct cvm_hasher *h, const EVP_MD *md)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!ctx || EVP_DigestInit_ex(ctx, md, NULL) != 1)
        abort();
    h->ctx = ctx;
}

void cvm_hasher_start(struct cvm_hasher *h)
{
    hasher_start(h, EVP_sha256());
}

void cvm_hasher_start384(struct cvm_hasher *h)
{
    hasher_start(h, EVP_sha384());
}

void cvm_hasher_add(struct cvm_hasher *h, const void *data, size_t len)
{
    if (EVP_DigestUpdate(h->ctx, data, len) != 1)
        abort();
}

void cvm_hasher_end(struct cvm_hasher *h, uint8_t *out)
{
    if (EVP_DigestFinal_ex(h->ctx, out, NULL) != 1)
        abort();
    cvm_hasher_free(h);
}

void cvm_hasher_free(struct cvm_hasher *h)
{
    EVP_MD_CTX_free(h->ctx);
    h->ctx = NULL;
}

void cvm_hkdf_sha256(struct cvm_bytes salt, struct cvm_bytes ikm, struct cvm_bytes info,
                     uint8_t *out, size_t out_len)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    char md[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, md, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)ikm.data, ikm.len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)salt.data, salt.len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info.data, info.len),
        OSSL_PARAM_construct_end(),
    };
    if (!ctx || EVP_KDF_derive(ctx, out, out_len, params) != 1)
        abort();
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
}
