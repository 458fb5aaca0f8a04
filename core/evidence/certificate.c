#include "core/evidence/certificate-internal.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/cursor.h"

#define REFUSED CVM_E_EVIDENCE_REFUSED

void cvm_certificate_free(struct cvm_certificate *c)
{
    EVP_PKEY_free(c->key);
    X509_free(c->x);
    *c = (struct cvm_certificate){0};
}

/* OpenSSL keeps a queue of errors a thread; ours are told by value, so the queue is emptied. */
static int refuse(struct cvm_error *err, const char *what)
{
    ERR_clear_error();
    return cvm_fail(err, REFUSED, "%s", what);
}

int cvm_certificate_time(const ASN1_TIME *t, int64_t *ret, struct cvm_error *err)
{
    struct tm tm;
    if (ASN1_TIME_check(t) != 1 || ASN1_TIME_to_tm(t, &tm) != 1)
        return refuse(err, "a certificate has a time that is none");
    *ret = timegm(&tm);
    return 0;
}

static void common_name(X509 *x, char out[64])
{
    int len = X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, out, 64);
    if (len < 0)
        out[0] = '\0';
    for (char *p = out; *p; p++)
        if (*p < 0x20 || *p > 0x7e)
            *p = '?';
}

static bool under_amd(const ASN1_OBJECT *o, char suffix[32])
{
    static const char arc[] = "1.3.6.1.4.1.3704.1.";
    char oid[80];
    int len = OBJ_obj2txt(oid, sizeof(oid), o, 1);
    if (len <= 0 || (size_t)len >= sizeof(oid) || strncmp(oid, arc, sizeof(arc) - 1) != 0)
        return false;
    snprintf(suffix, 32, "%.31s", oid + sizeof(arc) - 1);
    return true;
}

/*
 * The first element of the outer sequence, header and all: a signature is checked over these very
 * bytes, and never over what a parsed certificate is written as. Empty when the lengths are wrong.
 */
static struct cvm_bytes signed_part(const uint8_t *der, size_t len)
{
    struct cvm_cursor c = cvm_cursor(der, len);
    size_t begin = 0;
    for (int level = 0; level < 2; level++) {
        begin = c.at;
        uint8_t tag = cvm_cursor_u8(&c);
        size_t n = cvm_cursor_u8(&c);
        if (n == 0x81 || n == 0x82)
            n = (size_t)cvm_cursor_uint(&c, n & 3, true);
        else if (n & 0x80)
            return CVM_BYTES(NULL, 0);
        if (c.failed || tag != 0x30 || n > cvm_cursor_left(&c) ||
            (level == 0 && n != cvm_cursor_left(&c)))
            return CVM_BYTES(NULL, 0);
        if (level == 1)
            cvm_cursor_take(&c, n);
    }
    return CVM_BYTES(der + begin, c.at - begin);
}

/*
 * OpenSSL's context without any algorithm. A certificate that is read in it stays bytes: its key is
 * not decoded (certificate-key.c does it, at a fraction of the cost), nothing of it is hashed.
 */
static OSSL_LIB_CTX *bare;

static void make_bare(void)
{
    bare = OSSL_LIB_CTX_new();
    if (!bare || !OSSL_PROVIDER_load(bare, "null"))
        abort();
}

static OSSL_LIB_CTX *without_algorithms(void)
{
    static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
    return CRYPTO_THREAD_run_once(&once, make_bare) == 1 ? bare : NULL;
}

