/* From a pile of certificates to one verified signing key, and the report's own signature. */
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <string.h>

#include "core/evidence/certificate-internal.h"

#define REFUSED CVM_E_EVIDENCE_REFUSED

struct pile {
    struct cvm_certificate c[CVM_CERTIFICATES_MAX];
    size_t n, unreadable;
    struct cvm_error first; /* why the first of those could not be read */
};

static void pile_free(struct pile *p)
{
    for (size_t i = 0; i < p->n; i++)
        cvm_certificate_free(&p->c[i]);
}

static const struct cvm_line_info *anchor_of(const struct cvm_certificate *c,
                                             const struct cvm_line_info *anchors, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(anchors[i].root.b, c->spki.b, CVM_SHA256_LEN) == 0)
            return &anchors[i];
    return NULL;
}

static int check_root(const struct cvm_certificate *c, const struct cvm_line_info *line,
                      struct cvm_error *err)
{
    char name[64];
    snprintf(name, sizeof(name), "ARK-%s", line->title);
    CVM_ENSURE(strcmp(c->name, name) == 0, err, REFUSED, "the root of %s calls itself \"%s\"",
               line->title, c->name);
    CVM_GUARD(cvm_certificate_is_issuer(c, -1, line->signature, err));
    return cvm_certificate_issued_by(c, c, line->signature, err);
}

/* The names below a root are authentic, as the root signed them; they say what the issuer is for.
 */
static int check_intermediate(const struct cvm_certificate *c, const struct cvm_certificate *root,
                              const struct cvm_line_info *line, enum cvm_vek_kind *ret,
                              struct cvm_error *err)
{
    CVM_GUARD(cvm_certificate_issued_by(c, root, line->signature, err));
    CVM_GUARD(cvm_certificate_is_issuer(c, 0, line->signature, err));
    char vcek[64], vlek[64];
    snprintf(vcek, sizeof(vcek), "SEV-%s", line->title);
    snprintf(vlek, sizeof(vlek), "SEV-VLEK-%s", line->title);
    bool is_vlek = strcmp(c->name, vlek) == 0;
    CVM_ENSURE(is_vlek || strcmp(c->name, vcek) == 0, err, REFUSED,
               "\"%s\" is no issuer of signing keys of %s", c->name, line->title);
    *ret = is_vlek ? CVM_VEK_VLEK : CVM_VEK_VCEK;
    return 0;
}

static int check_leaf(const struct cvm_certificate *leaf, const struct cvm_certificate *issuer,
                      const struct cvm_line_info *line, struct cvm_vek *vek, struct cvm_error *err)
{
    CVM_GUARD(cvm_certificate_issued_by(leaf, issuer, line->signature, err));
    char name[64];
    snprintf(name, sizeof(name), "%s%s", vek->kind == CVM_VEK_VLEK ? "SEV-VLEK" : "SEV-VCEK",
             line->platform == CVM_ROOT_SIMULATED ? "-SIMULATED" : "");
    CVM_ENSURE(strcmp(leaf->name, name) == 0, err, REFUSED,
               "the signing key is named \"%s\", not \"%s\"", leaf->name, name);
    vek->line = line->line;
    CVM_GUARD(cvm_certificate_read_vek(leaf, line, vek, err));
    CVM_ENSURE(cvm_line_has_product(line->line, vek->product_name), err, REFUSED,
               "the certificate is for the product \"%s\", its root for %s", vek->product_name,
               line->title);
    return 0;
}

static void add_span(struct cvm_vek *vek, const struct cvm_certificate *c)
{
    if (c->not_before > vek->not_before)
        vek->not_before = c->not_before;
    if (c->not_after < vek->not_after)
        vek->not_after = c->not_after;
}

/* Hosts deliver what they have: more than one signing key is no fault. With a report at hand the
 * key that signed it counts; without one there is nothing to choose by. */
static int find_leaves(const struct pile *p, const struct cvm_report *r,
                       size_t ret[CVM_CERTIFICATES_MAX], size_t *ret_n, struct cvm_error *err)
{
    size_t found = 0;
    for (size_t i = 0; i < p->n; i++)
        if (p->c[i].has_amd)
            ret[found++] = i;
    CVM_ENSURE(found > 0, err, REFUSED, "no certificate of a signing key (VCEK or VLEK) among %zu",
               p->n);
    CVM_ENSURE(found == 1 || r, err, REFUSED, "%zu certificates of signing keys; one is needed",
               found);
    *ret_n = found;
    return 0;
}

