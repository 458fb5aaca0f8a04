#include "core/evidence/appraise-internal.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "core/base/encode.h"

void cvm_check_set(struct cvm_check *k, enum cvm_verdict v, const char *expected, const char *got)
{
    k->verdict = v;
    snprintf(k->expected, sizeof(k->expected), "%s", expected ? expected : "");
    snprintf(k->got, sizeof(k->got), "%s", got ? got : "");
}

void cvm_check_judge(struct cvm_check *k, bool good, const char *expected, const char *got)
{
    cvm_check_set(k, good ? CVM_VERDICT_PASS : CVM_VERDICT_FAIL, expected, got);
}

static void judge_bytes(struct cvm_check *k, const void *expected, const void *got, size_t len)
{
    CVM_AUTO_FREE char *want = cvm_hex(expected, len);
    CVM_AUTO_FREE char *has = cvm_hex(got, len);
    cvm_check_judge(k, cvm_equal(expected, got, len), want, has);
}

bool cvm_appraise_simulated(const struct cvm_appraise *c)
{
    return c->line->platform == CVM_ROOT_SIMULATED;
}

/* ---- report and certificates ---- */

static void check_format(struct cvm_appraise *c, struct cvm_check *k)
{
    struct cvm_error e = {0};
    if (cvm_report_parse(c->report, c->report_len, &c->a->report, &e) < 0) {
        cvm_check_set(k, CVM_VERDICT_FAIL, e.expected, e.message);
        if (e.got[0]) {
            size_t at = strlen(k->got);
            snprintf(k->got + at, sizeof(k->got) - at, ": %.8s", e.got);
        }
        return;
    }
    c->a->have_report = true;
    char got[32];
    snprintf(got, sizeof(got), "version %" PRIu64, c->a->report.version);
    cvm_check_set(k, CVM_VERDICT_PASS, "1184 bytes of version 2, 3 or 5", got);
}

static void check_chain(struct cvm_appraise *c, struct cvm_check *k)
{
    struct cvm_error e = {0};
    static const char expected[] = "signing key, its issuer, and a root pinned in this program";
    const struct cvm_report *r = c->a->have_report ? &c->a->report : NULL;
    if (cvm_certificates_verify_for(c->certificates, c->anchors, c->n_anchors, r, &c->a->vek, &e) <
        0) {
        cvm_check_set(k, CVM_VERDICT_FAIL, expected, e.message);
        return;
    }
    c->a->have_vek = true;
    c->line = cvm_line_info(c->a->vek.line);
    char got[160];
    snprintf(got, sizeof(got), "%s under the root of %s%s",
             c->a->vek.kind == CVM_VEK_VLEK ? "VLEK" : "VCEK", c->line->title,
             c->a->vek.unused ? ", more certificates not used" : "");
    cvm_check_set(k, CVM_VERDICT_PASS, expected, got);
}

