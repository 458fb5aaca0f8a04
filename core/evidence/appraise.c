#include "core/evidence/appraise-internal.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "core/base/encode.h"

struct ctx {
    const struct cvm_expectations *e;
    const struct cvm_certificates *certificates;
    const void *report;
    size_t report_len;
    const struct cvm_line_info *anchors;
    size_t n_anchors;
    const struct cvm_line_info *line; /* of the verified chain, or NULL */
    struct cvm_appraisal *a;
};

static void set(struct cvm_check *k, enum cvm_verdict v, const char *expected, const char *got)
{
    k->verdict = v;
    snprintf(k->expected, sizeof(k->expected), "%s", expected ? expected : "");
    snprintf(k->got, sizeof(k->got), "%s", got ? got : "");
}

static void judge(struct cvm_check *k, bool good, const char *expected, const char *got)
{
    set(k, good ? CVM_VERDICT_PASS : CVM_VERDICT_FAIL, expected, got);
}

static void judge_bytes(struct cvm_check *k, const void *expected, const void *got, size_t len)
{
    CVM_AUTO_FREE char *want = cvm_hex(expected, len);
    CVM_AUTO_FREE char *has = cvm_hex(got, len);
    judge(k, cvm_equal(expected, got, len), want, has);
}

static bool simulated(const struct ctx *c)
{
    return c->line->platform == CVM_ROOT_SIMULATED;
}

/* ---- report and certificates ---- */

static void check_format(struct ctx *c, struct cvm_check *k)
{
    struct cvm_error e = {0};
    if (cvm_report_parse(c->report, c->report_len, &c->a->report, &e) < 0) {
        set(k, CVM_VERDICT_FAIL, e.expected, e.message);
        if (e.got[0]) {
            size_t at = strlen(k->got);
            snprintf(k->got + at, sizeof(k->got) - at, ": %.8s", e.got);
        }
        return;
    }
    c->a->have_report = true;
    char got[32];
    snprintf(got, sizeof(got), "version %" PRIu64, c->a->report.version);
    set(k, CVM_VERDICT_PASS, "1184 bytes of version 2, 3 or 5", got);
}

static void check_chain(struct ctx *c, struct cvm_check *k)
{
    struct cvm_error e = {0};
    static const char expected[] = "signing key, its issuer, and a root pinned in this program";
    const struct cvm_report *r = c->a->have_report ? &c->a->report : NULL;
    if (cvm_certificates_verify_for(c->certificates, c->anchors, c->n_anchors, r, &c->a->vek, &e) <
        0) {
        set(k, CVM_VERDICT_FAIL, expected, e.message);
        return;
    }
    c->a->have_vek = true;
    c->line = cvm_line_info(c->a->vek.line);
    char got[160];
    snprintf(got, sizeof(got), "%s under the root of %s%s",
             c->a->vek.kind == CVM_VEK_VLEK ? "VLEK" : "VCEK", c->line->title,
             c->a->vek.unused ? ", more certificates not used" : "");
    set(k, CVM_VERDICT_PASS, expected, got);
}

