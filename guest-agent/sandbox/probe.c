#include "guest-agent/sandbox/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>

/* Each trial runs in a child that has the namespaces to try; true means that the protection was
 * seen to work. */
static bool try_user(void)
{
    return geteuid() == 0;
}

static bool try_mount(void)
{
    if (cvm_sandbox_new_root(1 << 20, 16, NULL) < 0)
        return false;
    return access("/proc", F_OK) < 0 && errno == ENOENT;
}

static bool try_pid(void)
{
    return getpid() == 1;
}

/* Sending to the loopback address fails in a fresh network namespace: even that interface is down.
 */
static bool try_network(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0;
}

/* What the host shares by System V IPC or as its name is not there. */
static bool try_ipc(void)
{
    return syscall(SYS_shmget, 0x2c764d01, 4096, 01600) >= 0 || errno == ENOSYS;
}

static bool try_uts(void)
{
    struct utsname u;
    return sethostname("cell", 4) == 0 && uname(&u) == 0 && !strcmp(u.nodename, "cell");
}

/* The filter must end this process: a trial that comes back has failed. */
static bool try_seccomp(void)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        cvm_sandbox_seccomp(CVM_SECCOMP_COMPILE, NULL) < 0)
        return false;
    (void)syscall(SYS_getppid);
    return false;
}

static bool try_landlock(void)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        cvm_sandbox_landlock(CVM_SANDBOX_COMPILE, NULL) < 0)
        return false;
    return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC) < 0 && errno == EACCES;
}

static bool try_own_core(void)
{
    return cvm_sandbox_own_core(NULL) == 0;
}

static bool try_no_speculation(void)
{
    return cvm_sandbox_no_speculation(NULL) == 0;
}

/* How a child that runs `trial` in these namespaces ended: a wait status, or -1 when it could not
 * be made. */
static int run_trial(uint64_t flags, int cgroup, bool (*trial)(void))
{
    pid_t pid = cvm_sandbox_clone(flags, cgroup, -1, NULL, NULL);
    if (pid == 0)
        _exit(trial() ? 0 : 1);
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return -1;
    return status;
}

/* In a group of one process nobody can be made. */
static bool try_alone(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return pid < 0 && errno == EAGAIN;
}

static bool works(uint64_t flags, bool (*trial)(void))
{
    int status = run_trial(flags, -1, trial);
    return status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool cgroup_works(void)
{
    int parent, leaf;
    if (cvm_cgroup_root(&parent, NULL) < 0)
        return false;
    char name[48];
    (void)snprintf(name, sizeof name, "probe-%ld", (long)getpid());
    bool ok = cvm_cgroup_create(parent, name, 64 << 20, 1, &leaf, NULL) == 0;
    if (ok) {
        int status = run_trial(0, leaf, try_alone);
        ok = status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
        cvm_cgroup_remove(parent, name, leaf);
        close(leaf);
    }
    close(parent);
    return ok;
}

static bool ended_well(pid_t pid)
{
    int status;
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

int cvm_sandbox_probe(unsigned *ret_have, struct cvm_error *err)
{
    if (run_trial(0, -1, try_user) == -1)
        return cvm_fail(err, CVM_E_SANDBOX, "no child process can be made");
    bool has_user = works(CLONE_NEWUSER, try_user);
    uint64_t user = has_user ? CLONE_NEWUSER : 0;
    unsigned have = has_user ? 1u << CVM_PROTECTION_USER_NAMESPACE : 0;
    const struct {
        int protection;
        uint64_t flag;
        bool (*trial)(void);
    } trials[] = {
        {CVM_PROTECTION_MOUNT_NAMESPACE, CLONE_NEWNS, try_mount},
        {CVM_PROTECTION_PID_NAMESPACE, CLONE_NEWPID, try_pid},
        {CVM_PROTECTION_NETWORK_NAMESPACE, CLONE_NEWNET, try_network},
        {CVM_PROTECTION_IPC_NAMESPACE, CLONE_NEWIPC, try_ipc},
        {CVM_PROTECTION_UTS_NAMESPACE, CLONE_NEWUTS, try_uts},
        {CVM_PROTECTION_LANDLOCK, 0, try_landlock},
        {CVM_PROTECTION_CORE_SCHEDULING, 0, try_own_core},
        {CVM_PROTECTION_SPECULATION_CONTROL, 0, try_no_speculation},
    };
    const size_t n = sizeof trials / sizeof trials[0];
    /* All in one child first, as a cell has them: most kernels have all, and namespaces are slow to
     * make. Only when that fails it matters which of them. */
    uint64_t all = user;
    for (size_t i = 0; i < n; i++)
        all |= trials[i].flag;
    pid_t pid = cvm_sandbox_clone(all, -1, -1, NULL, NULL);
    if (pid == 0) {
        for (size_t i = 0; i < n; i++)
            if (!trials[i].trial())
                _exit(1);
        _exit(0);
    }
    bool together = ended_well(pid);
    for (size_t i = 0; i < n; i++)
        if (together || works(user | trials[i].flag, trials[i].trial))
            have |= 1u << trials[i].protection;
    int status = run_trial(0, -1, try_seccomp);
    if (status != -1 && WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
        have |= 1u << CVM_PROTECTION_SECCOMP;
    if (cgroup_works())
        have |= 1u << CVM_PROTECTION_CGROUP;
    *ret_have = have;
    return 0;
}
