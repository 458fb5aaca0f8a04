/* What calls and streams between cells are compared with: two processes that ring one another
 * through a third by the same sockets and the same kind of loop, copies in memory, and a plain
 * pipe. */
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "benchmarks/bench.h"

enum { ROUNDS = 50000, MESSAGE = 16, COPIES = 200, PIPE_BYTES = 512 << 20, CHUNK = 65536 };

static void need(int result, const char *what)
{
    if (result >= 0)
        return;
    perror(what);
    exit(1);
}

/* Answers each message with one, until the other side is gone. */
static _Noreturn void answer(int fd)
{
    char m[MESSAGE];
    while (read(fd, m, sizeof m) == MESSAGE)
        need((int)write(fd, m, sizeof m), "write");
    _exit(0);
}

/* Hands each message from one side to the other, one event at a time. */
static _Noreturn void between(int a, int b)
{
    int epoll = epoll_create1(0);
    struct epoll_event of_a = {.events = EPOLLIN, .data.fd = a},
                       of_b = {.events = EPOLLIN, .data.fd = b}, e;
    need(epoll_ctl(epoll, EPOLL_CTL_ADD, a, &of_a), "epoll");
    need(epoll_ctl(epoll, EPOLL_CTL_ADD, b, &of_b), "epoll");
    char m[MESSAGE];
    while (epoll_wait(epoll, &e, 1, -1) == 1) {
        if (read(e.data.fd, m, sizeof m) != MESSAGE)
            _exit(0);
        need((int)send(e.data.fd == a ? b : a, m, sizeof m, MSG_DONTWAIT | MSG_NOSIGNAL), "send");
    }
    _exit(0);
}

static void ping_pong(void)
{
    int a[2], b[2];
    need(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, a), "socketpair");
    need(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, b), "socketpair");
    pid_t middle = fork();
    if (middle == 0) {
        close(a[0]);
        close(b[1]);
        between(a[1], b[0]);
    }
    pid_t other = fork();
    if (other == 0) {
        close(a[0]);
        close(a[1]);
        close(b[0]);
        answer(b[1]);
    }
    close(a[1]);
    close(b[0]);
    close(b[1]);
    char m[MESSAGE] = {0};
    double best = 1e9;
    for (int round = 0; round < 5; round++) {
        double begin = bench_now();
        for (int i = 0; i < ROUNDS / 5; i++) {
            need((int)write(a[0], m, sizeof m), "write");
            need((int)read(a[0], m, sizeof m), "read");
        }
        double each = (bench_now() - begin) / (ROUNDS / 5);
        best = each < best ? each : best;
    }
    close(a[0]);
    waitpid(middle, NULL, 0);
    waitpid(other, NULL, 0);
    bench_figure("calls", "bare ping-pong through a third process", best * 1e6, "us");
}

static void copies(void)
{
    static const size_t SIZES[] = {64 << 10, 1 << 20};
    for (size_t i = 0; i < 2; i++) {
        char *from = malloc(SIZES[i]), *to = malloc(SIZES[i]), name[40];
        if (!from || !to)
            exit(1);
        memset(from, 1, SIZES[i]);
        memset(to, 2, SIZES[i]);
        double best = 1e9;
        for (int round = 0; round < COPIES; round++) {
            double begin = bench_now();
            memcpy(to, from, SIZES[i]);
            __asm__ volatile("" : : "r"(to) : "memory");
            double each = bench_now() - begin;
            best = each < best ? each : best;
        }
        snprintf(name, sizeof name, "memcpy of %zu KiB", SIZES[i] >> 10);
        bench_figure("calls", name, best * 1e6, "us");
        free(from);
        free(to);
    }
}

static void through_pipe(void)
{
    static char bytes[CHUNK];
    int ends[2];
    need(pipe(ends), "pipe");
    pid_t writer = fork();
    if (writer == 0) {
        close(ends[0]);
        for (size_t left = PIPE_BYTES; left > 0;) {
            ssize_t n = write(ends[1], bytes, left < sizeof bytes ? left : sizeof bytes);
            need((int)n, "write");
            left -= (size_t)n;
        }
        _exit(0);
    }
    close(ends[1]);
    double begin = bench_now();
    size_t total = 0;
    for (ssize_t n; (n = read(ends[0], bytes, sizeof bytes)) > 0; total += (size_t)n)
        ;
    double seconds = bench_now() - begin;
    close(ends[0]);
    waitpid(writer, NULL, 0);
    bench_figure("calls", "a pipe between two processes", (double)total / seconds / 1e6, "MB/s");
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    ping_pong();
    copies();
    through_pipe();
    return 0;
}
