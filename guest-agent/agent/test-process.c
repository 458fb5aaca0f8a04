/* Limits of a child process, and how its end is told. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "guest-agent/agent/process.h"

static struct cvm_loop loop;
static int ended;

static void on_end(struct cvm_process *p)
{
    (void)p;
    ended++;
}

static int setup(void **state)
{
    (void)state;
    struct cvm_error err;
    ended = 0;
    return cvm_loop_open(&loop, &err);
}

static int teardown(void **state)
{
    (void)state;
    cvm_loop_close(&loop);
    return 0;
}

static void spin(void)
{
    for (;;)
        __asm__ volatile("");
}

static void idle(void)
{
    for (;;)
        pause();
}

static void quit(void)
{
    _exit(7);
}

static void start(struct cvm_process *p, void (*what)(void), uint64_t cpu_ms, uint64_t wall_ms)
{
    struct cvm_error err;
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        what();
    }
    *p = (struct cvm_process){.ended = on_end};
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    assert_int_equal(cvm_process_watch(p, &loop, pid, pidfd, cpu_ms, wall_ms, &err), 0);
}

static void run(void)
{
    struct cvm_error err;
    for (int i = 0; i < 1000 && !ended; i++)
        assert_true(cvm_loop_step(&loop, 10000, &err) >= 0);
    assert_int_equal(ended, 1);
}

static void test_by_itself(void **state)
{
    (void)state;
    struct cvm_process p;
    start(&p, quit, 1000, 5000);
    run();
    assert_int_equal(p.stop, CVM_STOP_NONE);
    assert_true(WIFEXITED(p.status) && WEXITSTATUS(p.status) == 7);
    assert_int_equal(p.pid, 0);
    cvm_process_kill(&p, CVM_STOP_CALLER); /* nothing to kill: nothing happens */
    cvm_process_end(&p);
    assert_int_equal(p.stop, CVM_STOP_NONE);
}

static void test_cpu(void **state)
{
    (void)state;
    struct cvm_process p;
    start(&p, spin, 100, 20000);
    run();
    assert_int_equal(p.stop, CVM_STOP_CPU);
    assert_true(p.cpu_ms >= 100 && p.cpu_ms < 400);
    assert_true(WIFSIGNALED(p.status) && WTERMSIG(p.status) == SIGKILL);
}

static void test_wall(void **state)
{
    (void)state;
    struct cvm_process p;
    start(&p, idle, 5000, 100);
    run();
    assert_int_equal(p.stop, CVM_STOP_WALL);
    assert_true(p.wall_ms >= 100 && p.cpu_ms < 100);
}

static void test_the_first_reason_counts(void **state)
{
    (void)state;
    struct cvm_process p;
    start(&p, idle, 5000, 5000);
    cvm_process_kill(&p, CVM_STOP_CALLER);
    cvm_process_kill(&p, CVM_STOP_WALL);
    run();
    assert_int_equal(p.stop, CVM_STOP_CALLER);
}

static void test_forgotten(void **state)
{
    (void)state;
    struct cvm_error err;
    struct cvm_process p;
    start(&p, spin, 5000, 5000);
    cvm_process_end(&p);
    assert_int_equal(ended, 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* reaped */
    assert_int_equal(cvm_loop_step(&loop, 20, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_by_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cpu, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wall, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_first_reason_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forgotten, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
