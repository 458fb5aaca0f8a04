/* Shared by the files of this folder only. */
#ifndef CVM_SANDBOX_INTERNAL_H
#define CVM_SANDBOX_INTERNAL_H

#include "guest-agent/sandbox/sandbox.h"

#define CVM_HAS(have, NAME) (((have) & (1u << CVM_PROTECTION_##NAME)) != 0)

/*
 * Makes a child in new namespaces (CLONE_NEW… flags), inside a new user namespace as its user 0
 * when CLONE_NEWUSER is among them. Like fork(): returns 0 in the child, which by then dies with
 * the caller's thread and is mapped, and the pid in the parent. `cgroup` and `proc` as in struct
 * cvm_sandbox_spawn. ret_pidfd may be NULL.
 */
pid_t cvm_sandbox_clone(uint64_t flags, int cgroup, int proc, int *ret_pidfd,
                        struct cvm_error *err);

/* The CLONE_NEW… flags of a set of protections. */
uint64_t cvm_sandbox_clone_flags(unsigned have);

/* An empty tmpfs becomes the root of this mount namespace; everything else is detached. */
int cvm_sandbox_new_root(uint64_t bytes, uint64_t inodes, struct cvm_error *err);

/* Landlock: nothing but reading below /in and changing below /out (cell), or nothing at all
 * (compiler). */
int cvm_sandbox_landlock(enum cvm_sandbox_profile profile, struct cvm_error *err);

/*
 * Core scheduling: a cookie that no other process has, so that the kernel never runs another on the
 * second thread of the same core at the same time. Also well where the kernel knows no core with
 * two threads. What a hypervisor hides of its cores cannot be known.
 */
int cvm_sandbox_own_core(struct cvm_error *err);

/*
 * No indirect-branch prediction trained by others and no store bypass in this process, for good.
 * Well only when the kernel says afterwards that each is off, or that the processor has no such
 * weakness.
 */
int cvm_sandbox_no_speculation(struct cvm_error *err);

/*
 * No memory of this process can become executable that is not so now; a second wall behind seccomp,
 * where the kernel has it (6.3).
 */
int cvm_sandbox_no_new_code(struct cvm_error *err);

/* Younger than the headers of Debian 12; the number is the kernel's ABI. */
#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#endif

/* Seccomp: installs the allow-list of a phase from seccomp.def. Needs no_new_privs or
 * CAP_SYS_ADMIN. */
enum cvm_seccomp_phase { CVM_SECCOMP_LOAD, CVM_SECCOMP_RUN, CVM_SECCOMP_COMPILE };
int cvm_sandbox_seccomp(enum cvm_seccomp_phase phase, struct cvm_error *err);

#endif