static char *time_text(int64_t t, char out[32])
{
    time_t s = (time_t)t;
    struct tm tm;
    if (!gmtime_r(&s, &tm) || strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        snprintf(out, 32, "%" PRId64, t);
    return out;
}

static void check_validity(struct cvm_appraise *c, struct cvm_check *k)
{
    if (!c->a->have_vek)
        return;
    char from[32], to[32], now[32], expected[80];
    snprintf(expected, sizeof(expected), "%s to %s", time_text(c->a->vek.not_before, from),
             time_text(c->a->vek.not_after, to));
    cvm_check_judge(k, c->e->time >= c->a->vek.not_before && c->e->time <= c->a->vek.not_after,
                    expected, time_text(c->e->time, now));
}

static void check_revocation(struct cvm_appraise *c, struct cvm_check *k)
{
    if (!c->a->have_vek)
        return;
    const struct cvm_vek *v = &c->a->vek;
    if (!v->crl_given) {
        cvm_check_set(k, CVM_VERDICT_NOT_CHECKED, NULL, "no list of this root was given");
        return;
    }
    char from[32], until[32], expected[100];
    snprintf(expected, sizeof(expected), "not listed, on a list of %s to %s",
             time_text(v->crl_from, from), time_text(v->crl_until, until));
    bool current = c->e->time <= v->crl_until; /* a list of later than that says even more */
    cvm_check_judge(k, current && !v->revoked, expected,
                    v->revoked ? "revoked"
                    : current  ? "not listed"
                               : "the list does not hold at this time");
}

static void check_signature(struct cvm_appraise *c, struct cvm_check *k)
{
    if (!c->a->have_report || !c->a->have_vek)
        return;
    struct cvm_error e = {0};
    bool good = cvm_report_verify_signature(&c->a->report, c->a->vek.public_key, &e) == 0;
    cvm_check_judge(k, good, "ECDSA P-384 with SHA-384 by the certified key",
                    good ? "it verifies" : e.message);
}

static void check_signer(struct cvm_appraise *c, struct cvm_check *k)
{
    if (!c->a->have_report || !c->a->have_vek)
        return;
    const struct cvm_report *r = &c->a->report;
    unsigned want = c->a->vek.kind == CVM_VEK_VLEK ? CVM_KEY_SIGNER_VLEK : CVM_KEY_SIGNER_VCEK;
    unsigned has = CVM_KEY_SIGNER(r->key_info);
    char expected[80], got[96];
    snprintf(expected, sizeof(expected), "signer %u (%s), not masked, algorithm 1", want,
             want ? "VLEK" : "VCEK");
    snprintf(got, sizeof(got), "signer %u, %smasked, algorithm %" PRIu64 ", key_info 0x%" PRIx64,
             has, r->key_info & CVM_KEY_MASKED ? "" : "not ", r->signature_algo, r->key_info);
    bool good = want == has && !(r->key_info & CVM_KEY_MASKED) && !(r->key_info >> 5) &&
                r->signature_algo == CVM_SIGNATURE_ECDSA_P384;
    cvm_check_judge(k, good, expected, got);
}

static void check_product(struct cvm_appraise *c, struct cvm_check *k)
{
    if (!c->a->have_report || !c->a->have_vek)
        return;
    const struct cvm_report *r = &c->a->report;
    char got[96];
    if (r->version < 3) {
        /* Version 2 does not say; the chain does, and the chip's id in it binds it to the report.
         */
        snprintf(got, sizeof(got), "%s by its certificate; a version 2 report says nothing",
                 c->line->title);
        cvm_check_judge(k, !cvm_appraise_simulated(c), c->line->title, got);
        return;
    }
    const struct cvm_line_info *line =
        cvm_line_info(cvm_line_by_cpuid(r->cpuid_family, r->cpuid_model));
    bool none = !r->cpuid_family && !r->cpuid_model && !r->cpuid_stepping;
    snprintf(got, sizeof(got), "family %#" PRIx64 " model %#" PRIx64 " stepping %#" PRIx64 ": %s",
             r->cpuid_family, r->cpuid_model, r->cpuid_stepping,
             line   ? line->title
             : none ? "no processor"
                    : "unknown");
    cvm_check_judge(k, cvm_appraise_simulated(c) ? none : line == c->line, c->line->title, got);
}

static void check_chip_cert(struct cvm_appraise *c, struct cvm_check *k)
{
    if (!c->a->have_report || !c->a->have_vek)
        return;
    const struct cvm_vek *v = &c->a->vek;
    if (v->kind == CVM_VEK_VLEK) {
        char got[192];
        snprintf(got, sizeof(got), "a key of the provider \"%s\", for no single chip", v->csp_id);
        cvm_check_set(k, CVM_VERDICT_PASS, "a VLEK names a provider, not a chip", got);
        return;
    }
    static const uint8_t zero[CVM_CHIP_ID_LEN];
    judge_bytes(k, v->hwid, c->a->report.chip_id, CVM_CHIP_ID_LEN);
    if (memcmp(v->hwid, zero, sizeof(zero)) == 0)
        k->verdict = CVM_VERDICT_FAIL;
}

static void check_tcb_cert(struct cvm_appraise *c, struct cvm_check *k)
{
    if (!c->a->have_report || !c->a->have_vek)
        return;
    struct cvm_tcb has = cvm_tcb_decode(c->a->report.reported_tcb, c->line->layout);
    uint8_t exact[8];
    cvm_tcb_encode(&c->a->vek.tcb, c->line->layout, exact); /* reserved bytes must be zero, too */
    char expected[96], got[96];
    cvm_tcb_text(&c->a->vek.tcb, expected, sizeof(expected));
    cvm_tcb_text(&has, got, sizeof(got));
    cvm_check_judge(k, memcmp(exact, c->a->report.reported_tcb, 8) == 0, expected, got);
}

/* ---- what the participants signed ---- */

static void check_platform(struct cvm_appraise *c, struct cvm_check *k)
{
    if (!c->e->platform) {
        cvm_check_set(k, CVM_VERDICT_NOT_CHECKED, NULL,
                      c->line ? (cvm_appraise_simulated(c) ? "SIMULATED" : "hardware") : "unknown");
        return;
    }
    if (!c->a->have_vek)
        return;
    char expected[160] = "";
    bool listed = false;
    for (int p = 0; p < CVM_PLATFORM_COUNT; p++) {
        if (c->e->isolate && !(c->e->isolate->platforms >> p & 1))
            continue;
        const char *word = cvm_platform_word((enum cvm_platform)p);
        size_t at = strlen(expected);
        snprintf(expected + at, sizeof(expected) - at, "%s%s", at ? ", " : "", word);
        listed |= strcmp(word, c->e->platform) == 0;
    }
    int stated = cvm_platform_by_word(c->e->platform);
    bool root_fits = stated >= 0 &&
                     cvm_platform_simulated((enum cvm_platform)stated) == cvm_appraise_simulated(c);
    char got[96];
    snprintf(got, sizeof(got), "%s, root of %s",
             stated >= 0 ? c->e->platform : "an unknown platform", c->line->title);
    cvm_check_judge(k, listed && root_fits, expected, got);
}

static void check_measurement(struct cvm_appraise *c, struct cvm_check *k)
{
    if (!c->a->have_report)
        return;
    const uint8_t *has = c->a->report.measurement;
    CVM_AUTO_FREE char *got = cvm_hex(has, CVM_MEASUREMENT_LEN);
    if (!c->e->n_measurements) {
        cvm_check_set(k, CVM_VERDICT_NOT_CHECKED, NULL, got);
        return;
    }
    char expected[400] = "";
    bool good = false;
    for (size_t i = 0; i < c->e->n_measurements; i++) {
        good |= cvm_equal(c->e->measurements[i], has, CVM_MEASUREMENT_LEN);
        CVM_AUTO_FREE char *hex = cvm_hex(c->e->measurements[i], CVM_MEASUREMENT_LEN);
        size_t at = strlen(expected);
        if (at + 100 < sizeof(expected))
            snprintf(expected + at, sizeof(expected) - at, "%s%s", at ? ", " : "", hex);
    }
    cvm_check_judge(k, good, good ? got : expected, got);
}

static void check_host_data(struct cvm_appraise *c, struct cvm_check *k)
{
    if (!c->a->have_report)
        return;
    CVM_AUTO_FREE char *got = cvm_hex(c->a->report.host_data, CVM_HOST_DATA_LEN);
    if (c->e->host_data)
        judge_bytes(k, c->e->host_data, c->a->report.host_data, CVM_HOST_DATA_LEN);
    else
        cvm_check_set(k, CVM_VERDICT_NOT_CHECKED, NULL, got);
}

static void check_report_data(struct cvm_appraise *c, struct cvm_check *k)
{
    if (!c->a->have_report)
        return;
    CVM_AUTO_FREE char *got = cvm_hex(c->a->report.report_data, CVM_REPORT_DATA_LEN);
    if (c->e->report_data)
        judge_bytes(k, c->e->report_data, c->a->report.report_data, CVM_REPORT_DATA_LEN);
    else
        cvm_check_set(k, CVM_VERDICT_NOT_CHECKED, NULL, got);
}

/* ---- what no one may configure ---- */

static void check_debug(struct cvm_appraise *c, struct cvm_check *k)
{
    if (!c->a->have_report || !c->a->have_vek)
        return;
    bool on = c->a->report.policy & CVM_POLICY_DEBUG;
    const char *got = on ? "debugging allowed" : "debugging forbidden";
    if (cvm_appraise_simulated(c))
        cvm_check_judge(k, on, "allowed: it is simulated and must say so", got);
    else if (!c->e->production)
        cvm_check_set(k, CVM_VERDICT_NOT_CHECKED, NULL, got);
    else
        cvm_check_judge(k, !on, "debugging forbidden", got);
}

static void check_migration(struct cvm_appraise *c, struct cvm_check *k)
{
    if (!c->a->have_report)
        return;
    bool agent = false;
    for (size_t i = 0; i < sizeof(c->a->report.report_id_ma); i++)
        agent |= c->a->report.report_id_ma[i] != 0xff;
    bool allowed = c->a->report.policy & CVM_POLICY_MIGRATE_MA;
    const char *got = agent ? "a migration agent is bound" : allowed ? "migration allowed" : "none";
    if (c->e->production)
        cvm_check_judge(k, !agent && !allowed, "none", got);
    else
        cvm_check_set(k, CVM_VERDICT_NOT_CHECKED, NULL, got);
}

static void check_vmpl(struct cvm_appraise *c, struct cvm_check *k)
{
    if (!c->a->have_report)
        return;
    char got[24];
    snprintf(got, sizeof(got), "%" PRIu64, c->a->report.vmpl);
    if (c->e->production)
        cvm_check_judge(k, c->a->report.vmpl == 0, "0", got);
    else if (c->a->report.vmpl > 3) /* the host can ask in its own name, as level 0xffffffff */
        cvm_check_judge(k, false, "0 to 3: asked for by a guest", got);
    else
        cvm_check_set(k, CVM_VERDICT_NOT_CHECKED, NULL, got);
}

/* About a bundle's own statements, which a bare report does not make: cvm_evidence_appraise()
 * judges them. */
static void check_of_bundle(struct cvm_appraise *c, struct cvm_check *k)
{
    (void)c;
    k->verdict = CVM_VERDICT_NOT_CHECKED;
}

/* A row of checks.def without a function here never runs, and so refuses everything. */
static void (*const run[CVM_CHECKS])(struct cvm_appraise *, struct cvm_check *) = {
    [CVM_CHECK_MANIFEST] = check_of_bundle,
    [CVM_CHECK_SESSION] = check_of_bundle,
    [CVM_CHECK_FRESHNESS] = check_of_bundle,
    [CVM_CHECK_FORMAT] = check_format,
    [CVM_CHECK_CHAIN] = check_chain,
    [CVM_CHECK_VALIDITY] = check_validity,
    [CVM_CHECK_REVOCATION] = check_revocation,
    [CVM_CHECK_SIGNATURE] = check_signature,
    [CVM_CHECK_SIGNER] = check_signer,
    [CVM_CHECK_PRODUCT] = check_product,
    [CVM_CHECK_CHIP_CERT] = check_chip_cert,
    [CVM_CHECK_TCB_CERT] = check_tcb_cert,
    [CVM_CHECK_PLATFORM] = check_platform,
    [CVM_CHECK_MEASUREMENT] = check_measurement,
    [CVM_CHECK_HOST_DATA] = check_host_data,
    [CVM_CHECK_REPORT_DATA] = check_report_data,
    [CVM_CHECK_DEBUG] = check_debug,
    [CVM_CHECK_MIGRATION] = check_migration,
    [CVM_CHECK_VMPL] = check_vmpl,
    [CVM_CHECK_POLICY] = cvm_check_policy,
    [CVM_CHECK_ID_BLOCK] = cvm_check_id_block,
    [CVM_CHECK_MIN_TCB] = cvm_check_min_tcb,
    [CVM_CHECK_FIRMWARE] = cvm_check_firmware,
    [CVM_CHECK_ALIAS] = cvm_check_alias,
    [CVM_CHECK_CHIPS] = cvm_check_chips,
};

/* Everything must have passed, or have had nothing to be compared with; what could not run is a
 * refusal. */
static void decide(struct cvm_appraisal *a)
{
    a->outcome = CVM_OUTCOME_REFUSED;
    for (size_t i = 0; i < CVM_CHECKS; i++)
        if (a->checks[i].verdict != CVM_VERDICT_PASS &&
            a->checks[i].verdict != CVM_VERDICT_NOT_CHECKED)
            return;
    const struct cvm_line_info *line = a->have_vek ? cvm_line_info(a->vek.line) : NULL;
    if (line)
        a->outcome =
            line->platform == CVM_ROOT_HARDWARE ? CVM_OUTCOME_VERIFIED : CVM_OUTCOME_SIMULATED;
}

void cvm_evidence_check_with(const void *report, size_t report_len,
                             const struct cvm_certificates *certificates,
                             const struct cvm_line_info *anchors, size_t n_anchors,
                             const struct cvm_expectations *e, struct cvm_appraisal *ret)
{
    *ret = (struct cvm_appraisal){.time = e->time};
    struct cvm_appraise c = {.e = e,
                             .certificates = certificates,
                             .report = report,
                             .report_len = report_len,
                             .anchors = anchors,
                             .n_anchors = n_anchors,
                             .a = ret};
    for (size_t i = 0; i < CVM_CHECKS; i++)
        if (run[i])
            run[i](&c, &ret->checks[i]);
    decide(ret);
}

void cvm_evidence_check(const void *report, size_t report_len,
                        const struct cvm_certificates *certificates,
                        const struct cvm_expectations *e, struct cvm_appraisal *ret)
{
    size_t n;
    const struct cvm_line_info *anchors = cvm_lines(&n);
    cvm_evidence_check_with(report, report_len, certificates, anchors, n, e, ret);
}

static void check_nonce(const struct cvm_bundle *b, struct cvm_bytes own, struct cvm_check *k)
{
    if (!own.len) {
        cvm_check_set(k, CVM_VERDICT_NOT_CHECKED, "an own nonce",
                      b->nonce_len ? "somebody else's" : "none: the last report of the session");
        return;
    }
    CVM_AUTO_FREE char *expected = cvm_hex(own.data, own.len);
    CVM_AUTO_FREE char *got = cvm_hex(b->nonce, b->nonce_len);
    cvm_check_judge(k, own.len == b->nonce_len && cvm_equal(own.data, b->nonce, own.len), expected,
                    b->nonce_len ? got : "none");
}

int cvm_evidence_appraise(const struct cvm_bundle *b, const struct cvm_manifest *m,
                          const struct cvm_appraise_options *o, struct cvm_appraisal *ret,
                          struct cvm_error *err)
{
    CVM_ENSURE(b && m && o && o->nonce.len <= CVM_NONCE_MAX, err, CVM_E_INTERNAL,
               "cvm_evidence_appraise() was called wrongly");
    struct cvm_error path_error = {0};
    uint8_t report_data[CVM_REPORT_DATA_LEN];
    bool path_good = cvm_bundle_report_data(b, report_data, &path_error) == 0;
    struct cvm_expectations e = {
        .time = o->time,
        .production = true,
        .platform = b->platform,
        .isolate = &m->isolate,
        .measurements = m->isolate.measurements,
        .n_measurements = m->isolate.n_measurements,
        .host_data = m->digest.b,
        .id_block = &m->isolate.id_block,
        .report_data = path_good ? report_data : NULL,
    };
    cvm_evidence_check(b->report.data, b->report.len, &b->certificates, &e, ret);

    struct cvm_check *k = ret->checks;
    if (!path_good)
        cvm_check_set(&k[CVM_CHECK_REPORT_DATA], CVM_VERDICT_FAIL,
                      "a path from the nonce to one root", path_error.message);
    if (!e.n_measurements)
        k[CVM_CHECK_MEASUREMENT].verdict = CVM_VERDICT_FAIL;
    judge_bytes(&k[CVM_CHECK_MANIFEST], m->digest.b, b->manifest.b, CVM_SHA256_LEN);
    check_nonce(b, o->nonce, &k[CVM_CHECK_FRESHNESS]);
    if (o->session)
        judge_bytes(&k[CVM_CHECK_SESSION], o->session->b, b->sign.b, sizeof(b->sign.b));
    else
        cvm_check_set(&k[CVM_CHECK_SESSION], CVM_VERDICT_NOT_CHECKED, "a session pinned at release",
                      "none pinned");
    decide(ret);
    return 0;
}
