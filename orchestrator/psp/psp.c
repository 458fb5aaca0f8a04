/*
 * 2cvm-psp: the software PSP of one simulated isolate. It measures the guest's programs, fixes
 * HOST_DATA, starts the agent, and signs its reports under a root that everybody can compute.
 * It ends when the agent ends. With --machine the isolate is a virtual machine that somebody else
 * starts: see machine.h. With --background it returns when the agent runs (exit 0) or could
 * not be started (exit 1, the reason on standard error, or 2 for a wrong command line); the PSP
 * itself stays in the background and is independent of whoever started it.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "core/base/encode.h"
#include "orchestrator/psp/launch.h"
#include "orchestrator/psp/machine.h"
#include "orchestrator/psp/serve.h"

static const char usage[] =
    "usage: 2cvm-psp --image DIR --host-data HEX --socket PATH --state-dir DIR\n"
    "                --memory-mib N --vcpus N [--background]\n"
    "       2cvm-psp --machine VHOST --backend FILE --image DIR --host-data HEX --state-dir DIR\n"
    "                [--background]\n"
    "\n"
    "Starts the agent in DIR as a SIMULATED isolate and vouches for it until it ends; or vouches "
    "for the\n"
    "machine whose QEMU connects to the vhost-user socket VHOST.\n"
    "\n"
    "  --image DIR       folder with 2cvm-agent, 2cvm-compile and 2cvm-cell\n"
    "  --host-data HEX   64 hex digits: SHA-256 of the manifest\n"
    "  --socket PATH     the agent's listening socket, made here with mode 0600\n"
    "  --state-dir DIR   gets psp.pid, agent.pid, psp.log, agent.log; one folder an isolate\n"
    "  --memory-mib N    memory that the agent is told to have\n"
    "  --vcpus N         part of the measurement\n"
    "  --machine VHOST   the file vhost of the state folder, as QEMU is told it\n"
    "  --backend FILE    the program vhost-device-vsock\n"
    "  --background      return when the agent runs, and stay in the background\n"
    "\n"
    "example: 2cvm-psp --image build/release/bin --host-data $(sha256sum < manifest.json | cut "
    "-c1-64) \\\n"
    "                  --socket /run/2cvm/x/agent --state-dir /run/2cvm/x --memory-mib 1024 "
    "--vcpus 2\n";

struct options {
    const char *image, *socket, *state_dir, *machine, *backend;
    uint8_t host_data[CVM_HOST_DATA_LEN];
    uint32_t memory_mib, vcpus;
    bool background;
};

static int number(const char *text, const char *name, unsigned long max, uint32_t *ret,
                  struct cvm_error *err)
{
    char *end;
    errno = 0;
    unsigned long v = strtoul(text, &end, 10);
    CVM_ENSURE(text[0] >= '0' && text[0] <= '9' && !*end && !errno && v >= 1 && v <= max, err,
               CVM_E_USAGE, "--%s needs a number from 1 to %lu", name, max);
    *ret = (uint32_t)v;
    return 0;
}

static int parse(int argc, char **argv, struct options *o, struct cvm_error *err)
{
    static const struct option longs[] = {{"image", 1, NULL, 'i'},      {"host-data", 1, NULL, 'd'},
                                          {"socket", 1, NULL, 's'},     {"state-dir", 1, NULL, 'S'},
                                          {"memory-mib", 1, NULL, 'm'}, {"vcpus", 1, NULL, 'c'},
                                          {"background", 0, NULL, 'b'}, {"machine", 1, NULL, 'M'},
                                          {"backend", 1, NULL, 'B'},    {NULL, 0, NULL, 0}};
    bool host_data = false;
    opterr = 0;
    for (int k; (k = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        if (k == 'i')
            o->image = optarg;
        else if (k == 's')
            o->socket = optarg;
        else if (k == 'S')
            o->state_dir = optarg;
        else if (k == 'M')
            o->machine = optarg;
        else if (k == 'B')
            o->backend = optarg;
        else if (k == 'b')
            o->background = true;
        else if (k == 'm')
            CVM_GUARD(number(optarg, "memory-mib", 16UL << 20, &o->memory_mib, err));
        else if (k == 'c')
            CVM_GUARD(number(optarg, "vcpus", 512, &o->vcpus, err));
        else if (k == 'd') {
            if (cvm_hex_decode(optarg, o->host_data, sizeof(o->host_data), err) < 0)
                return cvm_error_wrap(err, "--host-data");
            host_data = true;
        } else
            return cvm_fail(err, CVM_E_USAGE, "an option that is not known, or lacks its value");
    }
    bool process = o->socket && o->memory_mib && o->vcpus && !o->machine && !o->backend;
    bool machine = o->machine && o->backend && !o->socket && !o->memory_mib && !o->vcpus;
    CVM_ENSURE(optind == argc && o->image && o->state_dir && host_data && (process || machine), err,
               CVM_E_USAGE, "all options of one of the two forms are needed and nothing else");
    return 0;
}

static int listen_at(const char *path, int *ret, struct cvm_error *err)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    CVM_ENSURE(strlen(path) < sizeof(a.sun_path), err, CVM_E_USAGE,
               "the socket's path has more than %zu bytes: %s", sizeof(a.sun_path) - 1, path);
    memcpy(a.sun_path, path, strlen(path));
    CVM_AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    mode_t before = umask(0177);
    int r = fd < 0 ? -1 : bind(fd, (struct sockaddr *)&a, sizeof(a));
    int why = errno;
    umask(before);
    errno = why;
    if (r < 0 || listen(fd, 16) < 0)
        return cvm_fail_errno(err, "cannot listen at %s", path);
    *ret = CVM_TAKE_FD(fd);
    return 0;
}

static int open_in(int dir, const char *name, int flags, int *ret, struct cvm_error *err)
{
    *ret = openat(dir, name, flags | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    return *ret < 0 ? cvm_fail_errno(err, "cannot open %s of the state folder", name) : 0;
}

static int write_pid(int fd, pid_t pid, struct cvm_error *err)
{
    char text[16];
    int n = snprintf(text, sizeof(text), "%d\n", (int)pid);
    if (write(fd, text, (size_t)n) != n || fsync(fd) < 0)
        return cvm_fail_errno(err, "cannot write a process id");
    return 0;
}

/* The state folder is for one isolate, ever: a second start in it is refused, also after the first
 * has ended. */
