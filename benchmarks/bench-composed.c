/*
 * Calls between two parts of one component: bench-composed COMPOSED.cwasm (calls/caller.c and
 * calls/callee.c, composed), in the engine that a cell has. One process, one store, and the engine
 * copies from memory to memory: what the same calls cost without a wall between the two.
 */
#include <string.h>

#include "benchmarks/drive.h"
#include "benchmarks/serve.h"

static _Alignas(64) uint8_t region[4096];

struct bench {
    size_t drive;
    uint32_t round;
    double start, best;
};

static uint32_t times_of(const struct bench_drive *d)
{
    return d->bytes > 100000 ? 10 : d->bytes ? 100 : 100000;
}

/* One call of `drive` is one round; the first of each kind warms up. */
static int next(void *context, uint32_t *ret_channel, uint32_t *ret_function, size_t *ret_bytes)
{
    struct bench *b = context;
    if (b->round > BENCH_ROUNDS) {
        bench_figure("calls", bench_drives[b->drive].name, 1e6 * b->best, "us");
        b->round = 0;
        if (++b->drive == BENCH_DRIVES)
            return 0;
    }
    const struct bench_drive *d = &bench_drives[b->drive];
    memcpy(region, (uint32_t[]){d->function, times_of(d), d->bytes}, 12);
    *ret_channel = 0;
    *ret_function = 0;
    *ret_bytes = 12;
    b->start = bench_now();
    return 1;
}

static int reply(void *context, uint32_t channel, uint32_t function, size_t bytes)
{
    struct bench *b = context;
    double each = (bench_now() - b->start) / times_of(&bench_drives[b->drive]);
    (void)channel, (void)function, (void)bytes;
    if (b->round == 1 || (b->round > 1 && each < b->best))
        b->best = each;
    b->round++;
    return 0;
}

static int ready(void *context)
{
    (void)context;
    return 0;
}

int main(int argc, char **argv)
{
    struct bench b = {0};
    if (argc != 2)
        return 2;
    const struct cvm_engine_channel exports[] = {
        {"bench:calls/driver@1.0.0", region, sizeof region, 0, 0}};
    const struct cvm_engine_calls calls = {.exports = exports,
                                           .n_exports = 1,
                                           .serve = 1,
                                           .ready = ready,
                                           .next = next,
                                           .reply = reply,
                                           .context = &b};
    return bench_serve(argv[1], &calls);
}
