/* All processor lines and every departure from a right chain, under a root of the test's own. */
#include "core/evidence/test-issuer.h"

#include "core/evidence/appraise-internal.h"

static struct cvm_appraisal judge(const struct made_chain *m, const struct chain_spec *s,
                                  struct cvm_report *r, bool production)
{
    uint8_t raw[CVM_REPORT_LEN];
    issuer_sign_report(m, r, raw);
    struct cvm_line_info a = issuer_anchor(s->line);
    const struct cvm_expectations e = {.time = NOW, .production = production};
    struct cvm_appraisal out;
    cvm_evidence_check_with(raw, sizeof(raw), &m->c, &a, 1, &e, &out);
    return out;
}

static void test_lines(void **state)
{
    (void)state;
    for (enum cvm_line line = CVM_LINE_MILAN; line <= CVM_LINE_TURIN; line++)
        for (int kind = CVM_VEK_VCEK; kind <= CVM_VEK_VLEK; kind++)
            for (uint64_t version = 2; version <= 5; version++) {
                if (version == 4)
                    continue;
                const struct chain_spec s = {
                    .line = line, .kind = (enum cvm_vek_kind)kind, .wrapped_hwid = version == 2};
                struct made_chain m;
                make_chain(&s, &m);
                struct cvm_report r = issuer_report(&m, &s, version);
                struct cvm_appraisal a = judge(&m, &s, &r, true);
                CVM_AUTO_BUF struct cvm_buf text = {0};
                cvm_appraisal_print(&a, &text);
                if (a.outcome != CVM_OUTCOME_VERIFIED)
                    fail_msg("%s", cvm_buf_cstr(&text));
                /* The pinned roots know nothing of it. */
                struct cvm_vek vek;
                assert_int_equal(cvm_certificates_verify(&m.c, &vek, NULL), -1);
                made_chain_free(&m);
            }
}

static void test_chains(void **state)
{
    (void)state;
    const struct {
        const char *what;
        struct chain_spec s;
    } bad[] = {
        {"root of another name", {.line = CVM_LINE_GENOA, .root_cn = "ARK-Milan"}},
        {"issuer of another line", {.line = CVM_LINE_GENOA, .issuer_cn = "SEV-Milan"}},
        {"VLEK under the issuer of VCEKs", {.line = CVM_LINE_GENOA, .leaf_cn = "SEV-VLEK"}},
        {"VCEK under the issuer of VLEKs",
         {.line = CVM_LINE_GENOA, .kind = CVM_VEK_VLEK, .leaf_cn = "SEV-VCEK"}},
        {"leaf of another name", {.line = CVM_LINE_GENOA, .leaf_cn = "SEV-VCEK2"}},
        {"product of another line", {.line = CVM_LINE_GENOA, .product = "Milan-B0"}},
        {"product that begins alike", {.line = CVM_LINE_GENOA, .product = "Genoa2"}},
        {"root signed with a salt of 32", {.line = CVM_LINE_GENOA, .root_scheme = PSS_SALT_32}},
        {"issuer signed with a salt of 32", {.line = CVM_LINE_GENOA, .issuer_scheme = PSS_SALT_32}},
        {"leaf signed with a salt of 32", {.line = CVM_LINE_GENOA, .leaf_scheme = PSS_SALT_32}},
        {"leaf signed with SHA-256", {.line = CVM_LINE_GENOA, .leaf_scheme = PSS_256}},
        {"leaf signed with MGF1 of SHA-256", {.line = CVM_LINE_GENOA, .leaf_scheme = PSS_MGF_256}},
        {"leaf signed by PKCS 1", {.line = CVM_LINE_GENOA, .leaf_scheme = PKCS1}},
        {"issuer that is no authority",
         {.line = CVM_LINE_GENOA, .issuer_basic = "critical,CA:FALSE"}},
        {"issuer without a path length",
         {.line = CVM_LINE_GENOA, .issuer_basic = "critical,CA:TRUE"}},
        {"issuer with a long path",
         {.line = CVM_LINE_GENOA, .issuer_basic = "critical,CA:TRUE,pathlen:1"}},
        {"root that may not sign", {.line = CVM_LINE_GENOA, .root_usage = "critical,cRLSign"}},
        {"leaf that is an authority", {.line = CVM_LINE_GENOA, .leaf_is_ca = true}},
        {"leaf with another curve", {.line = CVM_LINE_GENOA, .leaf_p256 = true}},
        {"no structVersion", {.line = CVM_LINE_GENOA, .leave_out = "1"}},
        {"no productName", {.line = CVM_LINE_GENOA, .leave_out = "2"}},
        {"no blSPL", {.line = CVM_LINE_GENOA, .leave_out = "3.1"}},
        {"no teeSPL", {.line = CVM_LINE_GENOA, .leave_out = "3.2"}},
        {"no snpSPL", {.line = CVM_LINE_GENOA, .leave_out = "3.3"}},
        {"no ucodeSPL", {.line = CVM_LINE_GENOA, .leave_out = "3.8"}},
        {"no hwID", {.line = CVM_LINE_GENOA, .leave_out = "4"}},
        {"no fmcSPL on Turin", {.line = CVM_LINE_TURIN, .leave_out = "3.9"}},
        {"fmcSPL on Genoa", {.line = CVM_LINE_GENOA, .with_fmc = true}},
        {"a number in two spellings", {.line = CVM_LINE_GENOA, .odd_microcode = true}},
        {"snpSPL twice", {.line = CVM_LINE_GENOA, .twice = "3.3"}},
        {"hwID twice", {.line = CVM_LINE_GENOA, .twice = "4"}},
        {"a long hwID on Turin", {.line = CVM_LINE_TURIN, .long_hwid = true}},
        {"a VCEK with a provider", {.line = CVM_LINE_GENOA, .with_csp = true}},
        {"a VLEK with a hwID", {.line = CVM_LINE_GENOA, .kind = CVM_VEK_VLEK, .long_hwid = true}},
        {"a VLEK without a provider",
         {.line = CVM_LINE_GENOA, .kind = CVM_VEK_VLEK, .leave_out = "5"}},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct made_chain m;
        make_chain(&bad[i].s, &m);
        struct cvm_line_info a = issuer_anchor(bad[i].s.line);
        struct cvm_vek vek;
        struct cvm_error err = {0};
        if (cvm_certificates_verify_with(&m.c, &a, 1, &vek, &err) == 0)
            fail_msg("%s is accepted", bad[i].what);
        assert_int_equal(err.code, CVM_E_EVIDENCE_REFUSED);
        made_chain_free(&m);
    }
}

