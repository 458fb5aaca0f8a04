/*
 * Certificates of AMD's shape under a root of the test's own, for what no public sample shows:
 * Turin, VLEKs of other lines, and everything that must be refused. One RSA key serves as root and
 * issuers, as making one takes long.
 */
#ifndef CVM_EVIDENCE_TEST_ISSUER_H
#define CVM_EVIDENCE_TEST_ISSUER_H

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/evidence/certificate.h"

#define ISSUER __attribute__((unused)) static

enum scheme { PSS_384, PSS_SALT_32, PSS_256, PSS_MGF_256, PKCS1 };

/* How a chain departs from the right one; all zero is right. */
struct chain_spec {
    enum cvm_line line;
    enum cvm_vek_kind kind;
    const char *root_cn, *issuer_cn, *leaf_cn, *product; /* NULL: as they should be */
    enum scheme root_scheme, issuer_scheme, leaf_scheme;
    const char *issuer_basic, *root_usage; /* NULL: as they should be */
    const char *leave_out;                 /* suffix of an AMD extension */
    const char *twice;                     /* suffix of one to add again */
    bool leaf_p256, wrapped_hwid, long_hwid, with_csp, with_fmc, odd_microcode, leaf_is_ca;
};

struct made_chain {
    struct cvm_certificates c;
    EVP_PKEY *leaf;
    uint8_t chip[CVM_CHIP_ID_LEN];
    struct cvm_tcb tcb;
};

ISSUER EVP_PKEY *issuer_rsa(void)
{
    static EVP_PKEY *key;
    if (!key)
        key = EVP_RSA_gen(4096);
    assert_non_null(key);
    return key;
}

ISSUER struct cvm_digest issuer_digest(void)
{
    unsigned char *spki = NULL;
    int n = i2d_PUBKEY(issuer_rsa(), &spki);
    assert_true(n > 0);
    struct cvm_digest d = cvm_sha256(spki, (size_t)n);
    OPENSSL_free(spki);
    return d;
}

ISSUER void issuer_amd(X509 *x, const struct chain_spec *s, const char *suffix, const void *der,
                       size_t len)
{
    if (s->leave_out && strcmp(s->leave_out, suffix) == 0)
        return;
    for (int times = s->twice && strcmp(s->twice, suffix) == 0 ? 2 : 1; times; times--) {
        char oid[64];
        snprintf(oid, sizeof(oid), "1.3.6.1.4.1.3704.1.%s", suffix);
        ASN1_OBJECT *o = OBJ_txt2obj(oid, 1);
        ASN1_OCTET_STRING *v = ASN1_OCTET_STRING_new();
        ASN1_OCTET_STRING_set(v, der, (int)len);
        X509_EXTENSION *e = X509_EXTENSION_create_by_OBJ(NULL, o, 0, v);
        assert_int_equal(X509_add_ext(x, e, -1), 1);
        X509_EXTENSION_free(e);
        ASN1_OCTET_STRING_free(v);
        ASN1_OBJECT_free(o);
    }
}

ISSUER void issuer_number(X509 *x, const struct chain_spec *s, const char *suffix, int v)
{
    const uint8_t one[] = {2, 1, (uint8_t)v}, two[] = {2, 2, 0, (uint8_t)v};
    issuer_amd(x, s, suffix, v < 0x80 ? one : two, v < 0x80 ? 3 : 4);
}

ISSUER void issuer_ext(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert_non_null(e);
    assert_int_equal(X509_add_ext(x, e, -1), 1);
    X509_EXTENSION_free(e);
}

ISSUER X509 *issuer_begin(const char *cn, const char *by, EVP_PKEY *key)
{
    X509 *x = X509_new();
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 0);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               (const unsigned char *)cn, -1, -1, 0);
    X509_NAME_add_entry_by_txt(X509_get_issuer_name(x), "CN", MBSTRING_ASC,
                               (const unsigned char *)by, -1, -1, 0);
    ASN1_TIME_set(X509_getm_notBefore(x), 1700000000);
    ASN1_TIME_set(X509_getm_notAfter(x), 1900000000);
    assert_int_equal(X509_set_pubkey(x, key), 1);
    return x;
}

