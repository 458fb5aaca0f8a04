/*
 * A cell taken over entirely: native code behind the walls tries one thing after another, each in a
 * process of its own. One file of this folder is one group of attempts; hostile-cell.c enters the
 * walls as 2cvm-cell does and makes one attempt; walls.c starts it, with a neighbour to be
 * attacked, and judges how it ended.
 */
#ifndef CVM_TEST_HOSTILE_H
#define CVM_TEST_HOSTILE_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HOSTILE_ROOT_BYTES (4u << 20)
#define HOSTILE_DATA_BYTES (32u << 20)
#define HOSTILE_INODES 64
#define HOSTILE_BELL 5
#define HOSTILE_REGION 6
#define HOSTILE_REGION_BYTES 65536

/* How an attempt has to end. */
enum hostile_end {
    KILLED,        /* the process is killed */
    SEALED_KILLED, /* killed from the second stage on; while a cell loads its code it works */
    REFUSED,       /* it gets an error and nothing else */
    CGROUP_KILLED, /* killed where there is a cgroup; else nothing stands against it */
    NEW_CODE,      /* refused where a process can say that it wants no new code (Linux 6.3) */
    OPEN,          /* only seccomp stands against it: what happens without is not judged */
};

/* Whose walls: what a compiler has, and what a cell has while it still loads its code, must hold as
 * well; both read bytes that others made. */
enum hostile_place { IN_CELL, IN_LOADING_CELL, IN_COMPILER };

/* What the judge tells the cell, through descriptor 0. */
struct hostile_order {
    uint32_t attempt;   /* counted over all groups */
    uint32_t place;     /* enum hostile_place */
    int32_t judge;      /* process that has `secret` in memory, where the judge sees it */
    int32_t neighbour;  /* another cell, that waits */
    uint16_t tcp_port;  /* the judge listens there on the loopback address … */
    char unix_name[30]; /* … and at this name in the abstract space */
    uint64_t secret;    /* address of 16 bytes in the judge */
};

struct hostile_attempt {
    const char *name;
    char (*make)(const struct hostile_order *order); /* 'o': it worked; 'e': it was refused */
    enum hostile_end walls;                          /* with all protections but at most one */
    enum hostile_end behind;                         /* with all but seccomp */
};

struct hostile_group {
    const char *name;
    const struct hostile_attempt *attempts;
    uint32_t n;
};

#define HOSTILE_GROUPS(X)                                                                          \
    X(channels)                                                                                    \
    X(files) X(kernel) X(memory) X(namespaces) X(network) X(processes) X(resources) X(timing)
#define X(name) extern const struct hostile_group hostile_##name;
HOSTILE_GROUPS(X)
#undef X

#define HOSTILE_GROUP(group)                                                                       \
    const struct hostile_group hostile_##group = {#group, attempts,                                \
                                                  sizeof attempts / sizeof attempts[0]}

/* An attempt that is one system call: open when it gives no error. */
#define ATTEMPT(name, ...)                                                                         \
    static char name(const struct hostile_order *order)                                            \
    {                                                                                              \
        (void)order;                                                                               \
        return syscall(__VA_ARGS__) >= 0 ? 'o' : 'e';                                              \
    }
#define OPEN_IF(cond) return (cond) ? 'o' : 'e'

#endif
