/* What test/attack/hostile-cell.c can try, shared with the test that judges it. */
#ifndef CVM_TEST_HOSTILE_CELL_H
#define CVM_TEST_HOSTILE_CELL_H

#define HOSTILE_ROOT_BYTES (4u << 20)
#define HOSTILE_DATA_BYTES (32u << 20)

/* X(what it tries, how it has to end): KILLED by the filter, or REFUSED with an error. */
/* clang-format off */
#define HOSTILE_TABLE(X)                                                                      \
    X(TCP, KILLED) X(UNIX, KILLED) X(VSOCK, KILLED) X(NETLINK, KILLED) X(EXEC, KILLED)        \
    X(EXEC_SELF, KILLED) X(FORK, KILLED) X(CLONE, KILLED) X(CLONE3, KILLED)                   \
    X(UNSHARE, KILLED) X(SETNS, KILLED) X(PTRACE, KILLED) X(READ_PROCESS, KILLED)             \
    X(KILL, KILLED) X(PIDFD, KILLED) X(PROC, REFUSED) X(PROC_DIR, REFUSED) X(ETC, REFUSED)    \
    X(DOT_DOT, REFUSED) X(DEV, REFUSED) X(WRITE_IN, REFUSED) X(WRITE_ROOT, REFUSED)           \
    X(LIST_ROOT, REFUSED) X(BIG_FILE, REFUSED) X(MANY_FILES, REFUSED) X(MKNOD, KILLED)        \
    X(MOUNT, KILLED) X(UMOUNT, KILLED) X(CHROOT, KILLED) X(SETUID, KILLED) X(CAPSET, KILLED)  \
    X(PRCTL, KILLED) X(RLIMIT, KILLED) X(MPROTECT_EXEC, KILLED) X(MMAP_EXEC, KILLED)          \
    X(PKEY, KILLED) X(SHM, KILLED) X(MQ, KILLED) X(MEMFD, KILLED) X(IO_URING, KILLED)         \
    X(USERFAULTFD, KILLED) X(KEYCTL, KILLED) X(ADD_KEY, KILLED) X(BPF, KILLED)                \
    X(PERF, KILLED) X(UNAME, KILLED) X(SECCOMP, KILLED) X(IOCTL, KILLED) X(MODULE, KILLED)    \
    X(REBOOT, KILLED) X(I386, KILLED) X(X32, KILLED) X(MEMORY, REFUSED)                       \
    X(SHARED_MEMORY, KILLED) X(SHARED_VALIDATED, KILLED) X(GROWING_MEMORY, KILLED)            \
    X(STACK_MEMORY, REFUSED) X(DESCRIPTORS, REFUSED) X(LOOP, KILLED) X(NOTHING, REFUSED)
/* clang-format on */

enum hostile {
#define X(what, how) HOSTILE_##what,
    HOSTILE_TABLE(X)
#undef X
        HOSTILE_COUNT
};

#endif
