/*
 * Takes the place of 2cvm-cell in tests of the agent: the "component" is a text of commands, one a
 * line, that do what a component, or a cell whose component has taken it over, could do.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest-agent/sandbox/bell.h"
#include "guest-agent/sandbox/results.h"

static struct cvm_cell_result record = {.magic = CVM_CELL_RESULT_MAGIC};
static char spec[65536];
static unsigned n_in;

static unsigned count(const char *from, const char *to)
{
    unsigned n = 0;
    for (const char *p = from; (p = strstr(p, "\"fd\":")) && p < to; p++)
        n++;
    return n;
}

static int out_fd(unsigned i)
{
    return CVM_FD_CHANNELS + (int)(n_in + i);
}

static void put(unsigned i, const void *data, size_t len)
{
    if (pwrite(out_fd(i), data, len, (off_t)record.output_bytes[i]) == (ssize_t)len)
        record.output_bytes[i] += len;
}

static void copy(unsigned in, unsigned out)
{
    char bytes[4096];
    ssize_t n;
    for (off_t at = 0; (n = pread(CVM_FD_CHANNELS + (int)in, bytes, sizeof bytes, at)) > 0; at += n)
        put(out, bytes, (size_t)n);
}

static void tell(size_t len)
{
    _exit(write(CVM_FD_RESULT, &record, len) == (ssize_t)len ? 0 : 1);
}

static void bomb(void)
{
    for (;;) {
        char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) {
            record.end = CVM_CELL_MEMORY;
            tell(sizeof record);
        }
        memset(p, 1, 1 << 20);
    }
}

/* Tries to grow an output beyond its max_bytes; says in the output whether it could. */
static void overgrow(unsigned i)
{
    struct stat st;
    fstat(out_fd(i), &st);
    ssize_t n = pwrite(out_fd(i), "x", 1, st.st_size);
    const char *said = n < 0 && (errno == EPERM || errno == EFBIG) ? "refused" : "grown";
    put(i, said, strlen(said));
}

/* Never returns, but the compiler can't see that. */
static char recurse(volatile char *up, int left)
{
    volatile char frame[4096];
    frame[0] = up ? up[0] : 0;
    return left ? (char)(recurse(frame, left) + frame[0]) : frame[0];
}

/* -------------------------------------------------------------------- calls */

static struct side {
    unsigned channel, bytes;
    char *region;
} imports[8], exports[8];
static unsigned calls_served;