int cvm_certificate_parse(const void *der, size_t len, struct cvm_certificate *ret,
                          struct cvm_error *err)
{
    CVM_ENSURE(len <= CVM_CERTIFICATE_MAX, err, REFUSED, "a certificate of %zu bytes", len);
    const unsigned char *p = der;
    struct cvm_certificate c = {.x = X509_new_ex(without_algorithms(), NULL)};
    if (!c.x || !d2i_X509(&c.x, &p, (long)len)) {
        cvm_certificate_free(&c);
        return refuse(err, "a certificate that cannot be read");
    }
    unsigned char *again = NULL, *spki = NULL;
    bool same = false;
    if (p == (const unsigned char *)der + len) {
        /* The signed part is kept as it came; this catches other spellings of what is around it. */
        int n = i2d_X509(c.x, &again);
        same = n == (int)len && memcmp(again, der, len) == 0;
        OPENSSL_free(again);
    }
    int n = same ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(c.x), &spki) : -1;
    c.tbs = signed_part(der, len);
    if (n <= 0 || !c.tbs.len || X509_get_version(c.x) != X509_VERSION_3 ||
        cvm_certificate_time(X509_get0_notBefore(c.x), &c.not_before, NULL) < 0 ||
        cvm_certificate_time(X509_get0_notAfter(c.x), &c.not_after, NULL) < 0) {
        OPENSSL_free(spki);
        cvm_certificate_free(&c);
        return refuse(err, "a certificate that is not of the strict form (DER, version 3)");
    }
    c.spki = cvm_sha256(spki, (size_t)n);
    OPENSSL_free(spki);
    common_name(c.x, c.name);
    cvm_key_read(&c);
    char suffix[32];
    for (int i = 0; i < X509_get_ext_count(c.x); i++)
        c.has_amd |= under_amd(X509_EXTENSION_get_object(X509_get_ext(c.x, i)), suffix);
    ERR_clear_error();
    *ret = c;
    return 0;
}

/* RSASSA-PSS with SHA-384, MGF1 with SHA-384, a salt of 48 bytes and the default trailer: AMD's
 * only form. */
static bool pss_exact(const X509_ALGOR *alg)
{
    const ASN1_OBJECT *oid;
    int type;
    const void *value;
    X509_ALGOR_get0(&oid, &type, &value, alg);
    if (OBJ_obj2nid(oid) != NID_rsassaPss || type != V_ASN1_SEQUENCE)
        return false;
    const ASN1_STRING *seq = value;
    const unsigned char *p = ASN1_STRING_get0_data(seq);
    RSA_PSS_PARAMS *pss = d2i_RSA_PSS_PARAMS(NULL, &p, ASN1_STRING_length(seq));
    bool good = false;
    if (pss && pss->hashAlgorithm && pss->maskGenAlgorithm && pss->saltLength) {
        const ASN1_OBJECT *hash, *mgf;
        int mgf_type;
        const void *mgf_value;
        X509_ALGOR_get0(&hash, NULL, NULL, pss->hashAlgorithm);
        X509_ALGOR_get0(&mgf, &mgf_type, &mgf_value, pss->maskGenAlgorithm);
        if (OBJ_obj2nid(mgf) == NID_mgf1 && mgf_type == V_ASN1_SEQUENCE) {
            const ASN1_STRING *m = mgf_value;
            const unsigned char *q = ASN1_STRING_get0_data(m);
            X509_ALGOR *inner = d2i_X509_ALGOR(NULL, &q, ASN1_STRING_length(m));
            const ASN1_OBJECT *mgf_hash = NULL;
            if (inner)
                X509_ALGOR_get0(&mgf_hash, NULL, NULL, inner);
            good = mgf_hash && OBJ_obj2nid(mgf_hash) == NID_sha384 &&
                   OBJ_obj2nid(hash) == NID_sha384 && ASN1_INTEGER_get(pss->saltLength) == 48 &&
                   (!pss->trailerField || ASN1_INTEGER_get(pss->trailerField) == 1);
            X509_ALGOR_free(inner);
        }
    }
    RSA_PSS_PARAMS_free(pss);
    return good;
}

bool cvm_certificate_algorithm(const X509_ALGOR *alg, enum cvm_issuer_signature kind)
{
    const ASN1_OBJECT *oid;
    X509_ALGOR_get0(&oid, NULL, NULL, alg);
    return kind == CVM_ISSUER_RSA_PSS ? pss_exact(alg) : OBJ_obj2nid(oid) == NID_ecdsa_with_SHA384;
}

