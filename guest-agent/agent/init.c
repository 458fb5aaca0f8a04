#include "guest-agent/agent/init.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define NEW_ROOT "/root" /* a folder of the initramfs, empty */
#define MEMORY_GRAIN_MIB 64

bool cvm_init_wanted(int argc)
{
    return getpid() == 1 && argc == 1;
}

uint64_t cvm_init_memory_mib(const char *iomem)
{
    uint64_t bytes = 0;
    for (const char *line = iomem; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        char *end, *last;
        if (*line == ' ' || *line == 0)
            continue; /* a part of the range above it */
        unsigned long long from = strtoull(line, &end, 16);
        if (*end != '-')
            continue;
        unsigned long long to = strtoull(end + 1, &last, 16);
        if (strncmp(last, " : System RAM\n", 14) == 0 && to > from)
            bytes += to - from + 1;
    }
    uint64_t grain = (uint64_t)MEMORY_GRAIN_MIB << 20;
    return (bytes + grain - 1) / grain * MEMORY_GRAIN_MIB;
}

static const struct {
    const char *type, *at;
    unsigned long flags;
    const char *data;
} mounts[] = {
    {"proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
    {"sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
    {"devtmpfs", "/dev", MS_NOSUID | MS_NOEXEC, "mode=0755"},
    {"cgroup2", "/sys/fs/cgroup", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
    {"configfs", "/sys/kernel/config", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
};

/*
 * A root of our own over the initramfs, which cannot be taken away from below: cells can then
 * really leave it. All of this comes before any user namespace, in which these could not be
 * mounted any more.
 */
static int make_root(struct cvm_error *err)
{
    const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    if (mount("root", NEW_ROOT, "tmpfs", flags, "size=64k,nr_inodes=16,mode=0755") < 0 ||
        mkdir(NEW_ROOT "/proc", 0555) < 0 || mkdir(NEW_ROOT "/sys", 0555) < 0 ||
        mkdir(NEW_ROOT "/dev", 0755) < 0 || chdir(NEW_ROOT) < 0 ||
        mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
        return cvm_fail_errno(err, "no root file system");
    for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++)
        if (mount(mounts[i].type, mounts[i].at, mounts[i].type, mounts[i].flags, mounts[i].data) <
            0)
            return cvm_fail_errno(err, "%s cannot be mounted", mounts[i].at);
    if (mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | flags, NULL) < 0)
        return cvm_fail_errno(err, "the root cannot be made read-only");
    return 0;
}

/* The console gets our lines and gives nothing. */
static int open_stdio(struct cvm_error *err)
{
    int in = open("/dev/null", O_RDONLY);
    int out = open("/dev/console", O_WRONLY | O_NOCTTY);
    if (in < 0 || out < 0 || dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
        dup2(out, STDERR_FILENO) < 0)
        return cvm_fail_errno(err, "no console");
    if (in > STDERR_FILENO)
        close(in);
    if (out > STDERR_FILENO)
        close(out);
    return 0;
}

/* Packed (unpack.h). The name goes away, so that its memory can be had back after that. */
static int open_program(const char *path, int *ret, struct cvm_error *err)
{
    *ret = open(path, O_RDONLY | O_CLOEXEC);
    return *ret < 0 || unlink(path) < 0 ? cvm_fail_errno(err, "%s", path) : 0;
}

static int measure_memory(uint64_t *ret, struct cvm_error *err)
{
    char text[16384];
    CVM_AUTO_CLOSE int fd = open("/proc/iomem", O_RDONLY | O_CLOEXEC);
    size_t at = 0;
    ssize_t n = 1;
    while (fd >= 0 && at < sizeof text - 1 && (n = read(fd, text + at, sizeof text - 1 - at)) > 0)
        at += (size_t)n;
    if (fd < 0 || n < 0)
        return cvm_fail_errno(err, "/proc/iomem");
    text[at] = 0;
    *ret = cvm_init_memory_mib(text);
    CVM_ENSURE(*ret, err, CVM_E_INTERNAL, "the kernel shows no memory");
    return 0;
}

static int open_listener(int *ret, struct cvm_error *err)
{
    const struct sockaddr_vm any = {
        .svm_family = AF_VSOCK, .svm_port = CVM_GUEST_PORT, .svm_cid = VMADDR_CID_ANY};
    CVM_AUTO_CLOSE int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&any, sizeof any) < 0 || listen(fd, 4) < 0)
        return cvm_fail_errno(err, "no vsock to listen at");
    *ret = CVM_TAKE_FD(fd);
    return 0;
}

static int open_device(int *ret, struct cvm_error *err)
{
    const struct sockaddr_vm host = {
        .svm_family = AF_VSOCK, .svm_port = CVM_DEVICE_PORT, .svm_cid = VMADDR_CID_HOST};
    CVM_AUTO_CLOSE int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&host, sizeof host) < 0)
        return cvm_fail_errno(err, "the software PSP does not answer");
    *ret = CVM_TAKE_FD(fd);
    return 0;
}

/* The machine says what it is: real hardware comes first, and a program without a simulated
 * provider ends here when there is none. */
static int choose_platform(struct cvm_agent_setup *s, struct cvm_error *err)
{
    const struct cvm_provider *p = NULL;
    struct cvm_error hardware;
    s->platform = "sev-snp";
    if (cvm_provider_find(s->platform, &p, &hardware) == 0)
        return 0;
    s->platform = "sim-vm";
    if (cvm_provider_find(s->platform, &p, NULL) < 0) {
        if (err)
            *err = hardware;
        return -1;
    }
    return open_device(&s->device_fd, err);
}

static int prepare(struct cvm_agent_setup *s, struct cvm_error *err)
{
    CVM_GUARD(open_program("/2cvm-compile.lz4", &s->compile_fd, err));
    CVM_GUARD(open_program("/2cvm-cell.lz4", &s->cell_fd, err));
    CVM_GUARD(make_root(err));
    CVM_GUARD(open_stdio(err));
    CVM_GUARD(measure_memory(&s->memory_mib, err));
    CVM_GUARD(choose_platform(s, err));
    return open_listener(&s->listen_fd, err);
}

static _Noreturn void power_off(const char *why)
{
    dprintf(STDERR_FILENO, "2cvm-init: %s\n", why);
    reboot(RB_POWER_OFF);
    abort(); /* the end of the first process ends the machine, too */
}

static _Noreturn void stay(pid_t agent, const struct cvm_agent_setup *s)
{
    const int fds[] = {s->listen_fd, s->device_fd, s->compile_fd, s->cell_fd};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    int status;
    pid_t gone;
    do
        gone = waitpid(-1, &status, 0);
    while (gone != agent && (gone > 0 || errno == EINTR));
    if (gone == agent && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        power_off("the agent has ended");
    power_off("the agent has failed");
}

void cvm_init_guest(struct cvm_agent_setup *ret)
{
    struct cvm_agent_setup s = {.listen_fd = -1, .device_fd = -1, .compile_fd = -1, .cell_fd = -1};
    struct cvm_error err = {0};
    if (prepare(&s, &err) < 0) {
        char line[1024];
        power_off(cvm_error_line(&err, line, sizeof line));
    }
    pid_t agent = fork();
    if (agent < 0)
        power_off("no process for the agent");
    if (agent > 0)
        stay(agent, &s);
    *ret = s;
}
