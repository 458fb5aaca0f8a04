/* Processor, BIOS settings and kernel, as far as the kernel shows them. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cursor.h"
#include "core/evidence/line.h"
#include "orchestrator/host/internal.h"

#define CPUINFO_MAX 16384 /* the first processor's block; the others say the same */

/* The value of one line of /proc/cpuinfo; "" when it is not there. */
static void cpu_field(const struct cvm_host *h, const char *key, char *out, size_t size)
{
    char text[CPUINFO_MAX];
    (void)cvm_host_text(h, "/proc/cpuinfo", text, sizeof text);
    (void)cvm_host_field(text, key, out, size);
}

static bool cpu_flag(const struct cvm_host *h, const char *flag)
{
    char flags[8192];
    cpu_field(h, "flags", flags, sizeof flags);
    return cvm_host_word(flags, flag);
}

void cvm_host_judge_processor(const struct cvm_host *h, struct cvm_host_result *r)
{
    char vendor[32], family[16], model[16], name[64];
    cpu_field(h, "vendor_id", vendor, sizeof vendor);
    cpu_field(h, "cpu family", family, sizeof family);
    cpu_field(h, "model", model, sizeof model);
    cpu_field(h, "model name", name, sizeof name);
    if (!vendor[0]) {
        cvm_host_say(r, CVM_HOST_FAIL, "/proc/cpuinfo names no maker");
        return;
    }
    if (strcmp(vendor, "AuthenticAMD") != 0) {
        cvm_host_say(r, CVM_HOST_FAIL, "%s, expected AuthenticAMD", vendor);
        return;
    }
    enum cvm_line line = cvm_line_by_cpuid(strtoull(family, NULL, 10), strtoull(model, NULL, 10));
    if (line == CVM_LINE_UNKNOWN)
        cvm_host_say(r, CVM_HOST_FAIL,
                     "%s: family %s model %s is no line with SEV-SNP that is known", name, family,
                     model);
    else if (cpu_flag(h, "hypervisor"))
        cvm_host_say(r, CVM_HOST_FAIL, "%s (%s), but this is itself a virtual machine", name,
                     cvm_line_info(line)->title);
    else
        cvm_host_say(r, CVM_HOST_OK, "%s (%s)", name, cvm_line_info(line)->title);
}

void cvm_host_judge_memory_encryption(const struct cvm_host *h, struct cvm_host_result *r)
{
    static const char *const FLAGS[] = {"sme", "sev", "sev_es"};
    char missing[64] = "";
    for (size_t i = 0; i < sizeof FLAGS / sizeof FLAGS[0]; i++) {
        size_t at = strlen(missing);
        if (!cpu_flag(h, FLAGS[i]))
            snprintf(missing + at, sizeof missing - at, "%s%s", at ? ", " : "", FLAGS[i]);
    }
    if (missing[0])
        cvm_host_say(r, CVM_HOST_FAIL, "missing: %s", missing);
    else
        cvm_host_say(r, CVM_HOST_OK, "sme, sev, sev_es");
}

void cvm_host_judge_snp_flag(const struct cvm_host *h, struct cvm_host_result *r)
{
    if (cpu_flag(h, "sev_snp"))
        cvm_host_say(r, CVM_HOST_OK, "sev_snp");
    else
        cvm_host_say(r, CVM_HOST_FAIL, "missing: sev_snp");
}

void cvm_host_judge_kernel(const struct cvm_host *h, struct cvm_host_result *r)
{
    char text[128];
    unsigned major = 0, minor = 0;
    (void)cvm_host_text(h, "/proc/sys/kernel/osrelease", text, sizeof text);
    text[strcspn(text, "\n")] = '\0';
    if (sscanf(text, "%u.%u", &major, &minor) != 2)
        cvm_host_say(r, CVM_HOST_FAIL, "no version can be read");
    else if (major < 6 || (major == 6 && minor < 11))
        cvm_host_say(r, CVM_HOST_FAIL, "%s, expected 6.11 or later", text);
    else
        cvm_host_say(r, CVM_HOST_OK, "%s", text);
}

/* Each of these alone makes the kernel give up SNP, as its sources say: for the IOMMU's table of
 * pages and pass-through see iommu_snp_enable() of drivers/iommu/amd/init.c. */
