/* What the daemon itself needs: images, folders, room, and walls for cells on the host's kernel. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/evidence/measure-sim.h"
#include "core/evidence/measure-snp.h"
#include "orchestrator/host/internal.h"

#define DISK_LEAST_MIB 512
#define DISK_WARN_MIB 10240
#define SHOWN_MEMORY_MIB 512 /* a simulated machine's measurement covers its memory: an example */

static void say_measured(struct cvm_host_result *r, const char *folder, const char *how,
                         const uint8_t m[CVM_SHA384_LEN])
{
    CVM_AUTO_FREE char *hex = cvm_hex(m, CVM_SHA384_LEN);
    cvm_host_say(r, CVM_HOST_OK, "%s; %s: sha384:%s", folder, how, hex);
}

static bool is_file(const struct cvm_host *h, const char *folder, const char *name)
{
    struct stat st;
    CVM_AUTO_FREE char *path = cvm_printf("%s/%s", folder, name);
    CVM_AUTO_CLOSE int fd = cvm_host_open(h, path, O_PATH);
    return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* The first of the files that a folder lacks, or NULL. */
static const char *first_missing(const struct cvm_host *h, const char *folder,
                                 const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!is_file(h, folder, names[i]))
            return names[i];
    return NULL;
}

/* "production" or "simulation", as image.json beside the files says; "" when it says nothing. */
static void image_kind(const struct cvm_host *h, const char *folder, char *out, size_t size)
{
    char text[16384];
    CVM_AUTO_FREE char *path = cvm_printf("%s/image.json", folder);
    out[0] = '\0';
    if (!cvm_host_text(h, path, text, sizeof text))
        return;
    CVM_AUTO_JSON json_t *about = json_loads(text, 0, NULL);
    const char *kind = json_string_value(json_object_get(about, "kind"));
    snprintf(out, size, "%s", kind ? kind : "");
}

/* Whether a machine's image is there and not of the other kind; the result says so when not. */
static bool has_image(const struct cvm_host *h, const char *other, struct cvm_host_result *r)
{
    char kind[32];
    const char *folder = h->place->machine_image;
    const char *missing = first_missing(h, folder, cvm_sim_vm_file_names, CVM_SIM_VM_FILES);
    image_kind(h, folder, kind, sizeof kind);
    if (missing)
        cvm_host_say(r, CVM_HOST_FAIL, "%s/%s is not there", folder, missing);
    else if (strcmp(kind, other) == 0)
        cvm_host_say(r, CVM_HOST_FAIL, "%s is the %s image", folder, kind);
    return !missing && strcmp(kind, other) != 0;
}

void cvm_host_judge_snp_image(const struct cvm_host *h, struct cvm_host_result *r)
{
    const char *folder = h->place->machine_image;
    CVM_AUTO_FREE char *path = cvm_printf("%s%s", h->prefix, folder);
    uint8_t m[CVM_SHA384_LEN];
    struct cvm_error e = {0};
    if (!has_image(h, "simulation", r))
        return;
    if (!is_file(h, folder, "firmware"))
        cvm_host_say(r, CVM_HOST_FAIL, "%s has no `firmware` beside the kernel", folder);
    else if (cvm_measure_snp_folder(path, 1, m, &e) < 0)
        cvm_host_say(r, CVM_HOST_FAIL, "%s: %s", folder, e.message);
    else
        say_measured(r, folder, "with 1 processor", m);
}

void cvm_host_judge_vm_image(const struct cvm_host *h, struct cvm_host_result *r)
{
    const char *folder = h->place->machine_image;
    CVM_AUTO_FREE char *path = cvm_printf("%s%s", h->prefix, folder);
    uint8_t m[CVM_SHA384_LEN];
    struct cvm_error e = {0};
    if (!has_image(h, "production", r))
        return;
    if (cvm_measure_sim_vm_folder(path, 1, SHOWN_MEMORY_MIB, m, &e) < 0)
        cvm_host_say(r, CVM_HOST_FAIL, "%s: %s", folder, e.message);
    else
        say_measured(r, folder, "with 1 processor and 512 MiB", m);
}

void cvm_host_judge_process_image(const struct cvm_host *h, struct cvm_host_result *r)
{
    const char *folder = h->place->image;
    const char *missing = first_missing(h, folder, cvm_sim_program_names, CVM_SIM_PROGRAMS);
    CVM_AUTO_FREE char *path = cvm_printf("%s%s", h->prefix, folder);
    uint8_t m[CVM_SHA384_LEN];
    struct cvm_error e = {0};
    if (missing)
        cvm_host_say(r, CVM_HOST_FAIL, "%s/%s is not there", folder, missing);
    else if (cvm_measure_sim_folder(path, 1, m, &e) < 0)
        cvm_host_say(r, CVM_HOST_FAIL, "%s: %s", folder, e.message);
    else
        say_measured(r, folder, "with 1 processor", m);
}

void cvm_host_judge_psp(const struct cvm_host *h, struct cvm_host_result *r)
{
    static const char *const NONE[] = {NULL};
    const char *program = cvm_host_program(h, h->place->psp, NONE);
    if (program)
        cvm_host_say(r, CVM_HOST_OK, "%s", program);
    else
        cvm_host_say(r, CVM_HOST_FAIL, "%s is not there, or no program", h->place->psp);
}

