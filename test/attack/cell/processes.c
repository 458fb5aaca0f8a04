/*
 * Group: other processes: the judge (in the agent's place) and another cell. Catches missing: the
 * seccomp list, the PID namespace, own users, and that no cell can be dumped.
 */
#include "test/attack/cell/hostile.h"

#include <linux/kcmp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>

static char read_from(int pid, uint64_t address)
{
    char bytes[16];
    struct iovec to = {bytes, sizeof bytes}, from = {(void *)(uintptr_t)address, sizeof bytes};
    OPEN_IF(process_vm_readv(pid, &to, 1, &from, 1, 0) > 0);
}

static char read_judge(const struct hostile_order *order)
{
    return read_from(order->judge, order->secret);
}

static char write_judge(const struct hostile_order *order)
{
    char bytes[16] = "overwritten";
    struct iovec from = {bytes, sizeof bytes},
                 to = {(void *)(uintptr_t)order->secret, sizeof bytes};
    OPEN_IF(process_vm_writev(order->judge, &from, 1, &to, 1, 0) > 0);
}

/* Same program, so without address randomisation it would be at the same place. */
static char read_neighbour(const struct hostile_order *order)
{
    return read_from(order->neighbour, (uint64_t)(uintptr_t)order);
}

/* Every number there could be but its own. */
static char anybody(const struct hostile_order *order)
{
    int self = getpid(), most = order->neighbour > 70000 ? order->neighbour : 70000;
    for (int pid = 2; pid <= most; pid++)
        if (pid != self && (kill(pid, 0) == 0 || errno == EPERM))
            return 'o';
    return 'e';
}

static char kill_neighbour(const struct hostile_order *order)
{
    OPEN_IF(kill(order->neighbour, SIGTERM) == 0);
}

static char kill_all(const struct hostile_order *order)
{
    (void)order;
    OPEN_IF(kill(-1, SIGTERM) == 0);
}

static char attach(const struct hostile_order *order)
{
    OPEN_IF(ptrace(PTRACE_ATTACH, order->neighbour, 0, 0) == 0);
}

static char attach_judge(const struct hostile_order *order)
{
    OPEN_IF(ptrace(PTRACE_SEIZE, order->judge, 0, 0) == 0);
}

static char child(const struct hostile_order *order)
{
    (void)order;
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    OPEN_IF(pid > 0);
}

static char thread(const struct hostile_order *order)
{
    (void)order;
    static char stack[4096];
    OPEN_IF(syscall(SYS_clone, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND | CLONE_FILES,
                    stack + sizeof stack, 0, 0, 0) > 0);
}

static char program(const struct hostile_order *order)
{
    (void)order;
    char *none[] = {NULL};
    OPEN_IF(execve("/out/x", none, none) == 0);
}

/* A crash leaves nothing behind: the judge has no limit on dumps, and sees none. */
static char dump(const struct hostile_order *order)
{
    (void)order;
    abort();
}

ATTEMPT(descriptor, SYS_pidfd_open, order->neighbour, 0)
ATTEMPT(queue, SYS_rt_sigqueueinfo, order->neighbour, SIGTERM, NULL)
ATTEMPT(compare, SYS_kcmp, order->neighbour, order->judge, KCMP_FILES, 0, 0)
ATTEMPT(limits, SYS_prlimit64, order->neighbour, RLIMIT_CPU, NULL, (uint64_t[2]){0})
ATTEMPT(priority, SYS_setpriority, PRIO_PROCESS, order->neighbour, 19)
ATTEMPT(affinity, SYS_sched_setaffinity, order->neighbour, 8, (uint64_t[1]){1})
ATTEMPT(pages, SYS_move_pages, order->neighbour, 0, NULL, NULL, NULL, 0)
ATTEMPT(locks, SYS_get_robust_list, order->neighbour, (void *[1]){NULL}, (size_t[1]){0})
ATTEMPT(memory_barrier, SYS_membarrier, 1, 0, 0)
ATTEMPT(clone3, SYS_clone3, NULL, 0)
ATTEMPT(parent, SYS_ptrace, PTRACE_TRACEME, 0, 0, 0)

static const struct hostile_attempt attempts[] = {
    {"read the judge", read_judge, KILLED, REFUSED},
    {"write to the judge", write_judge, KILLED, REFUSED},
    {"read another cell", read_neighbour, KILLED, REFUSED},
    {"find anybody", anybody, KILLED, REFUSED},
    {"kill another cell", kill_neighbour, KILLED, REFUSED},
    {"kill everybody", kill_all, KILLED, REFUSED},
    {"trace another cell", attach, KILLED, REFUSED},
    {"trace the judge", attach_judge, KILLED, REFUSED},
    {"be traced", parent, KILLED, OPEN}, /* by its parent: the agent */
    {"descriptor of another cell", descriptor, KILLED, REFUSED},
    {"signal with data", queue, KILLED, REFUSED},
    {"compare processes", compare, KILLED, REFUSED},
    {"limits of another cell", limits, KILLED, REFUSED},
    {"priority of another cell", priority, KILLED, REFUSED},
    {"processors of another cell", affinity, KILLED, REFUSED},
    {"pages of another cell", pages, KILLED, REFUSED},
    {"locks of another cell", locks, KILLED, REFUSED},
    {"interrupt all processors", memory_barrier, KILLED, OPEN},
    {"make a child", child, KILLED, REFUSED},
    {"make a thread", thread, KILLED, REFUSED},
    {"make a child by clone3", clone3, KILLED, REFUSED},
    {"run a program", program, KILLED, REFUSED},
    {"leave a dump", dump, KILLED, KILLED},
};
HOSTILE_GROUP(processes);