static char *time_text(int64_t t, char out[32])
{
    time_t s = (time_t)t;
    struct tm tm;
    if (!gmtime_r(&s, &tm) || strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        snprintf(out, 32, "%" PRId64, t);
    return out;
}

static void check_validity(struct ctx *c, struct cvm_check *k)
{
    if (!c->a->have_vek)
        return;
    char from[32], to[32], now[32], expected[80];
    snprintf(expected, sizeof(expected), "%s to %s", time_text(c->a->vek.not_before, from),
             time_text(c->a->vek.not_after, to));
    judge(k, c->e->time >= c->a->vek.not_before && c->e->time <= c->a->vek.not_after, expected,
          time_text(c->e->time, now));
}

static void check_revocation(struct ctx *c, struct cvm_check *k)
{
    if (!c->a->have_vek)
        return;
    const struct cvm_vek *v = &c->a->vek;
    if (!v->crl_given) {
        set(k, CVM_VERDICT_NOT_CHECKED, NULL, "no list of this root was given");
        return;
    }
    char from[32], until[32], expected[100];
    snprintf(expected, sizeof(expected), "not listed, on a list of %s to %s",
             time_text(v->crl_from, from), time_text(v->crl_until, until));
    bool current = c->e->time <= v->crl_until; /* a list of later than that says even more */
    judge(k, current && !v->revoked, expected,
          v->revoked ? "revoked"
          : current  ? "not listed"
                     : "the list does not hold at this time");
}

static void check_signature(struct ctx *c, struct cvm_check *k)
{
    if (!c->a->have_report || !c->a->have_vek)
        return;
    struct cvm_error e = {0};
    bool good = cvm_report_verify_signature(&c->a->report, c->a->vek.public_key, &e) == 0;
    judge(k, good, "ECDSA P-384 with SHA-384 by the certified key",
          good ? "it verifies" : e.message);
}

static void check_signer(struct ctx *c, struct cvm_check *k)
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
    judge(k, good, expected, got);
}

static void check_product(struct ctx *c, struct cvm_check *k)
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
        judge(k, !simulated(c), c->line->title, got);
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
    judge(k, simulated(c) ? none : line == c->line, c->line->title, got);
}

static void check_chip_cert(struct ctx *c, struct cvm_check *k)
{
    if (!c->a->have_report || !c->a->have_vek)
        return;
    const struct cvm_vek *v = &c->a->vek;
    if (v->kind == CVM_VEK_VLEK) {
        char got[192];
        snprintf(got, sizeof(got), "a key of the provider \"%s\", for no single chip", v->csp_id);
        set(k, CVM_VERDICT_PASS, "a VLEK names a provider, not a chip", got);
        return;
    }
    static const uint8_t zero[CVM_CHIP_ID_LEN];
    judge_bytes(k, v->hwid, c->a->report.chip_id, CVM_CHIP_ID_LEN);
    if (memcmp(v->hwid, zero, sizeof(zero)) == 0)
        k->verdict = CVM_VERDICT_FAIL;
}

static void check_tcb_cert(struct ctx *c, struct cvm_check *k)
{
    if (!c->a->have_report || !c->a->have_vek)
        return;
    struct cvm_tcb has = cvm_tcb_decode(c->a->report.reported_tcb, c->line->layout);
    uint8_t exact[8];
    cvm_tcb_encode(&c->a->vek.tcb, c->line->layout, exact); /* reserved bytes must be zero, too */
    char expected[96], got[96];
    cvm_tcb_text(&c->a->vek.tcb, expected, sizeof(expected));
    cvm_tcb_text(&has, got, sizeof(got));
    judge(k, memcmp(exact, c->a->report.reported_tcb, 8) == 0, expected, got);
}

/* ---- what the participants signed ---- */

