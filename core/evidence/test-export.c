/* The wrapper, read back by the library's own readers of tables, reports and chains. */
#include "core/evidence/certificate-entries.h"
#include "core/evidence/export.h"
#include "core/evidence/test-issuer.h"

struct setup {
    struct chain_spec spec;
    struct made_chain m;
    struct cvm_bundle b;
};

static void make(struct setup *s, enum cvm_line line, enum cvm_vek_kind kind)
{
    *s = (struct setup){.spec = {.line = line, .kind = kind}};
    make_chain(&s->spec, &s->m);
    struct cvm_report r = issuer_report(&s->m, &s->spec, 3);
    uint8_t raw[CVM_REPORT_LEN];
    issuer_sign_report(&s->m, &r, raw);
    memcpy(s->b.platform, "sev-snp", 8);
    cvm_buf_append(&s->b.report, raw, sizeof(raw));
}

static void add(struct setup *s, size_t i)
{
    const struct cvm_buf *der = &s->m.c.der[i];
    assert_int_equal(cvm_certificates_add_der(&s->b.certificates, der->data, der->len, NULL), 0);
}

static void end(struct setup *s)
{
    cvm_bundle_free(&s->b);
    made_chain_free(&s->m);
}
#define AUTO_SETUP CVM_CLEANUP(end)

static void assert_refused(struct setup *s, enum cvm_code code, const char *part)
{
    CVM_AUTO_BUF struct cvm_buf out = {0};
    struct cvm_error err = {0};
    assert_int_equal(cvm_bundle_export_cmw(&s->b, &out, &err), -1);
    assert_int_equal(err.code, code);
    assert_non_null(strstr(err.message, part));
    assert_int_equal(out.len, 0);
}

static void decode_member(json_t *o, const char *name, struct cvm_buf *ret)
{
    const char *text = json_string_value(json_object_get(o, name));
    assert_non_null(text);
    assert_int_equal(cvm_b64u_decode(text, strlen(text), ret, NULL), 0);
}

/* Opens the wrapper as a stranger would. */
static void open_cmw(const struct cvm_buf *cmw, struct cvm_buf *table, struct cvm_buf *report)
{
    CVM_AUTO_JSON json_t *a = json_loadb((const char *)cmw->data, cmw->len, 0, NULL);
    assert_int_equal(json_array_size(a), 3);
    assert_string_equal(json_string_value(json_array_get(a, 0)),
                        "application/vnd.veraison.configfs-tsm+json");
    assert_int_equal(json_integer_value(json_array_get(a, 2)), 4);
    const char *text = json_string_value(json_array_get(a, 1));
    CVM_AUTO_BUF struct cvm_buf value = {0};
    assert_int_equal(cvm_b64u_decode(text, strlen(text), &value, NULL), 0);
    CVM_AUTO_JSON json_t *o = json_loadb((const char *)value.data, value.len, 0, NULL);
    assert_int_equal(json_object_size(o), 3);
    assert_string_equal(json_string_value(json_object_get(o, "provider")), "sev_guest\n");
    decode_member(o, "auxblob", table);
    decode_member(o, "outblob", report);
}

static void test_round_trip(void **state)
{
    (void)state;
    static const uint8_t vcek[4] = {0x63, 0xda, 0x75, 0x8d}, vlek[4] = {0xa8, 0x07, 0x4b, 0xc2},
                         ask[4] = {0x4a, 0xb7, 0xb3, 0x79}, ark[4] = {0xc0, 0xb4, 0x06, 0xa4};
    const enum cvm_line lines[] = {CVM_LINE_MILAN, CVM_LINE_TURIN};
    for (size_t i = 0; i < 4; i++) {
        enum cvm_vek_kind kind = i % 2 ? CVM_VEK_VLEK : CVM_VEK_VCEK;
        AUTO_SETUP struct setup s, other;
        make(&s, lines[i / 2], kind);
        make(&other, lines[i / 2], kind); /* a signing key that did not sign this report */
        memcpy(&s.b.certificates.der[0], &other.m.c.der[0], sizeof(struct cvm_buf));
        s.b.certificates.n = 1;
        other.m.c.der[0] = (struct cvm_buf){0};
        assert_int_equal(cvm_certificates_add_der(&s.b.certificates, "broken", 6, NULL), 0);
        for (size_t k = 3; k-- > 0;) /* root first: the order is the host's */
            add(&s, k);
        CVM_AUTO_BUF struct cvm_buf cmw = {0}, table = {0}, report = {0};
        struct cvm_error err = {0};
        if (cvm_bundle_export_cmw(&s.b, &cmw, &err) < 0)
            fail_msg("%s", err.message);
        open_cmw(&cmw, &table, &report);
        assert_memory_equal(table.data, kind == CVM_VEK_VLEK ? vlek : vcek, 4);
        assert_memory_equal(table.data + 24, ask, 4);
        assert_memory_equal(table.data + 48, ark, 4);
        CVM_AUTO_CERTIFICATES struct cvm_certificates c = {0};
        assert_int_equal(cvm_certificates_add(&c, table.data, table.len, &err), 0);
        assert_int_equal(c.n, 3);
        for (size_t k = 0; k < 3; k++) {
            assert_int_equal(c.der[k].len, s.m.c.der[k].len);
            assert_memory_equal(c.der[k].data, s.m.c.der[k].data, c.der[k].len);
        }
        struct cvm_report r;
        assert_int_equal(cvm_report_parse(report.data, report.len, &r, &err), 0);
        assert_memory_equal(report.data, s.b.report.data, CVM_REPORT_LEN);
        struct cvm_line_info anchor = issuer_anchor(lines[i / 2]);
        struct cvm_vek vek;
        if (cvm_certificates_verify_with(&c, &anchor, 1, &vek, &err) < 0)
            fail_msg("%s", err.message);
        assert_int_equal(vek.kind, kind);
        assert_int_equal(cvm_report_verify_signature(&r, vek.public_key, &err), 0);
    }
}

