/*
 * 2cvm-agent: the broker between host and cells. Started inside the isolate with four descriptors
 * and two arguments (doc/PROTOCOL.md section 9); one thread, one loop, one session.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "guest-agent/agent/agent.h"
#include "guest-agent/agent/init.h"

enum { FD_LISTEN = 3, FD_DEVICE = 4, FD_COMPILE = 5, FD_CELL = 6 };

static struct cvm_agent agent; /* zero pages until used */

static int parse_mib(const char *text, uint64_t *ret, struct cvm_error *err)
{
    char *end;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    bool good = text[0] >= '0' && text[0] <= '9' && !*end && !errno && v && v < (1ULL << 32);
    CVM_ENSURE(good, err, CVM_E_USAGE, "--memory-mib takes a number of MiB");
    *ret = v;
    return 0;
}

static int parse_args(int argc, char **argv, struct cvm_agent_setup *ret, struct cvm_error *err)
{
    for (int i = 1; i < argc; i += 2) {
        CVM_ENSURE(i + 1 < argc, err, CVM_E_USAGE, "an argument without its value");
        if (!strcmp(argv[i], "--platform"))
            ret->platform = argv[i + 1];
        else if (!strcmp(argv[i], "--memory-mib"))
            CVM_GUARD(parse_mib(argv[i + 1], &ret->memory_mib, err));
        else
            return cvm_fail(err, CVM_E_USAGE, "an unknown argument");
    }
    CVM_ENSURE(ret->platform && ret->memory_mib, err, CVM_E_USAGE,
               "both --platform and --memory-mib are needed");
    return 0;
}

static int take_descriptors(struct cvm_agent_setup *ret, struct cvm_error *err)
{
    for (int fd = FD_LISTEN; fd <= FD_CELL; fd++)
        if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 && fd != FD_DEVICE)
            return cvm_fail(err, CVM_E_USAGE, "descriptor %d is not there", fd);
    ret->listen_fd = FD_LISTEN;
    ret->device_fd = fcntl(FD_DEVICE, F_GETFD) < 0 ? -1 : FD_DEVICE;
    ret->compile_fd = FD_COMPILE;
    ret->cell_fd = FD_CELL;
    return 0;
}

/* No dump, no tracer, no page of keys in swap. Locking is best effort: a guest has no swap. */
static int harden(struct cvm_error *err)
{
    struct rlimit none = {0, 0};
    if (prctl(PR_SET_DUMPABLE, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
        return cvm_fail_errno(err, "the agent can't be protected from dumps");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return cvm_fail_errno(err, "no_new_privs");
    struct rlimit files; /* regions, pipes and timers of many cells; a cell's own limit is lower */
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    mlockall(MCL_CURRENT | MCL_ONFAULT);
    return 0;
}

/* `2cvm-agent --probe`, for the host before any launch: the missing protections as a JSON list. */
static int print_probe(struct cvm_error *err)
{
    unsigned have;
    const char *comma = "";
    CVM_GUARD(cvm_sandbox_probe(&have, err));
    dprintf(STDOUT_FILENO, "[");
    for (int p = 0; p < CVM_PROTECTION_COUNT; p++) {
        if (have >> p & 1)
            continue;
        dprintf(STDOUT_FILENO, "%s\"%s\"", comma, cvm_protection_word((enum cvm_protection)p));
        comma = ",";
    }
    dprintf(STDOUT_FILENO, "]");
    return 0;
}

static int run(int argc, char **argv, struct cvm_error *err)
{
    if (argc == 2 && !strcmp(argv[1], "--probe"))
        return print_probe(err);
    struct cvm_agent_setup setup = {.device_fd = -1};
    struct cvm_source signals;
    if (cvm_init_wanted(argc)) {
        cvm_init_guest(&setup);
    } else {
        CVM_GUARD(parse_args(argc, argv, &setup, err));
        CVM_GUARD(take_descriptors(&setup, err));
    }
    CVM_GUARD(harden(err));
    CVM_GUARD(cvm_agent_open(&agent, &setup, err));
    CVM_GUARD(cvm_agent_watch_signals(&agent, &signals, err));
    cvm_agent_log("ready", CVM_OK);
    return cvm_loop_run(&agent.loop, err);
}

int main(int argc, char **argv)
{
    struct cvm_error err;
    int failed = run(argc, argv, &err) < 0;
    if (failed) {
        char line[1024];
        cvm_error_line(&err, line, sizeof line);
        dprintf(STDERR_FILENO, "2cvm-agent: %s\n", line);
    }
    if (agent.loop.epoll > 0) {
        cvm_agent_close(&agent);
        cvm_agent_log("ended", CVM_OK);
    }
    return failed;
}
