/* How an appraisal is told: texts, the table for people, JSON. All words of the checks come from
 * checks.def. */
#include <string.h>

#include "core/evidence/appraise.h"

static const struct cvm_check_info infos[CVM_CHECKS] = {
#define CHECK(NAME, name, protects, failed, remedy, ask) {name, protects, failed, remedy, ask},
#include "core/evidence/checks.def"
#undef CHECK
};

const struct cvm_check_info *cvm_check_info(enum cvm_check_id id)
{
    return &infos[id < CVM_CHECKS ? id : 0];
}

const char *cvm_verdict_text(enum cvm_verdict v)
{
    switch (v) {
    case CVM_VERDICT_PASS:
        return "ok";
    case CVM_VERDICT_FAIL:
        return "REFUSED";
    case CVM_VERDICT_NOT_CHECKED:
        return "NOT CHECKED";
    case CVM_VERDICT_NOT_RUN:
        break;
    }
    return "not possible";
}

static const char *outcome_word(enum cvm_outcome o)
{
    return o == CVM_OUTCOME_VERIFIED    ? "verified"
           : o == CVM_OUTCOME_SIMULATED ? "simulated"
                                        : "refused";
}

int cvm_appraisal_exit_code(const struct cvm_appraisal *a)
{
    return a->outcome == CVM_OUTCOME_VERIFIED ? 0 : a->outcome == CVM_OUTCOME_SIMULATED ? 10 : 1;
}

int cvm_appraisal_error(const struct cvm_appraisal *a, struct cvm_error *err)
{
    if (a->outcome != CVM_OUTCOME_REFUSED)
        return 0;
    for (size_t pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < CVM_CHECKS; i++) {
            const struct cvm_check *k = &a->checks[i];
            if (k->verdict != (pass ? CVM_VERDICT_NOT_RUN : CVM_VERDICT_FAIL))
                continue;
            return cvm_fail_expected(err, CVM_E_EVIDENCE_REFUSED, k->expected, k->got, "%s: %s",
                                     infos[i].name, infos[i].failed);
        }
    return cvm_fail(err, CVM_E_EVIDENCE_REFUSED, "no verdict");
}

static void line(struct cvm_buf *out, const char *text)
{
    cvm_buf_append_str(out, text);
    cvm_buf_append_str(out, "\n");
}

static void explain(const struct cvm_check *k, const struct cvm_check_info *info,
                    struct cvm_buf *out)
{
    const char *const parts[][2] = {
        {"wrong", info->failed}, {"expected", k->expected}, {"got", k->got}, {"do", info->remedy}};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (!parts[i][1][0])
            continue;
        CVM_AUTO_FREE char *text = cvm_printf("%15s%-9s %s", "", parts[i][0], parts[i][1]);
        line(out, text);
    }
}

#define CVM_ADVISORIES_DATE 1795996800 /* 2026-11-30 */
#define ADVISORIES_OLD ((int64_t)180 * 86400)

enum advisory {
#define ADVISORY(ID, name, bit, text) ADVISORY_##ID,
#define MICROCODE(ID, family, model, stepping, least)
#include "core/evidence/advisories.def"
#undef ADVISORY
#undef MICROCODE
    ADVISORIES
};
static const struct {
    const char *name;
    int bit;
    const char *text;
} advisories[ADVISORIES] = {
#define ADVISORY(ID, name, bit, text) {name, bit, text},
#define MICROCODE(ID, family, model, stepping, least)
#include "core/evidence/advisories.def"
#undef ADVISORY
#undef MICROCODE
};
static const struct {
    enum advisory id;
    uint64_t family, model, stepping;
    int least;
} microcodes[] = {
#define ADVISORY(ID, name, bit, text)
#define MICROCODE(ID, family, model, stepping, least)                                              \
    {ADVISORY_##ID, family, model, stepping, least},
#include "core/evidence/advisories.def"
#undef ADVISORY
#undef MICROCODE
};

/* The lowest of the four levels: what an attacker could go back to. */
static int microcode_of(const struct cvm_report *r, enum cvm_tcb_layout layout)
{
    const uint8_t *const levels[] = {r->reported_tcb, r->committed_tcb, r->launch_tcb,
                                     r->current_tcb};
    int lowest = 255;
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        int has = cvm_tcb_decode(levels[i], layout).microcode;
        lowest = has < lowest ? has : lowest;
    }
    return lowest;
}