static int claim(const struct options *o, int *ret_dir, int *ret_lock, struct cvm_error *err)
{
    if (mkdir(o->state_dir, 0700) < 0 && errno != EEXIST)
        return cvm_fail_errno(err, "cannot make %s", o->state_dir);
    CVM_AUTO_CLOSE int dir = open(o->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return cvm_fail_errno(err, "cannot open %s", o->state_dir);
    CVM_AUTO_CLOSE int lock = openat(dir, "psp.pid", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (lock < 0 && errno == EEXIST)
        return cvm_fail(err, CVM_E_EXISTS, "an isolate was started in %s already", o->state_dir);
    const struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (lock < 0 || fcntl(lock, F_SETLK, &all) < 0)
        return cvm_fail_errno(err, "cannot claim %s", o->state_dir);
    *ret_dir = CVM_TAKE_FD(dir);
    *ret_lock = CVM_TAKE_FD(lock);
    return 0;
}

struct running {
    int dir, lock, device;
    bool listening;
    struct cvm_psp psp;
    struct cvm_psp_agent agent;
    struct cvm_psp_machine machine;
};

static int begin(const struct options *o, struct running *r, struct cvm_error *err)
{
    CVM_AUTO_CLOSE int log = -1;
    CVM_GUARD(open_in(r->dir, "psp.log", O_WRONLY | O_APPEND, &log, err));
    CVM_GUARD(write_pid(r->lock, getpid(), err));
    r->psp.log = fdopen(log, "a");
    if (!r->psp.log)
        return cvm_fail_errno(err, "cannot write psp.log");
    (void)CVM_TAKE_FD(log);
    memcpy(r->psp.host_data, o->host_data, sizeof(o->host_data));
    return cvm_issuer_new(&r->psp.issuer, time(NULL), err);
}

static int start_agent(const struct options *o, struct running *r, struct cvm_error *err)
{
    CVM_AUTO_CLOSE int agent_log = -1, agent_pid = -1, listener = -1;
    CVM_GUARD(open_in(r->dir, "agent.log", O_WRONLY | O_APPEND, &agent_log, err));
    CVM_GUARD(open_in(r->dir, "agent.pid", O_WRONLY | O_TRUNC, &agent_pid, err));
    CVM_AUTO_PSP_IMAGE struct cvm_psp_image image = {.program = {-1, -1, -1}};
    CVM_GUARD(cvm_psp_image_load(o->image, o->vcpus, &image, err));
    memcpy(r->psp.measurement, image.measurement, sizeof(image.measurement));

    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return cvm_fail_errno(err, "cannot make the evidence device");
    r->device = pair[0];
    CVM_AUTO_CLOSE int far = pair[1];
    CVM_GUARD(listen_at(o->socket, &listener, err));
    r->listening = true;
    CVM_GUARD(cvm_psp_agent_start(&image, listener, far, agent_log, "sim-process", o->memory_mib,
                                  &r->agent, err));
    CVM_AUTO_FREE char *measured = cvm_hex(image.measurement, sizeof(image.measurement));
    cvm_psp_log(&r->psp, "SIMULATED isolate started, measurement sha384:%s", measured);
    if (r->agent.missing[0])
        cvm_psp_log(&r->psp, "the agent has no own %s", r->agent.missing);
    return write_pid(agent_pid, r->agent.pid, err);
}

static int start(const struct options *o, struct running *r, struct cvm_error *err)
{
    CVM_GUARD(claim(o, &r->dir, &r->lock, err));
    CVM_GUARD(begin(o, r, err));
    if (!o->machine)
        return start_agent(o, r, err);
    return cvm_psp_machine_prepare(r->dir, o->image, o->backend, o->machine, &r->machine, err);
}

static void refuse(const struct options *o, const struct running *r, const struct cvm_error *err)
{
    char text[800];
    fprintf(stderr, "2cvm-psp: %s\n", cvm_error_line(err, text, sizeof(text)));
    if (r->psp.log)
        cvm_psp_log(&r->psp, "%s", text);
    if (r->lock < 0)
        return; /* another one's folder */
    (void)unlinkat(r->dir, "psp.pid", 0);
    if (r->listening)
        (void)unlink(o->socket);
}

/* `ready` gets one byte when the agent runs; -1: nobody waits for it. Taken over. */
static int live(const struct options *o, int ready)
{
    CVM_AUTO_CLOSE int tell = ready;
    struct cvm_error err = {0};
    struct running r = {.dir = -1,
                        .lock = -1,
                        .device = -1,
                        .agent = {.pidfd = -1},
                        .machine = CVM_PSP_MACHINE_NONE};
    char text[800];
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    if (start(o, &r, &err) < 0) {
        if (o->machine)
            cvm_psp_machine_end(&r.machine);
        refuse(o, &r, &err);
        return 1;
    }
    if (tell >= 0) {
        (void)!write(tell, "", 1);
        close(tell);
        tell = -1;
    }
    prctl(PR_SET_DUMPABLE, 0); /* what /proc shows of a process with keys is for root only */
    int result = o->machine ? cvm_psp_machine_serve(&r.psp, &r.machine, &err)
                            : cvm_psp_serve(&r.psp, r.device, r.agent.pidfd, &err);
    if (result < 0)
        cvm_psp_log(&r.psp, "%s", cvm_error_line(&err, text, sizeof(text)));
    if (o->machine)
        cvm_psp_machine_end(&r.machine);
    else
        (void)unlink(o->socket);
    cvm_issuer_free(&r.psp.issuer);
    return result < 0 ? 1 : 0;
}

/* The first process waits for the second one's word that the agent runs, or for its end. */
static int live_in_background(const struct options *o)
{
    int ready[2], status = 0;
    char byte;
    if (pipe2(ready, O_CLOEXEC) < 0)
        return 1;
    pid_t pid = fork();
    if (pid < 0)
        return 1;
    if (pid == 0) {
        close(ready[0]);
        setsid();
        return live(o, ready[1]);
    }
    close(ready[1]);
    ssize_t n;
    do
        n = read(ready[0], &byte, 1);
    while (n < 0 && errno == EINTR);
    if (n == 1)
        return 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
    struct options o = {0};
    struct cvm_error err = {0};
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    if (parse(argc, argv, &o, &err) < 0) {
        fprintf(stderr, "2cvm-psp: %s\n%s", err.message, usage);
        return 2;
    }
    return o.background ? live_in_background(&o) : live(&o, -1);
}
