/* The mistakes that people will make, each with the explanation that it must get. */
#include "core/evidence/test-issuer.h"

#include "core/evidence/appraise-internal.h"

/* One genuine-looking bundle and its manifest, right in every respect; each mistake changes it. */
struct scene {
    struct made_chain m;
    struct chain_spec s;
    struct cvm_report r;
    uint8_t raw[CVM_REPORT_LEN];
    size_t len;
    uint8_t host_data[CVM_HOST_DATA_LEN], report_data[CVM_REPORT_DATA_LEN];
    uint8_t measurement[1][CVM_MEASUREMENT_LEN];
    struct cvm_tcb min;
    struct cvm_isolate *isolate;
    struct cvm_expectations e;
    struct cvm_line_info anchors[2];
    size_t n_anchors;
};

static struct scene *scene(enum cvm_line line, enum cvm_vek_kind kind)
{
    struct scene *s = cvm_alloc(sizeof(*s));
    s->s = (struct chain_spec){.line = line, .kind = kind};
    make_chain(&s->s, &s->m);
    s->r = issuer_report(&s->m, &s->s, 3);
    memset(s->host_data, 0x11, sizeof(s->host_data));
    memset(s->report_data, 0x22, sizeof(s->report_data));
    memset(s->measurement, 0x33, sizeof(s->measurement));
    memcpy(s->r.host_data, s->host_data, sizeof(s->host_data));
    memcpy(s->r.report_data, s->report_data, sizeof(s->report_data));
    memcpy(s->r.measurement, s->measurement, sizeof(s->measurement));
    s->min = s->m.tcb;
    s->len = CVM_REPORT_LEN;
    s->isolate = cvm_alloc(sizeof(*s->isolate));
    s->isolate->platforms = 1U << CVM_PLATFORM_SEV_SNP;
    s->isolate->any_chip = true;
    s->isolate->smt = true;
    s->e = (struct cvm_expectations){.time = NOW,
                                     .production = true,
                                     .platform = "sev-snp",
                                     .isolate = s->isolate,
                                     .measurements = s->measurement,
                                     .n_measurements = 1,
                                     .host_data = s->host_data,
                                     .report_data = s->report_data,
                                     .min_tcb = &s->min};
    s->anchors[0] = issuer_anchor(line);
    s->n_anchors = 1;
    return s;
}

static struct cvm_appraisal judge(struct scene *s)
{
    struct cvm_appraisal a;
    issuer_sign_report(&s->m, &s->r, s->raw);
    cvm_evidence_check_with(s->raw, s->len, &s->m.c, s->anchors, s->n_anchors, &s->e, &a);
    return a;
}

static void scene_free(struct scene *s)
{
    made_chain_free(&s->m);
    free(s->isolate);
    free(s);
}

/* Refused, by this check and no other before it; the page for people has the words and the
 * remedy. */
static void explained(struct scene *s, enum cvm_check_id id, const char *words, const char *remedy)
{
    struct cvm_appraisal a = judge(s);
    CVM_AUTO_BUF struct cvm_buf text = {0};
    cvm_appraisal_print(&a, &text);
    const char *page = cvm_buf_cstr(&text), *name = cvm_check_info(id)->name;
    if (a.outcome != CVM_OUTCOME_REFUSED || a.checks[id].verdict != CVM_VERDICT_FAIL)
        fail_msg("%s does not refuse:\n%s", name, page);
    for (size_t i = 0; i < CVM_CHECKS; i++)
        if (i != id && a.checks[i].verdict == CVM_VERDICT_FAIL)
            fail_msg("%s refuses as well as %s:\n%s", cvm_check_info(i)->name, name, page);
    if (!strstr(page, words) || !strstr(page, remedy))
        fail_msg("%s does not say \"%s\" and \"%s\":\n%s", name, words, remedy, page);
    struct cvm_error err = {0};
    assert_int_equal(cvm_appraisal_error(&a, &err), -1);
    assert_non_null(strstr(err.message, name));
    scene_free(s);
}

static void drop(struct scene *s, size_t k)
{
    cvm_buf_free(&s->m.c.der[k]);
    s->m.c.n--;
    for (size_t i = k; i < s->m.c.n; i++)
        s->m.c.der[i] = s->m.c.der[i + 1];
    s->m.c.der[s->m.c.n] = (struct cvm_buf){0};
}

static void test_right(void **state)
{
    (void)state;
    struct scene *s = scene(CVM_LINE_MILAN, CVM_VEK_VCEK);
    assert_int_equal(judge(s).outcome, CVM_OUTCOME_VERIFIED);
    scene_free(s);
}