static bool has_issuer(const struct pile *p, const struct cvm_certificate *leaf)
{
    for (size_t i = 0; i < p->n; i++)
        if (&p->c[i] != leaf &&
            X509_NAME_cmp(X509_get_issuer_name(leaf->x), X509_get_subject_name(p->c[i].x)) == 0)
            return true;
    return false;
}

/* Of all mistakes the most frequent: a file was forgotten, or belongs to another product. */
static int issuer_missing(const struct cvm_certificate *leaf, struct cvm_error *err)
{
    char name[64];
    if (X509_NAME_get_text_by_NID(X509_get_issuer_name(leaf->x), NID_commonName, name,
                                  sizeof(name)) < 0)
        name[0] = '\0';
    for (char *p = name; *p; p++)
        if (*p < 0x20 || *p > 0x7e)
            *p = '?';
    bool vlek = strncmp(name, "SEV-VLEK-", 9) == 0;
    return cvm_fail(err, REFUSED, "the issuer of \"%s\" is missing: \"%s\" (%s)", leaf->name, name,
                    vlek ? "ASVK" : "ASK");
}

/* Tries root `r`; the error of the deepest step that was reached stays in *err. */
static int try_root(const struct cvm_certificates *c, const struct pile *p, size_t leaf, size_t r,
                    const struct cvm_line_info *line, struct cvm_vek *ret, int *depth,
                    struct cvm_error *err)
{
    struct cvm_error e = {0};
    if (check_root(&p->c[r], line, &e) < 0) {
        if (*depth < 1) {
            *err = e;
            *depth = 1;
        }
        return -1;
    }
    if (*depth < 2) {
        cvm_fail(err, REFUSED, "no issuer below the root of %s is among the certificates",
                 line->title);
        *depth = 2;
    }
    for (size_t i = 0; i < p->n; i++) {
        if (i == r || i == leaf)
            continue;
        struct cvm_vek vek = {.not_before = INT64_MIN, .not_after = INT64_MAX};
        if (check_intermediate(&p->c[i], &p->c[r], line, &vek.kind, &e) < 0) {
            if (*depth < 3 && strcmp(p->c[i].name, p->c[r].name) != 0) {
                *err = e;
                *depth = 3;
            }
            continue;
        }
        if (check_leaf(&p->c[leaf], &p->c[i], line, &vek, &e) < 0) {
            *err = e;
            *depth = 4;
            continue;
        }
        if (cvm_certificate_check_crls(c, &p->c[r], &p->c[i], &p->c[leaf], line->signature, &vek,
                                       &e) < 0) {
            *err = e;
            *depth = 5;
            continue;
        }
        add_span(&vek, &p->c[r]);
        add_span(&vek, &p->c[i]);
        add_span(&vek, &p->c[leaf]);
        vek.unused = p->n + p->unreadable - 3;
        *ret = vek;
        return 0;
    }
    return -1;
}

static int verify_leaf(const struct cvm_certificates *c, const struct pile *p, size_t leaf,
                       const struct cvm_line_info *anchors, size_t n_anchors, struct cvm_vek *ret,
                       struct cvm_error *err)
{
    int depth = 0;
    for (size_t i = 0; i < p->n; i++) {
        const struct cvm_line_info *line = anchor_of(&p->c[i], anchors, n_anchors);
        if (line && i != leaf && try_root(c, p, leaf, i, line, ret, &depth, err) == 0)
            return 0;
    }
    if (depth == 0)
        return cvm_fail_expected(err, REFUSED, "a root whose public key is pinned in this program",
                                 "none",
                                 "no pinned root (ARK) is among the %zu certificates: its key is "
                                 "known, its certificate must be given",
                                 p->n);
    if (depth >= 2 && !has_issuer(p, &p->c[leaf]))
        return issuer_missing(&p->c[leaf], err);
    return -1;
}

