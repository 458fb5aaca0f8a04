/*
 * The simulated isolate: the software PSP as a process of its own, which starts the agent as its
 * child, goes to the background and outlives the daemon. Found again by its socket, and by the lock
 * that the PSP holds on psp.pid. A folder sees one isolate, ever.
 */
#include "orchestrator/platform/platform.h"

#include <errno.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>

#include "core/base/clock.h"
#include "orchestrator/platform/psp-process.h"
#include "orchestrator/process/ask.h"
#include "orchestrator/transport/unix-socket.h"

#define SOCKET_NAME "agent.sock"
#define START_MS 20000

static char *inside(const struct cvm_isolate_spec *spec, const char *name)
{
    return cvm_printf("%s/%s", spec->folder, name);
}

static int sim_probe(const struct cvm_platform_host *host, struct cvm_error *err)
{
    static const char *const programs[] = {"2cvm-agent", "2cvm-compile", "2cvm-cell"};
    CVM_ENSURE(access(host->psp, X_OK) == 0, err, CVM_E_PLATFORM,
               "the software PSP '%s' is not there", host->psp);
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
        CVM_AUTO_FREE char *path = cvm_printf("%s/%s", host->image, programs[i]);
        CVM_ENSURE(access(path, X_OK) == 0, err, CVM_E_PLATFORM, "the image has no program '%s'",
                   path);
    }
    return 0;
}

static json_t *sim_protections(const struct cvm_platform_host *host, struct cvm_error *err)
{
    return cvm_ask_protections(host->image, err);
}

static int sim_find(const struct cvm_isolate_spec *spec, struct cvm_error *err);

static int run_psp(const struct cvm_isolate_spec *spec, struct cvm_error *err)
{
    CVM_AUTO_FREE char *host_data = cvm_hex(spec->host_data.b, sizeof spec->host_data.b);
    CVM_AUTO_FREE char *vcpus = cvm_printf("%u", spec->vcpus);
    CVM_AUTO_FREE char *memory = cvm_printf("%llu", (unsigned long long)spec->memory_mib);
    /* The socket's name is relative to the folder: its path may be longer than sun_path. */
    char *argv[] = {(char *)spec->host->psp,
                    (char *)"--image",
                    (char *)spec->host->image,
                    (char *)"--host-data",
                    host_data,
                    (char *)"--socket",
                    (char *)SOCKET_NAME,
                    (char *)"--state-dir",
                    (char *)".",
                    (char *)"--memory-mib",
                    memory,
                    (char *)"--vcpus",
                    vcpus,
                    (char *)"--background",
                    NULL};
    return cvm_psp_start(spec->host->psp, spec->folder, argv, err);
}

static int sim_start(const struct cvm_isolate_spec *spec, struct cvm_error *err)
{
    int alive = sim_find(spec, err);
    CVM_GUARD(alive);
    CVM_ENSURE(!alive, err, CVM_E_EXISTS, "an isolate runs in '%s' already", spec->folder);
    CVM_AUTO_FREE char *pid_path = inside(spec, CVM_PSP_PID);
    CVM_ENSURE(access(pid_path, F_OK) != 0, err, CVM_E_ISOLATE_LOST,
               "an isolate ran in '%s' and has ended", spec->folder);
    return run_psp(spec, err);
}

/* Waits for a change in the folder, or the end of the PSP. What follows the start of listening is
 * that the PSP writes the agent's id. */
static int wait_for_change(int notify, int pidfd, int64_t end, struct cvm_error *err)
{
    struct pollfd p[2] = {{.fd = notify, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};
    int64_t left = end - cvm_now_ms();
    int rc = poll(p, 2, left > 0 ? (int)left : 0);
    if (rc < 0 && errno == EINTR)
        return 0;
    CVM_ENSURE(rc > 0, err, CVM_E_TIMEOUT, "the isolate did not come up in time");
    char events[4096];
    if (p[0].revents && read(notify, events, sizeof events) < 0 && errno != EAGAIN)
        return cvm_fail_errno(err, "cannot watch the isolate's folder");
    return 0;
}

/* An earlier daemon may have ended while the isolate was coming up. */
static int sim_connect(const struct cvm_isolate_spec *spec, struct cvm_error *err)
{
    CVM_AUTO_FREE char *path = inside(spec, SOCKET_NAME);
    CVM_AUTO_CLOSE int notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (notify < 0 || inotify_add_watch(notify, spec->folder, IN_CREATE | IN_MODIFY) < 0)
        return cvm_fail_errno(err, "cannot watch '%s'", spec->folder);
    int64_t end = cvm_now_ms() + START_MS;
    for (;;) {
        pid_t pid = cvm_psp_holder(spec->folder);
        CVM_AUTO_CLOSE int pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;
        int fd = cvm_unix_connect(path, NULL);
        if (fd >= 0)
            return fd;
        CVM_ENSURE(pidfd >= 0, err, CVM_E_ISOLATE_LOST, "the isolate no longer answers");
        CVM_GUARD(wait_for_change(notify, pidfd, end, err));
    }
}

static int sim_find(const struct cvm_isolate_spec *spec, struct cvm_error *err)
{
    (void)err;
    return cvm_psp_holder(spec->folder) > 0;
}

static int sim_stop(const struct cvm_isolate_spec *spec, struct cvm_error *err)
{
    return cvm_psp_stop(spec->folder, err);
}

const struct cvm_platform_driver cvm_platform_sim_process = {
    .platform = CVM_PLATFORM_SIM_PROCESS,
    .probe = sim_probe,
    .protections = sim_protections,
    .start = sim_start,
    .find = sim_find,
    .connect = sim_connect,
    .stop = sim_stop,
};
