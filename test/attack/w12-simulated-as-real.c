/*
 * W12: without hardware the agent answers with a made-up report. Here the production agent is
 * started for each simulated platform, with a device that would answer, and for real hardware that
 * is not there. Would succeed if the simulated provider were in its program.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/attack/attack.h"

/* What it said when it had ended; NULL while it runs (it is ended then). */
static char *start(const char *program, const char *platform)
{
    int said[2], device[2];
    CVM_AUTO_FREE char *path = cvm_printf(CVM_BINARY_DIR "/bin/%s", program);
    assert_int_equal(pipe2(said, O_CLOEXEC), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, device), 0);
    pid_t pid = fork();
    if (pid == 0) {
        int fds[] = {socket(AF_UNIX, SOCK_STREAM, 0), device[1], open(path, O_RDONLY),
                     open(path, O_RDONLY)};
        dup2(said[1], 2);
        for (int i = 0; i < 4; i++)
            fds[i] = fcntl(fds[i], F_DUPFD, 20);
        for (int i = 0; i < 4; i++)
            dup2(fds[i], 3 + i);
        execl(path, program, "--platform", platform, "--memory-mib", "512", (char *)NULL);
        _exit(99);
    }
    close(said[1]);
    close(device[1]);
    char text[1024] = "";
    size_t n = 0;
    ssize_t r;
    struct pollfd p = {.fd = said[0], .events = POLLIN};
    bool ended = false;
    while (poll(&p, 1, 2000) == 1) {
        if ((r = read(said[0], text + n, sizeof text - 1 - n)) <= 0) {
            ended = true;
            break;
        }
        n += (size_t)r;
    }
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(said[0]);
    close(device[0]);
    print_message("%s %s: %s %s", program, platform, ended ? "ended:" : "runs", text);
    return ended ? cvm_printf("%s", text) : NULL;
}

static void test_simulated_as_real(void **state)
{
    (void)state;
    static const char *const platforms[] = {"sim-process", "sim-vm", "sev-snp", "simulated", ""};
    for (size_t i = 0; i < sizeof platforms / sizeof platforms[0]; i++) {
        CVM_AUTO_FREE char *said = start("2cvm-agent-production", platforms[i]);
        assert_non_null(said);
        assert_null(strstr(said, "ready"));
        assert_non_null(strstr(said, "2cvm-agent: ")); /* it refused, and did not crash */
    }
    /* With the same arguments and descriptors the other agent does start. */
    assert_null(start("2cvm-agent", "sim-process"));
}

ATTACK_MAIN(test_simulated_as_real)