/* The algorithm is named twice, within what is signed and outside of it: both must be the same. */
static bool signature_fits(const struct cvm_certificate *c, EVP_PKEY *issuer,
                           enum cvm_issuer_signature kind)
{
    const ASN1_BIT_STRING *signature;
    const X509_ALGOR *outer;
    X509_get0_signature(&signature, &outer, c->x);
    if (X509_ALGOR_cmp(X509_get0_tbs_sigalg(c->x), outer) != 0 || signature->flags & 7)
        return false;
    return cvm_key_verify(
        issuer, kind,
        CVM_BYTES(ASN1_STRING_get0_data(signature), (size_t)ASN1_STRING_length(signature)), c->tbs);
}

int cvm_certificate_issued_by(const struct cvm_certificate *c, const struct cvm_certificate *issuer,
                              enum cvm_issuer_signature kind, struct cvm_error *err)
{
    bool form = cvm_certificate_algorithm(X509_get0_tbs_sigalg(c->x), kind);
    CVM_ENSURE(form, err, REFUSED, "\"%s\" is not signed with the parameters of its line", c->name);
    CVM_ENSURE(X509_NAME_cmp(X509_get_issuer_name(c->x), X509_get_subject_name(issuer->x)) == 0,
               err, REFUSED, "\"%s\" names another issuer than \"%s\"", c->name, issuer->name);
    CVM_ENSURE(signature_fits(c, issuer->key, kind), err, REFUSED,
               "the signature of \"%s\" does not verify under \"%s\"", c->name, issuer->name);
    return 0;
}

/*
 * What a certificate may do. Each of the two extensions that say it is present once at most, and
 * nothing else may be critical.
 */
struct rights {
    bool ca, may_sign;
    long pathlen; /* -1: none stated */
};

static int basic_constraints(const X509_EXTENSION *e, struct rights *r)
{
    BASIC_CONSTRAINTS *b = X509V3_EXT_d2i((X509_EXTENSION *)e);
    if (!b)
        return -1;
    r->ca = b->ca;
    if (b->pathlen)
        r->pathlen = ASN1_INTEGER_get(b->pathlen);
    bool good = !b->pathlen || r->pathlen >= 0;
    BASIC_CONSTRAINTS_free(b);
    return good ? 0 : -1;
}

static int key_usage(const X509_EXTENSION *e, struct rights *r)
{
    ASN1_BIT_STRING *b = X509V3_EXT_d2i((X509_EXTENSION *)e);
    if (!b)
        return -1;
    r->may_sign = ASN1_BIT_STRING_get_bit(b, 5);
    ASN1_BIT_STRING_free(b);
    return 0;
}

static int read_rights(const struct cvm_certificate *c, struct rights *ret, struct cvm_error *err)
{
    struct rights r = {.pathlen = -1};
    int basic = 0, usage = 0, broken = 0;
    for (int i = 0; i < X509_get_ext_count(c->x); i++) {
        X509_EXTENSION *e = X509_get_ext(c->x, i);
        int nid = OBJ_obj2nid(X509_EXTENSION_get_object(e));
        if (nid == NID_basic_constraints)
            broken |= basic++ || basic_constraints(e, &r) < 0;
        else if (nid == NID_key_usage)
            broken |= usage++ || key_usage(e, &r) < 0;
        else
            broken |= X509_EXTENSION_get_critical(e);
    }
    ERR_clear_error();
    CVM_ENSURE(!broken, err, REFUSED,
               "\"%s\" has extensions that are broken, or critical and unknown", c->name);
    *ret = r;
    return 0;
}