/* What the report tells of one weakness; the caller frees it. */
static char *advisory_text(const struct cvm_report *r, const struct cvm_line_info *l,
                           enum advisory id)
{
    const char *text = advisories[id].text;
    if (advisories[id].bit >= 0)
        return r->platform_info >> advisories[id].bit & 1 ? cvm_printf("mended")
                                                          : cvm_printf("NOT MENDED: %s", text);
    for (size_t i = 0; r->version >= 3 && i < sizeof(microcodes) / sizeof(microcodes[0]); i++) {
        if (microcodes[i].id != id || microcodes[i].family != r->cpuid_family ||
            microcodes[i].model != r->cpuid_model || microcodes[i].stepping != r->cpuid_stepping)
            continue;
        int has = microcode_of(r, l->layout), least = microcodes[i].least;
        return has >= least
                   ? cvm_printf("mended")
                   : cvm_printf("NOT MENDED: microcode %d, needed is %d: %s", has, least, text);
    }
    return cvm_printf("the report does not tell: %s", text);
}

/* What is known to be weak, and whether this report says that it is mended. */
static void say_advisories(const struct cvm_appraisal *a, struct cvm_buf *out)
{
    const struct cvm_line_info *l = a->have_vek ? cvm_line_info(a->vek.line) : NULL;
    if (!a->have_report || !l || l->platform != CVM_ROOT_HARDWARE)
        return;
    for (size_t i = 0; i < ADVISORIES; i++) {
        CVM_AUTO_FREE char *told = advisory_text(&a->report, l, (enum advisory)i);
        CVM_AUTO_FREE char *text = cvm_printf("advisory %s: %s", advisories[i].name, told);
        line(out, text);
    }
    line(out, a->time - CVM_ADVISORIES_DATE > ADVISORIES_OLD
                  ? "advisories as of 2026-11-30: OUT OF DATE, get a newer 2cVM"
                  : "advisories as of 2026-11-30");
}

/* One check: what it is good for, then what was found. */
static void say_check(const struct cvm_check *k, const struct cvm_check_info *info,
                      struct cvm_buf *out)
{
    bool run = k->verdict != CVM_VERDICT_NOT_RUN;
    CVM_AUTO_FREE char *row =
        cvm_printf("  %-12s %-21s %s", cvm_verdict_text(k->verdict), info->name,
                   run ? info->protects : "needs what was refused above");
    line(out, row);
    if (k->verdict == CVM_VERDICT_FAIL) {
        explain(k, info, out);
        return;
    }
    const char *ask = k->verdict == CVM_VERDICT_NOT_CHECKED ? info->ask : "";
    const char *const parts[][2] = {{"found", run ? k->got : ""}, {"to check", ask}};
    for (size_t i = 0; i < 2; i++) {
        if (!parts[i][1][0])
            continue;
        CVM_AUTO_FREE char *text = cvm_printf("%15s%-9s %s", "", parts[i][0], parts[i][1]);
        line(out, text);
    }
}

static size_t count(const struct cvm_appraisal *a, enum cvm_verdict v)
{
    size_t n = 0;
    for (size_t i = 0; i < CVM_CHECKS; i++)
        n += a->checks[i].verdict == v;
    return n;
}

/* Of what was left open, that which a hasty reader would take for granted. */
static void say_open(const struct cvm_appraisal *a, struct cvm_buf *out)
{
    static const struct {
        enum cvm_check_id id;
        const char *text;
    } open[] = {
        {CVM_CHECK_MEASUREMENT, "measurement NOT CHECKED: it may be any program"},
        {CVM_CHECK_HOST_DATA, "host-data NOT CHECKED: it may be for any manifest"},
        {CVM_CHECK_FRESHNESS,
         "freshness NOT CHECKED: without a nonce of your own this may be a recording"},
    };
    for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
        if (a->checks[open[i].id].verdict == CVM_VERDICT_NOT_CHECKED)
            line(out, open[i].text);
}

