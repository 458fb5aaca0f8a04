#include "guest-agent/agent/process.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"

static void set_timer(int fd, uint64_t ms)
{
    if (ms < CVM_PROCESS_GRAIN_MS)
        ms = CVM_PROCESS_GRAIN_MS;
    struct itimerspec t = {
        .it_value = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000}};
    timerfd_settime(fd, 0, &t, NULL);
}

static void forget(struct cvm_process *p)
{
    cvm_loop_remove(p->loop, &p->end);
    cvm_loop_remove(p->loop, &p->wall);
    cvm_loop_remove(p->loop, &p->cpu);
    int *fds[] = {&p->pidfd, &p->wall_fd, &p->cpu_fd};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
    p->pid = 0;
}

/* True when the child was there to reap. */
static bool reap(struct cvm_process *p, int options)
{
    struct rusage used;
    pid_t got;
    do
        got = wait4(p->pid, &p->status, options | __WALL, &used);
    while (got < 0 && errno == EINTR);
    if (got != p->pid)
        return false;
    p->cpu_ms = (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000 +
                (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1000;
    p->peak_bytes = (uint64_t)used.ru_maxrss * 1024;
    p->wall_ms = (uint64_t)cvm_now_ms() - p->started_ms;
    return true;
}

static void end_ready(struct cvm_source *source, uint32_t events)
{
    (void)events;
    struct cvm_process *p = source->owner;
    if (!reap(p, WNOHANG))
        return;
    forget(p);
    p->ended(p);
}

static void wall_ready(struct cvm_source *source, uint32_t events)
{
    (void)events;
    struct cvm_process *p = source->owner;
    cvm_loop_remove(p->loop, &p->wall);
    cvm_process_kill(p, CVM_STOP_WALL);
}

static void cpu_ready(struct cvm_source *source, uint32_t events)
{
    (void)events;
    struct cvm_process *p = source->owner;
    uint64_t expired;
    struct timespec t;
    if (read(p->cpu_fd, &expired, sizeof expired) < 0)
        return;
    if (clock_gettime(p->clock, &t) < 0) { /* it has ended: its pidfd says so */
        cvm_loop_remove(p->loop, &p->cpu);
        return;
    }
    uint64_t used = (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
    if (used < p->cpu_limit_ms) {
        set_timer(p->cpu_fd, p->cpu_limit_ms - used);
        return;
    }
    cvm_loop_remove(p->loop, &p->cpu);
    cvm_process_kill(p, CVM_STOP_CPU);
}

static int watch(struct cvm_process *p, uint64_t wall_limit_ms, struct cvm_error *err)
{
    p->wall_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    p->cpu_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (p->wall_fd < 0 || p->cpu_fd < 0)
        return cvm_fail_errno(err, "no timer for a process");
    int failed = clock_getcpuclockid(p->pid, &p->clock);
    CVM_ENSURE(!failed, err, CVM_E_SANDBOX, "no CPU clock of a process");
    set_timer(p->wall_fd, wall_limit_ms);
    set_timer(p->cpu_fd, p->cpu_limit_ms);
    CVM_GUARD(cvm_loop_add(p->loop, &p->wall, p->wall_fd, EPOLLIN, err));
    CVM_GUARD(cvm_loop_add(p->loop, &p->cpu, p->cpu_fd, EPOLLIN, err));
    return cvm_loop_add(p->loop, &p->end, p->pidfd, EPOLLIN, err);
}

int cvm_process_watch(struct cvm_process *p, struct cvm_loop *loop, pid_t pid, int pidfd,
                      uint64_t cpu_limit_ms, uint64_t wall_limit_ms, struct cvm_error *err)
{
    p->loop = loop;
    p->pid = pid;
    p->pidfd = pidfd;
    p->wall_fd = p->cpu_fd = -1;
    p->cpu_limit_ms = cpu_limit_ms;
    p->started_ms = (uint64_t)cvm_now_ms();
    p->stop = CVM_STOP_NONE;
    p->end = (struct cvm_source){.fd = -1, .ready = end_ready, .owner = p};
    p->wall = (struct cvm_source){.fd = -1, .ready = wall_ready, .owner = p};
    p->cpu = (struct cvm_source){.fd = -1, .ready = cpu_ready, .owner = p};
    if (watch(p, wall_limit_ms, err) == 0)
        return 0;
    cvm_process_end(p);
    return -1;
}

void cvm_process_kill(struct cvm_process *p, enum cvm_process_stop why)
{
    if (!p->pid)
        return;
    if (p->stop == CVM_STOP_NONE)
        p->stop = why;
    syscall(SYS_pidfd_send_signal, p->pidfd, SIGKILL, NULL, 0);
}

void cvm_process_end(struct cvm_process *p)
{
    if (!p->pid)
        return;
    cvm_process_kill(p, CVM_STOP_CALLER);
    reap(p, 0);
    forget(p);
}
