/* Simulated evidence from end to end: made by the software PSP's own functions, judged by the
 * verifier. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/evidence/appraise.h"
#include "core/evidence/certificate-internal.h"
#include "core/manifest/test-fixture.h"
#include "core/record/report-data.h"
#include "orchestrator/psp/serve.h"

#define NOW 1800000000

/* A manifest, a PSP that was started for it, a session, and a bundle that answers one of three
 * nonces. */
struct scene {
    struct cvm_manifest m;
    struct cvm_psp psp;
    struct cvm_bundle b;
    uint8_t nonces[3][32];
    struct cvm_appraise_options o;
};

static void ask(struct scene *s)
{
    uint8_t data[CVM_REPORT_DATA_LEN], request[CVM_SIM_REQUEST_LEN];
    assert_int_equal(cvm_bundle_report_data(&s->b, data, NULL), 0);
    cvm_sim_request_write(data, request);
    CVM_AUTO_BUF struct cvm_buf answer = {0};
    cvm_psp_answer(&s->psp, request, sizeof(request), &answer);
    CVM_AUTO_SIM_RESPONSE struct cvm_sim_response r = {0};
    assert_int_equal(cvm_sim_response_parse(answer.data, answer.len, &r, NULL), 0);
    cvm_buf_free(&s->b.report);
    cvm_buf_append(&s->b.report, r.report, sizeof(r.report));
    cvm_certificates_free(&s->b.certificates);
    for (size_t i = 0; i < r.n_certificates; i++)
        assert_int_equal(cvm_certificates_add_der(&s->b.certificates, r.certificates[i].data,
                                                  r.certificates[i].len, NULL),
                         0);
}

static void scene_free(struct scene *s)
{
    cvm_manifest_free(&s->m);
    cvm_bundle_free(&s->b);
    cvm_issuer_free(&s->psp.issuer);
    if (s->psp.log)
        fclose(s->psp.log);
    free(s);
}

static struct scene *scene_of(json_t *document)
{
    struct scene *s = cvm_alloc(sizeof(*s));
    struct cvm_error err = {0};
    if (fixture_parse(document, &s->m, &err) < 0)
        fail_msg("%s", err.message);
    json_decref(document);
    assert_int_equal(cvm_issuer_new(&s->psp.issuer, NOW, NULL), 0);
    memcpy(s->psp.measurement, s->m.isolate.measurements[0], CVM_MEASUREMENT_LEN);
    memcpy(s->psp.host_data, s->m.digest.b, CVM_HOST_DATA_LEN);
    s->psp.log = fopen("/dev/null", "w");

    memcpy(s->b.platform, "sim-process", 12);
    CVM_AUTO_KEY struct cvm_key sign = fixture_key(9, CVM_ED25519);
    CVM_AUTO_KEY struct cvm_key seal = fixture_key(9, CVM_X25519);
    s->b.sign = sign.pub;
    s->b.seal = seal.pub;
    s->b.manifest = s->m.digest;
    s->b.transcript_n = 1;
    s->b.transcript_head = cvm_sha256("head", 4);
    struct cvm_bytes list[3];
    for (size_t i = 0; i < 3; i++) {
        memset(s->nonces[i], 'a' + (int)i, 32);
        list[i] = CVM_BYTES(s->nonces[i], 32);
    }
    memcpy(s->b.nonce, s->nonces[1], 32);
    s->b.nonce_len = 32;
    s->b.path = cvm_nonce_tree_path(list, 3, 1);
    s->o = (struct cvm_appraise_options){.time = NOW, .nonce = list[1], .session = &s->b.sign};
    ask(s);
    return s;
}

static struct scene *scene(void)
{
    return scene_of(fixture_document());
}

static struct cvm_appraisal judge(struct scene *s)
{
    struct cvm_appraisal a;
    assert_int_equal(cvm_evidence_appraise(&s->b, &s->m, &s->o, &a, NULL), 0);
    return a;
}