void cvm_host_judge_kernel_parameters(const struct cvm_host *h, struct cvm_host_result *r)
{
    static const char *const BAD[] = {
        "iommu=pt",           "iommu.passthrough=1", "iommu=off",         "amd_iommu=off",
        "amd_iommu=pgtbl_v2", "kvm_amd.sev=0",       "kvm_amd.sev=N",     "kvm_amd.sev_es=0",
        "kvm_amd.sev_es=N",   "kvm_amd.sev_snp=0",   "kvm_amd.sev_snp=N",
    };
    char cmdline[4200], found[160] = "";
    if (!cvm_host_text(h, "/proc/cmdline", cmdline, sizeof cmdline)) {
        cvm_host_say(r, CVM_HOST_SKIP, "/proc/cmdline can't be read");
        return;
    }
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        size_t at = strlen(found);
        if (cvm_host_word(cmdline, BAD[i]))
            snprintf(found + at, sizeof found - at, "%s%s", at ? " " : "", BAD[i]);
    }
    if (found[0])
        cvm_host_say(r, CVM_HOST_FAIL, "with these there is no SNP: %s", found);
    else
        cvm_host_say(r, CVM_HOST_OK, "no word against SNP (mem_encrypt= has no say in it)");
}

/* The first name in a folder that begins so. */
static bool first_name(const struct cvm_host *h, const char *folder, const char *begin, char *out,
                       size_t size)
{
    int fd = cvm_host_open(h, folder, O_RDONLY | O_DIRECTORY);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (!d) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    out[0] = '\0';
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.' && strncmp(e->d_name, begin, strlen(begin)) == 0 &&
            (!out[0] || strcmp(e->d_name, out) < 0))
            snprintf(out, size, "%.63s", e->d_name);
    closedir(d);
    return out[0] != '\0';
}

void cvm_host_judge_iommu(const struct cvm_host *h, struct cvm_host_result *r)
{
    char name[64], group[64], path[160], text[64];
    if (!first_name(h, "/sys/class/iommu", "ivhd", name, sizeof name)) {
        cvm_host_say(r, CVM_HOST_FAIL, "no AMD IOMMU in /sys/class/iommu");
        return;
    }
    /* "features" is the extended feature register in hexadecimal; bit 63 is SNP. */
    snprintf(path, sizeof path, "/sys/class/iommu/%s/amd-iommu/features", name);
    bool known = cvm_host_text(h, path, text, sizeof text);
    if (known && !(strtoull(text, NULL, 16) >> 63)) {
        cvm_host_say(r, CVM_HOST_FAIL, "%s has not the feature SNP", name);
        return;
    }
    text[0] = '\0';
    if (first_name(h, "/sys/kernel/iommu_groups", "", group, sizeof group)) {
        snprintf(path, sizeof path, "/sys/kernel/iommu_groups/%s/type", group);
        (void)cvm_host_text(h, path, text, sizeof text);
        text[strcspn(text, "\n")] = '\0';
    }
    if (strcmp(text, "identity") == 0)
        cvm_host_say(r, CVM_HOST_FAIL, "%s passes through (group %s: identity)", name, group);
    else
        cvm_host_say(r, CVM_HOST_OK, "%s%s%s%s", name, known ? ", feature SNP" : "",
                     text[0] ? ", translating: " : "", text);
}

void cvm_host_judge_ccp(const struct cvm_host *h, struct cvm_host_result *r)
{
    if (cvm_host_exists(h, "/sys/module/ccp"))
        cvm_host_say(r, CVM_HOST_OK, "loaded");
    else
        cvm_host_say(r, CVM_HOST_FAIL, "the module ccp is not loaded");
}

void cvm_host_judge_kvm_sev(const struct cvm_host *h, struct cvm_host_result *r)
{
    static const char *const NAMES[] = {"sev", "sev_es", "sev_snp"};
    char off[96] = "", path[80], text[16];
    if (!cvm_host_exists(h, "/sys/module/kvm_amd")) {
        cvm_host_say(r, CVM_HOST_FAIL, "the module kvm_amd is not loaded");
        return;
    }
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        size_t at = strlen(off);
        snprintf(path, sizeof path, "/sys/module/kvm_amd/parameters/%s", NAMES[i]);
        bool there = cvm_host_text(h, path, text, sizeof text);
        if (text[0] != 'Y' && text[0] != '1')
            snprintf(off + at, sizeof off - at, "%s%s=%s", at ? ", " : "", NAMES[i],
                     there ? "N" : "(not there)");
    }
    if (off[0])
        cvm_host_say(r, CVM_HOST_FAIL, "%s, expected Y", off);
    else
        cvm_host_say(r, CVM_HOST_OK, "sev=Y, sev_es=Y, sev_snp=Y");
}

static void judge_node(const struct cvm_host *h, const char *path, enum cvm_host_verdict bad,
                       struct cvm_host_result *r)
{
    const char *said = cvm_host_node(h, path);
    if (!said)
        cvm_host_say(r, CVM_HOST_SKIP, "%s was not asked", path);
    else if (strcmp(said, "ok") == 0)
        cvm_host_say(r, CVM_HOST_OK, "%s opens", path);
    else
        cvm_host_say(r, bad, strcmp(said, "ENOENT") == 0 ? "%s is not there" : "%s: %s", path,
                     said);
}