static void test_two_leaves(void **state)
{
    (void)state;
    const struct chain_spec s = {.line = CVM_LINE_GENOA};
    struct made_chain m, other;
    make_chain(&s, &m);
    make_chain(&s, &other);
    assert_int_equal(cvm_certificates_add_der(&m.c, other.c.der[0].data, other.c.der[0].len, NULL),
                     0);
    struct cvm_line_info a = issuer_anchor(s.line);
    struct cvm_vek vek;
    assert_int_equal(cvm_certificates_verify_with(&m.c, &a, 1, &vek, NULL), -1);
    made_chain_free(&m);
    made_chain_free(&other);
}

static void only(struct cvm_appraisal a, enum cvm_check_id id, const char *what)
{
    assert_int_equal(a.outcome, CVM_OUTCOME_REFUSED);
    for (int i = 0; i < CVM_CHECKS; i++)
        if ((a.checks[i].verdict == CVM_VERDICT_FAIL) != (i == (int)id))
            fail_msg("%s: %s is \"%s\"", what, cvm_check_info((enum cvm_check_id)i)->name,
                     cvm_verdict_text(a.checks[i].verdict));
}

static void test_reports(void **state)
{
    (void)state;
    const struct chain_spec s = {.line = CVM_LINE_TURIN};
    struct made_chain m;
    make_chain(&s, &m);
    struct cvm_report good = issuer_report(&m, &s, 5), r = good;
    r.chip_id[63] = 1;
    only(judge(&m, &s, &r, true), CVM_CHECK_CHIP_CERT, "a tail behind Turin's chip id");
    r = good;
    r.reported_tcb[0]--;
    only(judge(&m, &s, &r, true), CVM_CHECK_TCB_CERT, "another FMC");
    r = good;
    r.cpuid_family = 0x19;
    only(judge(&m, &s, &r, true), CVM_CHECK_PRODUCT, "another processor");
    r = good;
    r.policy |= CVM_POLICY_DEBUG;
    only(judge(&m, &s, &r, true), CVM_CHECK_DEBUG, "debug on hardware");
    r = good;
    r.platform_info &= ~CVM_PLATFORM_ALIAS_CHECK;
    only(judge(&m, &s, &r, true), CVM_CHECK_ALIAS, "no alias check");
    r = good;
    r.committed_minor = 1;
    only(judge(&m, &s, &r, true), CVM_CHECK_FIRMWARE, "committed above current");
    r = good;
    r.key_info = CVM_KEY_SIGNER_VLEK << 2;
    only(judge(&m, &s, &r, true), CVM_CHECK_SIGNER, "signed by a VLEK, by its own word");
    /* R, S of zero and of the group's order, under a right chain. */
    static const uint8_t order[48] = {0x73, 0x29, 0xc5, 0xcc, 0x6a, 0x19, 0xec, 0xec, 0x7a, 0xa7,
                                      0xb0, 0x48, 0xb2, 0x0d, 0x1a, 0x58, 0xdf, 0x2d, 0x37, 0xf4,
                                      0x81, 0x4d, 0x63, 0xc7, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    uint8_t raw[CVM_REPORT_LEN], point[97];
    size_t len;
    EVP_PKEY_get_octet_string_param(m.leaf, "pub", point, sizeof(point), &len);
    r = good;
    issuer_sign_report(&m, &r, raw);
    assert_int_equal(cvm_report_verify_signature(&r, point, NULL),
                     -1); /* `raw` of r is not filled */
    assert_int_equal(cvm_report_parse(raw, sizeof(raw), &r, NULL), 0);
    assert_int_equal(cvm_report_verify_signature(&r, point, NULL), 0);
    struct cvm_report z = r;
    memset(z.signature_r, 0, 72);
    assert_int_equal(cvm_report_verify_signature(&z, point, NULL), -1);
    z = r;
    memcpy(z.signature_s, order, 48);
    assert_int_equal(cvm_report_verify_signature(&z, point, NULL), -1);
    z = r;
    z.signature_r[71] = 1;
    assert_int_equal(cvm_report_verify_signature(&z, point, NULL), -1);
    made_chain_free(&m);
}

enum crl_fault {
    CRL_FINE,
    CRL_LATER,
    CRL_REVOKES,
    CRL_OLD,
    CRL_OTHER_SCHEME,
    CRL_BROKEN,
    CRL_OTHER_NAME
};

static void add_crl(struct made_chain *m, const char *root_cn, enum crl_fault fault)
{
    X509_CRL *crl = X509_CRL_new();
    X509_CRL_set_version(crl, X509_CRL_VERSION_2);
    X509_NAME *name = X509_NAME_new();
    X509_NAME_add_entry_by_txt(
        name, "CN", MBSTRING_ASC,
        (const unsigned char *)(fault == CRL_OTHER_NAME ? "ARK-Other" : root_cn), -1, -1, 0);
    X509_CRL_set_issuer_name(crl, name);
    X509_NAME_free(name);
    ASN1_TIME *t = ASN1_TIME_set(NULL, fault == CRL_LATER ? NOW + 500 : NOW - 1000);
    X509_CRL_set1_lastUpdate(crl, t);
    ASN1_TIME_set(t, fault == CRL_OLD ? NOW - 10 : NOW + 1000);
    X509_CRL_set1_nextUpdate(crl, t);
    X509_REVOKED *r = X509_REVOKED_new();
    ASN1_INTEGER *serial = ASN1_INTEGER_new();
    ASN1_INTEGER_set(serial, fault == CRL_REVOKES ? 0 : 12345); /* the test's issuer has serial 0 */
    X509_REVOKED_set_serialNumber(r, serial);
    X509_REVOKED_set_revocationDate(r, t);
    X509_CRL_add0_revoked(crl, r);
    ASN1_INTEGER_free(serial);
    ASN1_TIME_free(t);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *p = NULL;
    EVP_DigestSignInit(ctx, &p, EVP_sha384(), NULL, issuer_rsa());
    if (fault != CRL_OTHER_SCHEME) {
        EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(p, RSA_PSS_SALTLEN_DIGEST);
    }
    assert_true(X509_CRL_sign_ctx(crl, ctx) > 0);
    EVP_MD_CTX_free(ctx);
    unsigned char *der = NULL;
    int n = i2d_X509_CRL(crl, &der);
    if (fault == CRL_BROKEN)
        der[n - 1] ^= 1;
    assert_int_equal(cvm_certificates_add(&m->c, der, (size_t)n, NULL), 0);
    assert_int_equal(m->c.n_crls, 1);
    OPENSSL_free(der);
    X509_CRL_free(crl);
}

static void test_revocation(void **state)
{
    (void)state;
    const struct {
        enum crl_fault fault;
        enum cvm_check_id failed; /* CVM_CHECKS: none */
        enum cvm_verdict verdict;
    } cases[] = {
        {CRL_FINE, CVM_CHECKS, CVM_VERDICT_PASS},
        {CRL_LATER, CVM_CHECKS, CVM_VERDICT_PASS}, /* old evidence, judged with a new list */
        {CRL_REVOKES, CVM_CHECK_REVOCATION, CVM_VERDICT_FAIL},
        {CRL_OLD, CVM_CHECK_REVOCATION, CVM_VERDICT_FAIL},
        {CRL_OTHER_SCHEME, CVM_CHECK_CHAIN, CVM_VERDICT_NOT_RUN},
        {CRL_BROKEN, CVM_CHECK_CHAIN, CVM_VERDICT_NOT_RUN},
        {CRL_OTHER_NAME, CVM_CHECKS, CVM_VERDICT_NOT_CHECKED},
    };
    for (int kind = CVM_VEK_VCEK; kind <= CVM_VEK_VLEK; kind++)
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            const struct chain_spec s = {.line = CVM_LINE_GENOA, .kind = (enum cvm_vek_kind)kind};
            struct made_chain m;
            make_chain(&s, &m);
            add_crl(&m, "ARK-Genoa", cases[i].fault);
            struct cvm_report r = issuer_report(&m, &s, 3);
            struct cvm_appraisal a = judge(&m, &s, &r, true);
            if (a.checks[CVM_CHECK_REVOCATION].verdict != cases[i].verdict)
                fail_msg("case %zu: %s", i,
                         cvm_verdict_text(a.checks[CVM_CHECK_REVOCATION].verdict));
            if (cases[i].failed == CVM_CHECKS)
                assert_int_equal(a.outcome, CVM_OUTCOME_VERIFIED);
            else
                only(a, cases[i].failed, "revocation");
            made_chain_free(&m);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),      cmocka_unit_test(test_chains),
        cmocka_unit_test(test_two_leaves), cmocka_unit_test(test_reports),
        cmocka_unit_test(test_revocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