int cvm_certificate_is_issuer(const struct cvm_certificate *c, int pathlen,
                              enum cvm_issuer_signature kind, struct cvm_error *err)
{
    struct rights r;
    CVM_GUARD(read_rights(c, &r, err));
    CVM_ENSURE(r.ca, err, REFUSED, "\"%s\" is no certification authority", c->name);
    CVM_ENSURE(r.may_sign, err, REFUSED, "\"%s\" may not sign certificates", c->name);
    if (pathlen >= 0)
        CVM_ENSURE(r.pathlen >= 0 && r.pathlen <= pathlen, err, REFUSED,
                   "\"%s\" has no path length of at most %d", c->name, pathlen);
    CVM_ENSURE(cvm_key_is_for(c, kind), err, REFUSED,
               "the key of \"%s\" is not of the required kind", c->name);
    return 0;
}

/* ---- AMD's extensions ---- */

enum ext {
    EXT_STRUCT,
    EXT_PRODUCT,
    EXT_BL,
    EXT_TEE,
    EXT_SNP,
    EXT_SPL4,
    EXT_SPL5,
    EXT_SPL6,
    EXT_SPL7,
    EXT_UCODE,
    EXT_FMC,
    EXT_HWID,
    EXT_CSP,
    EXTS
};
static const struct {
    const char *suffix, *name;
} exts[EXTS] = {
    [EXT_STRUCT] = {"1", "structVersion"},
    [EXT_PRODUCT] = {"2", "productName"},
    [EXT_BL] = {"3.1", "blSPL"},
    [EXT_TEE] = {"3.2", "teeSPL"},
    [EXT_SNP] = {"3.3", "snpSPL"},
    [EXT_SPL4] = {"3.4", "spl4"},
    [EXT_SPL5] = {"3.5", "spl5"},
    [EXT_SPL6] = {"3.6", "spl6"},
    [EXT_SPL7] = {"3.7", "spl7"},
    [EXT_UCODE] = {"3.8", "ucodeSPL"},
    [EXT_FMC] = {"3.9", "fmcSPL"},
    [EXT_HWID] = {"4", "hwID"},
    [EXT_CSP] = {"5", "cspID"},
};

struct ext_values {
    struct cvm_bytes v[EXTS]; /* data NULL: absent */
};

static int collect(const struct cvm_certificate *c, struct ext_values *ret, struct cvm_error *err)
{
    for (int i = 0; i < X509_get_ext_count(c->x); i++) {
        X509_EXTENSION *e = X509_get_ext(c->x, i);
        char suffix[32];
        if (!under_amd(X509_EXTENSION_get_object(e), suffix))
            continue;
        for (size_t k = 0; k < EXTS; k++) {
            if (strcmp(exts[k].suffix, suffix) != 0)
                continue;
            CVM_ENSURE(!ret->v[k].data, err, REFUSED, "\"%s\" has the extension %s twice", c->name,
                       exts[k].name);
            const ASN1_OCTET_STRING *o = X509_EXTENSION_get_data(e);
            ret->v[k] = CVM_BYTES(ASN1_STRING_get0_data(o), (size_t)ASN1_STRING_length(o));
        }
    }
    return 0;
}

/* A DER INTEGER of one octet's worth (0 to 255), in its only right spelling. */
static int spl(const struct ext_values *v, enum ext k, bool required, int absent, int *ret,
               struct cvm_error *err)
{
    const uint8_t *p = v->v[k].data;
    size_t n = v->v[k].len;
    if (!p) {
        CVM_ENSURE(!required, err, REFUSED, "the certificate lacks the extension %s", exts[k].name);
        *ret = absent;
        return 0;
    }
    bool one = n == 3 && p[0] == 2 && p[1] == 1 && p[2] < 0x80;
    bool two = n == 4 && p[0] == 2 && p[1] == 2 && p[2] == 0 && p[3] >= 0x80;
    CVM_ENSURE(one || two, err, REFUSED, "the extension %s is no number from 0 to 255",
               exts[k].name);
    *ret = p[n - 1];
    return 0;
}