void cvm_host_judge_sev_device(const struct cvm_host *h, struct cvm_host_result *r)
{
    judge_node(h, CVM_HOST_SEV, CVM_HOST_FAIL, r);
}

void cvm_host_judge_kvm(const struct cvm_host *h, struct cvm_host_result *r)
{
    judge_node(h, CVM_HOST_KVM, CVM_HOST_FAIL, r);
}

void cvm_host_judge_acceleration(const struct cvm_host *h, struct cvm_host_result *r)
{
    judge_node(h, CVM_HOST_KVM, CVM_HOST_WARN, r);
}

void cvm_host_judge_vhost_vsock(const struct cvm_host *h, struct cvm_host_result *r)
{
    judge_node(h, CVM_HOST_VSOCK, CVM_HOST_FAIL, r);
}

struct status { /* what the firmware says of itself */
    unsigned major, minor, state;
    bool rmp;
    uint32_t build;
    uint64_t current, reported;
};

/* False when there is no answer; the result says so then. */
static bool read_status(const struct cvm_host *h, struct status *s, struct cvm_host_result *r)
{
    if (!h->has_status) {
        const char *why = h->status_error;
        cvm_host_say(r, why ? CVM_HOST_FAIL : CVM_HOST_SKIP, "%s%s",
                     why ? "the firmware did not answer: " : "the firmware could not be asked",
                     why ? why : "");
        return false;
    }
    struct cvm_cursor c = cvm_cursor(h->status, sizeof h->status);
    s->major = cvm_cursor_u8(&c);
    s->minor = cvm_cursor_u8(&c);
    s->state = cvm_cursor_u8(&c);
    s->rmp = cvm_cursor_u8(&c) & 1;
    s->build = cvm_cursor_u32le(&c);
    (void)cvm_cursor_take(&c, 8); /* masked chip id and key, VLEK; number of guests */
    s->current = cvm_cursor_u64le(&c);
    s->reported = cvm_cursor_u64le(&c);
    return cvm_cursor_done(&c);
}

void cvm_host_judge_sev_firmware(const struct cvm_host *h, struct cvm_host_result *r)
{
    struct status s;
    if (!read_status(h, &s, r))
        return;
    unsigned version = s.major << 8 | s.minor;
    if (version < 0x133)
        cvm_host_say(r, CVM_HOST_FAIL, "%u.%u.%u, expected 1.51 or later", s.major, s.minor,
                     s.build);
    else if (s.state != 1)
        cvm_host_say(r, CVM_HOST_FAIL, "%u.%u.%u, not initialised for SNP (state %u)", s.major,
                     s.minor, s.build, s.state);
    else
        cvm_host_say(r, version < 0x137 ? CVM_HOST_WARN : CVM_HOST_OK, "%u.%u.%u%s", s.major,
                     s.minor, s.build,
                     version < 0x137 ? "; before 1.55 reports do not name the processor" : "");
}

void cvm_host_judge_rmp(const struct cvm_host *h, struct cvm_host_result *r)
{
    struct status s;
    if (read_status(h, &s, r))
        cvm_host_say(r, s.rmp ? CVM_HOST_OK : CVM_HOST_FAIL, "%s",
                     s.rmp ? "initialised" : "not initialised");
}

void cvm_host_judge_firmware_commit(const struct cvm_host *h, struct cvm_host_result *r)
{
    struct status s;
    if (!read_status(h, &s, r))
        return;
    if (s.current == s.reported)
        cvm_host_say(r, CVM_HOST_OK, "0x%016llx", (unsigned long long)s.current);
    else
        cvm_host_say(r, CVM_HOST_WARN, "0x%016llx runs, 0x%016llx is reported",
                     (unsigned long long)s.current, (unsigned long long)s.reported);
}

void cvm_host_judge_snp_slots(const struct cvm_host *h, struct cvm_host_result *r)
{
    char text[512];
    unsigned long slots = 0;
    if (!cvm_host_text(h, "/sys/fs/cgroup/misc.capacity", text, sizeof text)) {
        cvm_host_say(r, CVM_HOST_SKIP, "no misc.capacity: no cgroup v2, or no controller misc");
        return;
    }
    for (const char *line = text; line; line = (line = strchr(line, '\n')) ? line + 1 : NULL)
        if (sscanf(line, "sev_es %lu", &slots) == 1)
            break;
    if (slots)
        cvm_host_say(r, CVM_HOST_OK, "%lu", slots);
    else
        cvm_host_say(r, CVM_HOST_FAIL, "none: sev_es has no address space identifier");
}
