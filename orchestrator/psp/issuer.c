#include "orchestrator/psp/issuer.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/evidence/line.h"

const char cvm_simulated_sentence[] =
    "Everybody can compute this key, so it proves nothing: 2cVM simulated root, version 1.";

#define DAY 86400
#define YEAR (365 * DAY)
#define FIXED_START                                                                                \
    1735689600LL /* 2025-01-01: of root and issuer, so that they never look expired */

/* OpenSSL keeps a queue of errors a thread; ours are told by value, so the queue is emptied. */
static int failed(struct cvm_error *err, const char *what)
{
    ERR_clear_error();
    return cvm_fail(err, CVM_E_INTERNAL, "the crypto library cannot %s", what);
}

static void free_key(EVP_PKEY **k)
{
    EVP_PKEY_free(*k);
}
static void free_x509(X509 **x)
{
    X509_free(*x);
}
#define AUTO_KEY __attribute__((cleanup(free_key)))
#define AUTO_X509 __attribute__((cleanup(free_x509)))

static const char order[] = "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf"
                            "581a0db248b0a77aecec196accc52973";

/* A P-384 key pair from its scalar. */
static EVP_PKEY *key_of(const BIGNUM *d)
{
    EVP_PKEY *key = NULL;
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_secp384r1);
    EC_POINT *q = group ? EC_POINT_new(group) : NULL;
    uint8_t point[97];
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    OSSL_PARAM *params = NULL;
    if (q && bld && ctx && EC_POINT_mul(group, q, d, NULL, NULL, NULL) == 1 &&
        EC_POINT_point2oct(group, q, POINT_CONVERSION_UNCOMPRESSED, point, sizeof(point), NULL) ==
            sizeof(point) &&
        OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, "secp384r1", 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)) == 1 &&
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, d) == 1 &&
        (params = OSSL_PARAM_BLD_to_param(bld)) && EVP_PKEY_fromdata_init(ctx) == 1 &&
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) != 1)
        key = NULL;
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    EVP_PKEY_CTX_free(ctx);
    EC_POINT_free(q);
    EC_GROUP_free(group);
    return key;
}

/* scalar = HKDF-SHA256(ikm = the sentence, info = L(label), 64 bytes), big-endian, mod (n-1), + 1
 */
static EVP_PKEY *key_from_sentence(const char *label)
{
    CVM_AUTO_BUF struct cvm_buf info = {0};
    uint8_t okm[64];
    cvm_label(&info, label, NULL, 0);
    cvm_hkdf_sha256(CVM_BYTES("", 0), CVM_STR(cvm_simulated_sentence),
                    CVM_BYTES(info.data, info.len), okm, sizeof(okm));
    EVP_PKEY *key = NULL;
    BIGNUM *n = NULL, *d = BN_bin2bn(okm, sizeof(okm), NULL);
    BN_CTX *ctx = BN_CTX_new();
    if (d && ctx && BN_hex2bn(&n, order) && BN_sub_word(n, 1) && BN_mod(d, d, n, ctx) &&
        BN_add_word(d, 1))
        key = key_of(d);
    BN_CTX_free(ctx);
    BN_free(n);
    BN_free(d);
    return key;
}

static EVP_PKEY *root_key(void)
{
    return key_from_sentence("2cvm/simulated-root/1");
}

static bool add_name(X509_NAME *name, const char *cn)
{
    return X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC,
                                      (const unsigned char *)"2cVM SIMULATED, proves nothing", -1,
                                      -1, 0) == 1 &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1,
                                      0) == 1;
}

static bool add_ext(X509 *x, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, NULL, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = e && X509_add_ext(x, e, -1) == 1;
    X509_EXTENSION_free(e);
    return ok;
}

