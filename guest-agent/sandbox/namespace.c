#include "guest-agent/sandbox/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Users of cells, seen from outside: one a process, far above any that a system hands out. */
#define CELL_USER_BASE 0x71000000u

uint64_t cvm_sandbox_clone_flags(unsigned have)
{
    uint64_t flags = 0;
    if (CVM_HAS(have, USER_NAMESPACE))
        flags |= CLONE_NEWUSER;
    if (CVM_HAS(have, MOUNT_NAMESPACE))
        flags |= CLONE_NEWNS;
    if (CVM_HAS(have, PID_NAMESPACE))
        flags |= CLONE_NEWPID;
    if (CVM_HAS(have, NETWORK_NAMESPACE))
        flags |= CLONE_NEWNET;
    if (CVM_HAS(have, IPC_NAMESPACE))
        flags |= CLONE_NEWIPC;
    if (CVM_HAS(have, UTS_NAMESPACE))
        flags |= CLONE_NEWUTS;
    return flags;
}

static int write_at(int dir, const char *path, const char *text)
{
    CVM_AUTO_CLOSE int fd = openat(dir, path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    return write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

/* One user and one group: 0 inside is `user`, `group` outside. */
static int write_maps(int dir, const char *who, unsigned user, unsigned group)
{
    char path[64], text[64];
    (void)snprintf(path, sizeof path, "%s/setgroups", who);
    if (write_at(dir, path, "deny") < 0)
        return -1;
    (void)snprintf(path, sizeof path, "%s/gid_map", who);
    (void)snprintf(text, sizeof text, "0 %u 1", group);
    if (write_at(dir, path, text) < 0)
        return -1;
    (void)snprintf(path, sizeof path, "%s/uid_map", who);
    (void)snprintf(text, sizeof text, "0 %u 1", user);
    return write_at(dir, path, text);
}

/* Is this /proc the one of our own PID namespace, so that a child's number means that child? */
static bool proc_is_ours(int proc)
{
    char link[32] = "";
    ssize_t n = readlinkat(proc, "self", link, sizeof link - 1);
    char own[32];
    (void)snprintf(own, sizeof own, "%ld", (long)getpid());
    return n > 0 && !strcmp(link, own);
}

/*
 * As root every child gets a user of its own. Otherwise (no root, or a user namespace around us
 * that maps no further user) the child maps itself to our user, the one thing that the kernel lets
 * everyone do.
 */
static bool map_from_parent(int proc, pid_t pid)
{
    if (geteuid() != 0 || !proc_is_ours(proc))
        return false;
    char who[32];
    (void)snprintf(who, sizeof who, "%ld", (long)pid);
    unsigned user = CELL_USER_BASE + (unsigned)pid;
    return write_maps(proc, who, user, user) == 0;
}

static int map_from_child(int proc, unsigned user, unsigned group)
{
    if (write_maps(proc, "self", user, group) == 0)
        return 0;
    /*
     * An agent that may not be dumped has made the files of /proc/self root's. Where that is not us
     * (a run without root), they become ours for this moment; nothing else of this user namespace
     * exists yet.
     */
    if (errno != EACCES || prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
        return -1;
    int r = write_maps(proc, "self", user, group);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    return r;
}

struct clone_pipe {
    int go[2];   /* parent to child: 'm' mapped, 'c' map yourself */
    int done[2]; /* child to parent: one byte when it is ready */
};

/* Both ends of what was outside have to be known before the new user namespace hides them. */
static void child_side(const struct clone_pipe *p, uint64_t flags, int proc, unsigned user,
                       unsigned group)
{
    char how = 0;
    close(p->go[1]);
    close(p->done[0]);
    if (read(p->go[0], &how, 1) != 1)
        _exit(1); /* the parent is gone */
    if (flags & CLONE_NEWUSER) {
        if (how == 'c' && map_from_child(proc, user, group) < 0)
            _exit(1);
        if (syscall(SYS_setresgid, 0, 0, 0) < 0 || syscall(SYS_setresuid, 0, 0, 0) < 0)
            _exit(1);
    }
    /* After the change of user, which would clear it; and the parent may have died before it was
     * set. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        _exit(1);
    struct pollfd alive = {.fd = p->go[0], .events = POLLIN};
    if (poll(&alive, 1, 0) > 0)
        _exit(1);
    if (write(p->done[1], "r", 1) != 1)
        _exit(1);
    close(p->go[0]);
    close(p->done[1]);
}

static int parent_side(const struct clone_pipe *p, uint64_t flags, int proc, pid_t pid)
{
    char how = 'm', ready;
    if ((flags & CLONE_NEWUSER) && !map_from_parent(proc, pid))
        how = 'c';
    if (write(p->go[1], &how, 1) != 1)
        return -1;
    ssize_t n;
    do
        n = read(p->done[0], &ready, 1);
    while (n < 0 && errno == EINTR);
    return n == 1 ? 0 : -1;
}

static pid_t clone_child(uint64_t flags, int cgroup, int *ret_pidfd)
{
    struct clone_args args = {
        .flags = flags | CLONE_PIDFD | (cgroup >= 0 ? CLONE_INTO_CGROUP : 0),
        .pidfd = (uint64_t)(uintptr_t)ret_pidfd,
        .exit_signal = SIGCHLD,
        .cgroup = cgroup >= 0 ? (uint64_t)cgroup : 0,
    };
    return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

pid_t cvm_sandbox_clone(uint64_t flags, int cgroup, int proc, int *ret_pidfd, struct cvm_error *err)
{
    CVM_AUTO_CLOSE int opened = -1;
    if (proc < 0 && (flags & CLONE_NEWUSER)) {
        proc = opened = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (opened < 0)
            return cvm_fail(err, CVM_E_SANDBOX, "/proc is needed to map a user: %s",
                            strerror(errno));
    }
    struct clone_pipe p;
    if (pipe2(p.go, O_CLOEXEC) < 0)
        return cvm_fail(err, CVM_E_SANDBOX, "no pipe: %s", strerror(errno));
    if (pipe2(p.done, O_CLOEXEC) < 0) {
        close(p.go[0]);
        close(p.go[1]);
        return cvm_fail(err, CVM_E_SANDBOX, "no pipe: %s", strerror(errno));
    }
    /* A child that ends early must not end us by SIGPIPE: it holds the reading end, and so do we
     * until the answer. */
    int pidfd = -1;
    unsigned user = geteuid(), group = getegid();
    pid_t pid = clone_child(flags | CLONE_NEWCGROUP, cgroup, &pidfd);
    if (pid < 0 && (errno == EINVAL || errno == EPERM))
        pid = clone_child(flags, cgroup, &pidfd); /* a kernel without cgroups */
    if (pid == 0) {
        child_side(&p, flags, proc, user, group);
        return 0;
    }
    int r = -1, saved = errno;
    if (pid > 0) {
        close(p.done[1]);
        p.done[1] = -1;
        r = parent_side(&p, flags, proc, pid);
    }
    close(p.go[0]);
    close(p.go[1]);
    close(p.done[0]);
    if (p.done[1] >= 0)
        close(p.done[1]);
    if (pid < 0)
        return cvm_fail(err, CVM_E_SANDBOX, "no process in new namespaces: %s", strerror(saved));
    if (r < 0) {
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        close(pidfd);
        return cvm_fail(err, CVM_E_SANDBOX, "the child could not become a user of its own");
    }
    if (ret_pidfd)
        *ret_pidfd = pidfd;
    else
        close(pidfd);
    return pid;
}
