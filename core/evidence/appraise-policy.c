/* The checks of what the participants demand of launch, firmware and machine. */
#include <inttypes.h>
#include <string.h>

#include "core/base/encode.h"
#include "core/evidence/appraise-internal.h"

#define POLICY_KNOWN ((1ULL << 26) - 1)

void cvm_check_policy(struct cvm_appraise *c, struct cvm_check *k)
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
        cvm_check_judge(k, false, "bit 17 set, as in every policy", got);
        return;
    }
    if (!c->e->isolate) {
        cvm_check_set(k, CVM_VERDICT_NOT_CHECKED, NULL, got);
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
    cvm_check_judge(k, good, expected, got);
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
void cvm_check_id_block(struct cvm_appraise *c, struct cvm_check *k)
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
        cvm_check_set(k, CVM_VERDICT_NOT_CHECKED, NULL, got);
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
    cvm_check_judge(k, has && good, expected, got);
}

/* Minima for other lines only: whoever wrote them did not mean to accept any firmware here. */
static bool minimum_missing(const struct cvm_appraise *c)
{
    bool any = false;
    for (int p = 0; c->e->isolate && p < CVM_PRODUCT_COUNT; p++)
        any |= c->e->isolate->min_tcb[p].present;
    return any && !cvm_appraise_simulated(c);
}

static const struct cvm_min_tcb *minimum_of(const struct cvm_appraise *c)
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

struct level {
    const char *name;
    const uint8_t *tcb;
};
#define LEVELS 4
#define TCB_LEN 8

/* "reported, launch: bootloader 3, …; committed, current: …": each value once. */
static void say_levels(const struct level levels[LEVELS], enum cvm_tcb_layout layout, char *got,
                       size_t size)
{
    bool said[LEVELS] = {false};
    for (size_t i = 0; i < LEVELS; i++) {
        char text[96];
        if (said[i])
            continue;
        for (size_t k = i; k < LEVELS; k++) {
            if (memcmp(levels[i].tcb, levels[k].tcb, TCB_LEN) != 0)
                continue;
            size_t at = strlen(got);
            snprintf(got + at, size - at, "%s%s", !at ? "" : k == i ? "; " : ", ", levels[k].name);
            said[k] = true;
        }
        struct cvm_tcb has = cvm_tcb_decode(levels[i].tcb, layout);
        size_t at = strlen(got);
        snprintf(got + at, size - at, ": %s", cvm_tcb_text(&has, text, sizeof(text)));
    }
}

/*
 * All four levels: REPORTED is what the key was derived for, COMMITTED below which the machine
 * cannot go back, LAUNCH what ran when the guest's memory was set up, CURRENT what runs now. The
 * lowest of them is what an attacker may choose.
 */
void cvm_check_min_tcb(struct cvm_appraise *c, struct cvm_check *k)
{
    if (!c->a->have_report || !c->a->have_vek)
        return;
    const struct cvm_report *r = &c->a->report;
    const struct level levels[LEVELS] = {{"reported", r->reported_tcb},
                                         {"committed", r->committed_tcb},
                                         {"launch", r->launch_tcb},
                                         {"current", r->current_tcb}};
    const struct cvm_min_tcb *m = minimum_of(c);
    if (!m && !c->e->min_tcb && minimum_missing(c)) {
        cvm_check_set(k, CVM_VERDICT_FAIL, "a minimum for this processor line in the manifest",
                      "the manifest states minima for other lines only");
        return;
    }
    struct cvm_tcb min = {-1, 0, 0, 0, 0};
    if (m)
        min = (struct cvm_tcb){m->fmc, m->bootloader, m->tee, m->snp, m->microcode};
    else if (c->e->min_tcb)
        min = *c->e->min_tcb;
    bool demanded = m || c->e->min_tcb, good = true;
    char got[400] = "", expected[96];
    for (size_t i = 0; demanded && i < LEVELS; i++) {
        struct cvm_tcb has = cvm_tcb_decode(levels[i].tcb, c->line->layout);
        good &= cvm_tcb_at_least(&has, &min);
        add_lower(levels[i].name, &has, &min, got, sizeof(got));
    }
    if (!demanded)
        say_levels(levels, c->line->layout, got, sizeof(got));
    if (good && demanded)
        snprintf(got, sizeof(got), "all four levels are at least that");
    if (demanded)
        cvm_check_judge(k, good, cvm_tcb_text(&min, expected, sizeof(expected)), got);
    else
        cvm_check_set(k, CVM_VERDICT_NOT_CHECKED, NULL, got);
}

void cvm_check_firmware(struct cvm_appraise *c, struct cvm_check *k)
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
        cvm_check_judge(k, good && !provisional, "nothing runs but the committed firmware", got);
    else
        cvm_check_judge(k, good, "current at least committed and reported", got);
}

void cvm_check_alias(struct cvm_appraise *c, struct cvm_check *k)
{
    if (!c->a->have_report || !c->a->have_vek)
        return;
    bool done = c->a->report.platform_info & CVM_PLATFORM_ALIAS_CHECK;
    const char *got = done ? "complete" : "not complete";
    if (cvm_appraise_simulated(c) || !c->e->production)
        cvm_check_set(k, CVM_VERDICT_NOT_CHECKED, NULL,
                      cvm_appraise_simulated(c) ? "no memory to check" : got);
    else
        cvm_check_judge(k, done, "complete", got);
}

void cvm_check_chips(struct cvm_appraise *c, struct cvm_check *k)
{
    if (!c->a->have_report)
        return;
    const uint8_t *id = c->a->report.chip_id;
    CVM_AUTO_FREE char *got = cvm_hex(id, CVM_CHIP_ID_LEN);
    if (!c->e->isolate || c->e->isolate->any_chip) {
        cvm_check_set(k, c->e->isolate ? CVM_VERDICT_PASS : CVM_VERDICT_NOT_CHECKED,
                      c->e->isolate ? "any" : NULL, got);
        return;
    }
    static const uint8_t zero[CVM_CHIP_ID_LEN];
    bool good = false;
    for (uint32_t i = 0; i < c->e->isolate->n_chips; i++)
        good |= memcmp(c->e->isolate->chips[i], id, CVM_CHIP_ID_LEN) == 0;
    char expected[64];
    snprintf(expected, sizeof(expected), "one of the %u listed", c->e->isolate->n_chips);
    cvm_check_judge(k, good && memcmp(id, zero, sizeof(zero)) != 0, expected, got);
}
