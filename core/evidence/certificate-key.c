/*
 * The two kinds of key that sign certificates and reports, and their signatures.
 *
 * Keys are read here, from their exact bytes, and not by OpenSSL's decoders: those search all
 * formats of all algorithms, and took a third of the time of judging a report.
 */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <string.h>

#include "core/base/cursor.h"
#include "core/evidence/certificate-internal.h"

#define RSA_BITS 4096
#define RSA_EXPONENT_MAX 8 /* bytes: a longer one would only cost time */

static EVP_PKEY *from_params(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *ctx = params ? EVP_PKEY_CTX_new_from_name(NULL, type, NULL) : NULL;
    if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    return key;
}

EVP_PKEY *cvm_key_p384(const uint8_t point[CVM_P384_POINT_LEN])
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)"secp384r1", 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)point,
                                          CVM_P384_POINT_LEN),
        OSSL_PARAM_construct_end(),
    };
    return from_params("EC", params);
}

/* A positive INTEGER in DER, as the cursor's next; data NULL when it is none. */
static struct cvm_bytes der_number(struct cvm_cursor *c)
{
    uint8_t tag = cvm_cursor_u8(c);
    size_t n = cvm_cursor_u8(c);
    bool long_form = n == 0x82;
    if (long_form)
        n = (size_t)cvm_cursor_uint(c, 2, true);
    const uint8_t *p = cvm_cursor_take(c, n);
    if (!p || (long_form ? n < 256 : n > 127) || tag != 0x02 || n == 0 || p[0] & 0x80 ||
        (n > 1 && p[0] == 0 && !(p[1] & 0x80)))
        return CVM_BYTES(NULL, 0);
    return p[0] == 0 ? CVM_BYTES(p + 1, n - 1) : CVM_BYTES(p, n);
}

/* RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }, of 4096 bits, in DER. */
static EVP_PKEY *rsa_4096(const uint8_t *der, size_t len)
{
    struct cvm_cursor c = cvm_cursor(der, len);
    bool sequence = cvm_cursor_u8(&c) == 0x30 && cvm_cursor_u8(&c) == 0x82 &&
                    cvm_cursor_uint(&c, 2, true) == len - 4;
    struct cvm_bytes n = der_number(&c), e = der_number(&c);
    if (!sequence || !n.data || !e.data || !cvm_cursor_done(&c) || n.len != RSA_BITS / 8 ||
        !(*(const uint8_t *)n.data & 0x80) || e.len > RSA_EXPONENT_MAX)
        return NULL;
    BIGNUM *modulus = BN_bin2bn(n.data, (int)n.len, NULL);
    BIGNUM *exponent = BN_bin2bn(e.data, (int)e.len, NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    if (modulus && exponent && build &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent) == 1)
        params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY *key = from_params("RSA", params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(modulus);
    BN_free(exponent);
    return key;
}

void cvm_key_read(struct cvm_certificate *c)
{
    ASN1_OBJECT *oid = NULL;
    const unsigned char *bits = NULL;
    int len = 0, type = V_ASN1_UNDEF;
    X509_ALGOR *alg = NULL;
    const void *value = NULL;
    if (X509_PUBKEY_get0_param(&oid, &bits, &len, &alg, X509_get_X509_PUBKEY(c->x)) != 1 ||
        len <= 0)
        return;
    X509_ALGOR_get0(NULL, &type, &value, alg);
    int nid = OBJ_obj2nid(oid);
    if (nid == NID_rsaEncryption && type == V_ASN1_NULL) {
        c->key = rsa_4096(bits, (size_t)len);
        c->kind = CVM_KEY_RSA_4096;
    } else if (nid == NID_X9_62_id_ecPublicKey && type == V_ASN1_OBJECT &&
               OBJ_obj2nid(value) == NID_secp384r1 && len == CVM_P384_POINT_LEN && bits[0] == 4) {
        memcpy(c->point, bits, CVM_P384_POINT_LEN);
        c->key = cvm_key_p384(c->point); /* also: it lies on the curve */
        c->kind = CVM_KEY_P384;
    }
    if (!c->key)
        c->kind = CVM_KEY_OTHER;
    ERR_clear_error();
}

bool cvm_key_is_for(const struct cvm_certificate *c, enum cvm_issuer_signature kind)
{
    return c->kind == (kind == CVM_ISSUER_RSA_PSS ? CVM_KEY_RSA_4096 : CVM_KEY_P384);
}

bool cvm_key_verify(EVP_PKEY *key, enum cvm_issuer_signature kind, struct cvm_bytes signature,
                    struct cvm_bytes message)
{
    EVP_PKEY_CTX *p = NULL; /* belongs to ctx */
    EVP_MD_CTX *ctx = key ? EVP_MD_CTX_new() : NULL;
    bool good = ctx && EVP_DigestVerifyInit(ctx, &p, EVP_sha384(), NULL, key) == 1;
    if (good && kind == CVM_ISSUER_RSA_PSS)
        good = EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(p, 48) == 1 &&
               EVP_PKEY_CTX_set_rsa_mgf1_md(p, EVP_sha384()) == 1;
    good = good &&
           EVP_DigestVerify(ctx, signature.data, signature.len, message.data, message.len) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return good;
}