static int verify_pile(const struct cvm_certificates *c, const struct pile *p,
                       const struct cvm_line_info *anchors, size_t n_anchors,
                       const struct cvm_report *r, struct cvm_vek *ret, struct cvm_error *err)
{
    size_t leaves[CVM_CERTIFICATES_MAX], n = 0;
    CVM_GUARD(find_leaves(p, r, leaves, &n, err));
    bool found = false;
    for (size_t i = 0; i < n; i++) {
        struct cvm_vek vek;
        struct cvm_error e = {0};
        if (verify_leaf(c, p, leaves[i], anchors, n_anchors, &vek, &e) < 0) {
            if (i == 0)
                *err = e; /* ours, never NULL */
            continue;
        }
        bool signed_it = n > 1 && cvm_report_verify_signature(r, vek.public_key, NULL) == 0;
        if (!found || signed_it)
            *ret = vek;
        found = true;
        if (signed_it)
            break;
    }
    return found ? 0 : -1;
}

int cvm_certificates_verify_for(const struct cvm_certificates *c,
                                const struct cvm_line_info *anchors, size_t n_anchors,
                                const struct cvm_report *r, struct cvm_vek *ret,
                                struct cvm_error *err)
{
    __attribute__((cleanup(pile_free))) struct pile p = {0};
    for (size_t i = 0; i < c->n; i++) {
        struct cvm_error e = {0};
        if (cvm_certificate_parse(c->der[i].data, c->der[i].len, &p.c[p.n], &e) == 0) {
            p.n++;
        } else if (!p.unreadable++) {
            p.first = e;
            cvm_error_wrap(&p.first, "certificate %zu", i + 1);
        }
    }
    struct cvm_error e = {0};
    struct cvm_vek vek;
    if (verify_pile(c, &p, anchors, n_anchors, r, &vek, &e) < 0) {
        /* Some certificate is missing: it may well be the one that could not be read. */
        if (err)
            *err = p.unreadable ? p.first : e;
        return -1;
    }
    *ret = vek;
    return 0;
}

int cvm_certificates_verify_with(const struct cvm_certificates *c,
                                 const struct cvm_line_info *anchors, size_t n_anchors,
                                 struct cvm_vek *ret, struct cvm_error *err)
{
    return cvm_certificates_verify_for(c, anchors, n_anchors, NULL, ret, err);
}

int cvm_certificates_verify(const struct cvm_certificates *c, struct cvm_vek *ret,
                            struct cvm_error *err)
{
    size_t n;
    const struct cvm_line_info *anchors = cvm_lines(&n);
    return cvm_certificates_verify_for(c, anchors, n, NULL, ret, err);
}

/* ---- the report's signature ---- */

/* R and S as DER; -1 when one is 0 or not below the group's order. */
static int signature_der(const struct cvm_report *r, unsigned char **ret)
{
    static const char order[] = "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf"
                                "581a0db248b0a77aecec196accc52973";
    BIGNUM *n = NULL, *x = BN_lebin2bn(r->signature_r, sizeof(r->signature_r), NULL),
           *y = BN_lebin2bn(r->signature_s, sizeof(r->signature_s), NULL);
    ECDSA_SIG *sig = ECDSA_SIG_new();
    int len = -1;
    if (x && y && sig && BN_hex2bn(&n, order) && !BN_is_zero(x) && !BN_is_zero(y) &&
        BN_cmp(x, n) < 0 && BN_cmp(y, n) < 0 && ECDSA_SIG_set0(sig, x, y) == 1) {
        x = y = NULL; /* they belong to sig now */
        len = i2d_ECDSA_SIG(sig, ret);
    }
    BN_free(n);
    BN_free(x);
    BN_free(y);
    ECDSA_SIG_free(sig);
    return len;
}

int cvm_report_verify_signature(const struct cvm_report *r, const uint8_t public_key[97],
                                struct cvm_error *err)
{
    unsigned char *der = NULL;
    int len = signature_der(r, &der);
    EVP_PKEY *key = len > 0 ? cvm_key_p384(public_key) : NULL;
    bool ok = cvm_key_verify(key, CVM_ISSUER_ECDSA_P384, CVM_BYTES(der, len > 0 ? (size_t)len : 0),
                             CVM_BYTES(r->raw, CVM_REPORT_SIGNED_LEN));
    EVP_PKEY_free(key);
    OPENSSL_free(der);
    CVM_ENSURE(len > 0, err, REFUSED, "R or S of the report's signature is not within the group");
    CVM_ENSURE(ok, err, REFUSED, "the report's signature does not verify under the certified key");
    return 0;
}