static void check_platform(struct ctx *c, struct cvm_check *k)
{
    if (!c->e->platform) {
        set(k, CVM_VERDICT_NOT_CHECKED, NULL,
            c->line ? (simulated(c) ? "SIMULATED" : "hardware") : "unknown");
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
    bool root_fits =
        stated >= 0 && cvm_platform_simulated((enum cvm_platform)stated) == simulated(c);
    char got[96];
    snprintf(got, sizeof(got), "%s, root of %s",
             stated >= 0 ? c->e->platform : "an unknown platform", c->line->title);
    judge(k, listed && root_fits, expected, got);
}

static void check_measurement(struct ctx *c, struct cvm_check *k)
{
    if (!c->a->have_report)
        return;
    const uint8_t *has = c->a->report.measurement;
    CVM_AUTO_FREE char *got = cvm_hex(has, CVM_MEASUREMENT_LEN);
    if (!c->e->n_measurements) {
        set(k, CVM_VERDICT_NOT_CHECKED, NULL, got);
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
    judge(k, good, good ? got : expected, got);
}

static void check_host_data(struct ctx *c, struct cvm_check *k)
{
    if (!c->a->have_report)
        return;
    CVM_AUTO_FREE char *got = cvm_hex(c->a->report.host_data, CVM_HOST_DATA_LEN);
    if (c->e->host_data)
        judge_bytes(k, c->e->host_data, c->a->report.host_data, CVM_HOST_DATA_LEN);
    else
        set(k, CVM_VERDICT_NOT_CHECKED, NULL, got);
}

static void check_report_data(struct ctx *c, struct cvm_check *k)
{
    if (!c->a->have_report)
        return;
    CVM_AUTO_FREE char *got = cvm_hex(c->a->report.report_data, CVM_REPORT_DATA_LEN);
    if (c->e->report_data)
        judge_bytes(k, c->e->report_data, c->a->report.report_data, CVM_REPORT_DATA_LEN);
    else
        set(k, CVM_VERDICT_NOT_CHECKED, NULL, got);
}

/* ---- what no one may configure ---- */

static void check_debug(struct ctx *c, struct cvm_check *k)
{
    if (!c->a->have_report || !c->a->have_vek)
        return;
    bool on = c->a->report.policy & CVM_POLICY_DEBUG;
    const char *got = on ? "debugging allowed" : "debugging forbidden";
    if (simulated(c))
        judge(k, on, "allowed: it is simulated and must say so", got);
    else if (!c->e->production)
        set(k, CVM_VERDICT_NOT_CHECKED, NULL, got);
    else
        judge(k, !on, "debugging forbidden", got);
}

static void check_migration(struct ctx *c, struct cvm_check *k)
{
    if (!c->a->have_report)
        return;
    bool agent = false;
    for (size_t i = 0; i < sizeof(c->a->report.report_id_ma); i++)
        agent |= c->a->report.report_id_ma[i] != 0xff;
    bool allowed = c->a->report.policy & CVM_POLICY_MIGRATE_MA;
    const char *got = agent ? "a migration agent is bound" : allowed ? "migration allowed" : "none";
    if (c->e->production)
        judge(k, !agent && !allowed, "none", got);
    else
        set(k, CVM_VERDICT_NOT_CHECKED, NULL, got);
}

static void check_vmpl(struct ctx *c, struct cvm_check *k)
{
    if (!c->a->have_report)
        return;
    char got[24];
    snprintf(got, sizeof(got), "%" PRIu64, c->a->report.vmpl);
    if (c->e->production)
        judge(k, c->a->report.vmpl == 0, "0", got);
    else if (c->a->report.vmpl > 3) /* the host can ask in its own name, as level 0xffffffff */
        judge(k, false, "0 to 3: asked for by a guest", got);
    else
        set(k, CVM_VERDICT_NOT_CHECKED, NULL, got);
}

/* ---- policy and firmware ---- */

#define POLICY_KNOWN ((1ULL << 26) - 1)

static void check_policy(struct ctx *c, struct cvm_check *k)
{
    if (!c->a->have_report)
        return;
    uint64_t p = c->a->report.policy;
    char got[200];
    snprintf(got, sizeof(got), "ABI %u.%u, %s, %s%s%s (0x%" PRIx64 ")", (unsigned)(p >> 8 & 0xff),
             (unsigned)(p & 0xff), p & CVM_POLICY_SMT ? "SMT allowed" : "no SMT",
             p & CVM_POLICY_SINGLE_SOCKET ? "one socket" : "any number of sockets",
             p & ~POLICY_KNOWN ? ", unknown bits set" : "",
             p & CVM_POLICY_RESERVED1 ? "" : ", bit 17 not set", p);
    if (!c->e->isolate && !(p & CVM_POLICY_RESERVED1)) {
        judge(k, false, "bit 17 set, as in every policy", got);
        return;
    }
    if (!c->e->isolate) {
        set(k, CVM_VERDICT_NOT_CHECKED, NULL, got);
        return;
    }
    const struct cvm_isolate *i = c->e->isolate;
    char expected[160];
    snprintf(expected, sizeof(expected), "bit 17 set, no unknown bit, ABI at least %d.%d, %s, %s",
             i->abi_major, i->abi_minor, i->smt ? "SMT as it likes" : "no SMT",
             i->single_socket ? "one socket" : "any number of sockets");
    unsigned major = p >> 8 & 0xff, minor = p & 0xff;
    bool good = (p & CVM_POLICY_RESERVED1) && !(p & ~POLICY_KNOWN) &&
                (major > (unsigned)i->abi_major ||
                 (major == (unsigned)i->abi_major && minor >= (unsigned)i->abi_minor)) &&
                (i->smt || !(p & CVM_POLICY_SMT)) &&
                (!i->single_socket || (p & CVM_POLICY_SINGLE_SOCKET));
    judge(k, good, expected, got);
}

/* Whether `digest` is on the list; one of zeros, as where no key is, never is. */
static bool among(const uint8_t (*list)[CVM_SHA384_LEN], uint32_t n, const uint8_t *digest)
{
    static const uint8_t none[CVM_SHA384_LEN];
    bool found = false;
    for (uint32_t i = 0; i < n; i++)
        found |= cvm_equal(list[i], digest, CVM_SHA384_LEN);
    return found && memcmp(digest, none, sizeof(none)) != 0;
}

/* The PSP has checked the block's signature before it let the guest start; its digests say whose.
 */
static void check_id_block(struct ctx *c, struct cvm_check *k)
{
    if (!c->a->have_report)
        return;
    const struct cvm_report *r = &c->a->report;
    const struct cvm_id_block_rule *want = c->e->id_block;
    static const uint8_t none[CVM_SHA384_LEN];
    bool has = memcmp(r->id_key_digest, none, sizeof(none)) != 0;
    bool author = r->key_info & CVM_KEY_AUTHOR;
    CVM_AUTO_FREE char *id = cvm_hex(r->id_key_digest, CVM_SHA384_LEN);
    CVM_AUTO_FREE char *by = cvm_hex(r->author_key_digest, CVM_SHA384_LEN);
    char got[400];
    if (has)
        snprintf(got, sizeof(got), "guest SVN %" PRIu64 ", ID key %s, author key %s", r->guest_svn,
                 id, author ? by : "none");
    else
        snprintf(got, sizeof(got), "no ID block");
    if (!want || !want->present) {
        set(k, CVM_VERDICT_NOT_CHECKED, NULL, got);
        return;
    }
    char expected[160];
    snprintf(expected, sizeof(expected), "guest SVN at least %u, ID key one of %u named%s",
             want->guest_svn, want->n_id_keys,
             want->n_author_keys ? ", certified by a named author key" : "");
    bool good = r->guest_svn >= want->guest_svn &&
                (!want->n_id_keys || among(want->id_keys, want->n_id_keys, r->id_key_digest)) &&
                (!want->n_author_keys ||
                 (author && among(want->author_keys, want->n_author_keys, r->author_key_digest)));
    judge(k, has && good, expected, got);
}

/* Minima for other lines only: whoever wrote them did not mean to accept any firmware here. */
static bool minimum_missing(const struct ctx *c)
{
    bool any = false;
    for (int p = 0; c->e->isolate && p < CVM_PRODUCT_COUNT; p++)
        any |= c->e->isolate->min_tcb[p].present;
    return any && !simulated(c);
}

static const struct cvm_min_tcb *minimum_of(const struct ctx *c)
{
    for (int p = 0; c->e->isolate && p < CVM_PRODUCT_COUNT; p++)
        if (strcmp(cvm_product_word((enum cvm_product)p), c->line->name) == 0 &&
            c->e->isolate->min_tcb[p].present)
            return &c->e->isolate->min_tcb[p];
    return NULL;
}

/* Appends the parts of one level that are below what is demanded. */
static void add_lower(const char *level, const struct cvm_tcb *has, const struct cvm_tcb *min,
                      char *got, size_t size)
{
    const struct {
        const char *name;
        int has, min;
    } parts[] = {{"fmc", has->fmc, min->fmc},
                 {"bootloader", has->bootloader, min->bootloader},
                 {"tee", has->tee, min->tee},
                 {"snp", has->snp, min->snp},
                 {"microcode", has->microcode, min->microcode}};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        size_t at = strlen(got);
        if (parts[i].has < 0 && parts[i].min >= 0)
            snprintf(got + at, size - at, "%sno %s on this processor", at ? ", " : "",
                     parts[i].name);
        else if (parts[i].has < parts[i].min)
            snprintf(got + at, size - at, "%s%s %s only %d", at ? ", " : "", level, parts[i].name,
                     parts[i].has);
    }
}

/*
 * All four levels: REPORTED is what the key was derived for, COMMITTED below which the machine
 * cannot go back, LAUNCH what ran when the guest's memory was set up, CURRENT what runs now. The
 * lowest of them is what an attacker may choose.
 */
static void check_min_tcb(struct ctx *c, struct cvm_check *k)
{
    if (!c->a->have_report || !c->a->have_vek)
        return;
    const struct cvm_report *r = &c->a->report;
    const struct {
        const char *name;
        const uint8_t *tcb;
    } levels[] = {{"reported", r->reported_tcb},
                  {"committed", r->committed_tcb},
                  {"launch", r->launch_tcb},
                  {"current", r->current_tcb}};
    const struct cvm_min_tcb *m = minimum_of(c);
    if (!m && !c->e->min_tcb && minimum_missing(c)) {
        set(k, CVM_VERDICT_FAIL, "a minimum for this processor line in the manifest",
            "the manifest states minima for other lines only");
        return;
    }
    struct cvm_tcb min = {-1, 0, 0, 0, 0};
    if (m)
        min = (struct cvm_tcb){m->fmc, m->bootloader, m->tee, m->snp, m->microcode};
    else if (c->e->min_tcb)
        min = *c->e->min_tcb;
    bool demanded = m || c->e->min_tcb, good = true;
    char got[400] = "", text[96], expected[96];
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        struct cvm_tcb has = cvm_tcb_decode(levels[i].tcb, c->line->layout);
        good &= cvm_tcb_at_least(&has, &min);
        if (demanded) {
            add_lower(levels[i].name, &has, &min, got, sizeof(got));
            continue;
        }
        size_t at = strlen(got);
        snprintf(got + at, sizeof(got) - at, "%s%s: %s", at ? "; " : "", levels[i].name,
                 cvm_tcb_text(&has, text, sizeof(text)));
    }
    if (good && demanded)
        snprintf(got, sizeof(got), "all four levels are at least that");
    if (demanded)
        judge(k, good, cvm_tcb_text(&min, expected, sizeof(expected)), got);
    else
        set(k, CVM_VERDICT_NOT_CHECKED, NULL, got);
}