/* One of AMD's extensions, with the bytes as they stand in a real certificate. */
static bool add_amd(X509 *x, const char *suffix, const void *der, int len)
{
    char oid[64];
    snprintf(oid, sizeof(oid), "1.3.6.1.4.1.3704.1.%s", suffix);
    ASN1_OBJECT *o = OBJ_txt2obj(oid, 1);
    ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();
    X509_EXTENSION *e = NULL;
    bool ok = o && s && ASN1_OCTET_STRING_set(s, der, len) == 1 &&
              (e = X509_EXTENSION_create_by_OBJ(NULL, o, 0, s)) && X509_add_ext(x, e, -1) == 1;
    X509_EXTENSION_free(e);
    ASN1_OCTET_STRING_free(s);
    ASN1_OBJECT_free(o);
    return ok;
}

static X509 *certificate(const char *cn, const char *issuer, EVP_PKEY *key, long serial,
                         int64_t from, int64_t to)
{
    X509 *x = X509_new();
    if (x && X509_set_version(x, X509_VERSION_3) == 1 &&
        ASN1_INTEGER_set(X509_get_serialNumber(x), serial) == 1 &&
        add_name(X509_get_subject_name(x), cn) && add_name(X509_get_issuer_name(x), issuer) &&
        ASN1_TIME_set(X509_getm_notBefore(x), from) && ASN1_TIME_set(X509_getm_notAfter(x), to) &&
        X509_set_pubkey(x, key) == 1)
        return x;
    X509_free(x);
    return NULL;
}

static int finish(X509 *x, EVP_PKEY *signer, struct cvm_buf *ret, struct cvm_error *err)
{
    unsigned char *der = NULL;
    int len = X509_sign(x, signer, EVP_sha384()) > 0 ? i2d_X509(x, &der) : -1;
    if (len <= 0)
        return failed(err, "sign a certificate");
    cvm_buf_append(ret, der, (size_t)len);
    OPENSSL_free(der);
    return 0;
}

static const struct cvm_tcb tcb = {-1, 1, 1, 1, 1};

static bool add_amd_all(X509 *x, const uint8_t chip_id[CVM_CHIP_ID_LEN])
{
    static const uint8_t zero[] = {2, 1, 0}, one[] = {2, 1, 1};
    static const uint8_t product[] = "\x16\x09SIMULATED";
    static const char *const reserved[] = {"3.4", "3.5", "3.6", "3.7"};
    static const char *const ones[] = {"3.1", "3.2", "3.3", "3.8"};
    bool ok = add_amd(x, "1", zero, sizeof(zero)) && add_amd(x, "2", product, 11) &&
              add_amd(x, "4", chip_id, CVM_CHIP_ID_LEN);
    for (size_t i = 0; ok && i < 4; i++)
        ok = add_amd(x, ones[i], one, sizeof(one)) && add_amd(x, reserved[i], zero, sizeof(zero));
    return ok;
}

