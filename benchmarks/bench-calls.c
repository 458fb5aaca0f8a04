/*
 * The path of a call within one process: bench-calls COMPONENT.cwasm (made of benchmarks/calls).
 * Each direction alone: `take` lowers what lies in the region into the component, `give` lifts what
 * lies in the component into the region; as an export (we call) and as an import (it calls).
 * Against memcpy of the same bytes in the same run. Microseconds a call, the best of some rounds.
 */
#include <string.h>

#include "benchmarks/bench.h"
#include "benchmarks/serve.h"

#define REGION (2u << 20)
#define ROUNDS 30

static _Alignas(64) uint8_t region[3][REGION], copy[REGION];

/* Sorted by name, as both sides count. */
enum { GIVE_BYTES, GIVE_DOUBLES, NOTHING, TAKE_BYTES, TAKE_DOUBLES };
static const char *const names[] = {"give list<u8>", "give list<f64>", "empty", "take list<u8>",
                                    "take list<f64>"};
/* `drive` counts as calls.wit does. */
static const uint32_t driven[] = {3, 4, 0, 1, 2};

struct job {
    uint32_t function, bytes;
    bool import;
};

static struct job jobs[2 * 9];
static size_t n_jobs;

struct bench {
    size_t job;
    uint32_t round, left;
    double start, best;
};

static uint32_t times_of(const struct job *j)
{
    return j->bytes > 100000 ? 30 : j->bytes ? 500 : 10000;
}

static void put32(uint8_t *at, uint32_t n)
{
    memcpy(at, &n, sizeof n);
}

/* A value for a list of so many bytes; its length. */
static size_t put_list(uint8_t *at, uint32_t bytes, bool doubles)
{
    put32(at, doubles ? bytes / 8 : bytes);
    return 4 + (size_t)bytes;
}

static size_t put_arguments(const struct job *j, uint8_t *at)
{
    switch (j->function) {
    case NOTHING:
        return 0;
    case TAKE_BYTES:
    case TAKE_DOUBLES:
        return put_list(at, j->bytes, j->function == TAKE_DOUBLES);
    default:
        put32(at, j->bytes);
        return 4;
    }
}

static void report(const struct job *j, double seconds)
{
    char what[96];
    if (j->bytes)
        (void)snprintf(what, sizeof what, "%s, %s, %u KiB", j->import ? "import" : "export",
                       names[j->function], j->bytes >> 10);
    else
        (void)snprintf(what, sizeof what, "%s, empty", j->import ? "import" : "export");
    bench_figure("calls", what, 1e6 * seconds, "us");
}

/* The engine asks for the next call: the clock runs from the first to the last of a round. */
static int next(void *context, uint32_t *ret_channel, uint32_t *ret_function, size_t *ret_bytes)
{
    struct bench *b = context;
    const struct job *j = &jobs[b->job];
    if (b->left == 0) {
        double each = (bench_now() - b->start) / times_of(j);
        if (b->round > 0) /* the first one warms up */
            b->best = b->round == 1 || each < b->best ? each : b->best;
        if (b->round++ == ROUNDS) {
            report(j, b->best);
            b->round = 0;
            if (++b->job == n_jobs)
                return 0;
            j = &jobs[b->job];
        }
        b->left = j->import ? 1 : times_of(j);
        b->start = bench_now();
    }
    b->left--;
    if (j->import) {
        put32(region[2], driven[j->function]);
        put32(region[2] + 4, times_of(j));
        put32(region[2] + 8, j->bytes);
        *ret_channel = 2;
        *ret_function = 0;
        *ret_bytes = 12;
        return 1;
    }
    *ret_channel = 1;
    *ret_function = j->function;
    *ret_bytes = put_arguments(j, region[1]);
    return 1;
}

static int call(void *context, uint32_t channel, uint32_t function, size_t bytes, size_t *ret_bytes)
{
    struct bench *b = context;
    (void)channel, (void)bytes;
    *ret_bytes = function == GIVE_BYTES || function == GIVE_DOUBLES
                     ? put_list(region[0], jobs[b->job].bytes, function == GIVE_DOUBLES)
                     : 0;
    return 0;
}

static int ready(void *context)
{
    struct bench *b = context;
    b->round = 0;
    b->left = jobs[0].import ? 1 : times_of(&jobs[0]);
    b->start = bench_now();
    return 0;
}

static int reply(void *context, uint32_t channel, uint32_t function, size_t bytes)
{
    (void)context, (void)channel, (void)function, (void)bytes;
    return 0;
}

static void plain_copy(uint32_t bytes)
{
    char what[48];
    double best = 1;
    for (int round = 0; round <= ROUNDS; round++) {
        int times = bytes > 100000 ? 30 : 500;
        double start = bench_now();
        for (int i = 0; i < times; i++) {
            memcpy(copy, region[0], bytes);
            __asm__ volatile("" ::: "memory");
        }
        double each = (bench_now() - start) / times;
        best = each < best ? each : best;
    }
    (void)snprintf(what, sizeof what, "memcpy, %u KiB", bytes >> 10);
    bench_figure("calls", what, 1e6 * best, "us");
}

int main(int argc, char **argv)
{
    static const uint32_t sizes[] = {64u << 10, 1u << 20};
    static const uint32_t kinds[] = {TAKE_BYTES, TAKE_DOUBLES, GIVE_BYTES, GIVE_DOUBLES};
    struct bench b = {0};
    if (argc != 2)
        return 2;
    for (int import = 0; import < 2; import++) {
        jobs[n_jobs++] = (struct job){NOTHING, 0, import};
        for (size_t s = 0; s < 2; s++)
            for (size_t k = 0; k < 4; k++)
                jobs[n_jobs++] = (struct job){kinds[k], sizes[s], import};
    }
    memset(region, 1, sizeof region);
    for (size_t s = 0; s < 2; s++)
        plain_copy(sizes[s]);
    const struct cvm_engine_channel imports[] = {
        {"bench:calls/values@1.0.0", region[0], REGION, 0, 0}};
    const struct cvm_engine_channel exports[] = {
        {"bench:calls/values@1.0.0", region[1], REGION, 1, 0},
        {"bench:calls/driver@1.0.0", region[2], REGION, 2, 0}};
    const struct cvm_engine_calls calls = {.exports = exports,
                                           .n_exports = 2,
                                           .imports = imports,
                                           .n_imports = 1,
                                           .serve = 1,
                                           .call = call,
                                           .ready = ready,
                                           .next = next,
                                           .reply = reply,
                                           .context = &b};
    return bench_serve(argv[1], &calls);
}