/* The issuer and root of one line with the leaf of another. */
static void other_chain(struct scene *s, enum cvm_line line, enum cvm_vek_kind kind)
{
    const struct chain_spec spec = {.line = line, .kind = kind};
    struct made_chain other;
    make_chain(&spec, &other);
    for (size_t i = 1; i < 3; i++) {
        cvm_buf_free(&s->m.c.der[i]);
        s->m.c.der[i] = other.c.der[i];
        other.c.der[i] = (struct cvm_buf){0};
    }
    made_chain_free(&other);
    s->anchors[0] = issuer_anchor(line);
}

static void test_certificates(void **state)
{
    (void)state;
    struct scene *s = scene(CVM_LINE_GENOA, CVM_VEK_VCEK);
    other_chain(s, CVM_LINE_MILAN, CVM_VEK_VCEK);
    explained(s, CVM_CHECK_CHAIN, "\"SEV-Genoa\" (ASK)", "give the whole chain of this chip");

    s = scene(CVM_LINE_MILAN, CVM_VEK_VLEK);
    other_chain(s, CVM_LINE_MILAN, CVM_VEK_VCEK);
    explained(s, CVM_CHECK_CHAIN, "\"SEV-VLEK-Milan\" (ASVK)", "VLEK with ASVK and ARK");

    s = scene(CVM_LINE_MILAN, CVM_VEK_VCEK);
    drop(s, 1);
    explained(s, CVM_CHECK_CHAIN, "\"SEV-Milan\" (ASK)", "VCEK with ASK and ARK");

    s = scene(CVM_LINE_MILAN, CVM_VEK_VCEK);
    s->anchors[0].root.b[0] ^= 1; /* as if the root were missing: no other root will do */
    explained(s, CVM_CHECK_CHAIN, "no pinned root (ARK)", "--kds");

    s = scene(CVM_LINE_MILAN, CVM_VEK_VCEK);
    drop(s, 0);
    explained(s, CVM_CHECK_CHAIN, "no certificate of a signing key", "--kds");

    s = scene(CVM_LINE_MILAN, CVM_VEK_VCEK);
    s->e.time = 1900000001;
    explained(s, CVM_CHECK_VALIDITY, "2030-03-17T17:46:41Z", "--at");

    s = scene(CVM_LINE_MILAN, CVM_VEK_VCEK);
    memset(s->r.chip_id, 0x77, sizeof(s->r.chip_id));
    explained(s, CVM_CHECK_CHIP_CERT, "5c5c5c5c", "this chip's certificate");
}

static void test_expectations(void **state)
{
    (void)state;
    struct scene *s = scene(CVM_LINE_MILAN, CVM_VEK_VCEK);
    s->r.report_data[5] ^= 1;
    explained(s, CVM_CHECK_REPORT_DATA, "22222222", "fetch the evidence again");

    s = scene(CVM_LINE_MILAN, CVM_VEK_VCEK);
    s->r.host_data[5] ^= 1;
    explained(s, CVM_CHECK_HOST_DATA, "another manifest", "launch again with this manifest");

    s = scene(CVM_LINE_MILAN, CVM_VEK_VCEK);
    s->r.policy |= CVM_POLICY_DEBUG;
    explained(s, CVM_CHECK_DEBUG, "debugging allowed", "launch without the debug policy");

    s = scene(CVM_LINE_MILAN, CVM_VEK_VCEK);
    s->min.microcode++;
    explained(s, CVM_CHECK_MIN_TCB, "microcode 220", "update the host's firmware");

    s = scene(CVM_LINE_MILAN, CVM_VEK_VCEK);
    s->r.committed_tcb[7]--; /* the host could go back to what is too old */
    explained(s, CVM_CHECK_MIN_TCB, "committed microcode only 218\n", "update the host's firmware");

    s = scene(CVM_LINE_MILAN, CVM_VEK_VCEK);
    s->e.committed_only = true;
    s->r.committed_build--;
    explained(s, CVM_CHECK_FIRMWARE, "provisional", "have the operator commit it");

    s = scene(CVM_LINE_MILAN, CVM_VEK_VCEK);
    s->r.measurement[5] ^= 1;
    explained(s, CVM_CHECK_MEASUREMENT, "another program image", "launch with the image");

    s = scene(CVM_LINE_MILAN, CVM_VEK_VCEK);
    s->r.vmpl = 1;
    explained(s, CVM_CHECK_VMPL, "another privilege level", "beneath the agent");

    s = scene(CVM_LINE_MILAN, CVM_VEK_VCEK);
    s->e.production = false;
    s->r.vmpl = 0xffffffff;
    explained(s, CVM_CHECK_VMPL, "asked for by a guest", "beneath the agent");

    s = scene(CVM_LINE_MILAN, CVM_VEK_VCEK);
    s->r.platform_info &= ~CVM_PLATFORM_ALIAS_CHECK;
    explained(s, CVM_CHECK_ALIAS, "BadRAM", "update the host's firmware");

    s = scene(CVM_LINE_MILAN, CVM_VEK_VCEK);
    s->e.platform = "sim-process"; /* as a bundle states it that was meant as a trial */
    explained(s, CVM_CHECK_PLATFORM, "sim-process, root of Milan", "that the manifest lists");
}