void cvm_host_judge_protections(const struct cvm_host *h, struct cvm_host_result *r)
{
    char list[200] = "";
    size_t i;
    json_t *name;
    if (!h->missing) {
        cvm_host_say(r, h->probe_error ? CVM_HOST_FAIL : CVM_HOST_SKIP, "%s",
                     h->probe_error ? h->probe_error : "the agent's probe could not be asked");
        return;
    }
    json_array_foreach(h->missing, i, name)
    {
        size_t at = strlen(list);
        snprintf(list + at, sizeof list - at, "%s%s", at ? ", " : "", json_string_value(name));
    }
    if (list[0])
        cvm_host_say(r, CVM_HOST_WARN, "only manifests that waive these can run: %s", list);
    else
        cvm_host_say(r, CVM_HOST_OK, "none is missing");
}

void cvm_host_judge_user_namespaces(const struct cvm_host *h, struct cvm_host_result *r)
{
    static const struct {
        const char *path;
        bool zero_is_bad; /* else any other value is */
        bool of_root;     /* concerns root too */
    } SYSCTLS[] = {
        {"/proc/sys/user/max_user_namespaces", true, true},
        {"/proc/sys/kernel/unprivileged_userns_clone", true, false},
        {"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", false, false},
    };
    char text[32];
    for (size_t i = 0; i < sizeof SYSCTLS / sizeof SYSCTLS[0]; i++) {
        if (!cvm_host_text(h, SYSCTLS[i].path, text, sizeof text) ||
            (h->uid == 0 && !SYSCTLS[i].of_root))
            continue;
        bool zero = strtoul(text, NULL, 10) == 0;
        if (zero != SYSCTLS[i].zero_is_bad)
            continue;
        text[strcspn(text, "\n")] = '\0';
        cvm_host_say(r, CVM_HOST_WARN, "%s is %s", SYSCTLS[i].path, text);
        return;
    }
    if (cvm_host_exists(h, "/proc/sys/user/max_user_namespaces"))
        cvm_host_say(r, CVM_HOST_OK, "allowed");
    else
        cvm_host_say(r, CVM_HOST_WARN, "the kernel has none");
}

void cvm_host_judge_cgroups(const struct cvm_host *h, struct cvm_host_result *r)
{
    static const char *const WANTED[] = {"memory", "cpu", "pids"};
    char own[4096], group[1024] = "", controllers[512];
    (void)cvm_host_text(h, "/proc/self/cgroup", own, sizeof own);
    for (const char *line = own; line; line = (line = strchr(line, '\n')) ? line + 1 : NULL)
        if (strncmp(line, "0::", 3) == 0)
            snprintf(group, sizeof group, "%.*s", (int)strcspn(line + 3, "\n"), line + 3);
    CVM_AUTO_FREE char *folder = cvm_printf("/sys/fs/cgroup%s", strcmp(group, "/") ? group : "");
    CVM_AUTO_FREE char *path = cvm_printf("%s/cgroup.controllers", folder);
    if (!group[0] || !cvm_host_text(h, path, controllers, sizeof controllers)) {
        cvm_host_say(r, CVM_HOST_WARN, "this process is in no group of cgroup v2");
        return;
    }
    for (size_t i = 0; i < sizeof WANTED / sizeof WANTED[0]; i++)
        if (!cvm_host_word(controllers, WANTED[i])) {
            cvm_host_say(r, CVM_HOST_WARN, "%s has not the controller %s", folder, WANTED[i]);
            return;
        }
    struct stat st;
    CVM_AUTO_CLOSE int fd = cvm_host_open(h, folder, O_PATH);
    bool mine = fd >= 0 && fstat(fd, &st) == 0 && (h->uid == 0 || st.st_uid == h->uid);
    cvm_host_say(r, mine ? CVM_HOST_OK : CVM_HOST_WARN, "%s%s", folder,
                 mine ? "" : " belongs to another user");
}

void cvm_host_judge_state_folder(const struct cvm_host *h, struct cvm_host_result *r)
{
    struct stat st;
    const char *path = h->place->state;
    CVM_AUTO_CLOSE int fd = cvm_host_open(h, path, O_PATH);
    if (fd < 0)
        cvm_host_say(r, CVM_HOST_WARN, "%s is not there; the daemon makes it if it may", path);
    else if (fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode))
        cvm_host_say(r, CVM_HOST_FAIL, "%s is no folder", path);
    else if (st.st_uid != h->uid)
        cvm_host_say(r, CVM_HOST_FAIL, "%s belongs to user %u, expected %u", path, st.st_uid,
                     h->uid);
    else if (st.st_mode & 0077)
        cvm_host_say(r, CVM_HOST_FAIL, "%s has mode %04o, expected 0700", path, st.st_mode & 07777);
    else if ((st.st_mode & 0700) != 0700)
        cvm_host_say(r, CVM_HOST_FAIL, "%s has mode %04o: its owner may not write", path,
                     st.st_mode & 07777);
    else
        cvm_host_say(r, CVM_HOST_OK, "%s", path);
}

void cvm_host_judge_disk_space(const struct cvm_host *h, struct cvm_host_result *r)
{
    if (h->disk_free_mib < 0) {
        cvm_host_say(r, CVM_HOST_SKIP, "not known");
        return;
    }
    enum cvm_host_verdict v = h->disk_free_mib < DISK_LEAST_MIB  ? CVM_HOST_FAIL
                              : h->disk_free_mib < DISK_WARN_MIB ? CVM_HOST_WARN
                                                                 : CVM_HOST_OK;
    cvm_host_say(r, v, "%lld MiB free%s", (long long)h->disk_free_mib,
                 v == CVM_HOST_FAIL   ? ", expected 512 at least"
                 : v == CVM_HOST_WARN ? ", less than 10 GiB"
                                      : "");
}
