#include "core/seal/jwk.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

static int pkey_type(enum cvm_curve curve)
{
    return curve == CVM_ED25519 ? EVP_PKEY_ED25519 : EVP_PKEY_X25519;
}

static const char *curve_name(enum cvm_curve curve)
{
    return curve == CVM_ED25519 ? "Ed25519" : "X25519";
}

int cvm_key_from_secret(struct cvm_key *ret, enum cvm_curve curve, const uint8_t secret[32],
                        struct cvm_error *err)
{
    struct cvm_key key = {.curve = curve};
    size_t len = sizeof key.pub.b;
    CVM_GUARD(cvm_secret_copy(&key.secret, secret, 32, err));
    EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key(pkey_type(curve), NULL, key.secret.data, 32);
    bool ok = pkey && EVP_PKEY_get_raw_public_key(pkey, key.pub.b, &len) == 1 && len == 32;
    EVP_PKEY_free(pkey);
    if (!ok) {
        cvm_key_free(&key);
        return cvm_fail(err, CVM_E_INTERNAL, "the public half of a key could not be computed");
    }
    *ret = key;
    return 0;
}

int cvm_key_generate(struct cvm_key *ret, enum cvm_curve curve, struct cvm_error *err)
{
    CVM_AUTO_SECRET struct cvm_secret secret = {0};
    CVM_GUARD(cvm_secret_random(&secret, 32, err));
    return cvm_key_from_secret(ret, curve, secret.data, err);
}

void cvm_key_free(struct cvm_key *key)
{
    cvm_secret_free(&key->secret);
    *key = (struct cvm_key){0};
}

/* The encodings of Ed25519 points of order 1, 2, 4 and 8, the sign bit left out; also those above
 * the field's prime. */
static const uint8_t SMALL_ORDER[][32] = {
    {0},
    {1},
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
     0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
     0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
     0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
     0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
};

static bool ed25519_small_order(const struct cvm_public_key *key)
{
    struct cvm_public_key k = *key;
    k.b[31] &= 0x7f;
    for (size_t i = 0; i < sizeof SMALL_ORDER / sizeof SMALL_ORDER[0]; i++)
        if (memcmp(k.b, SMALL_ORDER[i], 32) == 0)
            return true;
    return false;
}

/* A clamped scalar is a multiple of 8: it takes exactly the points of small order to zero, which
 * OpenSSL refuses. */
static bool x25519_small_order(const struct cvm_public_key *key)
{
    static const uint8_t ANY_SCALAR[32] = {8};
    uint8_t shared[32], bits = 0;
    size_t len = sizeof shared;
    EVP_PKEY *mine = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, ANY_SCALAR, 32);
    EVP_PKEY *peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, key->b, 32);
    EVP_PKEY_CTX *ctx = mine ? EVP_PKEY_CTX_new(mine, NULL) : NULL;
    bool ok = ctx && peer && EVP_PKEY_derive_init(ctx) == 1 &&
              EVP_PKEY_derive_set_peer(ctx, peer) == 1 && EVP_PKEY_derive(ctx, shared, &len) == 1 &&
              len == sizeof shared;
    for (size_t i = 0; ok && i < sizeof shared; i++)
        bits |= shared[i];
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(peer);
    EVP_PKEY_free(mine);
    return !ok || bits == 0;
}

int cvm_public_key_check(const struct cvm_public_key *key, enum cvm_curve curve,
                         struct cvm_error *err)
{
    bool small = curve == CVM_ED25519 ? ed25519_small_order(key) : x25519_small_order(key);
    CVM_ENSURE(!small, err, CVM_E_KEY_FORMAT, "an %s key of small order", curve_name(curve));
    return 0;
}

int cvm_jwk_parse(const json_t *jwk, enum cvm_curve curve, struct cvm_public_key *ret,
                  struct cvm_error *err)
{
    struct cvm_json_reader r;
    struct cvm_error why;
    struct cvm_public_key key;
    cvm_json_begin(&r, (json_t *)jwk, "", &why);
    const char *kty = cvm_json_string(&r, "kty");
    const char *crv = cvm_json_string(&r, "crv");
    const char *x = cvm_json_string(&r, "x");
    if (cvm_json_end(&r) < 0)
        return cvm_fail(err, CVM_E_KEY_FORMAT, "JWK: %.200s", why.message);
    if (strcmp(kty, "OKP") != 0 || strcmp(crv, curve_name(curve)) != 0)
        return cvm_fail_expected(err, CVM_E_KEY_FORMAT, curve_name(curve), crv,
                                 "JWK: not an OKP key of this curve");
    if (cvm_b64u_decode_exact(x, key.b, sizeof key.b, &why) < 0)
        return cvm_fail(err, CVM_E_KEY_FORMAT, "JWK: \"x\": %.200s", why.message);
    CVM_GUARD(cvm_public_key_check(&key, curve, err));
    *ret = key;
    return 0;
}