static void check_firmware(struct ctx *c, struct cvm_check *k)
{
    if (!c->a->have_report || !c->a->have_vek)
        return;
    const struct cvm_report *r = &c->a->report;
    struct cvm_tcb current = cvm_tcb_decode(r->current_tcb, c->line->layout);
    struct cvm_tcb committed = cvm_tcb_decode(r->committed_tcb, c->line->layout);
    struct cvm_tcb reported = cvm_tcb_decode(r->reported_tcb, c->line->layout);
    uint64_t now = r->current_major << 16 | r->current_minor << 8 | r->current_build;
    uint64_t kept = r->committed_major << 16 | r->committed_minor << 8 | r->committed_build;
    bool good = cvm_tcb_at_least(&current, &committed) && cvm_tcb_at_least(&current, &reported) &&
                now >= kept;
    bool provisional = !cvm_tcb_equal(&current, &committed) || now != kept;
    char got[160];
    snprintf(got, sizeof(got),
             "firmware %" PRIu64 ".%" PRIu64 ".%" PRIu64 ", committed %" PRIu64 ".%" PRIu64
             ".%" PRIu64 "%s",
             r->current_major, r->current_minor, r->current_build, r->committed_major,
             r->committed_minor, r->committed_build, provisional ? ", provisional" : "");
    if (c->e->committed_only)
        judge(k, good && !provisional, "nothing runs but the committed firmware", got);
    else
        judge(k, good, "current at least committed and reported", got);
}