/* Minima of a manifest: for other lines only is not "none", and they are not asked of a simulation.
 */
static void test_min_tcb_by_line(void **state)
{
    (void)state;
    struct scene *s = scene(CVM_LINE_MILAN, CVM_VEK_VCEK);
    s->e.min_tcb = NULL;
    struct cvm_appraisal a = judge(s);
    assert_int_equal(a.outcome, CVM_OUTCOME_VERIFIED);
    assert_int_equal(a.checks[CVM_CHECK_MIN_TCB].verdict, CVM_VERDICT_NOT_CHECKED);
    s->isolate->min_tcb[CVM_PRODUCT_MILAN] = (struct cvm_min_tcb){.present = true, .fmc = -1};
    a = judge(s);
    assert_int_equal(a.checks[CVM_CHECK_MIN_TCB].verdict, CVM_VERDICT_PASS);
    s->isolate->min_tcb[CVM_PRODUCT_MILAN].present = false;
    s->isolate->min_tcb[CVM_PRODUCT_GENOA] = (struct cvm_min_tcb){.present = true, .fmc = -1};
    explained(s, CVM_CHECK_MIN_TCB, "for other lines", "choose another host");
}

/* An ID block: who signed the launch, and how old the guest is. */
static void test_id_block(void **state)
{
    (void)state;
    static struct cvm_id_block_rule rule;
    const char *const words[] = {"no ID block", "guest SVN 3", "ID key 55", "author key none",
                                 "author key 77"};
    for (int mistake = -1; mistake < 5; mistake++) {
        struct scene *s = scene(CVM_LINE_MILAN, CVM_VEK_VCEK);
        rule = (struct cvm_id_block_rule){
            .present = true, .guest_svn = 4, .n_id_keys = 2, .n_author_keys = 1};
        memset(rule.id_keys[1], 0x44, CVM_SHA384_LEN);
        memset(rule.author_keys[0], 0x66, CVM_SHA384_LEN);
        s->e.id_block = &rule;
        s->r.guest_svn = mistake == 1 ? 3 : 4;
        if (mistake != 0)
            memset(s->r.id_key_digest, mistake == 2 ? 0x55 : 0x44, CVM_SHA384_LEN);
        memset(s->r.author_key_digest, mistake == 4 ? 0x77 : 0x66, CVM_SHA384_LEN);
        s->r.key_info |= mistake == 3 ? 0 : CVM_KEY_AUTHOR;
        if (mistake < 0) {
            struct cvm_appraisal a = judge(s);
            assert_int_equal(a.outcome, CVM_OUTCOME_VERIFIED);
            assert_int_equal(a.checks[CVM_CHECK_ID_BLOCK].verdict, CVM_VERDICT_PASS);
            scene_free(s);
            continue;
        }
        explained(s, CVM_CHECK_ID_BLOCK, words[mistake], "launch with the ID block");
    }
}

