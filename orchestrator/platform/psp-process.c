/* What the drivers of simulated isolates share. */
#include "orchestrator/platform/psp-process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "core/base/clock.h"

#define START_LOG "start.log"
#define START_MS 20000
#define STOP_MS 10000

pid_t cvm_psp_holder(const char *folder)
{
    CVM_AUTO_FREE char *path = cvm_printf("%s/" CVM_PSP_PID, folder);
    CVM_AUTO_CLOSE int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fd < 0 || fcntl(fd, F_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
        return 0;
    return lock.l_pid;
}

/* The PSP writes why it could not start to its standard error, which is a file of the folder. */
static int start_failed(const char *folder, struct cvm_error *err)
{
    CVM_AUTO_FREE char *path = cvm_printf("%s/" START_LOG, folder);
    CVM_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    char text[300];
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return cvm_fail(err, CVM_E_PLATFORM, "the isolate could not be started: %s",
                    *text ? text : "no reason was given");
}

/* Waits for a child within a time; its exit status, or -1. */
static int wait_child(pid_t pid, int timeout_ms, struct cvm_error *err)
{
    CVM_AUTO_CLOSE int pidfd = pidfd_open(pid, 0);
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    int64_t end = cvm_now_ms() + timeout_ms;
    int rc;
    do {
        int64_t left = end - cvm_now_ms();
        rc = poll(&p, 1, left > 0 ? (int)left : 0);
    } while (rc < 0 && errno == EINTR);
    if (rc <= 0)
        kill(pid, SIGKILL);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    CVM_ENSURE(rc > 0, err, CVM_E_TIMEOUT, "the isolate did not come up in time");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static int spawn(const char *program, const char *folder, char **argv, struct cvm_error *err)
{
    char *envp[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
    posix_spawn_file_actions_init(&actions);
    /* First of all: should this daemon be killed now, its successor needs the sockets. */
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    posix_spawn_file_actions_addchdir_np(&actions, folder);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, START_LOG, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    pid_t pid = -1;
    int rc = posix_spawn(&pid, program, &actions, &attr, argv, envp);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    CVM_ENSURE(rc == 0, err, CVM_E_PLATFORM, "cannot start '%s': %s", program, strerror(rc));
    return wait_child(pid, START_MS, err);
}

int cvm_psp_start(const char *program, const char *folder, char **argv, struct cvm_error *err)
{
    int status = spawn(program, folder, argv, err);
    CVM_GUARD(status);
    /* One that an earlier daemon started in its last moment may have come first. */
    CVM_ENSURE(status == 0 || cvm_psp_holder(folder) <= 0, err, CVM_E_EXISTS,
               "an isolate runs in '%s'", folder);
    return status == 0 ? 0 : start_failed(folder, err);
}

int cvm_psp_stop(const char *folder, struct cvm_error *err)
{
    pid_t pid = cvm_psp_holder(folder);
    if (pid <= 0)
        return 0;
    CVM_AUTO_CLOSE int pidfd = pidfd_open(pid, 0);
    /* Asked again with the descriptor in hand: only then is the number surely that process. */
    if (pidfd < 0 || cvm_psp_holder(folder) != pid)
        return 0;
    if (pidfd_send_signal(pidfd, SIGTERM, NULL, 0) < 0)
        return cvm_fail_errno(err, "cannot end the isolate");
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    if (poll(&p, 1, STOP_MS) > 0)
        return 0;
    if (pidfd_send_signal(pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
        return cvm_fail_errno(err, "cannot end the isolate");
    CVM_ENSURE(poll(&p, 1, STOP_MS) > 0, err, CVM_E_TIMEOUT, "the isolate does not end");
    return 0;
}