static void map_side(const char *list, struct side *to)
{
    const char *p = strstr(spec, list);
    for (p = p ? strchr(p, '[') + 1 : NULL; p && *p != ']'; to++) {
        int fd;
        if (sscanf(p, "%*[,]") == EOF ||
            sscanf(strchr(p, '{'), "{\"bytes\":%u,\"channel\":%u,\"fd\":%d", &to->bytes,
                   &to->channel, &fd) != 3)
            _exit(3);
        to->region = mmap(NULL, to->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (to->region == MAP_FAILED)
            _exit(3);
        p = strchr(p, '}') + 1;
    }
}

static void send_bell(unsigned kind, unsigned channel, unsigned function, uint64_t bytes)
{
    struct cvm_bell b = {(uint16_t)kind, (uint16_t)channel, function, bytes};
    if (write(CVM_FD_DOORBELL, &b, sizeof b) != (ssize_t)sizeof b)
        _exit(4);
}

static struct cvm_bell await_bell(void)
{
    struct cvm_bell b;
    if (read(CVM_FD_DOORBELL, &b, sizeof b) != (ssize_t)sizeof b)
        _exit(5);
    return b;
}

/* Returns the bytes of the reply, which lie in the region. */
static size_t call(const struct side *to, unsigned function, const char *data, size_t len)
{
    memcpy(to->region, data, len);
    send_bell(CVM_BELL_CALL, to->channel, function, len);
    struct cvm_bell b = await_bell();
    if (b.kind != CVM_BELL_REPLY || b.channel != to->channel || b.function != function)
        _exit(6);
    return b.bytes;
}

static const struct side *export_of(unsigned channel)
{
    for (const struct side *e = exports; e->region; e++)
        if (e->channel == channel)
            return e;
    _exit(7);
}

/* A library's life. `how`: "echo" answers "<arguments>", "count" its number of calls, "on" what the
 * library behind it answers, "leak" what it finds in its memory after the arguments, "large" a
 * reply of `size` bytes. */
static void serve(const char *how, unsigned size)
{
    send_bell(CVM_BELL_READY, 0, 0, 0);
    for (;;) {
        struct cvm_bell b = await_bell();
        if (b.kind == CVM_BELL_END)
            return;
        const struct side *e = export_of(b.channel);
        char reply[8192] = "", in[4096] = "";
        size_t len = b.bytes < sizeof in - 1 ? b.bytes : sizeof in - 1;
        memcpy(in, e->region, len);
        calls_served++;
        if (!strcmp(how, "echo"))
            snprintf(reply, sizeof reply, "<%s>", in);
        if (!strcmp(how, "count"))
            snprintf(reply, sizeof reply, "%u", calls_served);
        if (!strcmp(how, "function"))
            snprintf(reply, sizeof reply, "%u", b.function);
        if (!strcmp(how, "leak")) {
            snprintf(reply, sizeof reply, "%s", e->region + b.bytes);
            memset(e->region, 'x', e->bytes - 1);
        }
        if (!strcmp(how, "on")) {
            size_t n = call(&imports[0], 0, in, len);
            snprintf(reply, sizeof reply, "[%.*s]", (int)n, imports[0].region);
        }
        if (!strcmp(how, "never"))
            pause();
        if (!strcmp(how, "slow"))
            usleep(500000);
        size_t n = size ? size : strlen(reply);
        if (!size)
            memcpy(e->region, reply, n);
        send_bell(CVM_BELL_REPLY, b.channel, b.function, n);
    }
}

/* Changes its arguments for as long as the call takes. */
static void scribble(const struct side *to)
{
    send_bell(CVM_BELL_CALL, to->channel, 0, to->bytes);
    for (unsigned i = 0;; i++) {
        struct cvm_bell b;
        memset(to->region, (int)(i & 0x7f), to->bytes);
        if (recv(CVM_FD_DOORBELL, &b, sizeof b, MSG_DONTWAIT) == (ssize_t)sizeof b)
            return;
    }
}

/* -------------------------------------------------------------------- streams */

static int pipe_end(const char *member)
{
    int fd = -1;
    const char *p = strstr(spec, member);
    if (!p || sscanf(p + strlen(member), "{\"fd\":%d}", &fd) != 1)
        _exit(8);
    return fd;
}

static void write_stream(size_t len)
{
    static char bytes[4096];
    int fd = pipe_end("\"stdout_stream\":");
    for (size_t at = 0; at < len;) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (char)('a' + (at + i) % 23);
        ssize_t n = write(fd, bytes, len - at < sizeof bytes ? len - at : sizeof bytes);
        if (n < 0) { /* nobody reads: an end of its own kind */
            record.end = CVM_CELL_EXIT;
            record.exit_code = 32;
            tell(sizeof record);
        }
        at += (size_t)n;
    }
}

/* Up to `len` bytes (0: to the end); says how many came, and whether each was the right one. */
static void read_stream(size_t len, unsigned pause_us, unsigned out)
{
    static char bytes[4096];
    int fd = pipe_end("\"stdin\":");
    size_t at = 0, wrong = 0;
    for (ssize_t n; !len || at < len; at += (size_t)n) {
        n = read(fd, bytes, len && len - at < sizeof bytes ? len - at : sizeof bytes);
        if (n <= 0)
            break;
        for (ssize_t i = 0; i < n; i++)
            wrong += bytes[i] != (char)('a' + (at + (size_t)i) % 23);
        usleep(pause_us);
    }
    char said[64];
    put(out, said, (size_t)snprintf(said, sizeof said, "%zu bytes, %zu wrong", at, wrong));
}

static void copy_stream(unsigned out)
{
    char bytes[4096];
    ssize_t n;
    while ((n = read(pipe_end("\"stdin\":"), bytes, sizeof bytes)) > 0)
        put(out, bytes, (size_t)n);
}

