#include "guest-agent/sandbox/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/falloc.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>

enum rule { NO, YES, EXEC, LACKS };

enum check { CHECK_ANY, CHECK_ONE_OF, CHECK_UP_TO, CHECK_BITS, CHECK_PROTECTION, CHECK_MAP };

#define VALUES_MAX 8

struct row {
    unsigned number;
    enum rule rule[3]; /* by enum cvm_seccomp_phase */
    enum check check;
    unsigned argument, n_values;
    uint32_t values[VALUES_MAX];
};

/* Of the table's last columns; a list counts its own values, so none of them may be left out. */
#define COUNT(...) (sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))
#define ANY                                                                                        \
    CHECK_ANY, 0, 0,                                                                               \
    {                                                                                              \
        0                                                                                          \
    }
#define ONE_OF(n, ...)                                                                             \
    CHECK_ONE_OF, n, COUNT(__VA_ARGS__),                                                           \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define UP_TO(n, max)                                                                              \
    CHECK_UP_TO, n, 1,                                                                             \
    {                                                                                              \
        max                                                                                        \
    }
#define BITS(n, mask)                                                                              \
    CHECK_BITS, n, 1,                                                                              \
    {                                                                                              \
        mask                                                                                       \
    }
#define PROTECTION                                                                                 \
    CHECK_PROTECTION, 2, 0,                                                                        \
    {                                                                                              \
        0                                                                                          \
    }
#define MAP                                                                                        \
    CHECK_MAP, 2, 0,                                                                               \
    {                                                                                              \
        0                                                                                          \
    }

static const struct row table[] = {
#define X(name, load, run, compile, arguments, why) {SYS_##name, {load, run, compile}, arguments},
#include "guest-agent/sandbox/seccomp.def"
#undef X
};
/* Filters add up: a call that only the second stage allowed would still be killed by the first. */
#define X(name, load, run, compile, arguments, why)                                                \
    _Static_assert((run) == NO || (load) != NO, "load has to hold all of run: " #name);
#include "guest-agent/sandbox/seccomp.def"
#undef X
#define ROWS (sizeof table / sizeof table[0])
#define ROW_MAX 16 /* instructions for one row */
_Static_assert(8 + ROWS * ROW_MAX <= BPF_MAXINSNS, "the kernel takes no longer filter");

/*
 * Memory that RLIMIT_DATA does not count: shared mappings (also MAP_SHARED_VALIDATE, which has the
 * bit of MAP_SHARED) and mappings that grow downwards. Locked pages and those of the huge-page file
 * system are nothing that a cell needs.
 */
#define UNCOUNTED (MAP_SHARED | MAP_GROWSDOWN | MAP_LOCKED | MAP_HUGETLB)

struct program {
    struct sock_filter code[8 + ROWS * ROW_MAX];
    unsigned short len;
};

static void emit(struct program *p, uint16_t code, uint32_t k, uint8_t jt, uint8_t jf)
{
    p->code[p->len++] = (struct sock_filter){.code = code, .jt = jt, .jf = jf, .k = k};
}

#define LOAD(p, field) emit(p, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field), 0, 0)
#define RETURN(p, action) emit(p, BPF_RET | BPF_K, action, 0, 0)
#define KILL_IF(p, how, k)                                                                         \
    do {                                                                                           \
        emit(p, BPF_JMP | (how) | BPF_K, k, 0, 1);                                                 \
        RETURN(p, SECCOMP_RET_KILL_PROCESS);                                                       \
    } while (0)

/* Its low half: the kernel takes all that the table checks as 32 bits, and x86 is little-endian. */
static void load_argument(struct program *p, unsigned n)
{
    LOAD(p, args[n]);
}

/* Falls through when the protection that is asked for may be had. */
static void emit_protection(struct program *p, enum rule rule)
{
    load_argument(p, 2);
    KILL_IF(p, BPF_JSET, ~(uint32_t)(PROT_READ | PROT_WRITE | PROT_EXEC));
    if (rule == YES) {
        KILL_IF(p, BPF_JSET, PROT_EXEC);
        return;
    }
    emit(p, BPF_ALU | BPF_AND | BPF_K, PROT_WRITE | PROT_EXEC, 0, 0);
    KILL_IF(p, BPF_JEQ, PROT_WRITE | PROT_EXEC);
}

/* Falls through when the arguments are allowed, and kills when they are not. */
static void emit_check(struct program *p, const struct row *row, enum rule rule)
{
    switch (row->check) {
    case CHECK_ANY:
        return;
    case CHECK_ONE_OF:
        load_argument(p, row->argument);
        for (unsigned i = 0; i < row->n_values; i++) /* over the rest and the end */
            emit(p, BPF_JMP | BPF_JEQ | BPF_K, row->values[i], (uint8_t)(row->n_values - i), 0);
        RETURN(p, SECCOMP_RET_KILL_PROCESS);
        return;
    case CHECK_UP_TO:
        load_argument(p, row->argument);
        KILL_IF(p, BPF_JGT, row->values[0]);
        return;
    case CHECK_BITS:
        load_argument(p, row->argument);
        KILL_IF(p, BPF_JSET, ~row->values[0]);
        return;
    case CHECK_MAP:
        load_argument(p, 3);
        KILL_IF(p, BPF_JSET, UNCOUNTED);
        emit_protection(p, rule);
        return;
    case CHECK_PROTECTION:
        emit_protection(p, rule);
        return;
    }
}

/* One row: if it is this call, decide; else go on. The accumulator holds the call's number. */
static void emit_row(struct program *p, const struct row *row, enum rule rule)
{
    if (rule == NO)
        return;
    unsigned short jump = p->len;
    emit(p, BPF_JMP | BPF_JEQ | BPF_K, row->number, 0, 0);
    if (rule != LACKS)
        emit_check(p, row, rule);
    RETURN(p, rule == LACKS ? SECCOMP_RET_ERRNO | ENOSYS : SECCOMP_RET_ALLOW);
    p->code[jump].jf = (uint8_t)(p->len - jump - 1);
}

int cvm_sandbox_seccomp(enum cvm_seccomp_phase phase, struct cvm_error *err)
{
    struct program p = {.len = 0};
    /* x86-64 only: the 32-bit calls come with another architecture, the x32 ones with a bit in the
     * number. */
    LOAD(&p, arch);
    emit(&p, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
    RETURN(&p, SECCOMP_RET_KILL_PROCESS);
    LOAD(&p, nr);
    for (size_t i = 0; i < ROWS; i++)
        emit_row(&p, &table[i], table[i].rule[phase]);
    RETURN(&p, SECCOMP_RET_KILL_PROCESS);
    struct sock_fprog filter = {.len = p.len, .filter = p.code};
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0)
        return cvm_fail(err, CVM_E_SANDBOX, "seccomp: %s", strerror(errno));
    return 0;
}
