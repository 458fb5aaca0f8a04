#include "guest-agent/sandbox/internal.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* Who a cell is where there is no user namespace (root only). */
#define CELL_USER 61001u

int cvm_sandbox_enter(const struct cvm_sandbox_enter *spec, struct cvm_error *err)
{
    CVM_GUARD(cvm_sandbox_new_root(spec->root_bytes, spec->root_inodes, err));
    (void)umask(022);
    if (spec->profile != CVM_SANDBOX_CELL)
        return 0;
    bool user = CVM_HAS(spec->have, USER_NAMESPACE);
    if (mkdir("/in", 0755) < 0 || mkdir("/out", 0755) < 0 ||
        (!user && chown("/out", CELL_USER, CELL_USER) < 0))
        return cvm_fail(err, CVM_E_SANDBOX, "the cell's folders: %s", strerror(errno));
    return 0;
}

static int limit(int resource, rlim_t value, const char *name, struct cvm_error *err)
{
    struct rlimit r = {value, value};
    if (setrlimit((__rlimit_resource_t)resource, &r) < 0)
        return cvm_fail(err, CVM_E_SANDBOX, "%s: %s", name, strerror(errno));
    return 0;
}

static int set_limits(const struct cvm_sandbox_enter *spec, struct cvm_error *err)
{
    CVM_GUARD(limit(RLIMIT_CORE, 0, "RLIMIT_CORE", err));
    CVM_GUARD(limit(RLIMIT_FSIZE, spec->file_bytes, "RLIMIT_FSIZE", err));
    CVM_GUARD(limit(RLIMIT_NOFILE, 1024, "RLIMIT_NOFILE", err));
    CVM_GUARD(limit(RLIMIT_NPROC, 0, "RLIMIT_NPROC", err));
    CVM_GUARD(limit(RLIMIT_STACK, 8 << 20, "RLIMIT_STACK", err));
    CVM_GUARD(limit(RLIMIT_MEMLOCK, 0, "RLIMIT_MEMLOCK", err));
    CVM_GUARD(limit(RLIMIT_MSGQUEUE, 0, "RLIMIT_MSGQUEUE", err));
    CVM_GUARD(limit(RLIMIT_RTPRIO, 0, "RLIMIT_RTPRIO", err));
    return 0;
}

static int read_only(const char *path, struct cvm_error *err)
{
    if (mount(path, path, NULL, MS_BIND, NULL) < 0 ||
        mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
              NULL) < 0)
        return cvm_fail(err, CVM_E_SANDBOX, "%s could not be made read-only: %s", path,
                        strerror(errno));
    return 0;
}

/* Without a user namespace the process is real root until here. */
static int leave_root(struct cvm_error *err)
{
    if (setgroups(0, NULL) < 0 || syscall(SYS_setresgid, CELL_USER, CELL_USER, CELL_USER) < 0 ||
        syscall(SYS_setresuid, CELL_USER, CELL_USER, CELL_USER) < 0)
        return cvm_fail(err, CVM_E_SANDBOX, "the user could not be left: %s", strerror(errno));
    return 0;
}

static int drop_capabilities(unsigned have, struct cvm_error *err)
{
    for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
            return cvm_fail(err, CVM_E_SANDBOX, "capability %d stays bounded: %s", cap,
                            strerror(errno));
    if (prctl(PR_SET_SECUREBITS,
              SECURE_ALL_BITS & ~(1u << SECURE_KEEP_CAPS) & ~(1u << SECURE_NO_SETUID_FIXUP), 0, 0,
              0) < 0)
        return cvm_fail(err, CVM_E_SANDBOX, "securebits: %s", strerror(errno));
    if (prctl(PR_SET_SECUREBITS,
              (SECURE_ALL_BITS | SECURE_ALL_LOCKS) & ~(1u << SECURE_KEEP_CAPS) &
                  ~(1u << SECURE_NO_SETUID_FIXUP),
              0, 0, 0) < 0)
        return cvm_fail(err, CVM_E_SANDBOX, "securebits: %s", strerror(errno));
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (!CVM_HAS(have, USER_NAMESPACE))
        CVM_GUARD(leave_root(err));
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {0};
    if (syscall(SYS_capset, &head, none) < 0)
        return cvm_fail(err, CVM_E_SANDBOX, "capset: %s", strerror(errno));
    return 0;
}

int cvm_sandbox_confine(const struct cvm_sandbox_enter *spec, struct cvm_error *err)
{
    bool cell = spec->profile == CVM_SANDBOX_CELL;
    if (cell)
        CVM_GUARD(read_only("/in", err));
    /* The root itself holds /in and /out and nothing else, ever. */
    if (chmod("/", 0555) < 0)
        return cvm_fail(err, CVM_E_SANDBOX, "the root's mode: %s", strerror(errno));
    CVM_GUARD(set_limits(spec, err));
    CVM_GUARD(drop_capabilities(spec->have, err));
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return cvm_fail(err, CVM_E_SANDBOX, "prctl: %s", strerror(errno));
    if (CVM_HAS(spec->have, CORE_SCHEDULING))
        CVM_GUARD(cvm_sandbox_own_core(err));
    if (CVM_HAS(spec->have, SPECULATION_CONTROL))
        CVM_GUARD(cvm_sandbox_no_speculation(err));
    if (!cell)
        CVM_GUARD(cvm_sandbox_no_new_code(err));
    if (CVM_HAS(spec->have, LANDLOCK))
        CVM_GUARD(cvm_sandbox_landlock(spec->profile, err));
    if (CVM_HAS(spec->have, SECCOMP))
        CVM_GUARD(cvm_sandbox_seccomp(cell ? CVM_SECCOMP_LOAD : CVM_SECCOMP_COMPILE, err));
    return 0;
}

int cvm_sandbox_seal(const struct cvm_sandbox_enter *spec, struct cvm_error *err)
{
    CVM_GUARD(cvm_sandbox_no_new_code(err));
    return CVM_HAS(spec->have, SECCOMP) ? cvm_sandbox_seccomp(CVM_SECCOMP_RUN, err) : 0;
}
