#include "guest-agent/sandbox/internal.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum rule { NO, YES, NOEXEC, NOWX, MAP_NOEXEC, MAP_NOWX, LACKS };

struct row {
    unsigned number;
    enum rule rule[3]; /* by enum cvm_seccomp_phase */
};

static const struct row table[] = {
#define X(name, load, run, compile, why) {SYS_##name, {load, run, compile}},
#include "guest-agent/sandbox/seccomp.def"
#undef X
};
/* Filters add up: a call that only the second stage allowed would still be killed by the first. */
#define X(name, load, run, compile, why)                                                           \
    _Static_assert((run) == NO || (load) != NO, "load has to hold all of run: " #name);
#include "guest-agent/sandbox/seccomp.def"
#undef X
#define ROWS (sizeof table / sizeof table[0])
#define ROW_MAX 9 /* instructions for one row */

/*
 * Memory that RLIMIT_DATA does not count: shared mappings (also MAP_SHARED_VALIDATE, which has the
 * bit of MAP_SHARED) and mappings that grow downwards.
 */
#define UNCOUNTED (MAP_SHARED | MAP_GROWSDOWN)

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

/* Ends a row: allowed unless PROT_EXEC (no_exec), or PROT_WRITE and PROT_EXEC together, is asked.
 */
static void emit_protection(struct program *p, bool no_exec)
{
    /* Its low half: protections have no high bits, and x86 is little-endian. */
    LOAD(p, args[2]);
    if (no_exec) {
        emit(p, BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1, 0);
    } else {
        emit(p, BPF_ALU | BPF_AND | BPF_K, PROT_WRITE | PROT_EXEC, 0, 0);
        emit(p, BPF_JMP | BPF_JEQ | BPF_K, PROT_WRITE | PROT_EXEC, 1, 0);
    }
    RETURN(p, SECCOMP_RET_ALLOW);
    RETURN(p, SECCOMP_RET_KILL_PROCESS);
}

/* One row: if it is this call, decide; else go on. The accumulator holds the call's number. */
static void emit_row(struct program *p, unsigned number, enum rule rule)
{
    switch (rule) {
    case NO:
        return;
    case YES:
    case LACKS:
        emit(p, BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1);
        RETURN(p, rule == YES ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | ENOSYS);
        return;
    case NOEXEC:
    case NOWX:
        emit(p, BPF_JMP | BPF_JEQ | BPF_K, number, 0, rule == NOEXEC ? 4 : 5);
        emit_protection(p, rule == NOEXEC);
        return;
    case MAP_NOEXEC:
    case MAP_NOWX:
        emit(p, BPF_JMP | BPF_JEQ | BPF_K, number, 0, rule == MAP_NOEXEC ? 7 : 8);
        LOAD(p, args[3]);
        emit(p, BPF_JMP | BPF_JSET | BPF_K, UNCOUNTED, 0, 1);
        RETURN(p, SECCOMP_RET_KILL_PROCESS);
        emit_protection(p, rule == MAP_NOEXEC);
        return;
    }
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
        emit_row(&p, table[i].number, table[i].rule[phase]);
    RETURN(&p, SECCOMP_RET_KILL_PROCESS);
    struct sock_fprog filter = {.len = p.len, .filter = p.code};
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0)
        return cvm_fail(err, CVM_E_SANDBOX, "seccomp: %s", strerror(errno));
    return 0;
}
