#include "core/evidence/export.h"

#include <string.h>

#include "core/base/json.h"
#include "core/evidence/certificate-entries.h"
#include "core/evidence/certificate-internal.h"

#define REFUSED CVM_E_EVIDENCE_REFUSED
#define NONE CVM_CERTIFICATES_MAX

struct pile {
    struct cvm_certificate c[CVM_CERTIFICATES_MAX]; /* same places as in the bundle */
    size_t n;
};

static void pile_free(struct pile *p)
{
    for (size_t i = 0; i < p->n; i++)
        cvm_certificate_free(&p->c[i]);
}

/* One that cannot be read keeps its place, empty: the others may be enough. */
static int read_pile(const struct cvm_bundle *b, struct pile *p, struct cvm_error *err)
{
    CVM_ENSURE(b->certificates.n > 0, err, REFUSED, "the bundle has no certificates");
    const struct cvm_line_info *simulated = cvm_line_info(CVM_LINE_SIMULATED);
    for (size_t i = 0; i < b->certificates.n; i++) {
        const struct cvm_buf *der = &b->certificates.der[i];
        p->n = i + 1;
        if (cvm_certificate_parse(der->data, der->len, &p->c[i], NULL) == 0)
            CVM_ENSURE(memcmp(p->c[i].spki.b, simulated->root.b, CVM_SHA256_LEN) != 0, err,
                       CVM_E_NOT_GENUINE, "the bundle holds the simulated root");
    }
    return 0;
}

/* Several signing keys are no fault of the host's; the one that signed this report counts. */
static size_t find_leaf(const struct pile *p, const struct cvm_report *r)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->c[i].x && p->c[i].has_amd && p->c[i].kind == CVM_KEY_P384 &&
            cvm_report_verify_signature(r, p->c[i].point, NULL) == 0)
            return i;
    return NONE;
}

/* Every line of hardware signs its certificates with RSASSA-PSS. */
static size_t find_issuer(const struct pile *p, size_t of, bool self_signed)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct cvm_certificate *c = &p->c[i];
        if (c->x && i != of &&
            cvm_certificate_issued_by(&p->c[of], c, CVM_ISSUER_RSA_PSS, NULL) == 0 &&
            (cvm_certificate_issued_by(c, c, CVM_ISSUER_RSA_PSS, NULL) == 0) == self_signed)
            return i;
    }
    return NONE;
}

static void append_u32le(struct cvm_buf *b, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        cvm_buf_append_u8(b, (uint8_t)(v >> (8 * i)));
}

static void write_table(const struct cvm_certificates *c, const size_t place[3],
                        const enum cvm_certificate_entry_kind kind[3], struct cvm_buf *out)
{
    size_t offset = 4 * CVM_CERTIFICATE_ENTRY_LEN;
    for (int i = 0; i < 3; i++) {
        cvm_buf_append(out, cvm_certificate_entry_guid(kind[i]), 16);
        append_u32le(out, (uint32_t)offset);
        append_u32le(out, (uint32_t)c->der[place[i]].len);
        offset += c->der[place[i]].len;
    }
    cvm_buf_extend(out, CVM_CERTIFICATE_ENTRY_LEN);
    for (int i = 0; i < 3; i++)
        cvm_buf_append(out, c->der[place[i]].data, c->der[place[i]].len);
}

/* The GHCB certificate table of the report's own chain, leaf first. */
static int make_table(const struct cvm_bundle *b, struct cvm_buf *out, struct cvm_error *err)
{
    struct cvm_report r;
    CVM_GUARD(cvm_report_parse(b->report.data, b->report.len, &r, err));
    __attribute__((cleanup(pile_free))) struct pile p = {0};
    CVM_GUARD(read_pile(b, &p, err));
    size_t leaf = find_leaf(&p, &r);
    CVM_ENSURE(leaf != NONE, err, REFUSED,
               "none of %zu certificates is of the key that signed the report", p.n);
    size_t issuer = find_issuer(&p, leaf, false);
    CVM_ENSURE(issuer != NONE, err, REFUSED, "the issuer of \"%s\" is missing (ASK or ASVK)",
               p.c[leaf].name);
    size_t root = find_issuer(&p, issuer, true);
    CVM_ENSURE(root != NONE, err, REFUSED, "the root above \"%s\" is missing (ARK)",
               p.c[issuer].name);
    /* The issuer's name says what it issues, as its own signature was checked. */
    bool vlek = strncmp(p.c[issuer].name, "SEV-VLEK-", 9) == 0;
    const enum cvm_certificate_entry_kind kinds[3] = {vlek ? CVM_ENTRY_VLEK : CVM_ENTRY_VCEK,
                                                      CVM_ENTRY_ISSUER, CVM_ENTRY_ROOT};
    write_table(&b->certificates, (const size_t[3]){leaf, issuer, root}, kinds, out);
    return 0;
}

static json_t *b64u_json(const struct cvm_buf *b)
{
    CVM_AUTO_FREE char *text = cvm_b64u(b->data, b->len);
    return json_string(text);
}

int cvm_bundle_export_cmw(const struct cvm_bundle *b, struct cvm_buf *out, struct cvm_error *err)
{
    CVM_ENSURE(strcmp(b->platform, "sev-snp") == 0, err, CVM_E_NOT_GENUINE,
               "the platform is %s: only evidence of genuine hardware is exported", b->platform);
    CVM_AUTO_BUF struct cvm_buf table = {0}, value = {0}, record = {0};
    CVM_GUARD(make_table(b, &table, err));
    /* The provider with the end of line that configfs-tsm's file has. */
    CVM_AUTO_JSON json_t *report =
        json_pack("{s:o, s:o, s:s}", "auxblob", b64u_json(&table), "outblob", b64u_json(&b->report),
                  "provider", "sev_guest\n");
    CVM_GUARD(cvm_json_write(report, &value, err));
    CVM_AUTO_JSON json_t *cmw =
        json_pack("[s, o, i]", CVM_CMW_TYPE, b64u_json(&value), CVM_CMW_EVIDENCE);
    CVM_GUARD(cvm_json_write(cmw, &record, err));
    cvm_buf_append(out, record.data, record.len);
    return 0;
}