json_t *cvm_jwk(const struct cvm_public_key *key, enum cvm_curve curve)
{
    CVM_AUTO_FREE char *x = cvm_b64u(key->b, sizeof key->b);
    return json_pack("{s:s, s:s, s:s}", "crv", curve_name(curve), "kty", "OKP", "x", x);
}

/* The file's only spelling: writer and reader fill and compare this one template. */
static void private_form(enum cvm_curve curve, const char *d, const char *x, struct cvm_buf *out)
{
    cvm_buf_append_str(out, "{\"crv\":\"");
    cvm_buf_append_str(out, curve_name(curve));
    cvm_buf_append_str(out, "\",\"d\":\"");
    cvm_buf_append_str(out, d);
    cvm_buf_append_str(out, "\",\"kty\":\"OKP\",\"x\":\"");
    cvm_buf_append_str(out, x);
    cvm_buf_append_str(out, "\"}");
}

void cvm_jwk_write_private(const struct cvm_key *key, struct cvm_buf *out)
{
    CVM_AUTO_FREE char *x = cvm_b64u(key->pub.b, sizeof key->pub.b);
    char *d = cvm_b64u(key->secret.data, key->secret.len);
    private_form(key->curve, d, x, out);
    cvm_wipe(d, strlen(d));
    free(d);
}

int cvm_jwk_read_private(const void *data, size_t len, enum cvm_curve curve, struct cvm_key *ret,
                         struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf head = {0}, d = {0}, again = {0};
    CVM_AUTO_KEY struct cvm_key key = {0};
    const char *text = data;
    if (len > 0 && text[len - 1] == '\n')
        len--;
    cvm_buf_append_str(&head, "{\"crv\":\"");
    cvm_buf_append_str(&head, curve_name(curve));
    cvm_buf_append_str(&head, "\",\"d\":\"");
    CVM_ENSURE(len >= head.len + 43 && memcmp(text, head.data, head.len) == 0, err,
               CVM_E_KEY_FORMAT, "not a private %s key file", curve_name(curve));
    CVM_ENSURE(cvm_b64u_decode(text + head.len, 43, &d, NULL) == 0 && d.len == 32, err,
               CVM_E_KEY_FORMAT, "\"d\" is not 32 bytes of base64url");
    CVM_GUARD(cvm_key_from_secret(&key, curve, d.data, err));
    cvm_jwk_write_private(&key, &again);
    CVM_ENSURE(again.len == len && cvm_equal(again.data, text, len), err, CVM_E_KEY_FORMAT,
               "the key file is not canonical, or \"x\" does not belong to \"d\"");
    *ret = key;
    key = (struct cvm_key){0};
    return 0;
}

struct cvm_digest cvm_jwk_thumbprint(const struct cvm_public_key *key, enum cvm_curve curve)
{
    CVM_AUTO_FREE char *x = cvm_b64u(key->b, sizeof key->b);
    CVM_AUTO_FREE char *text =
        cvm_printf("{\"crv\":\"%s\",\"kty\":\"OKP\",\"x\":\"%s\"}", curve_name(curve), x);
    return cvm_sha256(text, strlen(text));
}

char *cvm_kid_text(const struct cvm_digest *thumbprint, char out[CVM_KID_TEXT])
{
    CVM_AUTO_FREE char *text = cvm_b64u(thumbprint->b, sizeof thumbprint->b);
    memcpy(out, text, CVM_KID_TEXT);
    return out;
}

char *cvm_jwk_kid(const struct cvm_public_key *key, enum cvm_curve curve, char out[CVM_KID_TEXT])
{
    struct cvm_digest t = cvm_jwk_thumbprint(key, curve);
    return cvm_kid_text(&t, out);
}

int cvm_kid_parse(const char *kid, struct cvm_digest *ret, struct cvm_error *err)
{
    struct cvm_digest d;
    CVM_ENSURE(cvm_b64u_decode_exact(kid, d.b, sizeof d.b, NULL) == 0, err, CVM_E_BAD_ENCODING,
               "not a key id of 43 base64url characters");
    *ret = d;
    return 0;
}
