/* What the probe tells of kernels that lack something: the kernel's own limits on namespaces make
 * such a kernel of any. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>

#include "guest-agent/sandbox/sandbox.h"

enum { NO_TRIAL = 254, FAILED = 255 };

static bool put(const char *path, const char *text)
{
    CVM_AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* In a user namespace of our own, so that its limits are ours to set. The exit code is a bit a
 * namespace: net, ipc, uts. */
static int child(const char *const *limits)
{
    char map[32];
    unsigned have;
    unsigned uid = geteuid(), gid = getegid();
    if (unshare(CLONE_NEWUSER) < 0)
        return NO_TRIAL;
    snprintf(map, sizeof map, "0 %u 1", uid);
    if (!put("/proc/self/setgroups", "deny") || !put("/proc/self/uid_map", map))
        return NO_TRIAL;
    snprintf(map, sizeof map, "0 %u 1", gid);
    if (!put("/proc/self/gid_map", map))
        return NO_TRIAL;
    for (; *limits; limits++)
        if (!put(*limits, "0"))
            return NO_TRIAL;
    if (cvm_sandbox_probe(&have, NULL) < 0)
        return FAILED;
    return (have >> CVM_PROTECTION_NETWORK_NAMESPACE & 1) |
           (have >> CVM_PROTECTION_IPC_NAMESPACE & 1) << 1 |
           (have >> CVM_PROTECTION_UTS_NAMESPACE & 1) << 2;
}

static int probe_with(const char *const *limits)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(child(limits));
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == NO_TRIAL)
        skip();
    return WEXITSTATUS(status);
}

static void test_what_is_missing_is_named(void **state)
{
    (void)state;
    const char *const none[] = {NULL}, *const net[] = {"/proc/sys/user/max_net_namespaces", NULL},
                      *const two[] = {"/proc/sys/user/max_ipc_namespaces",
                                      "/proc/sys/user/max_uts_namespaces", NULL};
    int all = probe_with(none);
    if (all != 7)
        skip(); /* this kernel lacks one of them anyway */
    assert_int_equal(probe_with(net), 6);
    assert_int_equal(probe_with(two), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_is_missing_is_named)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