void cvm_appraisal_print(const struct cvm_appraisal *a, struct cvm_buf *out)
{
    for (size_t i = 0; i < CVM_CHECKS; i++)
        say_check(&a->checks[i], &infos[i], out);
    line(out,
         "words: VCEK, VLEK: signing key of the chip, of a cloud provider; ASK, ASVK, ARK: AMD's "
         "certificates above it;");
    line(out,
         "       TCB: versions of the processor's firmware; nonce: a number of your own, so that "
         "nobody can answer with a recording");
    say_advisories(a, out);
    say_open(a, out);
    size_t held = count(a, CVM_VERDICT_PASS), open = count(a, CVM_VERDICT_NOT_CHECKED);
    if (a->outcome == CVM_OUTCOME_VERIFIED && (a->report.policy & CVM_POLICY_DEBUG))
        line(out, "debugging is ALLOWED: the host can read and change this guest's memory");
    if (a->outcome == CVM_OUTCOME_VERIFIED) {
        CVM_AUTO_FREE char *text = cvm_printf(
            "VERIFIED: everything that was checked holds (%zu checks, %zu had nothing to "
            "compare with), on genuine hardware",
            held, open);
        line(out, text);
    } else if (a->outcome == CVM_OUTCOME_SIMULATED) {
        line(out,
             "*** SIMULATED *** everything is consistent, but no hardware protects this isolate:");
        line(out, "*** SIMULATED *** whoever runs the host can read and change all of it");
    } else {
        CVM_AUTO_FREE char *text =
            cvm_printf("REFUSED: %zu of %d checks failed; send nothing to this isolate",
                       count(a, CVM_VERDICT_FAIL), (int)CVM_CHECKS);
        line(out, text);
    }
}

static void add_advisories(const struct cvm_appraisal *a, json_t *o)
{
    const struct cvm_line_info *l = a->have_vek ? cvm_line_info(a->vek.line) : NULL;
    if (!a->have_report || !l || l->platform != CVM_ROOT_HARDWARE)
        return;
    json_t *list = json_array();
    json_object_set_new(o, "advisories", list);
    for (size_t i = 0; i < ADVISORIES; i++) {
        CVM_AUTO_FREE char *told = advisory_text(&a->report, l, (enum advisory)i);
        json_array_append_new(list,
                              json_pack("{s:s, s:s}", "name", advisories[i].name, "told", told));
    }
    json_object_set_new(o, "advisories_as_of", json_integer(CVM_ADVISORIES_DATE));
}

json_t *cvm_appraisal_json(const struct cvm_appraisal *a)
{
    static const char *const words[] = {[CVM_VERDICT_NOT_RUN] = "not-run",
                                        [CVM_VERDICT_PASS] = "ok",
                                        [CVM_VERDICT_FAIL] = "refused",
                                        [CVM_VERDICT_NOT_CHECKED] = "not-checked"};
    json_t *checks = json_array();
    for (size_t i = 0; i < CVM_CHECKS; i++) {
        const struct cvm_check *k = &a->checks[i];
        json_t *o = json_object();
        json_object_set_new(o, "name", json_string(infos[i].name));
        json_object_set_new(o, "protects", json_string(infos[i].protects));
        json_object_set_new(o, "expected", json_string(k->expected));
        json_object_set_new(o, "got", json_string(k->got));
        json_object_set_new(o, "verdict", json_string(words[k->verdict]));
        if (k->verdict == CVM_VERDICT_FAIL) {
            json_object_set_new(o, "wrong", json_string(infos[i].failed));
            json_object_set_new(o, "remedy", json_string(infos[i].remedy));
        }
        if (k->verdict == CVM_VERDICT_NOT_CHECKED)
            json_object_set_new(o, "ask", json_string(infos[i].ask));
        json_array_append_new(checks, o);
    }
    json_t *o = json_object();
    json_object_set_new(o, "outcome", json_string(outcome_word(a->outcome)));
    json_object_set_new(o, "checks", checks);
    if (a->have_report)
        json_object_set_new(o, "report", cvm_report_json(&a->report));
    add_advisories(a, o);
    return o;
}
