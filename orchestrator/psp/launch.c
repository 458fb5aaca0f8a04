#include "orchestrator/psp/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static const struct wall {
    unsigned long flag;
    const char *name, *file;
} walls[] = {
    {CLONE_NEWUSER, "user namespace", "/proc/self/ns/user"},
    {CLONE_NEWNS, "mount namespace", "/proc/self/ns/mnt"},
    {CLONE_NEWPID, "PID namespace", "/proc/self/ns/pid"},
    {CLONE_NEWNET, "network namespace", "/proc/self/ns/net"},
    {CLONE_NEWIPC, "IPC namespace", "/proc/self/ns/ipc"},
    {CLONE_NEWUTS, "UTS namespace", "/proc/self/ns/uts"},
};
#define WALLS (sizeof(walls) / sizeof(walls[0]))

/* Numbers of the agent's descriptors: doc/PROTOCOL.md section 9. The last two are closed by the
 * exec. */
enum { FD_LISTENER = 3, FD_DEVICE, FD_COMPILE, FD_CELL, FD_PROGRAM, FD_STATUS, FD_END };

struct child {
    int source[FD_END]; /* what becomes descriptor i */
    int go; /* readable when the user namespace is mapped; end of file when the parent died */
    unsigned long flags;
    const char *platform;
    char memory[16];
};

/* ---- in the child ---- */

static void die(const struct child *c, const char *what)
{
    char text[160];
    int n = snprintf(text, sizeof(text), "%s: %s", what, strerror(errno));
    ssize_t w = write(c->source[FD_STATUS], text, (size_t)n);
    (void)w;
    _exit(127);
}

/* An empty root: /proc of its own PID namespace, the control groups, and folders to mount on. */
static int empty_root(bool own_proc)
{
    static const char *const folders[] = {"proc", "sys", "sys/fs", "sys/fs/cgroup",
                                          "dev",  "tmp", "run",    "mnt"};
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,mode=755") < 0 ||
        chdir("/tmp") < 0)
        return -1;
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
        if (mkdir(folders[i], 0755) < 0)
            return -1;
    /* Where a container hides parts of /proc, a fresh one is refused; the start is tried again
     * without PID namespace. */
    if (own_proc ? mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0
                 : mount("/proc", "proc", NULL, MS_BIND | MS_REC, NULL) < 0)
        return -1;
    (void)mount("/sys/fs/cgroup", "sys/fs/cgroup", NULL, MS_BIND | MS_REC, NULL);
    if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        return -1;
    return 0;
}

static void place_descriptors(struct child *c)
{
    for (int i = 0; i < FD_END; i++) {
        c->source[i] = fcntl(c->source[i], F_DUPFD_CLOEXEC, FD_END + 8);
        if (c->source[i] < 0)
            _exit(127);
    }
    int status = c->source[FD_STATUS];
    for (int i = 0; i < FD_END; i++) {
        bool kept = i < FD_PROGRAM;
        if (dup3(c->source[i], i, kept ? 0 : O_CLOEXEC) < 0 && errno != EINVAL) {
            c->source[FD_STATUS] = status;
            die(c, "descriptors");
        }
    }
    c->source[FD_STATUS] = FD_STATUS;
    if (syscall(SYS_close_range, FD_END, ~0U, 0) < 0)
        die(c, "close_range");
}

static void child_main(struct child *c)
{
    char byte;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        die(c, "death signal");
    if (read(c->go, &byte, 1) != 1)
        _exit(127);
    setsid();
    if ((c->flags & CLONE_NEWNS) && empty_root(c->flags & CLONE_NEWPID) < 0)
        die(c, "empty root");
    if ((c->flags & CLONE_NEWUTS) && sethostname("isolate", 7) < 0)
        die(c, "host name");
    place_descriptors(c);
    const struct rlimit none = {0, 0};
    sigset_t empty;
    sigemptyset(&empty);
    umask(077);
    if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        sigprocmask(SIG_SETMASK, &empty, NULL) < 0)
        die(c, "limits");
    char *argv[] = {(char *)"2cvm-agent",
                    (char *)"--platform",
                    (char *)c->platform,
                    (char *)"--memory-mib",
                    c->memory,
                    NULL};
    char *envp[] = {NULL};
    syscall(SYS_execveat, FD_PROGRAM, "", argv, envp, AT_EMPTY_PATH);
    die(c, "execute the agent");
}

/* ---- in the parent ---- */

static int write_proc(pid_t pid, const char *file, const char *text, struct cvm_error *err)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    CVM_AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        return cvm_fail_errno(err, "cannot write %s", path);
    return 0;
}

/* Every id that this process knows keeps its number, so that the agent can give each cell one of
 * its own. */
static int identity_map(const char *file, char *out, size_t size)
{
    CVM_AUTO_FCLOSE FILE *f = fopen(file, "re");
    unsigned long inside, outside, count;
    size_t at = 0;
    while (f && at + 48 < size && fscanf(f, "%lu %lu %lu", &inside, &outside, &count) == 3)
        at += (size_t)snprintf(out + at, size - at, "%lu %lu %lu\n", inside, inside, count);
    return at ? 0 : -1;
}

