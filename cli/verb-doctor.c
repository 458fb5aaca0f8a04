/* 2cvm doctor: whether this host can start isolates, one line a check, and what to do. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/file.h"
#include "orchestrator/host/host.h"

#define ANSWERS_MAX 65536
#define ALL_PLATFORMS ((1u << CVM_PLATFORM_COUNT) - 1)

static int asked_platforms(const struct cli *c, unsigned *ret, struct cvm_error *err)
{
    const char *word = cli_opt(c, "platform");
    *ret = ALL_PLATFORMS;
    if (!word)
        return 0;
    int platform = cvm_platform_by_word(word);
    if (platform < 0)
        return cvm_fail_expected(err, CVM_E_USAGE, "sev-snp, sim-vm or sim-process", word,
                                 "--platform");
    *ret = 1u << platform;
    return 0;
}

/* As the daemon does: its programs are beside this one, where nothing else was said and that is so.
 */
static void beside_this_program(struct cvm_host_place *p, char **ret_image, char **ret_psp)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(path, '/');
    if (p->root || !slash)
        return;
    *slash = '\0';
    *ret_image = cvm_strdup(path);
    *ret_psp = cvm_printf("%s/2cvm-psp", path);
    CVM_AUTO_FREE char *agent = cvm_printf("%s/2cvm-agent", path);
    if (!p->image && access(agent, X_OK) == 0)
        p->image = *ret_image;
    if (!p->psp && access(*ret_psp, X_OK) == 0)
        p->psp = *ret_psp;
}

static json_t *get_answers(const struct cli *c, const struct cvm_host_place *place,
                           struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf file = {0};
    if (!place->root)
        return cvm_host_ask(place);
    if (cli_file_read(cli_opt(c, "answers"), ANSWERS_MAX, &file, err) < 0)
        return NULL;
    return cvm_host_answers_parse(file.data ? (const void *)file.data : "", file.len, err);
}

static json_t *platform_list(unsigned platforms)
{
    json_t *list = json_array();
    for (int p = 0; p < CVM_PLATFORM_COUNT; p++)
        if (platforms & 1u << p)
            json_array_append_new(list, json_string(cvm_platform_word(p)));
    return list;
}

static json_t *say_check(const struct cli *c, const struct cvm_host_check_info *info,
                         const struct cvm_host_result *r)
{
    bool well = r->verdict == CVM_HOST_OK || r->verdict == CVM_HOST_SKIP;
    const char *word = cvm_host_verdict_word(r->verdict);
    cli_say(c, "%-4s  %-18s %s\n", word, info->name, r->found);
    if (!well)
        cli_say(c, "      %-18s remedy: %s\n", "", info->remedy);
    json_t *o =
        json_pack("{s:s, s:s, s:s, s:s, s:o}", "name", info->name, "verdict", word, "looks_at",
                  info->looks_at, "found", r->found, "platforms", platform_list(info->platforms));
    if (!well)
        json_object_set_new(o, "remedy", json_string(info->remedy));
    return o;
}

/* What this host can start: one line a platform. */
static json_t *say_platform(const struct cli *c, int platform,
                            const struct cvm_host_result results[CVM_HOST_CHECKS])
{
    int failed = 0, warned = 0;
    for (size_t i = 0; i < CVM_HOST_CHECKS; i++) {
        if (!(cvm_host_check_info(i)->platforms & 1u << platform))
            continue;
        failed += results[i].verdict == CVM_HOST_FAIL;
        warned += results[i].verdict == CVM_HOST_WARN;
    }
    const struct cvm_host_check_info *first = cvm_host_first_failure(results, 1u << platform, NULL);
    const char *word = cvm_platform_word(platform);
    if (first)
        cli_say(c, "%-12s cannot start here: %d failed, the first is %s\n", word, failed,
                first->name);
    else
        cli_say(c, "%-12s can start here%s\n", word, warned ? ", with the warnings above" : "");
    json_t *o = json_pack("{s:s, s:b, s:i, s:i}", "platform", word, "can_start", !first, "failed",
                          failed, "warned", warned);
    if (first)
        json_object_set_new(o, "first_failure", json_string(first->name));
    return o;
}

static int run(struct cli *c, struct cvm_error *err)
{
    unsigned platforms;
    struct cvm_host_result results[CVM_HOST_CHECKS];
    CVM_AUTO_FREE char *image = NULL, *psp = NULL;
    struct cvm_host_place place = {.root = cli_opt(c, "root"),
                                   .state = cli_opt(c, "state"),
                                   .image = cli_opt(c, "image"),
                                   .machine_image = cli_opt(c, "machine-image"),
                                   .ovmf = cli_opt(c, "ovmf"),
                                   .psp = cli_opt(c, "psp"),
                                   .qemu = cli_opt(c, "qemu"),
                                   .vsock_program = cli_opt(c, "vsock")};
    CVM_GUARD(asked_platforms(c, &platforms, err));
    CVM_ENSURE(!place.root == !cli_opt(c, "answers"), err, CVM_E_USAGE,
               "--root and --answers go together: they are one recording");
    beside_this_program(&place, &image, &psp);
    CVM_AUTO_JSON json_t *answers = get_answers(c, &place, err);
    CVM_GUARD(answers ? 0 : -1);
    CVM_GUARD(cvm_host_judge(&place, answers, platforms, results, err));
    json_t *checks = json_array(), *sums = json_array();
    for (size_t i = 0; i < CVM_HOST_CHECKS; i++)
        if (cvm_host_check_info(i)->platforms & platforms)
            json_array_append_new(checks, say_check(c, cvm_host_check_info(i), &results[i]));
    cli_say(c, "\n");
    for (int p = 0; p < CVM_PLATFORM_COUNT; p++)
        if (platforms & 1u << p)
            json_array_append_new(sums, say_platform(c, p, results));
    cli_result(
        c, json_pack("{s:o, s:o, s:O}", "platforms", sums, "checks", checks, "answers", answers));
    return cvm_host_first_failure(results, platforms, NULL) ? CLI_EXIT_REFUSED : CLI_EXIT_OK;
}

static const struct cli_option OPTIONS[] = {
    {"platform", 0, "NAME", "sev-snp, sim-vm or sim-process; all of them when absent"},
    {"state", 0, "DIR", "the daemon's state folder; /var/lib/2cvm when absent"},
    {"image", 0, "DIR", "the three guest programs (sim-process)"},
    {"machine-image", 0, "DIR",
     "kernel, initramfs, cmdline, and for sev-snp firmware (virtual machines)"},
    {"ovmf", 0, "FILE", "the firmware image, of the AmdSev kind (sev-snp)"},
    {"psp", 0, "FILE", "the software PSP of simulated isolates"},
    {"qemu", 0, "FILE", "the program qemu-system-x86_64"},
    {"vsock", 0, "FILE", "the program vhost-device-vsock (sim-vm)"},
    {"root", 0, "DIR", "judge a recorded host: the folder that stands for its /"},
    {"answers", 0, "FILE", "with --root: the member `answers` of what --json printed there"},
    {0},
};

const struct cli_verb cli_verb_doctor = {
    .name = "doctor",
    .arguments = "",
    .summary = "(operator) what this host can start, what is missing, and what to do",
    .example = "2cvm doctor\n"
               "2cvm doctor --platform sev-snp --machine-image /usr/lib/2cvm/machine --json",
    .options = OPTIONS,
    .run = run,
};
