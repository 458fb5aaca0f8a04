/*
 * Takes the place of 2cvm-cell in tests of the agent: the "component" is a text of commands, one a
 * line, that do what a component, or a cell whose component has taken it over, could do.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

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

static void obey(const char *line)
{
    char word[32] = "", rest[256] = "";
    sscanf(line, "%31s %255[^\n]", word, rest);
    unsigned a = (unsigned)strtoul(rest, NULL, 10);
    const char *second = strchr(rest, ' ');
    unsigned b = second ? (unsigned)strtoul(second, NULL, 10) : 0;
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
        record.stderr_bytes = a;
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
    record.n_outputs = count(out, spec + strlen(spec));
    for (char *line = program; line && *line;
         line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        obey(line);
    tell(sizeof record);
}
