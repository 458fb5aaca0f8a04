/* What the agent asks of the walls. How they stand from inside: test/attack/cell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "guest-agent/sandbox/sandbox.h"

static unsigned probe(void)
{
    struct cvm_error err = {0};
    unsigned have = 0;
    if (cvm_sandbox_probe(&have, &err) < 0)
        fail_msg("probe: %s", err.message);
    return have;
}

static int open_program(void)
{
    int program = open(WAITS, O_PATH | O_CLOEXEC);
    assert_true(program >= 0);
    return program;
}

static void test_probe(void **state)
{
    (void)state;
    unsigned have = probe();
    for (int i = 0; i < CVM_PROTECTION_COUNT; i++)
        print_message("%-18s %s\n", cvm_protection_word((enum cvm_protection)i),
                      have & (1u << i) ? "works" : "MISSING");
    /* Asked twice it must say the same, and leave no child. */
    assert_int_equal(have, probe());
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void test_cell_user(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    struct cvm_error err = {0};
    int in[2], out[2];
    assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
    struct cvm_sandbox_fd fds[] = {{in[0], 0}, {out[1], 1}};
    struct cvm_sandbox_spawn spec = {.program = open_program(),
                                     .name = "x",
                                     .have = probe(),
                                     .fds = fds,
                                     .n_fds = 2,
                                     .data_bytes = 1 << 25,
                                     .cpu_seconds = 1,
                                     .cgroup = -1,
                                     .proc = -1};
    struct cvm_sandbox_child child;
    assert_int_equal(cvm_sandbox_spawn(&spec, &child, &err), 0);
    char path[64], line[256];
    unsigned user = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/status", child.pid);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    while (fgets(line, sizeof line, f))
        (void)sscanf(line, "Uid: %u", &user);
    fclose(f);
    if (probe() >> CVM_PROTECTION_USER_NAMESPACE &
        1) /* without one it leaves root by itself, later */
        assert_true(user >= 0x71000000u);
    assert_int_equal(kill(child.pid, SIGKILL), 0);
    assert_int_equal(waitpid(child.pid, NULL, 0), child.pid);
    close(child.pidfd);
}

/* A child of a caller that dies is killed with it. */
static void test_dies_with_parent(void **state)
{
    (void)state;
    int keep[2], out[2];
    assert_int_equal(pipe2(keep, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
    unsigned have = probe();
    pid_t pid = fork();
    if (pid == 0) {
        struct cvm_sandbox_fd fds[] = {{keep[0], 0}, {out[1], 1}};
        struct cvm_sandbox_spawn spec = {.program = open_program(),
                                         .name = "x",
                                         .have = have,
                                         .fds = fds,
                                         .n_fds = 2,
                                         .data_bytes = 1 << 25,
                                         .cpu_seconds = 1,
                                         .cgroup = -1,
                                         .proc = -1};
        struct cvm_sandbox_child child;
        _exit(cvm_sandbox_spawn(&spec, &child, NULL) < 0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(out[1]);
    /* The cell held the last writing end: its death shows as the pipe's end. It would wait for ever
     * on descriptor 0. */
    struct pollfd p = {.fd = out[0], .events = POLLIN};
    char c;
    ssize_t n;
    do {
        assert_int_equal(poll(&p, 1, 5000), 1);
        n = read(out[0], &c, 1);
    } while (n == 1);
    assert_int_equal(n, 0);
    close(keep[1]);
}

static void test_bad_specs(void **state)
{
    (void)state;
    struct cvm_error err = {0};
    struct cvm_sandbox_child child;
    struct cvm_sandbox_fd twice[] = {{0, 0}, {1, 0}}, high[] = {{0, CVM_SANDBOX_FD_LIMIT}};
    struct cvm_sandbox_spawn good = {.program = open_program(),
                                     .name = "x",
                                     .have = probe(),
                                     .data_bytes = 1 << 25,
                                     .cpu_seconds = 1,
                                     .cgroup = -1,
                                     .proc = -1};
    struct cvm_sandbox_spawn s = good;
    s.fds = twice;
    s.n_fds = 2;
    assert_int_equal(cvm_sandbox_spawn(&s, &child, &err), -1);
    s.fds = high;
    s.n_fds = 1;
    assert_int_equal(cvm_sandbox_spawn(&s, &child, &err), -1);
    s = good;
    s.have &= ~(1u << CVM_PROTECTION_MOUNT_NAMESPACE);
    assert_int_equal(cvm_sandbox_spawn(&s, &child, &err), -1);
    assert_int_equal(err.code, CVM_E_PROTECTION_MISSING);
    s = good;
    s.cpu_seconds = 0;
    assert_int_equal(cvm_sandbox_spawn(&s, &child, &err), -1);
    s = good;
    s.program = open("/etc/passwd", O_RDONLY | O_CLOEXEC); /* no program */
    assert_int_equal(cvm_sandbox_spawn(&s, &child, &err), -1);
    assert_int_equal(err.code, CVM_E_SANDBOX);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* reaped */

    unsigned have;
    char *wrong[] = {(char *)"x", (char *)"zz", NULL},
         *more[] = {(char *)"x", (char *)"fffff", NULL};
    assert_int_equal(cvm_sandbox_have(1, wrong, &have, &err), -1);
    assert_int_equal(cvm_sandbox_have(2, wrong, &have, &err), -1);
    assert_int_equal(cvm_sandbox_have(2, more, &have, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_probe),
        cmocka_unit_test(test_bad_specs),
        cmocka_unit_test(test_cell_user),
        cmocka_unit_test(test_dies_with_parent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
