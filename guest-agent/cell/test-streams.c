/* Pipes in the place of standard input and output. */
#include "guest-agent/cell/test-agent.h"

#include <fcntl.h>
#include <sys/wait.h>

static void pump(int to, const char *data, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = write(to, data + at, len - at);
        assert_true(n > 0);
        at += (size_t)n;
    }
}

/* More than a pipe holds, both ways at once: the cell waits for bytes and for room. */
static void test_streams(void **state)
{
    (void)state;
    static char text[300000], got[sizeof text];
    int in[2], out[2];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + i % 26);
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    struct testing_cell c = testing_command("upper", NULL, "");
    c.in = in[0];
    c.out = out[1];
    testing_cell_start(&c);
    close(in[0]);
    close(out[1]);
    pid_t writer = fork();
    if (writer == 0) {
        pump(in[1], text, sizeof text);
        _exit(0);
    }
    close(in[1]);
    size_t at = 0;
    for (ssize_t n; (n = read(out[0], got + at, sizeof got - at)) > 0;)
        at += (size_t)n;
    assert_int_equal(at, sizeof text);
    for (size_t i = 0; i < sizeof text; i++)
        assert_int_equal(got[i], text[i] - 32);
    assert_int_equal(waitpid(writer, NULL, 0), writer);
    testing_cell_wait(&c);
    testing_ended_well(&c);
    assert_int_equal(c.result.stdout_bytes, sizeof text);
    close(out[0]);
    testing_cell_release(&c);
}

/* Nobody reads any more: the component is told, and not killed. */
static void test_no_reader(void **state)
{
    (void)state;
    int out[2];
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    struct testing_cell c = testing_command("probe", NULL, "\"flood\"");
    c.out = out[1];
    close(out[0]);
    testing_cell_start(&c);
    close(out[1]);
    testing_cell_wait(&c);
    assert_true(c.recorded && WIFEXITED(c.end.status));
    assert_int_not_equal(c.result.end, CVM_CELL_INTERNAL);
    testing_cell_release(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_no_reader),
    };
    return cmocka_run_group_tests(tests, testing_setup, NULL);
}