/* Exactly these checks fail, no other; the rest passed or had nothing to compare. */
static void refused_for(struct scene *s, unsigned checks, const char *what)
{
    struct cvm_appraisal a = judge(s);
    CVM_AUTO_BUF struct cvm_buf page = {0};
    cvm_appraisal_print(&a, &page);
    assert_int_equal(a.outcome, CVM_OUTCOME_REFUSED);
    assert_int_equal(cvm_appraisal_exit_code(&a), 1);
    for (unsigned i = 0; i < CVM_CHECKS; i++) {
        bool fails = a.checks[i].verdict == CVM_VERDICT_FAIL;
        if (fails != (checks >> i & 1))
            fail_msg("%s: check %s is \"%s\" (expected %s, got %s)", what,
                     cvm_check_info((enum cvm_check_id)i)->name,
                     cvm_verdict_text(a.checks[i].verdict), a.checks[i].expected, a.checks[i].got);
        /* The page for people says of each failed check what is wrong and what to do. */
        const struct cvm_check_info *info = cvm_check_info((enum cvm_check_id)i);
        if (fails && (!strstr(cvm_buf_cstr(&page), info->failed) ||
                      !strstr(cvm_buf_cstr(&page), info->remedy)))
            fail_msg("%s: check %s is not explained", what, info->name);
    }
    struct cvm_error err = {0};
    assert_int_equal(cvm_appraisal_error(&a, &err), -1);
    assert_int_equal(err.code, CVM_E_EVIDENCE_REFUSED);
    scene_free(s);
}
#define BIT(NAME) (1u << CVM_CHECK_##NAME)

static void test_pinned_root(void **state)
{
    (void)state;
    uint8_t d[32];
    assert_int_equal(cvm_simulated_root_digest(d, NULL), 0);
    assert_memory_equal(d, cvm_line_info(CVM_LINE_SIMULATED)->root.b, 32);
}

static void test_simulated(void **state)
{
    (void)state;
    struct scene *s = scene();
    struct cvm_appraisal a = judge(s);
    CVM_AUTO_BUF struct cvm_buf text = {0};
    cvm_appraisal_print(&a, &text);
    if (a.outcome != CVM_OUTCOME_SIMULATED)
        fail_msg("%s", cvm_buf_cstr(&text));
    assert_int_equal(cvm_appraisal_exit_code(&a), 10);
    assert_int_equal(cvm_appraisal_error(&a, NULL), 0);
    assert_non_null(strstr(cvm_buf_cstr(&text), "*** SIMULATED ***"));
    assert_null(strstr(cvm_buf_cstr(&text), "freshness NOT CHECKED"));
    assert_int_equal(a.checks[CVM_CHECK_FRESHNESS].verdict, CVM_VERDICT_PASS);
    assert_int_equal(a.checks[CVM_CHECK_SESSION].verdict, CVM_VERDICT_PASS);
    CVM_AUTO_JSON json_t *o = cvm_appraisal_json(&a);
    assert_string_equal(json_string_value(json_object_get(o, "outcome")), "simulated");
    assert_int_equal(json_array_size(json_object_get(o, "checks")), CVM_CHECKS);

    s->o.nonce = CVM_BYTES(NULL, 0);
    s->o.session = NULL;
    a = judge(s);
    assert_int_equal(a.outcome, CVM_OUTCOME_SIMULATED);
    cvm_buf_free(&text);
    cvm_appraisal_print(&a, &text);
    assert_non_null(strstr(cvm_buf_cstr(&text), "freshness NOT CHECKED"));
    scene_free(s);
}

static void test_last_report(void **state)
{
    (void)state;
    struct scene *s = scene();
    s->b.nonce_len = 0;
    ask(s);
    s->o.nonce = CVM_BYTES(NULL, 0);
    assert_int_equal(judge(s).outcome, CVM_OUTCOME_SIMULATED);
    s->o.nonce = CVM_BYTES(s->nonces[1], 32);
    refused_for(s, BIT(FRESHNESS), "no nonce in the evidence");
}

