#include "core/seal/hpke.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "core/seal/hpke-internal.h"

#define KEM_X25519_SHA256 0x0020
#define KDF_SHA256 0x0001
#define MODE_BASE 0
#define NONCE_LEN 12

struct suite {
    uint8_t id[10];
    size_t len;
};

static struct suite kem_suite(void)
{
    return (struct suite){.id = {'K', 'E', 'M', KEM_X25519_SHA256 >> 8, KEM_X25519_SHA256 & 0xff},
                          .len = 5};
}

static struct suite hpke_suite(enum cvm_hpke_aead aead)
{
    return (struct suite){.id = {'H', 'P', 'K', 'E', KEM_X25519_SHA256 >> 8,
                                 KEM_X25519_SHA256 & 0xff, KDF_SHA256 >> 8, KDF_SHA256 & 0xff, 0,
                                 (uint8_t)aead},
                          .len = 10};
}

static void hmac(struct cvm_bytes key, const struct cvm_buf *data, uint8_t out[32])
{
    if (!HMAC(EVP_sha256(), key.len ? key.data : "", (int)key.len, data->data, data->len, out,
              NULL))
        abort();
}

/* LabeledExtract and LabeledExpand of RFC 9180 section 4; all that is expanded here fits one block
 * of HKDF-Expand. */
static void labeled_extract(const struct suite *suite, struct cvm_bytes salt, const char *label,
                            struct cvm_bytes ikm, uint8_t out[32])
{
    CVM_AUTO_BUF struct cvm_buf b = {0};
    cvm_buf_append_str(&b, "HPKE-v1");
    cvm_buf_append(&b, suite->id, suite->len);
    cvm_buf_append_str(&b, label);
    cvm_buf_append(&b, ikm.data, ikm.len);
    hmac(salt, &b, out);
}

static void labeled_expand(const struct suite *suite, const uint8_t prk[32], const char *label,
                           struct cvm_bytes info, uint8_t *out, size_t len)
{
    CVM_AUTO_BUF struct cvm_buf b = {0};
    uint8_t block[32];
    cvm_buf_append_u8(&b, 0);
    cvm_buf_append_u8(&b, (uint8_t)len);
    cvm_buf_append_str(&b, "HPKE-v1");
    cvm_buf_append(&b, suite->id, suite->len);
    cvm_buf_append_str(&b, label);
    cvm_buf_append(&b, info.data, info.len);
    cvm_buf_append_u8(&b, 1); /* counter of HKDF-Expand */
    hmac(CVM_BYTES(prk, 32), &b, block);
    memcpy(out, block, len);
    cvm_wipe(block, sizeof block);
}

/* The Diffie-Hellman value; OpenSSL refuses the all-zero one, and so do we. */
static int x25519(const struct cvm_key *mine, const uint8_t peer[32], uint8_t out[32],
                  struct cvm_error *err)
{
    static const uint8_t ZERO[32];
    size_t len = 32;
    EVP_PKEY *a = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, mine->secret.data, 32);
    EVP_PKEY *b = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, peer, 32);
    EVP_PKEY_CTX *ctx = a ? EVP_PKEY_CTX_new(a, NULL) : NULL;
    bool ok = ctx && b && EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, b) == 1 &&
              EVP_PKEY_derive(ctx, out, &len) == 1 && len == 32 && !cvm_equal(out, ZERO, 32);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(b);
    EVP_PKEY_free(a);
    CVM_ENSURE(ok, err, CVM_E_KEY_FORMAT, "no shared secret with this X25519 key");
    return 0;
}

struct schedule {
    uint8_t key[32], nonce[NONCE_LEN];
};

static void key_schedule(enum cvm_hpke_aead aead, const uint8_t shared[32], struct cvm_bytes info,
                         struct schedule *ret)
{
    struct suite suite = hpke_suite(aead);
    uint8_t context[1 + 32 + 32] = {MODE_BASE}, secret[32];
    labeled_extract(&suite, CVM_BYTES("", 0), "psk_id_hash", CVM_BYTES("", 0), context + 1);
    labeled_extract(&suite, CVM_BYTES("", 0), "info_hash", info, context + 33);
    labeled_extract(&suite, CVM_BYTES(shared, 32), "secret", CVM_BYTES("", 0), secret);
    struct cvm_bytes ctx = CVM_BYTES(context, sizeof context);
    labeled_expand(&suite, secret, "key", ctx, ret->key, aead == CVM_HPKE_AES_128_GCM ? 16 : 32);
    labeled_expand(&suite, secret, "base_nonce", ctx, ret->nonce, NONCE_LEN);
    cvm_wipe(secret, sizeof secret);
}