static int make_chain(struct cvm_issuer *i, int64_t now, struct cvm_error *err)
{
    static const char root_cn[] = "ARK-SIMULATED", issuer_cn[] = "SEV-SIMULATED",
                      leaf_cn[] = "SEV-VCEK-SIMULATED";
    AUTO_KEY EVP_PKEY *root = root_key();
    AUTO_KEY EVP_PKEY *mid = key_from_sentence("2cvm/simulated-issuer/1");
    if (!root || !mid)
        return failed(err, "compute the simulated root");
    const int64_t end = FIXED_START + 24LL * YEAR; /* still a UTCTime */
    AUTO_X509 X509 *r = certificate(root_cn, root_cn, root, 1, FIXED_START, end);
    AUTO_X509 X509 *m = certificate(issuer_cn, root_cn, mid, 2, FIXED_START, end);
    AUTO_X509 X509 *l = certificate(leaf_cn, issuer_cn, i->key, 0, now - DAY, now + 7LL * YEAR);
    if (!r || !m || !l || !add_ext(r, NID_basic_constraints, "critical,CA:TRUE") ||
        !add_ext(r, NID_key_usage, "critical,keyCertSign,cRLSign") ||
        !add_ext(m, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
        !add_ext(m, NID_key_usage, "critical,keyCertSign") || !add_amd_all(l, i->chip_id))
        return failed(err, "write a certificate");
    CVM_GUARD(finish(l, mid, &i->certificates[0], err));
    CVM_GUARD(finish(m, root, &i->certificates[1], err));
    return finish(r, root, &i->certificates[2], err);
}

int cvm_issuer_new(struct cvm_issuer *ret, int64_t now, struct cvm_error *err)
{
    CVM_AUTO_ISSUER struct cvm_issuer i = {.key = EVP_EC_gen("P-384")};
    unsigned char *spki = NULL;
    int len = i.key ? i2d_PUBKEY(i.key, &spki) : -1;
    if (len <= 0)
        return failed(err, "make a key");
    /* Nobody can take this for a chip's id, and it is another for every PSP. */
    memcpy(i.chip_id, "SIMULATED", 9);
    cvm_sha384(spki, (size_t)len, i.chip_id + 16);
    OPENSSL_free(spki);
    CVM_GUARD(cvm_random(i.report_id, sizeof(i.report_id), err));
    CVM_GUARD(make_chain(&i, now, err));
    *ret = i;
    i = (struct cvm_issuer){0};
    return 0;
}

void cvm_issuer_free(struct cvm_issuer *i)
{
    EVP_PKEY_free(i->key);
    for (size_t k = 0; k < 3; k++)
        cvm_buf_free(&i->certificates[k]);
    *i = (struct cvm_issuer){0};
}

void cvm_issuer_report(const struct cvm_issuer *i, struct cvm_report *ret)
{
    struct cvm_report r = {
        .version = 3,
        .policy = CVM_POLICY_RESERVED1 | CVM_POLICY_SMT | CVM_POLICY_DEBUG,
        .signature_algo = CVM_SIGNATURE_ECDSA_P384,
    };
    uint8_t level[8];
    cvm_tcb_encode(&tcb, CVM_TCB_ZEN3, level);
    memcpy(r.current_tcb, level, 8);
    memcpy(r.reported_tcb, level, 8);
    memcpy(r.committed_tcb, level, 8);
    memcpy(r.launch_tcb, level, 8);
    memcpy(r.report_id, i->report_id, sizeof(r.report_id));
    memset(r.report_id_ma, 0xff, sizeof(r.report_id_ma));
    memcpy(r.chip_id, i->chip_id, sizeof(r.chip_id));
    *ret = r;
}

static void little_endian(const BIGNUM *n, uint8_t out[72])
{
    (void)BN_bn2lebinpad(n, out, 72);
}

int cvm_issuer_sign(const struct cvm_issuer *i, struct cvm_report *r, uint8_t ret[CVM_REPORT_LEN],
                    struct cvm_error *err)
{
    uint8_t raw[CVM_REPORT_LEN];
    memset(r->signature_r, 0, sizeof(r->signature_r));
    memset(r->signature_s, 0, sizeof(r->signature_s));
    cvm_report_write(r, raw);
    uint8_t der[128];
    size_t len = sizeof(der);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha384(), NULL, i->key) == 1 &&
              EVP_DigestSign(ctx, der, &len, raw, CVM_REPORT_SIGNED_LEN) == 1;
    EVP_MD_CTX_free(ctx);
    const unsigned char *p = der;
    ECDSA_SIG *sig = ok ? d2i_ECDSA_SIG(NULL, &p, (long)len) : NULL;
    if (!sig)
        return failed(err, "sign a report");
    little_endian(ECDSA_SIG_get0_r(sig), r->signature_r);
    little_endian(ECDSA_SIG_get0_s(sig), r->signature_s);
    ECDSA_SIG_free(sig);
    cvm_report_write(r, ret);
    return 0;
}

int cvm_simulated_root_digest(uint8_t ret[32], struct cvm_error *err)
{
    AUTO_KEY EVP_PKEY *root = root_key();
    unsigned char *spki = NULL;
    int len = root ? i2d_PUBKEY(root, &spki) : -1;
    if (len <= 0)
        return failed(err, "compute the simulated root");
    struct cvm_digest d = cvm_sha256(spki, (size_t)len);
    OPENSSL_free(spki);
    memcpy(ret, d.b, sizeof(d.b));
    return 0;
}