static void check_alias(struct ctx *c, struct cvm_check *k)
{
    if (!c->a->have_report || !c->a->have_vek)
        return;
    bool done = c->a->report.platform_info & CVM_PLATFORM_ALIAS_CHECK;
    const char *got = done ? "complete" : "not complete";
    if (simulated(c) || !c->e->production)
        set(k, CVM_VERDICT_NOT_CHECKED, NULL, simulated(c) ? "no memory to check" : got);
    else
        judge(k, done, "complete", got);
}

static void check_chips(struct ctx *c, struct cvm_check *k)
{
    if (!c->a->have_report)
        return;
    const uint8_t *id = c->a->report.chip_id;
    CVM_AUTO_FREE char *got = cvm_hex(id, CVM_CHIP_ID_LEN);
    if (!c->e->isolate || c->e->isolate->any_chip) {
        set(k, c->e->isolate ? CVM_VERDICT_PASS : CVM_VERDICT_NOT_CHECKED,
            c->e->isolate ? "any" : NULL, got);
        return;
    }
    static const uint8_t zero[CVM_CHIP_ID_LEN];
    bool good = false;
    for (uint32_t i = 0; i < c->e->isolate->n_chips; i++)
        good |= memcmp(c->e->isolate->chips[i], id, CVM_CHIP_ID_LEN) == 0;
    char expected[64];
    snprintf(expected, sizeof(expected), "one of the %u listed", c->e->isolate->n_chips);
    judge(k, good && memcmp(id, zero, sizeof(zero)) != 0, expected, got);
}