/* Both sides: `mine` is the ephemeral key of the sealer or the opener's own, `enc` and `to` make
 * the KEM context. */
static int derive(enum cvm_hpke_aead aead, const struct cvm_key *mine, const uint8_t peer[32],
                  const uint8_t enc[32], const uint8_t to[32], struct cvm_bytes info,
                  struct schedule *ret, struct cvm_error *err)
{
    struct suite suite = kem_suite();
    uint8_t dh[32], prk[32], shared[32], context[64];
    CVM_ENSURE(mine->curve == CVM_X25519 && mine->secret.len == 32, err, CVM_E_KEY_FORMAT,
               "not a sealing key");
    CVM_GUARD(x25519(mine, peer, dh, err));
    memcpy(context, enc, 32);
    memcpy(context + 32, to, 32);
    labeled_extract(&suite, CVM_BYTES("", 0), "eae_prk", CVM_BYTES(dh, 32), prk);
    labeled_expand(&suite, prk, "shared_secret", CVM_BYTES(context, 64), shared, 32);
    key_schedule(aead, shared, info, ret);
    cvm_wipe(dh, sizeof dh);
    cvm_wipe(prk, sizeof prk);
    cvm_wipe(shared, sizeof shared);
    return 0;
}

static const EVP_CIPHER *cipher(enum cvm_hpke_aead aead)
{
    return aead == CVM_HPKE_AES_128_GCM ? EVP_aes_128_gcm() : EVP_aes_256_gcm();
}

int cvm_hpke_seal_with(enum cvm_hpke_aead aead, const struct cvm_key *ephemeral,
                       const struct cvm_public_key *to, struct cvm_bytes info, struct cvm_bytes aad,
                       struct cvm_bytes plain, struct cvm_buf *ret_ct, struct cvm_error *err)
{
    struct schedule s = {0};
    CVM_ENSURE(plain.len <= CVM_SECRET_MAX && aad.len <= 65536, err, CVM_E_TOO_LARGE,
               "too much to seal by HPKE");
    CVM_GUARD(derive(aead, ephemeral, to->b, ephemeral->pub.b, to->b, info, &s, err));
    CVM_AUTO_BUF struct cvm_buf ct = {0};
    uint8_t *out = cvm_buf_extend(&ct, plain.len + CVM_HPKE_TAG_LEN);
    int n = 0, tail = 0, skip;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ok =
        ctx && EVP_EncryptInit_ex(ctx, cipher(aead), NULL, s.key, s.nonce) == 1 &&
        (!aad.len || EVP_EncryptUpdate(ctx, NULL, &skip, aad.data, (int)aad.len) == 1) &&
        EVP_EncryptUpdate(ctx, out, &n, plain.data, (int)plain.len) == 1 &&
        EVP_EncryptFinal_ex(ctx, out + n, &tail) == 1 && (size_t)(n + tail) == plain.len &&
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, CVM_HPKE_TAG_LEN, out + plain.len) == 1;
    EVP_CIPHER_CTX_free(ctx);
    cvm_wipe(&s, sizeof s);
    CVM_ENSURE(ok, err, CVM_E_INTERNAL, "AES-GCM failed");
    cvm_buf_append(ret_ct, ct.data, ct.len);
    return 0;
}

int cvm_hpke_open_with(enum cvm_hpke_aead aead, const struct cvm_key *mine,
                       const uint8_t enc[CVM_HPKE_ENC_LEN], struct cvm_bytes info,
                       struct cvm_bytes aad, struct cvm_bytes ct, struct cvm_secret *ret,
                       struct cvm_error *err)
{
    struct schedule s = {0};
    CVM_AUTO_SECRET struct cvm_secret plain = {0};
    size_t len = ct.len - CVM_HPKE_TAG_LEN;
    CVM_ENSURE(ct.len > CVM_HPKE_TAG_LEN && len <= CVM_SECRET_MAX && aad.len <= 65536, err,
               CVM_E_HPKE_OPEN, "a ciphertext of %zu bytes", ct.len);
    CVM_GUARD(cvm_secret_new(&plain, len, err));
    CVM_ENSURE(derive(aead, mine, enc, enc, mine->pub.b, info, &s, NULL) == 0, err, CVM_E_HPKE_OPEN,
               "enc is not a usable key");
    int n = 0, tail = 0, skip;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ok = ctx && EVP_DecryptInit_ex(ctx, cipher(aead), NULL, s.key, s.nonce) == 1 &&
              (!aad.len || EVP_DecryptUpdate(ctx, NULL, &skip, aad.data, (int)aad.len) == 1) &&
              EVP_DecryptUpdate(ctx, plain.data, &n, ct.data, (int)len) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, CVM_HPKE_TAG_LEN,
                                  (uint8_t *)ct.data + len) == 1 &&
              EVP_DecryptFinal_ex(ctx, plain.data + n, &tail) == 1 && (size_t)(n + tail) == len;
    EVP_CIPHER_CTX_free(ctx);
    cvm_wipe(&s, sizeof s);
    CVM_ENSURE(ok, err, CVM_E_HPKE_OPEN,
               "not sealed to this key with this info and aad, or changed");
    *ret = plain;
    plain = (struct cvm_secret){0};
    return 0;
}

