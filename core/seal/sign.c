#include "core/seal/sign.h"

#include <openssl/evp.h>

int cvm_ed25519_sign(const struct cvm_key *key, const void *data, size_t len,
                     uint8_t out[CVM_SIGNATURE_LEN], struct cvm_error *err)
{
    CVM_ENSURE(key->curve == CVM_ED25519 && key->secret.len == 32, err, CVM_E_KEY_FORMAT,
               "not a signing key");
    size_t out_len = CVM_SIGNATURE_LEN;
    EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, key->secret.data, 32);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = pkey && ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
              EVP_DigestSign(ctx, out, &out_len, data, len) == 1 && out_len == CVM_SIGNATURE_LEN;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    CVM_ENSURE(ok, err, CVM_E_INTERNAL, "signing failed");
    return 0;
}

int cvm_ed25519_verify(const struct cvm_public_key *key, const void *data, size_t len,
                       const uint8_t signature[CVM_SIGNATURE_LEN], struct cvm_error *err)
{
    CVM_GUARD(cvm_public_key_check(key, CVM_ED25519, err));
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key->b, sizeof key->b);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = pkey && ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
              EVP_DigestVerify(ctx, signature, CVM_SIGNATURE_LEN, data, len) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    CVM_ENSURE(ok, err, CVM_E_JWS_SIGNATURE, "Ed25519 over %zu bytes", len);
    return 0;
}