ISSUER void issuer_finish(X509 *x, enum scheme scheme, struct cvm_certificates *c)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *p = NULL;
    const EVP_MD *md = scheme == PSS_256 ? EVP_sha256() : EVP_sha384();
    assert_int_equal(EVP_DigestSignInit(ctx, &p, md, NULL, issuer_rsa()), 1);
    if (scheme != PKCS1) {
        EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(p, scheme == PSS_SALT_32 ? 32 : RSA_PSS_SALTLEN_DIGEST);
        EVP_PKEY_CTX_set_rsa_mgf1_md(p, scheme == PSS_MGF_256 ? EVP_sha256() : md);
    }
    assert_true(X509_sign_ctx(x, ctx) > 0);
    EVP_MD_CTX_free(ctx);
    unsigned char *der = NULL;
    int n = i2d_X509(x, &der);
    assert_int_equal(cvm_certificates_add_der(c, der, (size_t)n, NULL), 0);
    OPENSSL_free(der);
    X509_free(x);
}

ISSUER void issuer_leaf_extensions(X509 *x, const struct chain_spec *s,
                                   const struct cvm_line_info *line, struct made_chain *m)
{
    char product[40] = {0x16, 0};
    const char *name = s->product ? s->product : line->title;
    product[1] = (char)strlen(name);
    memcpy(product + 2, name, strlen(name));
    bool zen5 = line->layout == CVM_TCB_ZEN5;
    issuer_number(x, s, "1", zen5);
    issuer_amd(x, s, "2", product, 2 + strlen(name));
    issuer_number(x, s, "3.1", m->tcb.bootloader);
    issuer_number(x, s, "3.2", m->tcb.tee);
    issuer_number(x, s, "3.3", m->tcb.snp);
    if (!zen5)
        issuer_number(x, s, "3.4", 0);
    issuer_number(x, s, "3.5", 0);
    if (s->odd_microcode)
        issuer_amd(x, s, "3.8", "\x02\x02\x00\x05", 4);
    else
        issuer_number(x, s, "3.8", m->tcb.microcode);
    if (zen5 || s->with_fmc)
        issuer_number(x, s, "3.9", zen5 ? m->tcb.fmc : 1);
    if (s->kind == CVM_VEK_VLEK || s->with_csp)
        issuer_amd(x, s, "5", "\x16\x08provider", 10);
    if (s->kind == CVM_VEK_VLEK && !s->long_hwid)
        return;
    uint8_t wrapped[CVM_CHIP_ID_LEN + 2] = {4, 0};
    size_t len = zen5 && !s->long_hwid ? 8 : 64;
    wrapped[1] = (uint8_t)len;
    memcpy(wrapped + 2, m->chip, len);
    issuer_amd(x, s, "4", s->wrapped_hwid ? wrapped : m->chip, s->wrapped_hwid ? len + 2 : len);
}