int cvm_hpke_seal(const struct cvm_public_key *to, struct cvm_bytes info, struct cvm_bytes aad,
                  struct cvm_bytes plain, uint8_t ret_enc[CVM_HPKE_ENC_LEN], struct cvm_buf *ret_ct,
                  struct cvm_error *err)
{
    CVM_AUTO_KEY struct cvm_key ephemeral = {0};
    CVM_GUARD(cvm_key_generate(&ephemeral, CVM_X25519, err));
    CVM_GUARD(
        cvm_hpke_seal_with(CVM_HPKE_AES_256_GCM, &ephemeral, to, info, aad, plain, ret_ct, err));
    memcpy(ret_enc, ephemeral.pub.b, CVM_HPKE_ENC_LEN);
    return 0;
}

int cvm_hpke_open(const struct cvm_key *mine, const uint8_t enc[CVM_HPKE_ENC_LEN],
                  struct cvm_bytes info, struct cvm_bytes aad, struct cvm_bytes ct,
                  struct cvm_secret *ret, struct cvm_error *err)
{
    return cvm_hpke_open_with(CVM_HPKE_AES_256_GCM, mine, enc, info, aad, ct, ret, err);
}

int cvm_sealed_key_make(const struct cvm_public_key *to, struct cvm_bytes info,
                        struct cvm_bytes aad, const struct cvm_secret *key,
                        struct cvm_sealed_key *ret, struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf ct = {0};
    struct cvm_sealed_key sealed;
    CVM_ENSURE(key->len == CVM_CONTENT_KEY_LEN, err, CVM_E_INTERNAL, "a content key of %zu bytes",
               key->len);
    CVM_GUARD(cvm_hpke_seal(to, info, aad, CVM_BYTES(key->data, key->len), sealed.enc, &ct, err));
    memcpy(sealed.ct, ct.data, sizeof sealed.ct);
    *ret = sealed;
    return 0;
}

int cvm_sealed_key_open(const struct cvm_key *mine, struct cvm_bytes info, struct cvm_bytes aad,
                        const struct cvm_sealed_key *sealed, struct cvm_secret *ret,
                        struct cvm_error *err)
{
    return cvm_hpke_open(mine, sealed->enc, info, aad, CVM_BYTES(sealed->ct, sizeof sealed->ct),
                         ret, err);
}

void cvm_sealed_key_write(const struct cvm_sealed_key *sealed, json_t *object)
{
    CVM_AUTO_FREE char *enc = cvm_b64u(sealed->enc, sizeof sealed->enc);
    CVM_AUTO_FREE char *ct = cvm_b64u(sealed->ct, sizeof sealed->ct);
    if (json_object_set_new(object, "enc", json_string(enc)) < 0 ||
        json_object_set_new(object, "ct", json_string(ct)) < 0)
        abort();
}

struct cvm_sealed_key cvm_sealed_key_read(struct cvm_json_reader *r)
{
    struct cvm_sealed_key sealed = {0};
    const char *enc = cvm_json_string(r, "enc");
    const char *ct = cvm_json_string(r, "ct");
    if (!r->failed && (cvm_b64u_decode_exact(enc, sealed.enc, sizeof sealed.enc, NULL) < 0 ||
                       cvm_b64u_decode_exact(ct, sealed.ct, sizeof sealed.ct, NULL) < 0)) {
        cvm_json_fail(r, CVM_E_BAD_ENCODING, "\"enc\" is 32 and \"ct\" 48 bytes of base64url");
        sealed = (struct cvm_sealed_key){0};
    }
    return sealed;
}
