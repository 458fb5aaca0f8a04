#include "guest-agent/sandbox/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Which step failed in the child, sent through a pipe that execution closes. */
struct failure {
    int error;
    char step[28];
};

static _Noreturn void give_up(int pipe, const char *step)
{
    struct failure f = {.error = errno};
    (void)snprintf(f.step, sizeof f.step, "%s", step);
    ssize_t ignored = write(pipe, &f, sizeof f);
    (void)ignored;
    _exit(1);
}

/*
 * Exactly the wanted descriptors at their numbers. All are first copied above the range, because a
 * wanted number may be the source of another; the copies and everything else there close when the
 * program is executed.
 */
static void place_descriptors(const struct cvm_sandbox_spawn *spec, int *program, int *report)
{
    int high[CVM_SANDBOX_FD_LIMIT];
    int old = *report;
    *report = fcntl(old, F_DUPFD_CLOEXEC, CVM_SANDBOX_FD_LIMIT);
    if (*report < 0)
        give_up(old, "descriptor");
    *program = fcntl(spec->program, F_DUPFD_CLOEXEC, CVM_SANDBOX_FD_LIMIT);
    if (*program < 0)
        give_up(*report, "program");
    for (size_t i = 0; i < spec->n_fds; i++) {
        high[i] = fcntl(spec->fds[i].from, F_DUPFD_CLOEXEC, CVM_SANDBOX_FD_LIMIT);
        if (high[i] < 0)
            give_up(*report, "descriptor");
    }
    if (syscall(SYS_close_range, 0u, CVM_SANDBOX_FD_LIMIT - 1u, 0u) < 0 ||
        syscall(SYS_close_range, (unsigned)CVM_SANDBOX_FD_LIMIT, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
        give_up(*report, "close_range");
    for (size_t i = 0; i < spec->n_fds; i++)
        if (dup2(high[i], spec->fds[i].to) < 0)
            give_up(*report, "dup2");
}

static void set_limits(const struct cvm_sandbox_spawn *spec, int report)
{
    struct rlimit data = {spec->data_bytes, spec->data_bytes};
    if (setrlimit(RLIMIT_DATA, &data) < 0)
        give_up(report, "RLIMIT_DATA");
    /* No SIGXCPU first: the process is killed at once. */
    struct rlimit cpu = {spec->cpu_seconds, spec->cpu_seconds};
    if (setrlimit(RLIMIT_CPU, &cpu) < 0)
        give_up(report, "RLIMIT_CPU");
    struct rlimit core = {0, 0};
    if (setrlimit(RLIMIT_CORE, &core) < 0)
        give_up(report, "RLIMIT_CORE");
}

static void default_signals(int report)
{
    for (int s = 1; s < 32; s++)
        if (s != SIGKILL && s != SIGSTOP)
            (void)signal(s, SIG_DFL);
    (void)signal(SIGPIPE, SIG_IGN); /* both would only hide the error from the one who writes */
    (void)signal(SIGXFSZ, SIG_IGN);
    sigset_t none;
    sigemptyset(&none);
    if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
        give_up(report, "sigprocmask");
}

static _Noreturn void run_child(const struct cvm_sandbox_spawn *spec, int report)
{
    int program;
    place_descriptors(spec, &program, &report);
    default_signals(report);
    set_limits(spec, report);
    char have[16];
    (void)snprintf(have, sizeof have, "%x", spec->have);
    char *argv[] = {(char *)spec->name, have, NULL};
    char *envp[] = {NULL};
    (void)syscall(SYS_execveat, program, "", argv, envp, AT_EMPTY_PATH);
    give_up(report, "execveat");
}

static int check_spec(const struct cvm_sandbox_spawn *spec, struct cvm_error *err)
{
    bool taken[CVM_SANDBOX_FD_LIMIT] = {false};
    CVM_ENSURE(spec->n_fds <= CVM_SANDBOX_FD_LIMIT / 2, err, CVM_E_INTERNAL,
               "too many descriptors");
    for (size_t i = 0; i < spec->n_fds; i++) {
        int to = spec->fds[i].to;
        CVM_ENSURE(to >= 0 && to < CVM_SANDBOX_FD_LIMIT && !taken[to], err, CVM_E_INTERNAL,
                   "descriptor %d is given twice or out of range", to);
        taken[to] = true;
    }
    CVM_ENSURE(spec->cpu_seconds >= 1 && spec->data_bytes > 0, err, CVM_E_INTERNAL,
               "a process without limits");
    CVM_ENSURE(CVM_HAS(spec->have, MOUNT_NAMESPACE), err, CVM_E_PROTECTION_MISSING,
               "no cell can be made without mount-namespace");
    CVM_ENSURE(CVM_HAS(spec->have, USER_NAMESPACE) || geteuid() == 0, err, CVM_E_PROTECTION_MISSING,
               "without user-namespace only root can make a cell");
    return 0;
}

int cvm_sandbox_spawn(const struct cvm_sandbox_spawn *spec, struct cvm_sandbox_child *ret,
                      struct cvm_error *err)
{
    CVM_GUARD(check_spec(spec, err));
    int report[2];
    if (pipe2(report, O_CLOEXEC) < 0)
        return cvm_fail(err, CVM_E_SANDBOX, "no pipe: %s", strerror(errno));
    int pidfd = -1;
    pid_t pid = cvm_sandbox_clone(cvm_sandbox_clone_flags(spec->have), spec->cgroup, spec->proc,
                                  &pidfd, err);
    if (pid == 0)
        run_child(spec, report[1]);
    close(report[1]);
    if (pid < 0) {
        close(report[0]);
        return -1;
    }
    struct failure f = {0};
    ssize_t n;
    do
        n = read(report[0], &f, sizeof f);
    while (n < 0 && errno == EINTR);
    close(report[0]);
    if (n == 0) {
        ret->pid = pid;
        ret->pidfd = pidfd;
        return 0;
    }
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    close(pidfd);
    f.step[sizeof f.step - 1] = 0;
    return cvm_fail(err, CVM_E_SANDBOX, "%s could not be executed (%s): %s", spec->name, f.step,
                    strerror(f.error));
}

int cvm_sandbox_have(int argc, char **argv, unsigned *ret_have, struct cvm_error *err)
{
    CVM_ENSURE(argc == 2 && argv[1][0], err, CVM_E_USAGE, "this program is started by 2cvm-agent");
    char *end;
    unsigned long have = strtoul(argv[1], &end, 16);
    CVM_ENSURE(*end == 0 && have <= CVM_PROTECTIONS_ALL, err, CVM_E_USAGE,
               "this program is started by 2cvm-agent");
    *ret_have = (unsigned)have;
    return 0;
}
