/*
 * A child process under limits: CPU time by the kernel's own account of it, wall time by a timer of
 * ours, its end by its pidfd. Used for the compiler and for cells.
 *
 * CPU time: a timer is set for what is left of the budget. A process with one thread (the sandbox
 * refuses a second) can't use more CPU time than passes, so the timer never comes late by more than
 * CVM_PROCESS_GRAIN_MS.
 */
#ifndef CVM_AGENT_PROCESS_H
#define CVM_AGENT_PROCESS_H

#include <sys/types.h>
#include <time.h>

#include "guest-agent/agent/loop.h"

#define CVM_PROCESS_GRAIN_MS 10

enum cvm_process_stop {
    CVM_STOP_NONE, /* it ended by itself */
    CVM_STOP_CPU,
    CVM_STOP_WALL,
    CVM_STOP_CALLER,
};

struct cvm_process {
    struct cvm_loop *loop;
    struct cvm_source end, wall, cpu;
    pid_t pid; /* 0: none */
    int pidfd, wall_fd, cpu_fd;
    clockid_t clock;
    uint64_t cpu_limit_ms, started_ms;
    enum cvm_process_stop stop; /* the first reason to kill it */

    /* After the end: */
    int status; /* as of wait4() */
    uint64_t cpu_ms, wall_ms, peak_bytes;

    /* Called once, when it has ended and was reaped. It may free the process. */
    void (*ended)(struct cvm_process *process);
    void *owner;
};

/*
 * Watches a child that was just started; pidfd is taken over in any case. On failure the child is
 * killed and reaped.
 */
int cvm_process_watch(struct cvm_process *p, struct cvm_loop *loop, pid_t pid, int pidfd,
                      uint64_t cpu_limit_ms, uint64_t wall_limit_ms,
                      struct cvm_error *err) CVM_MUST_USE;
/* Kills it; `ended` comes later. Fine when it has ended. */
void cvm_process_kill(struct cvm_process *p, enum cvm_process_stop why);
/* Kills, reaps and forgets it without calling `ended`. Fine when there is none. */
void cvm_process_end(struct cvm_process *p);

#endif