/* The table of known weaknesses says what the report tells of them, and its own age. */
static void test_advisories(void **state)
{
    (void)state;
    struct scene *s = scene(CVM_LINE_MILAN, CVM_VEK_VCEK);
    CVM_AUTO_BUF struct cvm_buf old = {0}, weak = {0};
    struct cvm_appraisal a = judge(s);
    a.time = 1795996800 + 181LL * 86400;
    cvm_appraisal_print(&a, &old);
    assert_non_null(strstr(cvm_buf_cstr(&old), "(BadRAM, CVE-2024-21944): mended"));
    assert_non_null(strstr(cvm_buf_cstr(&old), "OUT OF DATE"));
    a.time = 1795996800 + 179LL * 86400;
    a.report.platform_info &= ~CVM_PLATFORM_ALIAS_CHECK;
    cvm_appraisal_print(&a, &weak);
    assert_non_null(strstr(cvm_buf_cstr(&weak), "(BadRAM, CVE-2024-21944): NOT MENDED"));
    assert_null(strstr(cvm_buf_cstr(&weak), "OUT OF DATE"));
    /* By processor: what is enough for one is too little for another, and version 2 names none. */
    const struct {
        uint64_t version, model, stepping;
        const char *told;
    } cases[] = {{3, 1, 1, "36347): NOT MENDED: microcode 218, needed is 219"},
                 {3, 1, 2, "36347): mended"},
                 {3, 1, 9, "36347): the report does not tell"},
                 {2, 1, 1, "36347): the report does not tell"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CVM_AUTO_BUF struct cvm_buf text = {0};
        a.report.version = cases[i].version;
        a.report.cpuid_model = cases[i].model;
        a.report.cpuid_stepping = cases[i].stepping;
        a.report.launch_tcb[7] = 218; /* the others have 219 */
        cvm_appraisal_print(&a, &text);
        assert_non_null(strstr(cvm_buf_cstr(&text), cases[i].told));
    }
    scene_free(s);
}

static void test_truncated(void **state)
{
    (void)state;
    const struct {
        size_t len;
        const char *words;
    } lengths[] = {{0, "too short"}, {1183, "too short"}};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct scene *s = scene(CVM_LINE_MILAN, CVM_VEK_VCEK);
        s->len = lengths[i].len;
        explained(s, CVM_CHECK_FORMAT, lengths[i].words, "fetch the evidence again");
    }
    struct cvm_error err = {0};
    struct cvm_report r;
    const uint8_t longer[CVM_REPORT_LEN + 20] = {3};
    assert_int_equal(cvm_report_parse(longer, sizeof(longer), &r, &err), -1);
    assert_non_null(strstr(err.message, "too long"));
    assert_string_equal(err.got, "1204 bytes");
}

/* Bits without a name are shown, and refuse nothing by themselves; a bit of the policy that nobody
 * knows does, as the participants chose the policy. */
static void test_unknown_bits(void **state)
{
    (void)state;
    struct scene *s = scene(CVM_LINE_TURIN, CVM_VEK_VCEK);
    s->r.version = 5;
    s->r.platform_info |= 1ULL << 6 | 1ULL << 40;
    s->r.policy |= 1ULL << 25;
    s->r.current_mit_vector = s->r.launch_mit_vector = 0x3f;
    struct cvm_appraisal a = judge(s);
    assert_int_equal(a.outcome, CVM_OUTCOME_VERIFIED);
    CVM_AUTO_BUF struct cvm_buf text = {0};
    cvm_report_print(&a.report, &text);
    assert_non_null(strstr(cvm_buf_cstr(&text), "bit 40 (no name known)"));
    assert_non_null(strstr(cvm_buf_cstr(&text), "bit 25 page_swap_disable"));
    s->r.policy |= 1ULL << 40;
    explained(s, CVM_CHECK_POLICY, "no unknown bit", "the policy that the manifest states");
}

/* Hosts deliver several signing keys, and certificates that cannot be read. */
static void test_several_keys(void **state)
{
    (void)state;
    struct scene *s = scene(CVM_LINE_MILAN, CVM_VEK_VCEK);
    const struct chain_spec vlek = {.line = CVM_LINE_MILAN, .kind = CVM_VEK_VLEK};
    struct made_chain other;
    make_chain(&vlek, &other);
    const struct cvm_buf own = s->m.c.der[0];
    s->m.c.der[0] = other.c.der[0]; /* first, so that choosing the first would be wrong */
    other.c.der[0] = (struct cvm_buf){0};
    assert_int_equal(cvm_certificates_add_der(&s->m.c, own.data, own.len, NULL), 0);
    assert_int_equal(
        cvm_certificates_add_der(&s->m.c, other.c.der[1].data, other.c.der[1].len, NULL), 0);
    assert_int_equal(cvm_certificates_add_der(&s->m.c, "\x30\x03\x02\x01\x01", 5, NULL), 0);
    struct cvm_appraisal a = judge(s);
    assert_int_equal(a.outcome, CVM_OUTCOME_VERIFIED);
    assert_int_equal(a.vek.kind, CVM_VEK_VCEK);
    assert_int_equal(a.vek.unused, 3);
    /* Without a report nothing says which key is meant. */
    struct cvm_vek vek;
    struct cvm_error err = {0};
    assert_int_equal(cvm_certificates_verify_with(&s->m.c, s->anchors, s->n_anchors, &vek, &err),
                     -1);
    /* And the wrong key alone is refused. */
    drop(s, 3);
    assert_int_equal(judge(s).outcome, CVM_OUTCOME_REFUSED);
    struct cvm_buf copy = own;
    cvm_buf_free(&copy);
    made_chain_free(&other);
    scene_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_right),           cmocka_unit_test(test_certificates),
        cmocka_unit_test(test_expectations),    cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_advisories),      cmocka_unit_test(test_unknown_bits),
        cmocka_unit_test(test_several_keys),    cmocka_unit_test(test_id_block),
        cmocka_unit_test(test_min_tcb_by_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
