/*
 * The walls around a cell and the compiler: namespaces, an empty root, seccomp, landlock, rlimits,
 * core scheduling, speculation control, and a cgroup where there is one. The agent calls
 * cvm_sandbox_probe(), cvm_sandbox_spawn() and the cgroup functions; the programs that it starts
 * call cvm_sandbox_enter() first thing, and a cell cvm_sandbox_seal() before any guest code runs.
 *
 * Protections are sets: bit i = enum cvm_protection i of core/manifest/manifest.h. A set named
 * `have` is what the kernel offers (from the probe). Each of them is always used; what is missing
 * was waived by the manifest, which the agent checks.
 *
 * Security: the walls are set up by our own program inside the new namespaces, before it reads
 * anything that a participant made. Every step that fails is an error, never skipped: only a
 * protection that is not in `have` is left out. Without `mount-namespace` no cell can be made at
 * all (its private root needs it); without `user-namespace` only root can.
 */
#ifndef CVM_SANDBOX_SANDBOX_H
#define CVM_SANDBOX_SANDBOX_H

#include <stdint.h>
#include <sys/types.h>

#include "core/base/memory.h"
#include "core/manifest/manifest.h"

#define CVM_PROTECTIONS_ALL ((1u << CVM_PROTECTION_COUNT) - 1)

/*
 * Tries each protection for real, in children, and writes the set of those that work here. Takes
 * some milliseconds. Errors: CVM_E_SANDBOX when no child can be made at all.
 */
int cvm_sandbox_probe(unsigned *ret_have, struct cvm_error *err) CVM_MUST_USE;

/* -------------------------------------------------------------------- the agent's side */

struct cvm_sandbox_fd {
    int from; /* a descriptor of the caller; stays open there */
    int to;   /* its number in the child, below CVM_SANDBOX_FD_LIMIT; each number once */
};
#define CVM_SANDBOX_FD_LIMIT 512

struct cvm_sandbox_spawn {
    int program;      /* an open descriptor of the program (static, O_PATH | O_CLOEXEC is enough) */
    const char *name; /* its argv[0] */
    unsigned have;    /* from the probe */
    const struct cvm_sandbox_fd *fds;
    size_t n_fds;
    uint64_t data_bytes;  /* RLIMIT_DATA: private writable memory, linear memories included */
    uint64_t cpu_seconds; /* RLIMIT_CPU, the backstop behind the agent's own timer; at least 1 */
    int cgroup;           /* descriptor of a leaf made by cvm_cgroup_create(), or -1 */
    int proc;             /* a directory descriptor of /proc, or -1: /proc is opened */
};

struct cvm_sandbox_child {
    pid_t pid;
    int pidfd; /* owned by the caller: poll for its end, pidfd_send_signal() to kill; close it */
};

/*
 * Starts the program as PID 1 of new namespaces, with exactly the given descriptors, an empty
 * environment, no supplementary groups, an own unprivileged user (as root; else the caller's),
 * killed when the caller's thread ends. Everything else of the caller is closed. SIGCHLD is the
 * exit signal.
 *
 * Returns after the program was executed. Errors: CVM_E_SANDBOX; the child is gone then, and
 * reaped.
 */
int cvm_sandbox_spawn(const struct cvm_sandbox_spawn *spec, struct cvm_sandbox_child *ret,
                      struct cvm_error *err) CVM_MUST_USE;

/*
 * cgroup v2. `parent` is a directory descriptor of a group that we may divide; cvm_cgroup_root()
 * opens the group of the calling process. CVM_E_UNSUPPORTED where there is none with the
 * controllers memory, cpu and pids.
 */
int cvm_cgroup_root(int *ret_parent, struct cvm_error *err) CVM_MUST_USE;
/* Makes the leaf `name` with memory.max, memory.swap.max = 0, pids.max and memory.oom.group = 1;
 * ret_leaf is owned. */
int cvm_cgroup_create(int parent, const char *name, uint64_t memory_bytes, unsigned pids,
                      int *ret_leaf, struct cvm_error *err) CVM_MUST_USE;
/* Kills what is left in it and removes it. Best effort: never fails for the caller. */
void cvm_cgroup_remove(int parent, const char *name, int leaf);

/* -------------------------------------------------------------------- the child's side */

enum cvm_sandbox_profile {
    CVM_SANDBOX_CELL,    /* files under /in (read only) and /out; may publish code until
                            cvm_sandbox_seal() */
    CVM_SANDBOX_COMPILE, /* no file at all, never executable memory */
};

struct cvm_sandbox_enter {
    unsigned have;
    enum cvm_sandbox_profile profile;
    uint64_t root_bytes;  /* size of the tmpfs that becomes the root, its own pages included */
    uint64_t root_inodes; /* files and folders in it */
    uint64_t file_bytes;  /* RLIMIT_FSIZE */
};

/* What cvm_sandbox_spawn() passed in argv[1]: the set `have`. Errors: CVM_E_USAGE for anything
 * else. */
int cvm_sandbox_have(int argc, char **argv, unsigned *ret_have, struct cvm_error *err) CVM_MUST_USE;

/*
 * The new root is made and entered (with /in and /out for a cell): the old one and every other
 * mount are gone. The caller may still fill /in, then calls cvm_sandbox_confine().
 */
int cvm_sandbox_enter(const struct cvm_sandbox_enter *spec, struct cvm_error *err) CVM_MUST_USE;

/*
 * rlimits, capabilities, no_new_privs, no dumps, a core of its own, no speculation that others
 * steer, landlock, seccomp (stage 1). For good: nothing here can be
 * taken back. From now on any system call that seccomp.def does not list kills the process.
 */
int cvm_sandbox_confine(const struct cvm_sandbox_enter *spec, struct cvm_error *err) CVM_MUST_USE;

/* Stage 2, for a cell: from now on no memory can be made executable (said by seccomp and, where the
 * kernel has it, by the process itself), and seccomp and prctl are gone too. */
int cvm_sandbox_seal(const struct cvm_sandbox_enter *spec, struct cvm_error *err) CVM_MUST_USE;

#endif
