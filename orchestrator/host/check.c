/* The table of checks and their order: facts in, verdicts out. */
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

#include "orchestrator/host/internal.h"

#define SNP (1u << CVM_PLATFORM_SEV_SNP)
#define VM (1u << CVM_PLATFORM_SIM_VM)
#define PROCESS (1u << CVM_PLATFORM_SIM_PROCESS)

static const struct cvm_host_check_info INFO[CVM_HOST_CHECKS] = {
#define HOST_CHECK(symbol, name, platforms, looks_at, remedy) {name, platforms, looks_at, remedy},
#include "orchestrator/host/checks.def"
#undef HOST_CHECK
};

static void (*const JUDGES[CVM_HOST_CHECKS])(const struct cvm_host *, struct cvm_host_result *) = {
#define HOST_CHECK(symbol, name, platforms, looks_at, remedy) cvm_host_judge_##symbol,
#include "orchestrator/host/checks.def"
#undef HOST_CHECK
};

const struct cvm_host_check_info *cvm_host_check_info(enum cvm_host_check_id id)
{
    return &INFO[id];
}

const char *cvm_host_verdict_word(enum cvm_host_verdict v)
{
    static const char *const WORDS[] = {"OK", "WARN", "FAIL", "SKIP"};
    return WORDS[v];
}

/* One line of printable ASCII: names of files and firmware texts are the machine's, not ours. */
void cvm_host_say(struct cvm_host_result *r, enum cvm_host_verdict v, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(r->found, sizeof r->found, fmt, ap);
    va_end(ap);
    r->verdict = v;
    for (char *p = r->found; *p; p++)
        if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
            *p = '?';
}

struct cvm_host_place cvm_host_usual(const struct cvm_host_place *place)
{
    static const struct cvm_host_place USUAL = {.state = "/var/lib/2cvm",
                                                .image = "/usr/lib/2cvm/image",
                                                .machine_image = "/usr/lib/2cvm/machine",
                                                .psp = "/usr/lib/2cvm/2cvm-psp"};
    struct cvm_host_place p = place ? *place : USUAL;
    p.state = p.state ? p.state : USUAL.state;
    p.image = p.image ? p.image : USUAL.image;
    p.machine_image = p.machine_image ? p.machine_image : USUAL.machine_image;
    p.psp = p.psp ? p.psp : USUAL.psp;
    return p;
}

int cvm_host_judge(const struct cvm_host_place *place, json_t *answers, unsigned platforms,
                   struct cvm_host_result results[CVM_HOST_CHECKS], struct cvm_error *err)
{
    const struct cvm_host_place p = cvm_host_usual(place);
    CVM_AUTO_CLOSE int root = p.root ? open(p.root, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    if (p.root && root < 0)
        return cvm_fail_errno(err, "the root folder '%s'", p.root);
    struct cvm_host h = {.place = &p, .root = root, .prefix = p.root ? p.root : ""};
    CVM_GUARD(cvm_host_open_answers(&h, answers, err));
    for (size_t i = 0; i < CVM_HOST_CHECKS; i++) {
        cvm_host_say(&results[i], CVM_HOST_SKIP, "not asked for");
        if (INFO[i].platforms & platforms)
            JUDGES[i](&h, &results[i]);
    }
    return 0;
}

const struct cvm_host_check_info *
cvm_host_first_failure(const struct cvm_host_result results[CVM_HOST_CHECKS], unsigned platforms,
                       const struct cvm_host_result **ret_result)
{
    for (size_t i = 0; i < CVM_HOST_CHECKS; i++) {
        if (!(INFO[i].platforms & platforms) || results[i].verdict != CVM_HOST_FAIL)
            continue;
        if (ret_result)
            *ret_result = &results[i];
        return &INFO[i];
    }
    return NULL;
}

int cvm_host_check(enum cvm_platform platform, const struct cvm_host_place *place,
                   struct cvm_error *err)
{
    struct cvm_host_result results[CVM_HOST_CHECKS];
    const struct cvm_host_result *failed;
    CVM_AUTO_JSON json_t *answers = cvm_host_ask(place);
    CVM_GUARD(cvm_host_judge(place, answers, 1u << platform, results, err));
    const struct cvm_host_check_info *info =
        cvm_host_first_failure(results, 1u << platform, &failed);
    CVM_ENSURE(!info, err, CVM_E_PLATFORM, "%s: %s; %s", info->name, failed->found, info->remedy);
    return 0;
}