static void test_simulated(void **state)
{
    (void)state;
    AUTO_SETUP struct setup s;
    make(&s, CVM_LINE_MILAN, CVM_VEK_VCEK);
    for (size_t k = 0; k < 3; k++)
        add(&s, k);
    memcpy(s.b.platform, "sim-process", 12);
    assert_refused(&s, CVM_E_NOT_GENUINE, "sim-process");
    s.b.platform[0] = '\0';
    assert_refused(&s, CVM_E_NOT_GENUINE, "");
}

/* A bundle that only calls itself genuine: the simulated root's public key, whoever signed it. */
static void test_relabelled(void **state)
{
    (void)state;
    static const char spki[] =
        "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEm61voNvbV-f0kT52LTaSZI9uyVRm5GsgmIx6g6UewgrTNJ43kyrFDJ0WM"
        "mOtQ-304W3kGekp2WvieHXEJa9BEW5QIeflsxHPwDGF4RxJPf_SYCY1asn1n5OkuLfWjwIk";
    CVM_AUTO_BUF struct cvm_buf der = {0};
    assert_int_equal(cvm_b64u_decode(spki, strlen(spki), &der, NULL), 0);
    const unsigned char *p = der.data;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &p, (long)der.len);
    assert_non_null(key);
    AUTO_SETUP struct setup s;
    make(&s, CVM_LINE_MILAN, CVM_VEK_VCEK);
    for (size_t k = 0; k < 3; k++)
        add(&s, k);
    X509 *x = issuer_begin("ARK-Milan", "ARK-Milan", key);
    issuer_finish(x, PSS_384, &s.b.certificates);
    EVP_PKEY_free(key);
    assert_refused(&s, CVM_E_NOT_GENUINE, "simulated root");
}

static void test_incomplete(void **state)
{
    (void)state;
    static const char *const missing[] = {"key that signed", "ASK", "ARK"};
    for (size_t without = 0; without < 3; without++) {
        AUTO_SETUP struct setup s;
        make(&s, CVM_LINE_GENOA, CVM_VEK_VCEK);
        assert_refused(&s, CVM_E_EVIDENCE_REFUSED, "no certificates");
        for (size_t k = 0; k < 3; k++)
            if (k != without)
                add(&s, k);
        assert_refused(&s, CVM_E_EVIDENCE_REFUSED, missing[without]);
    }
}

static void test_report(void **state)
{
    (void)state;
    AUTO_SETUP struct setup s;
    make(&s, CVM_LINE_MILAN, CVM_VEK_VCEK);
    for (size_t k = 0; k < 3; k++)
        add(&s, k);
    s.b.report.data[0x50] ^= 1; /* REPORT_DATA */
    assert_refused(&s, CVM_E_EVIDENCE_REFUSED, "key that signed");
    s.b.report.data[0x50] ^= 1;
    s.b.report.len--;
    CVM_AUTO_BUF struct cvm_buf out = {0};
    assert_int_equal(cvm_bundle_export_cmw(&s.b, &out, NULL), -1);
    s.b.report.len++;
    assert_int_equal(cvm_bundle_export_cmw(&s.b, &out, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_simulated),
        cmocka_unit_test(test_relabelled), cmocka_unit_test(test_incomplete),
        cmocka_unit_test(test_report),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