/* About a bundle's own statements, which a bare report does not make: cvm_evidence_appraise()
 * judges them. */
static void check_of_bundle(struct ctx *c, struct cvm_check *k)
{
    (void)c;
    k->verdict = CVM_VERDICT_NOT_CHECKED;
}

/* A row of checks.def without a function here never runs, and so refuses everything. */
static void (*const run[CVM_CHECKS])(struct ctx *, struct cvm_check *) = {
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
    [CVM_CHECK_POLICY] = check_policy,
    [CVM_CHECK_ID_BLOCK] = check_id_block,
    [CVM_CHECK_MIN_TCB] = check_min_tcb,
    [CVM_CHECK_FIRMWARE] = check_firmware,
    [CVM_CHECK_ALIAS] = check_alias,
    [CVM_CHECK_CHIPS] = check_chips,
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
    struct ctx c = {.e = e,
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
        set(k, CVM_VERDICT_NOT_CHECKED, "an own nonce",
            b->nonce_len ? "somebody else's" : "none: the last report of the session");
        return;
    }
    CVM_AUTO_FREE char *expected = cvm_hex(own.data, own.len);
    CVM_AUTO_FREE char *got = cvm_hex(b->nonce, b->nonce_len);
    judge(k, own.len == b->nonce_len && cvm_equal(own.data, b->nonce, own.len), expected,
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
        set(&k[CVM_CHECK_REPORT_DATA], CVM_VERDICT_FAIL, "a path from the nonce to one root",
            path_error.message);
    if (!e.n_measurements)
        k[CVM_CHECK_MEASUREMENT].verdict = CVM_VERDICT_FAIL;
    judge_bytes(&k[CVM_CHECK_MANIFEST], m->digest.b, b->manifest.b, CVM_SHA256_LEN);
    check_nonce(b, o->nonce, &k[CVM_CHECK_FRESHNESS]);
    if (o->session)
        judge_bytes(&k[CVM_CHECK_SESSION], o->session->b, b->sign.b, sizeof(b->sign.b));
    else
        set(&k[CVM_CHECK_SESSION], CVM_VERDICT_NOT_CHECKED, "a session pinned at release",
            "none pinned");
    decide(ret);
    return 0;
}