static int ia5(const struct ext_values *v, enum ext k, char *ret, size_t size,
               struct cvm_error *err)
{
    const uint8_t *p = v->v[k].data;
    size_t n = v->v[k].len;
    CVM_ENSURE(p, err, REFUSED, "the certificate lacks the extension %s", exts[k].name);
    CVM_ENSURE(n > 2 && p[0] == 0x16 && p[1] == n - 2 && n - 2 < size, err, REFUSED,
               "the extension %s is not a short IA5String", exts[k].name);
    for (size_t i = 0; i < n - 2; i++)
        CVM_ENSURE(p[2 + i] >= 0x20 && p[2 + i] <= 0x7e, err, REFUSED,
                   "the extension %s has unprintable characters", exts[k].name);
    memcpy(ret, p + 2, n - 2);
    ret[n - 2] = '\0';
    return 0;
}

static int tcb_parts(const struct ext_values *v, const struct cvm_line_info *line,
                     struct cvm_tcb *ret, struct cvm_error *err)
{
    bool zen5 = line->layout == CVM_TCB_ZEN5;
    CVM_GUARD(spl(v, EXT_BL, true, 0, &ret->bootloader, err));
    CVM_GUARD(spl(v, EXT_TEE, true, 0, &ret->tee, err));
    CVM_GUARD(spl(v, EXT_SNP, true, 0, &ret->snp, err));
    CVM_GUARD(spl(v, EXT_UCODE, true, 0, &ret->microcode, err));
    CVM_GUARD(spl(v, EXT_FMC, zen5, -1, &ret->fmc, err));
    CVM_ENSURE(zen5 || ret->fmc < 0, err, REFUSED, "a certificate of %s has an fmcSPL",
               line->title);
    for (enum ext k = EXT_SPL4; k <= EXT_SPL7; k++) {
        int reserved;
        CVM_GUARD(spl(v, k, false, 0, &reserved, err));
        CVM_ENSURE(reserved == 0, err, REFUSED, "the reserved extension %s is not zero",
                   exts[k].name);
    }
    return 0;
}

static int hwid(const struct ext_values *v, const struct cvm_line_info *line, struct cvm_vek *ret,
                struct cvm_error *err)
{
    const uint8_t *p = v->v[EXT_HWID].data;
    size_t n = v->v[EXT_HWID].len, want = line->layout == CVM_TCB_ZEN5 ? 8 : 64;
    CVM_ENSURE(p, err, REFUSED, "the certificate lacks the extension hwID");
    if (n == want + 2 && p[0] == 4 && p[1] == want) { /* as an OCTET STRING */
        p += 2;
        n -= 2;
    }
    CVM_ENSURE(n == want, err, REFUSED, "hwID has %zu bytes, not %zu", n, want);
    memcpy(ret->hwid, p, n);
    ret->hwid_len = n;
    return 0;
}

int cvm_certificate_read_vek(const struct cvm_certificate *c, const struct cvm_line_info *line,
                             struct cvm_vek *ret, struct cvm_error *err)
{
    struct rights r;
    CVM_GUARD(read_rights(c, &r, err));
    CVM_ENSURE(!r.ca, err, REFUSED, "\"%s\" is not the certificate of a signing key", c->name);
    CVM_ENSURE(c->kind == CVM_KEY_P384, err, REFUSED, "the key of \"%s\" is not ECDSA P-384",
               c->name);
    memcpy(ret->public_key, c->point, sizeof(ret->public_key));
    struct ext_values v = {0};
    CVM_GUARD(collect(c, &v, err));
    int structure;
    CVM_GUARD(spl(&v, EXT_STRUCT, true, 0, &structure, err));
    CVM_GUARD(ia5(&v, EXT_PRODUCT, ret->product_name, sizeof(ret->product_name), err));
    CVM_GUARD(tcb_parts(&v, line, &ret->tcb, err));
    if (ret->kind == CVM_VEK_VLEK) {
        CVM_ENSURE(!v.v[EXT_HWID].data, err, REFUSED, "a VLEK certificate with a hwID");
        return ia5(&v, EXT_CSP, ret->csp_id, sizeof(ret->csp_id), err);
    }
    CVM_ENSURE(!v.v[EXT_CSP].data, err, REFUSED, "a VCEK certificate with a cspID");
    return hwid(&v, line, ret, err);
}

