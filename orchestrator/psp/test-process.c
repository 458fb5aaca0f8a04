/* The program 2cvm-psp as a process: what it gives the agent, what it refuses, and how both end. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "core/evidence/appraise.h"
#include "core/evidence/measure-sim.h"
#include "core/evidence/sim-device.h"

static char folder[] = "/tmp/2cvm-psp-XXXXXX";
static char host_data[65];

static char *in(const char *name)
{
    return cvm_printf("%s/%s", folder, name);
}

static void put(const char *name, const char *from, const char *text)
{
    CVM_AUTO_FREE char *path = in(name);
    int to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    assert_true(to >= 0);
    if (text)
        assert_int_equal(write(to, text, strlen(text)), strlen(text));
    CVM_AUTO_CLOSE int fd = from ? open(from, O_RDONLY | O_CLOEXEC) : -1;
    char chunk[65536];
    for (ssize_t n; from && (n = read(fd, chunk, sizeof(chunk))) > 0;)
        assert_int_equal(write(to, chunk, (size_t)n), n);
    close(to);
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    CVM_AUTO_FREE char *image = in("image");
    mkdir(image, 0755);
    put("image/2cvm-agent", CVM_BINARY_DIR "/bin/2cvm-psp-stand-in-agent", NULL);
    put("image/2cvm-compile", NULL, "compile");
    put("image/2cvm-cell", NULL, "cell");
    memset(host_data, 'a', 64);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    static const char *const names[] = {"image/2cvm-agent", "image/2cvm-compile",
                                        "image/2cvm-cell"};
    for (size_t i = 0; i < 3; i++) {
        CVM_AUTO_FREE char *path = in(names[i]);
        unlink(path);
    }
    CVM_AUTO_FREE char *image = in("image");
    rmdir(image);
    return rmdir(folder);
}

/* Starts the PSP in the foreground with `state` as its folder; errors of it are not shown. */
static pid_t start(const char *state, const char *image, const char *hex)
{
    CVM_AUTO_FREE char *dir = in(state);
    CVM_AUTO_FREE char *socket_path = cvm_printf("%s/agent.sock", dir);
    pid_t pid = fork();
    if (pid)
        return pid;
    int null = open("/dev/null", O_WRONLY);
    dup2(null, 2);
    execl(CVM_BINARY_DIR "/bin/2cvm-psp", "2cvm-psp", "--image", image, "--host-data", hex,
          "--socket", socket_path, "--state-dir", dir, "--memory-mib", "64", "--vcpus", "3",
          (char *)NULL);
    _exit(99);
}

static int status_of(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Connects as soon as the socket is there; the PSP's end stops the waiting. */
static int connect_to(const char *state, pid_t psp)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof(a.sun_path), "%s/%s/agent.sock", folder, state);
    CVM_AUTO_CLOSE int ended = (int)syscall(SYS_pidfd_open, psp, 0);
    for (int tries = 0; tries < 1000; tries++) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
            return fd;
        close(fd);
        struct pollfd p = {.fd = ended, .events = POLLIN};
        assert_int_equal(poll(&p, 1, 10), 0);
    }
    fail_msg("the agent never listened");
    return -1;
}

