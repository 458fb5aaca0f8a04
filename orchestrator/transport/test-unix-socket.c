#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "orchestrator/transport/unix-socket.h"

static char folder[64];
static char deep[512], path[600];

/* A folder whose path alone is longer than sun_path. */
static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/cvm-socket-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(deep, sizeof deep, "%s/%0120d", folder, 7);
    assert_int_equal(mkdir(deep, 0700), 0);
    snprintf(path, sizeof path, "%s/sock", deep);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    rmdir(deep);
    return rmdir(folder);
}

static void listens_at_a_long_path(void **state)
{
    (void)state;
    struct cvm_error err;
    CVM_AUTO_CLOSE int l = cvm_unix_listen(path, &err);
    assert_true(l >= 0);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    CVM_AUTO_CLOSE int c = cvm_unix_connect(path, &err);
    assert_true(c >= 0);
    assert_int_equal(cvm_unix_listen(path, &err), -1);
    assert_int_equal(err.code, CVM_E_EXISTS);
}

static void replaces_a_dead_socket(void **state)
{
    (void)state;
    struct cvm_error err;
    int l = cvm_unix_listen(path, &err);
    assert_true(l >= 0);
    close(l);
    assert_int_equal(cvm_unix_connect(path, &err), -1);
    assert_int_equal(err.code, CVM_E_CONNECTION);
    CVM_AUTO_CLOSE int again = cvm_unix_listen(path, &err);
    assert_true(again >= 0);
}

/* The listener was killed while a child still held its socket. */
static void replaces_an_orphaned_socket(void **state)
{
    (void)state;
    struct cvm_error err;
    int told[2];
    assert_int_equal(pipe(told), 0);
    pid_t pid = fork();
    if (pid == 0) {
        int l = cvm_unix_listen(path, &err);
        pid_t child = fork();
        if (child == 0)
            for (;;)
                pause();
        _exit(l >= 0 && write(told[1], &child, sizeof child) == (ssize_t)sizeof child ? 0 : 1);
    }
    int status;
    pid_t child;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(read(told[0], &child, sizeof child), sizeof child);
    close(told[0]);
    close(told[1]);
    CVM_AUTO_CLOSE int c = cvm_unix_connect(path, &err);
    CVM_AUTO_CLOSE int l = cvm_unix_listen(path, &err);
    kill(child, SIGKILL);
    assert_true(c >= 0);
    assert_true(l >= 0);
}

static void refuses_other_files(void **state)
{
    (void)state;
    struct cvm_error err;
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
    assert_int_equal(cvm_unix_listen(path, &err), -1);
    assert_int_equal(err.code, CVM_E_EXISTS);
    assert_int_equal(cvm_unix_connect(path, &err), -1);
    assert_int_equal(cvm_unix_connect("/nowhere/sock", &err), -1);
    char longest[256];
    snprintf(longest, sizeof longest, "%s/%0100d", folder, 1);
    assert_int_equal(cvm_unix_listen(longest, &err), -1);
    assert_int_equal(err.code, CVM_E_USAGE);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(listens_at_a_long_path),
        T(replaces_a_dead_socket),
        T(replaces_an_orphaned_socket),
        T(refuses_other_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