/* ---- files ---- */

int cvm_certificates_add(struct cvm_certificates *c, const void *data, size_t len,
                         struct cvm_error *err)
{
    if (cvm_certificates_is_table(data, len))
        return cvm_certificates_add_table(c, data, len, err);
    return cvm_certificates_add_plain(c, data, len, err);
}

/* Bytes of the DER sequence at the start of `data`; `len` when its length makes no sense, so that
 * the reader of certificates refuses it. */
static size_t sequence_len(const uint8_t *data, size_t len)
{
    if (len < 2 || data[1] == 0x80 || data[1] > 0x84)
        return len;
    size_t octets = data[1] & 0x80 ? data[1] & 0x7f : 0, n = octets ? 0 : data[1];
    if (len < 2 + octets)
        return len;
    for (size_t i = 0; i < octets; i++)
        n = n << 8 | data[2 + i];
    return n <= len - 2 - octets ? 2 + octets + n : len;
}

/* One or more in a row; hosts pad with zero bytes. */
static int add_sequences(struct cvm_certificates *c, const uint8_t *data, size_t len,
                         struct cvm_error *err)
{
    while (len > 0 && data[0] == 0x30) {
        size_t n = sequence_len(data, len);
        if (cvm_certificate_is_crl(data, n))
            CVM_GUARD(cvm_certificates_add_crl(c, data, n, err));
        else
            CVM_GUARD(cvm_certificates_add_der(c, data, n, err));
        data += n;
        len -= n;
    }
    while (len > 0 && data[0] == 0) {
        data++;
        len--;
    }
    CVM_ENSURE(len == 0, err, REFUSED, "%zu bytes after the last certificate", len);
    return 0;
}

int cvm_certificates_add_plain(struct cvm_certificates *c, const void *data, size_t len,
                               struct cvm_error *err)
{
    static const char begin[] = "-----BEGIN ";
    CVM_ENSURE(len > 0 && len <= 1 << 20, err, REFUSED, "a certificate file of %zu bytes", len);
    size_t text = len;
    while (text > 0 && ((const char *)data)[text - 1] == '\0')
        text--; /* hosts pad, and some count the end of a string */
    bool pem = memmem(data, text, begin, sizeof(begin) - 1) && !memchr(data, 0, text);
    if (!pem && ((const uint8_t *)data)[0] == 0x30)
        return add_sequences(c, data, len, err);
    CVM_ENSURE(pem, err, REFUSED, "neither DER nor PEM nor a table of certificates");
    len = text;
    BIO *bio = BIO_new_mem_buf(data, (int)len);
    CVM_ENSURE(bio, err, CVM_E_NO_MEMORY, "cannot read a PEM file");
    int result = 0;
    for (size_t n = 0; result == 0; n++) {
        char *name = NULL, *header = NULL;
        unsigned char *der = NULL;
        long der_len = 0;
        if (PEM_read_bio(bio, &name, &header, &der, &der_len) != 1) {
            bool end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE && n > 0;
            result = end ? 1 : refuse(err, "a PEM block that cannot be read");
        } else if (strcmp(name, "X509 CRL") == 0 && !header[0]) {
            result = cvm_certificates_add_crl(c, der, (size_t)der_len, err);
        } else if ((strcmp(name, "CERTIFICATE") != 0 && strcmp(name, "X509 CERTIFICATE") != 0) ||
                   header[0]) {
            result = refuse(err, "a PEM block that is no plain certificate");
        } else {
            result = cvm_certificates_add_der(c, der, (size_t)der_len, err);
        }
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(der);
    }
    ERR_clear_error();
    BIO_free(bio);
    return result < 0 ? -1 : 0;
}