static void clean(const char *state)
{
    static const char *const names[] = {"psp.pid", "agent.pid", "psp.log", "agent.log",
                                        "agent.sock"};
    CVM_AUTO_FREE char *dir = in(state);
    for (size_t i = 0; i < 5; i++) {
        CVM_AUTO_FREE char *path = cvm_printf("%s/%s", dir, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(dir), 0);
}

static bool logged(const char *state, const char *text)
{
    CVM_AUTO_FREE char *path = cvm_printf("%s/%s/psp.log", folder, state);
    CVM_AUTO_FCLOSE FILE *f = fopen(path, "re");
    char all[4096] = "";
    size_t n = f ? fread(all, 1, sizeof(all) - 1, f) : 0;
    all[n] = '\0';
    return strstr(all, text);
}

static void test_life(void **state)
{
    (void)state;
    CVM_AUTO_FREE char *image = in("image");
    pid_t psp = start("one", image, host_data);
    CVM_AUTO_CLOSE int fd = connect_to("one", psp);
    CVM_AUTO_BUF struct cvm_buf said = {0};
    char chunk[4096];
    for (ssize_t n; (n = read(fd, chunk, sizeof(chunk))) > 0;)
        cvm_buf_append(&said, chunk, (size_t)n);
    char *end = memchr(said.data, '\n', said.len);
    assert_non_null(end);
    *end = '\0';
    const char *facts = (const char *)said.data;
    if (!strstr(facts, "args=5 --platform sim-process --memory-mib 64|fds=7|") ||
        !strstr(facts, "|env=none|"))
        fail_msg("%s", facts);
    if (logged("one", "no own")) /* this machine lacks walls: then they can't be looked at */
        print_message("some walls are missing here: %s\n", facts);
    else if (!strstr(facts, "|interfaces=1|host=0|") || !strstr(facts, "|pid=1"))
        fail_msg("%s", facts);

    /* What it vouches for: the measurement that a participant recomputes, and HOST_DATA as given.
     */
    CVM_AUTO_SIM_RESPONSE struct cvm_sim_response r = {0};
    size_t head = (size_t)(end + 1 - (char *)said.data);
    assert_int_equal(cvm_sim_response_parse(said.data + head, said.len - head, &r, NULL), 0);
    uint8_t measured[1][CVM_MEASUREMENT_LEN], wanted[CVM_HOST_DATA_LEN],
        data[CVM_REPORT_DATA_LEN] = "asked by the stand-in";
    memset(wanted, 0xaa, sizeof(wanted));
    assert_int_equal(cvm_measure_sim_folder(image, 3, measured[0], NULL), 0);
    CVM_AUTO_CERTIFICATES struct cvm_certificates c = {0};
    for (size_t i = 0; i < r.n_certificates; i++)
        assert_int_equal(
            cvm_certificates_add_der(&c, r.certificates[i].data, r.certificates[i].len, NULL), 0);
    const struct cvm_expectations e = {.time = time(NULL),
                                       .production = true,
                                       .measurements = measured,
                                       .n_measurements = 1,
                                       .host_data = wanted,
                                       .report_data = data};
    struct cvm_appraisal a;
    cvm_evidence_check(r.report, sizeof(r.report), &c, &e, &a);
    assert_int_equal(a.outcome, CVM_OUTCOME_SIMULATED);

    /* While it lives, and after: no second isolate in this folder. */
    assert_int_equal(status_of(start("one", image, host_data)), 1);
    struct stat st;
    CVM_AUTO_FREE char *path = in("one/agent.sock");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    close(CVM_TAKE_FD(fd));
    assert_int_equal(status_of(psp), 0);
    assert_true(logged("one", "exit code 7"));
    assert_int_equal(stat(path, &st), -1);
    assert_int_equal(status_of(start("one", image, host_data)), 1);
    clean("one");
}

/* Told to end, it kills the agent; killed itself, the kernel does. */
static void test_ends(void **state)
{
    (void)state;
    CVM_AUTO_FREE char *image = in("image");
    const int signals[] = {SIGTERM, SIGKILL};
    for (size_t i = 0; i < 2; i++) {
        pid_t psp = start("two", image, host_data);
        CVM_AUTO_CLOSE int fd = connect_to("two", psp);
        char chunk[4096];
        assert_true(read(fd, chunk, sizeof(chunk)) > 0);
        assert_int_equal(kill(psp, signals[i]), 0);
        assert_int_equal(status_of(psp), i == 0 ? 0 : 128 + SIGKILL);
        /* The agent's end closes the connection. */
        ssize_t n;
        while ((n = read(fd, chunk, sizeof(chunk))) > 0)
            ;
        struct pollfd p = {.fd = fd, .events = POLLRDHUP};
        assert_int_equal(poll(&p, 1, 10000), 1);
        clean("two");
    }
}

static void test_refusals(void **state)
{
    (void)state;
    CVM_AUTO_FREE char *image = in("image");
    CVM_AUTO_FREE char *nowhere = in("nowhere");
    struct stat st;
    assert_int_equal(status_of(start("three", nowhere, host_data)), 1);
    CVM_AUTO_FREE char *pid_file = in("three/psp.pid");
    assert_int_equal(stat(pid_file, &st), -1); /* nothing ran: the folder may be used again */
    assert_true(logged("three", "cannot open"));
    assert_int_equal(status_of(start("three", image, "abc")), 2);
    assert_int_equal(
        status_of(start("three", image,
                        "AAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")),
        2);
    /* A program that is none. */
    CVM_AUTO_FREE char *broken = in("broken");
    mkdir(broken, 0755);
    put("broken/2cvm-agent", NULL, "no program");
    put("broken/2cvm-compile", NULL, "compile");
    put("broken/2cvm-cell", NULL, "cell");
    assert_int_equal(status_of(start("three", broken, host_data)), 1);
    assert_true(logged("three", "could not be started"));
    for (size_t i = 0; i < CVM_SIM_PROGRAMS; i++) {
        CVM_AUTO_FREE char *path = cvm_printf("%s/%s", broken, cvm_sim_program_names[i]);
        unlink(path);
    }
    rmdir(broken);
    clean("three");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