/* What a cell can say to the agent, and what a component can make an honest one say. */
static void obey_together(const char *word, const char *rest, unsigned a, unsigned b,
                          const char *second)
{
    if (!strcmp(word, "serve")) {
        char how[32] = "";
        sscanf(rest, "%31s", how);
        serve(how, b);
    }
    if (!strcmp(word, "call")) { /* call IMPORT TEXT: the reply goes to the first output */
        const char *text = second ? second + 1 : "";
        size_t n = call(&imports[a], 0, text, strlen(text));
        if (record.n_outputs)
            put(0, imports[a].region, n);
    }
    if (!strcmp(word, "call-function"))
        put(0, imports[a].region, call(&imports[a], b, "", 0));
    if (!strcmp(word, "call-bytes")) /* call-bytes IMPORT N */
        for (size_t left = call(&imports[a], 0, imports[a].region, b); left;)
            left = 0;
    if (!strcmp(word, "calls"))
        for (unsigned i = 0; i < a; i++)
            call(&imports[0], 0, "", 0);
    if (!strcmp(word, "bell")) {
        unsigned long long kind = 0, channel = 0, function = 0, bytes = 0;
        sscanf(rest, "%llu %llu %llu %llu", &kind, &channel, &function, &bytes);
        send_bell((unsigned)kind, (unsigned)channel, (unsigned)function, bytes);
    }
    if (!strcmp(word, "bell-size")) {
        char bytes[64] = {1};
        if (write(CVM_FD_DOORBELL, bytes, a) < 0)
            _exit(9);
    }
    if (!strcmp(word, "bell-closed"))
        close(CVM_FD_DOORBELL);
    if (!strcmp(word, "await"))
        await_bell();
    if (!strcmp(word, "scribble"))
        for (unsigned i = 0; i < 50; i++)
            scribble(&imports[a]);
    if (!strcmp(word, "flood")) /* rings and never reads */
        for (unsigned i = 0; i < a; i++)
            send_bell(CVM_BELL_CALL, imports[0].channel, 0, 0);
    if (!strcmp(word, "write-stream"))
        write_stream(a);
    if (!strcmp(word, "read-stream"))
        read_stream(a, b, 0);
    if (!strcmp(word, "copy-stream"))
        copy_stream(a);
    if (!strcmp(word, "close-stdout"))
        close(pipe_end("\"stdout_stream\":"));
    if (!strcmp(word, "close-stdin"))
        close(pipe_end("\"stdin\":"));
    if (!strcmp(word, "nap"))
        usleep(a * 1000);
}

static void obey(const char *line)
{
    char word[32] = "", rest[256] = "";
    sscanf(line, "%31s %255[^\n]", word, rest);
    unsigned a = (unsigned)strtoul(rest, NULL, 10);
    const char *second = strchr(rest, ' ');
    unsigned b = second ? (unsigned)strtoul(second, NULL, 10) : 0;
    obey_together(word, rest, a, b, second);
    if (!strcmp(word, "copy"))
        copy(a, b);
    if (!strcmp(word, "text") && second)
        put(a, second + 1, strlen(second + 1));
    if (!strcmp(word, "spec"))
        put(a, spec, strlen(spec));
    if (!strcmp(word, "overgrow"))
        overgrow(a);
    if (!strcmp(word, "exit")) {
        record.end = CVM_CELL_EXIT;
        record.exit_code = a;
        tell(sizeof record);
    }
    if (!strcmp(word, "trap")) {
        record.end = CVM_CELL_TRAP;
        tell(sizeof record);
    }
    if (!strcmp(word, "fuel"))
        record.fuel = a;
    if (!strcmp(word, "stderr"))
        record.stderr_bytes = strtoull(rest, NULL, 10);
    if (!strcmp(word, "loop"))
        for (;;)
            __asm__ volatile("");
    if (!strcmp(word, "sleep"))
        for (;;)
            pause();
    if (!strcmp(word, "bomb"))
        bomb();
    if (!strcmp(word, "recurse"))
        record.zero = (uint32_t)recurse(NULL, (int)a + 1);
    if (!strcmp(word, "silent"))
        _exit(0);
    if (!strcmp(word, "crash"))
        abort();
    if (!strcmp(word, "too-large")) {
        record.end = CVM_CELL_OUTPUT;
        record.too_large = 1;
        tell(sizeof record);
    }
    if (!strcmp(word, "lie-length")) {
        record.output_bytes[0] = UINT64_MAX;
        tell(sizeof record);
    }
    if (!strcmp(word, "cut")) /* an output that it says it has written */
        (void)!ftruncate(out_fd(a), 0);
    if (!strcmp(word, "lie-end")) {
        record.end = 4711;
        tell(sizeof record);
    }
    if (!strcmp(word, "lie-short"))
        tell(sizeof record / 2);
    if (!strcmp(word, "lie-twice"))
        (void)!write(CVM_FD_RESULT, &record, sizeof record);
}

int main(void)
{
    static char program[65536];
    if (pread(CVM_FD_SPEC, spec, sizeof spec - 1, 0) <= 0 ||
        pread(CVM_FD_CODE, program, sizeof program - 1, 0) < 0)
        return 1;
    const char *in = strstr(spec, "\"inputs\":"), *out = strstr(spec, "\"outputs\":");
    if (!in || !out)
        return 1;
    n_in = count(in, out);
    record.n_outputs = count(out, strstr(out, "\"random\":"));
    map_side("\"imports\":", imports);
    map_side("\"exports\":", exports);
    signal(SIGPIPE, SIG_IGN);
    for (char *line = program; line && *line;
         line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        obey(line);
    tell(sizeof record);
}