/* Leaf, issuer, root; free with made_chain_free(). */
ISSUER void make_chain(const struct chain_spec *s, struct made_chain *m)
{
    const struct cvm_line_info *line = cvm_line_info(s->line);
    char ark[64], mid[64];
    snprintf(ark, sizeof(ark), "ARK-%s", line->title);
    snprintf(mid, sizeof(mid), s->kind == CVM_VEK_VLEK ? "SEV-VLEK-%s" : "SEV-%s", line->title);
    const char *root_cn = s->root_cn ? s->root_cn : ark,
               *mid_cn = s->issuer_cn ? s->issuer_cn : mid;
    *m = (struct made_chain){.leaf = EVP_EC_gen(s->leaf_p256 ? "P-256" : "P-384"),
                             .tcb = {-1, 4, 0, 24, 219}};
    memset(m->chip, 0x5c, line->layout == CVM_TCB_ZEN5 && !s->long_hwid ? 8 : 64);
    if (line->layout == CVM_TCB_ZEN5)
        m->tcb.fmc = 2;
    const char *cn = s->leaf_cn ? s->leaf_cn : s->kind == CVM_VEK_VLEK ? "SEV-VLEK" : "SEV-VCEK";
    X509 *x = issuer_begin(cn, mid_cn, m->leaf);
    if (s->leaf_is_ca)
        issuer_ext(x, NID_basic_constraints, "critical,CA:TRUE");
    issuer_leaf_extensions(x, s, line, m);
    issuer_finish(x, s->leaf_scheme, &m->c);
    x = issuer_begin(mid_cn, root_cn, issuer_rsa());
    issuer_ext(x, NID_basic_constraints,
               s->issuer_basic ? s->issuer_basic : "critical,CA:TRUE,pathlen:0");
    issuer_ext(x, NID_key_usage, "critical,keyCertSign");
    issuer_finish(x, s->issuer_scheme, &m->c);
    x = issuer_begin(root_cn, root_cn, issuer_rsa());
    issuer_ext(x, NID_basic_constraints, "critical,CA:TRUE");
    issuer_ext(x, NID_key_usage, s->root_usage ? s->root_usage : "critical,keyCertSign,cRLSign");
    issuer_finish(x, s->root_scheme, &m->c);
}

ISSUER void made_chain_free(struct made_chain *m)
{
    cvm_certificates_free(&m->c);
    EVP_PKEY_free(m->leaf);
}

#define NOW 1800000000 /* within the validity of what is made here */

/* The table of lines, with the test's root in the place of AMD's for this line. */
ISSUER struct cvm_line_info issuer_anchor(enum cvm_line line)
{
    struct cvm_line_info a = *cvm_line_info(line);
    a.root = issuer_digest();
    return a;
}

ISSUER void issuer_sign_report(const struct made_chain *m, struct cvm_report *r,
                               uint8_t out[CVM_REPORT_LEN])
{
    cvm_report_write(r, out);
    uint8_t der[128];
    size_t len = sizeof(der);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha384(), NULL, m->leaf), 1);
    assert_int_equal(EVP_DigestSign(ctx, der, &len, out, CVM_REPORT_SIGNED_LEN), 1);
    EVP_MD_CTX_free(ctx);
    const unsigned char *p = der;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)len);
    BN_bn2lebinpad(ECDSA_SIG_get0_r(sig), r->signature_r, 72);
    BN_bn2lebinpad(ECDSA_SIG_get0_s(sig), r->signature_s, 72);
    ECDSA_SIG_free(sig);
    cvm_report_write(r, out);
}

ISSUER struct cvm_report issuer_report(const struct made_chain *m, const struct chain_spec *s,
                                       uint64_t version)
{
    struct cvm_report r = {.version = version,
                           .policy = CVM_POLICY_RESERVED1 | CVM_POLICY_SMT,
                           .signature_algo = 1,
                           .platform_info = 0x65,
                           .current_major = 1,
                           .committed_major = 1};
    const struct cvm_line_info *line = cvm_line_info(s->line);
    const struct {
        enum cvm_line line;
        uint8_t family, model;
    } cpus[] = {{CVM_LINE_MILAN, 0x19, 1}, {CVM_LINE_GENOA, 0x19, 0xa0}, {CVM_LINE_TURIN, 0x1a, 2}};
    for (size_t i = 0; version >= 3 && i < 3; i++)
        if (cpus[i].line == s->line) {
            r.cpuid_family = cpus[i].family;
            r.cpuid_model = cpus[i].model;
        }
    cvm_tcb_encode(&m->tcb, line->layout, r.reported_tcb);
    memcpy(r.current_tcb, r.reported_tcb, 8);
    memcpy(r.committed_tcb, r.reported_tcb, 8);
    memcpy(r.launch_tcb, r.reported_tcb, 8);
    memset(r.report_id_ma, 0xff, 32);
    if (s->kind == CVM_VEK_VLEK)
        r.key_info = CVM_KEY_SIGNER_VLEK << 2;
    else
        memcpy(r.chip_id, m->chip, CVM_CHIP_ID_LEN);
    return r;
}

#endif