static int map_user(pid_t pid, struct cvm_error *err)
{
    char map[512];
    if (geteuid() == 0 && identity_map("/proc/self/uid_map", map, sizeof(map)) == 0 &&
        write_proc(pid, "uid_map", map, NULL) == 0 &&
        identity_map("/proc/self/gid_map", map, sizeof(map)) == 0)
        return write_proc(pid, "gid_map", map, err);
    CVM_GUARD(write_proc(pid, "setgroups", "deny", err));
    snprintf(map, sizeof(map), "0 %u 1\n", geteuid());
    CVM_GUARD(write_proc(pid, "uid_map", map, err));
    snprintf(map, sizeof(map), "0 %u 1\n", getegid());
    return write_proc(pid, "gid_map", map, err);
}

static unsigned long known_walls(void)
{
    unsigned long flags = 0;
    for (size_t i = 0; i < WALLS; i++)
        if (access(walls[i].file, F_OK) == 0)
            flags |= walls[i].flag;
    return flags;
}

static void name_missing(unsigned long flags, char *out, size_t size)
{
    out[0] = '\0';
    for (size_t i = 0; i < WALLS; i++) {
        if (flags & walls[i].flag)
            continue;
        size_t at = strlen(out);
        snprintf(out + at, size - at, "%s%s", at ? ", " : "", walls[i].name);
    }
}

/* Like fork, with a pidfd. Only in a process of one thread. */
static pid_t clone_child(unsigned long flags, int *pidfd)
{
    return (pid_t)syscall(SYS_clone, flags | CLONE_PIDFD | SIGCHLD, NULL, pidfd, NULL, 0);
}

static int pipe_pair(int fds[2], struct cvm_error *err)
{
    return pipe2(fds, O_CLOEXEC) < 0 ? cvm_fail_errno(err, "cannot make a pipe") : 0;
}

/* One attempt with these walls. 1: this kernel or user cannot have them. */
static int start_with(struct child *c, unsigned long flags, struct cvm_psp_agent *ret,
                      struct cvm_error *err)
{
    int status[2] = {-1, -1}, go[2] = {-1, -1};
    CVM_GUARD(pipe_pair(status, err));
    CVM_AUTO_CLOSE int status_read = status[0], status_write = status[1];
    CVM_GUARD(pipe_pair(go, err));
    CVM_AUTO_CLOSE int go_read = go[0], go_write = go[1];
    CVM_AUTO_CLOSE int pidfd = -1;
    c->source[FD_STATUS] = status_write;
    c->go = go_read;
    c->flags = flags;
    pid_t pid = clone_child(flags, &pidfd);
    if (pid == 0) {
        close(go_write);
        child_main(c);
    }
    if (pid < 0)
        return flags ? 1 : cvm_fail_errno(err, "cannot start a process");
    close(CVM_TAKE_FD(status_write));
    struct cvm_error e = {0};
    int mapped = flags & CLONE_NEWUSER ? map_user(pid, &e) : 0;
    char text[200];
    ssize_t n = -1;
    if (mapped == 0 && write(go_write, "g", 1) == 1)
        do
            n = read(status_read, text, sizeof(text) - 1);
        while (n < 0 && errno == EINTR);
    if (n == 0) { /* closed by the exec: the agent runs */
        ret->pid = pid;
        ret->pidfd = CVM_TAKE_FD(pidfd);
        name_missing(flags, ret->missing, sizeof(ret->missing));
        return 0;
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    if (flags)
        return 1;
    text[n > 0 ? n : 0] = '\0';
    return cvm_fail(err, CVM_E_PLATFORM, "the agent could not be started: %s", text);
}

int cvm_psp_agent_start(const struct cvm_psp_image *image, int listener, int device, int log,
                        const char *platform, uint32_t memory_mib, struct cvm_psp_agent *ret,
                        struct cvm_error *err)
{
    CVM_AUTO_CLOSE int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0)
        return cvm_fail_errno(err, "cannot open /dev/null");
    struct child c = {
        .source = {null, log, log, listener, device, image->program[1], image->program[2],
                   image->program[0]},
        .platform = platform,
    };
    snprintf(c.memory, sizeof(c.memory), "%u", memory_mib);
    /* The strongest first: a user namespace is what lets an unprivileged caller have the others. */
    const unsigned long all = known_walls();
    const unsigned long tries[] = {all,
                                   all & ~(unsigned long)CLONE_NEWUSER,
                                   all & ~(unsigned long)CLONE_NEWPID,
                                   all & (CLONE_NEWUSER | CLONE_NEWNET),
                                   CLONE_NEWNET & all,
                                   0};
    for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
        int r = start_with(&c, tries[i], ret, err);
        if (r <= 0)
            return r;
    }
    return cvm_fail(err, CVM_E_INTERNAL, "no way to start the agent was tried");
}