static void test_survives_json(void **state)
{
    (void)state;
    struct scene *s = scene();
    CVM_AUTO_BUF struct cvm_buf bytes = {0};
    assert_int_equal(cvm_bundle_write(&s->b, &bytes, NULL), 0);
    cvm_bundle_free(&s->b);
    struct cvm_error err = {0};
    if (cvm_bundle_parse(bytes.data, bytes.len, &s->b, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(judge(s).outcome, CVM_OUTCOME_SIMULATED);
    scene_free(s);
}

static void test_what_the_host_may_change(void **state)
{
    (void)state;
    struct scene *s = scene();
    s->psp.measurement[0] ^= 1;
    ask(s);
    refused_for(s, BIT(MEASUREMENT), "another program");

    s = scene();
    s->psp.host_data[31] ^= 1;
    ask(s);
    refused_for(s, BIT(HOST_DATA), "launched for another manifest");

    s = scene();
    s->b.sign.b[0] ^= 1;
    refused_for(s, BIT(REPORT_DATA), "another signing key");

    s = scene();
    s->b.seal.b[0] ^= 1;
    refused_for(s, BIT(REPORT_DATA), "another sealing key");

    s = scene();
    s->b.transcript_head.b[0] ^= 1;
    refused_for(s, BIT(REPORT_DATA), "another transcript");

    s = scene();
    s->b.manifest.b[0] ^= 1;
    refused_for(s, BIT(MANIFEST) | BIT(REPORT_DATA), "another manifest in the bundle");

    s = scene();
    memcpy(s->b.nonce, s->nonces[0], 32);
    refused_for(s, BIT(REPORT_DATA) | BIT(FRESHNESS), "a nonce of another path");

    s = scene();
    s->b.path.hashes[0].b[0] ^= 1;
    refused_for(s, BIT(REPORT_DATA), "a broken path");

    s = scene();
    s->b.path.n = 0;
    refused_for(s, BIT(REPORT_DATA), "a path that is too short");

    s = scene();
    s->o.nonce = CVM_BYTES(s->nonces[2], 32);
    refused_for(s, BIT(FRESHNESS), "somebody else's nonce");

    s = scene();
    struct cvm_public_key other = s->b.sign;
    other.b[5] ^= 1;
    s->o.session = &other;
    refused_for(s, BIT(SESSION), "another session than the pinned one");

    s = scene();
    s->o.time = NOW + 8LL * 365 * 86400;
    refused_for(s, BIT(VALIDITY), "certificates that have ended");

    s = scene();
    s->o.time = NOW - 2 * 86400;
    refused_for(s, BIT(VALIDITY), "certificates that have not begun");
}

static void test_platforms(void **state)
{
    (void)state;
    struct scene *s = scene();
    memcpy(s->b.platform, "sev-snp\0\0\0\0", 12);
    refused_for(s, BIT(PLATFORM), "simulated evidence that says sev-snp");

    json_t *d = fixture_document();
    fixture_edit(d, "isolate.platforms", "[\"sev-snp\"]");
    s = scene_of(d);
    refused_for(s, BIT(PLATFORM), "simulated evidence for a manifest that wants hardware");

    d = fixture_document();
    fixture_edit(d, "isolate.platforms", "[\"sev-snp\"]");
    s = scene_of(d);
    memcpy(s->b.platform, "sev-snp\0\0\0\0", 12);
    refused_for(s, BIT(PLATFORM), "both");

    d = fixture_document();
    fixture_edit(d, "isolate.platforms", "[\"sim-vm\"]");
    refused_for(scene_of(d), BIT(PLATFORM), "another kind of simulation");

    s = scene();
    memcpy(s->b.platform, "sgx\0", 4);
    refused_for(s, BIT(PLATFORM), "an unknown platform");
}

/* Signed anew by the same key, with one field changed: only the check that guards the field speaks.
 */
static void resign(struct scene *s, void (*change)(struct cvm_report *))
{
    struct cvm_report r;
    assert_int_equal(cvm_report_parse(s->b.report.data, s->b.report.len, &r, NULL), 0);
    change(&r);
    assert_int_equal(cvm_issuer_sign(&s->psp.issuer, &r, s->b.report.data, NULL), 0);
}

static void no_debug(struct cvm_report *r)
{
    r->policy &= ~CVM_POLICY_DEBUG;
}
static void migration(struct cvm_report *r)
{
    r->policy |= CVM_POLICY_MIGRATE_MA;
}
static void agent(struct cvm_report *r)
{
    r->report_id_ma[0] = 0;
}
static void vmpl(struct cvm_report *r)
{
    r->vmpl = 1;
}
static void vmpl_host(struct cvm_report *r)
{
    r->vmpl = 0xffffffff;
}
static void masked(struct cvm_report *r)
{
    r->key_info |= CVM_KEY_MASKED;
}
static void vlek(struct cvm_report *r)
{
    r->key_info |= CVM_KEY_SIGNER_VLEK << 2;
}
static void algorithm(struct cvm_report *r)
{
    r->signature_algo = 2;
}
static void real_cpu(struct cvm_report *r)
{
    r->cpuid_family = 0x19;
    r->cpuid_model = 1;
}
static void old_version(struct cvm_report *r)
{
    r->version = 2;
}
static void chip(struct cvm_report *r)
{
    r->chip_id[63] ^= 1;
}
static void no_chip(struct cvm_report *r)
{
    memset(r->chip_id, 0, sizeof(r->chip_id));
}
static void tcb(struct cvm_report *r)
{
    r->reported_tcb[7] = 0;
}
static void reserved_tcb(struct cvm_report *r)
{
    r->reported_tcb[3] = 1;
}
static void committed(struct cvm_report *r)
{
    r->committed_tcb[7] = 9;
}
static void policy_bit(struct cvm_report *r)
{
    r->policy |= 1ULL << 40;
}
static void policy_bit17(struct cvm_report *r)
{
    r->policy &= ~CVM_POLICY_RESERVED1;
}

static void test_fields(void **state)
{
    (void)state;
    const struct {
        const char *what;
        void (*change)(struct cvm_report *);
        unsigned checks;
    } cases[] = {
        {"DEBUG not set in a simulated report", no_debug, BIT(DEBUG)},
        {"migration allowed", migration, BIT(MIGRATION)},
        {"migration agent", agent, BIT(MIGRATION)},
        {"VMPL 1", vmpl, BIT(VMPL)},
        {"asked for by the host", vmpl_host, BIT(VMPL)},
        {"unsigned by statement", masked, BIT(SIGNER)},
        {"signed by a VLEK by statement", vlek, BIT(SIGNER)},
        {"another algorithm", algorithm, BIT(SIGNER)},
        {"a processor in a simulated report", real_cpu, BIT(PRODUCT)},
        {"a version without processor", old_version, BIT(PRODUCT)},
        {"another chip", chip, BIT(CHIP_CERT)},
        {"no chip", no_chip, BIT(CHIP_CERT)},
        {"another TCB", tcb, BIT(TCB_CERT)},
        {"a TCB with a reserved part", reserved_tcb, BIT(TCB_CERT)},
        {"committed above current", committed, BIT(FIRMWARE)},
        {"an unknown policy bit", policy_bit, BIT(POLICY)},
        {"policy bit 17", policy_bit17, BIT(POLICY)},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct scene *s = scene();
        resign(s, cases[i].change);
        refused_for(s, cases[i].checks, cases[i].what);
    }
}

static void test_manifest_rules(void **state)
{
    (void)state;
    json_t *d = fixture_document();
    fixture_edit(d, "isolate.policy",
                 "{\"abi_major\":0,\"abi_minor\":0,\"single_socket\":false,\"smt\":false}");
    refused_for(scene_of(d), BIT(POLICY), "SMT where none is wanted");

    d = fixture_document();
    fixture_edit(d, "isolate.policy",
                 "{\"abi_major\":0,\"abi_minor\":0,\"single_socket\":true,\"smt\":true}");
    refused_for(scene_of(d), BIT(POLICY), "many sockets where one is wanted");

    d = fixture_document();
    fixture_edit(d, "isolate.policy",
                 "{\"abi_major\":1,\"abi_minor\":0,\"single_socket\":false,\"smt\":true}");
    refused_for(scene_of(d), BIT(POLICY), "an older ABI");

    d = fixture_document();
    fixture_edit(d, "isolate.chips", "[\"0123456789abcdef\"]");
    refused_for(scene_of(d), BIT(CHIPS), "a chip that is not listed");
}

static void test_certificates(void **state)
{
    (void)state;
    /* Without the root, without the issuer, without the leaf, with another PSP's leaf. */
    const char *const without[] = {"leaf", "issuer", "root"};
    for (size_t k = 0; k < 3; k++) {
        struct scene *s = scene();
        cvm_buf_free(&s->b.certificates.der[k]);
        for (size_t i = k; i < 2; i++) {
            s->b.certificates.der[i] = s->b.certificates.der[i + 1];
            s->b.certificates.der[i + 1] = (struct cvm_buf){0};
        }
        s->b.certificates.n = 2;
        refused_for(s, BIT(CHAIN), without[k]);
    }
    struct scene *s = scene();
    struct cvm_issuer other = {0};
    assert_int_equal(cvm_issuer_new(&other, NOW, NULL), 0);
    cvm_buf_free(&s->b.certificates.der[0]);
    s->b.certificates.der[0] = other.certificates[0];
    other.certificates[0] = (struct cvm_buf){0};
    cvm_issuer_free(&other);
    refused_for(s, BIT(SIGNATURE) | BIT(CHIP_CERT), "another PSP's certificate");

    s = scene(); /* order does not matter */
    struct cvm_buf first = s->b.certificates.der[0];
    s->b.certificates.der[0] = s->b.certificates.der[2];
    s->b.certificates.der[2] = first;
    assert_int_equal(judge(s).outcome, CVM_OUTCOME_SIMULATED);
    scene_free(s);
}

static void test_every_bit_of_the_report(void **state)
{
    (void)state;
    struct scene *s = scene();
    struct cvm_appraisal before = judge(s);
    assert_int_equal(before.outcome, CVM_OUTCOME_SIMULATED);
    for (size_t bit = 0; bit < 8 * CVM_REPORT_LEN; bit++) {
        s->b.report.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        /* The chain does not depend on the report: all of it is judged again only now and then. */
        struct cvm_report r;
        bool good = cvm_report_parse(s->b.report.data, s->b.report.len, &r, NULL) == 0 &&
                    cvm_report_verify_signature(&r, before.vek.public_key, NULL) == 0;
        if (good || (bit % 97 == 0 && judge(s).outcome != CVM_OUTCOME_REFUSED))
            fail_msg("bit %zu of the report can be changed", bit);
        s->b.report.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(judge(s).outcome, CVM_OUTCOME_SIMULATED);
    scene_free(s);
}

/* Whether certificate k, with these bytes, still hangs under the next one. The others are as they
 * were. */
static bool hangs(const struct cvm_certificates *c, size_t k)
{
    struct cvm_certificate one, issuer;
    if (cvm_certificate_parse(c->der[k].data, c->der[k].len, &one, NULL) < 0)
        return false;
    const struct cvm_buf *next = &c->der[k < 2 ? k + 1 : 2];
    assert_true(k == 2 || cvm_certificate_parse(next->data, next->len, &issuer, NULL) == 0);
    bool good =
        cvm_certificate_issued_by(&one, k == 2 ? &one : &issuer, CVM_ISSUER_ECDSA_P384, NULL) == 0;
    if (k < 2)
        cvm_certificate_free(&issuer);
    cvm_certificate_free(&one);
    return good;
}

static void test_every_bit_of_the_certificates(void **state)
{
    (void)state;
    struct scene *s = scene();
    struct cvm_vek vek;
    for (size_t k = 0; k < s->b.certificates.n; k++) {
        struct cvm_buf *der = &s->b.certificates.der[k];
        assert_true(hangs(&s->b.certificates, k));
        for (size_t bit = 0; bit < 8 * der->len; bit++) {
            der->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            if (hangs(&s->b.certificates, k) ||
                (bit % 97 == 0 && cvm_certificates_verify(&s->b.certificates, &vek, NULL) == 0))
                fail_msg("bit %zu of certificate %zu can be changed", bit, k);
            der->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
    assert_int_equal(judge(s).outcome, CVM_OUTCOME_SIMULATED);
    scene_free(s);
}

static void test_bad_requests(void **state)
{
    (void)state;
    struct scene *s = scene();
    uint8_t data[CVM_REPORT_DATA_LEN] = {1}, request[CVM_SIM_REQUEST_LEN + 1] = {0};
    cvm_sim_request_write(data, request);
    const size_t lengths[] = {0, 1, CVM_SIM_REQUEST_LEN - 1, CVM_SIM_REQUEST_LEN + 1};
    for (size_t i = 0; i < 4; i++) {
        CVM_AUTO_BUF struct cvm_buf answer = {0};
        cvm_psp_answer(&s->psp, request, lengths[i], &answer);
        assert_int_equal(answer.len, 8); /* magic and status, no report */
        CVM_AUTO_SIM_RESPONSE struct cvm_sim_response r = {0};
        struct cvm_error err = {0};
        assert_int_equal(cvm_sim_response_parse(answer.data, answer.len, &r, &err), -1);
        assert_int_equal(err.code, CVM_E_PROVIDER);
    }
    for (size_t i = 0; i < 8; i++) { /* magic and version */
        CVM_AUTO_BUF struct cvm_buf answer = {0};
        request[i] ^= 1;
        cvm_psp_answer(&s->psp, request, CVM_SIM_REQUEST_LEN, &answer);
        request[i] ^= 1;
        assert_int_equal(answer.len, 8);
    }
    scene_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pinned_root),
        cmocka_unit_test(test_simulated),
        cmocka_unit_test(test_last_report),
        cmocka_unit_test(test_survives_json),
        cmocka_unit_test(test_what_the_host_may_change),
        cmocka_unit_test(test_platforms),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_manifest_rules),
        cmocka_unit_test(test_certificates),
        cmocka_unit_test(test_every_bit_of_the_report),
        cmocka_unit_test(test_every_bit_of_the_certificates),
        cmocka_unit_test(test_bad_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
