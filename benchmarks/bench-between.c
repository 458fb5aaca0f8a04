/* What calls and streams between cells are compared with: two processes that ring one another
 * through a third by the same sockets and the same kind of loop, empty-handed or with three copies
 * through two regions like those of a channel; copies within a process; and a plain pipe. */
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "benchmarks/bench.h"

enum { MESSAGE = 16, PARTS = 400, PIPE_BYTES = 512 << 20, CHUNK = 65536, POOL = 64 << 20 };
static const size_t SIZES[] = {64 << 10, 1 << 20};

static void need(int result, const char *what)
{
    if (result >= 0)
        return;
    perror(what);
    exit(1);
}

static char *memory(size_t bytes, int fd)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                    fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);
    need(at == MAP_FAILED ? -1 : 0, "mmap");
    return memset(at, 1, bytes);
}

/* Of the kind that the agent makes for one end of a channel. */
static int region(size_t bytes)
{
    int fd = memfd_create("region", MFD_CLOEXEC);
    need(fd, "memfd_create");
    need(ftruncate(fd, (off_t)bytes), "ftruncate");
    return fd;
}

struct trip {
    size_t bytes, part; /* 0 bytes: messages alone; a region holds one part */
    int first;          /* region of the near process and the one between */
    int second;         /* region of that and the far one */
};

/* Takes what came, and answers each message with one, until the other side is gone. */
static _Noreturn void answer(const struct trip *t, int fd)
{
    char m[MESSAGE], *from = NULL, *own = NULL;
    size_t at = 0;
    if (t->bytes) {
        from = memory(t->part, t->second);
        own = memory(t->bytes, -1);
    }
    while (read(fd, m, sizeof m) == MESSAGE) {
        if (t->bytes) {
            memcpy(own + at, from, t->part);
            at = (at + t->part) % t->bytes;
        }
        need((int)write(fd, m, sizeof m), "write");
    }
    _exit(0);
}

/* Hands each message from one side to the other, one event at a time, and bytes with those of `a`.
 */
static _Noreturn void between(const struct trip *t, int a, int b)
{
    int epoll = epoll_create1(0);
    struct epoll_event of_a = {.events = EPOLLIN, .data.fd = a},
                       of_b = {.events = EPOLLIN, .data.fd = b}, e;
    need(epoll_ctl(epoll, EPOLL_CTL_ADD, a, &of_a), "epoll");
    need(epoll_ctl(epoll, EPOLL_CTL_ADD, b, &of_b), "epoll");
    char m[MESSAGE], *from = NULL, *to = NULL;
    if (t->bytes) {
        from = memory(t->part, t->first);
        to = memory(t->part, t->second);
    }
    while (epoll_wait(epoll, &e, 1, -1) == 1) {
        if (read(e.data.fd, m, sizeof m) != MESSAGE)
            _exit(0);
        if (t->bytes && e.data.fd == a)
            memcpy(to, from, t->part);
        need((int)send(e.data.fd == a ? b : a, m, sizeof m, MSG_DONTWAIT | MSG_NOSIGNAL), "send");
    }
    _exit(0);
}

/* Seconds that one takes: the best mean of many short parts, as ask.c counts. The first one warms
 * up. */
static double best_of(void (*once)(void *), void *context, int times)
{
    double best = 1e9;
    for (int part = 0; part <= PARTS; part++) {
        double begin = bench_now();
        for (int i = 0; i < times; i++)
            once(context);
        double each = (bench_now() - begin) / times;
        best = part && each < best ? each : best;
    }
    return best;
}

struct near {
    size_t bytes, part;
    char *own, *to;
    int fd;
};

static void go_and_return(void *context)
{
    const struct near *n = context;
    char m[MESSAGE] = {0};
    size_t at = 0;
    do {
        if (n->bytes)
            memcpy(n->to, n->own + at, n->part);
        need((int)write(n->fd, m, sizeof m), "write");
        need((int)read(n->fd, m, sizeof m), "read");
        at += n->part;
    } while (at < n->bytes);
}

static double three_processes(size_t bytes, size_t part, int times)
{
    struct trip t = {bytes, part, -1, -1};
    int a[2], b[2];
    if (bytes) {
        t.first = region(part);
        t.second = region(part);
    }
    need(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, a), "socketpair");
    need(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, b), "socketpair");
    pid_t middle = fork();
    if (middle == 0) {
        close(a[0]);
        close(b[1]);
        between(&t, a[1], b[0]);
    }
    pid_t other = fork();
    if (other == 0) {
        close(a[0]);
        close(a[1]);
        close(b[0]);
        answer(&t, b[1]);
    }
    close(a[1]);
    close(b[0]);
    close(b[1]);
    struct near near = {.bytes = bytes, .part = part, .fd = a[0]};
    if (bytes) {
        near.own = memory(bytes, -1);
        near.to = memory(part, t.first);
    }
    double best = best_of(go_and_return, &near, times);
    close(a[0]);
    waitpid(middle, NULL, 0);
    waitpid(other, NULL, 0);
    if (bytes) {
        close(t.first);
        close(t.second);
    }
    return best;
}

static void through_three_processes(void)
{
    char name[64];
    bench_figure("calls", "bare ping-pong through a third process",
                 three_processes(0, 0, 200) * 1e6, "us");
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(name, sizeof name, "three copies of %zu KiB through three processes",
                       SIZES[i] >> 10);
        bench_figure("calls", name, three_processes(SIZES[i], SIZES[i], i ? 3 : 20) * 1e6, "us");
    }
    bench_figure("calls", "1024 KiB through them in parts of 256 KiB",
                 three_processes(SIZES[1], SIZES[1] / 4, 3) * 1e6, "us");
}

struct pool {
    char *at;
    size_t bytes, n, next; /* of a block, blocks, the next of them */
};

static void copy_one(void *context)
{
    struct pool *p = context;
    memcpy(p->at + (p->next + 1) * p->bytes, p->at + p->next * p->bytes, p->bytes);
    __asm__ volatile("" : : "r"(p->at) : "memory");
    p->next = (p->next + 2) % p->n;
}

/* `hot`: the same two blocks again and again, which the core's own cache holds if it is large
 * enough. Else blocks of a large pool in turn, of which no cache near the core holds any. */
static double copy_of(size_t bytes, int hot, int times)
{
    struct pool p = {.bytes = bytes, .n = hot ? 2 : POOL / bytes};
    p.at = memory(p.n * bytes, -1);
    double best = best_of(copy_one, &p, times);
    munmap(p.at, p.n * bytes);
    return best;
}

static void copies(void)
{
    char name[64];
    for (size_t i = 0; i < 2; i++)
        for (int hot = 0; hot < 2; hot++) {
            (void)snprintf(name, sizeof name, "memcpy of %zu KiB, %s", SIZES[i] >> 10,
                           hot ? "hot" : "cold");
            bench_figure("calls", name, copy_of(SIZES[i], hot, i ? 10 : 200) * 1e6, "us");
        }
}

static void through_pipe(const char *name, size_t chunk)
{
    static char bytes[CHUNK];
    int ends[2];
    need(pipe(ends), "pipe");
    pid_t writer = fork();
    if (writer == 0) {
        close(ends[0]);
        for (size_t left = PIPE_BYTES; left > 0;) {
            ssize_t n = write(ends[1], bytes, left < chunk ? left : chunk);
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
    bench_figure("calls", name, (double)total / seconds / 1e6, "MB/s");
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    through_three_processes();
    copies();
    through_pipe("a pipe between two processes", CHUNK);
    through_pipe("a pipe, 4 KiB a write", 4096);
    return 0;
}
