/* Sealing and opening a stream and a blob of 64 MiB, in bytes of content a second of CPU time. Best
 * of several rounds: the rest is noise. */
#include <string.h>
#include <sys/mman.h>

#include "benchmarks/bench.h"
#include "core/seal/blob.h"

enum { SIZE = 64 << 20, ROUNDS = 7, PIECE = 1 << 20 };

struct memory {
    uint8_t *data;
    size_t len, room;
};

static int keep(void *ctx, const void *data, size_t len, struct cvm_error *err)
{
    struct memory *m = ctx;
    CVM_ENSURE(m->room - m->len >= len, err, CVM_E_TOO_LARGE, "more bytes than expected");
    memcpy(m->data + m->len, data, len);
    m->len += len;
    return 0;
}

/* What comes out is looked at and dropped, as a pipe to elsewhere would. */
static int drop(void *ctx, const void *data, size_t len, struct cvm_error *err)
{
    (void)err;
    *(volatile uint8_t *)ctx ^= ((const uint8_t *)data)[len / 2];
    return 0;
}

static void seal_stream(const struct cvm_secret *key, const uint8_t *plain, cvm_sink sink,
                        void *ctx)
{
    struct cvm_error err;
    struct cvm_stream_sealer *s = NULL;
    struct cvm_bytes associated = {(const uint8_t *)"bench", 5};
    bench_need(cvm_stream_sealer_new(&s, key, associated, SIZE, sink, ctx, &err), &err);
    for (size_t at = 0; at < SIZE; at += PIECE)
        bench_need(cvm_stream_sealer_update(s, plain + at, PIECE, &err), &err);
    bench_need(cvm_stream_sealer_finish(s, &err), &err);
    cvm_stream_sealer_free(s);
}

static void open_stream(const struct cvm_secret *key, const struct memory *sealed, cvm_sink sink,
                        void *ctx)
{
    struct cvm_error err;
    struct cvm_stream_opener *o = NULL;
    struct cvm_bytes associated = {(const uint8_t *)"bench", 5};
    bench_need(cvm_stream_opener_new(&o, key, associated, sealed->len, sink, ctx, &err), &err);
    for (size_t at = 0; at < sealed->len; at += PIECE)
        bench_need(cvm_stream_opener_update(o, sealed->data + at,
                                            sealed->len - at < PIECE ? sealed->len - at : PIECE,
                                            &err),
                   &err);
    bench_need(cvm_stream_opener_finish(o, &err), &err);
    cvm_stream_opener_free(o);
}

static double blob(const struct cvm_secret *key, int in)
{
    struct cvm_error err;
    uint8_t salt[CVM_SALT_LEN] = {0}, seen = 0;
    struct cvm_digest digest;
    struct cvm_blob_spec spec = {.key = key,
                                 .associated = {(const uint8_t *)"bench", 5},
                                 .padding = CVM_PADDING_NONE,
                                 .max_bytes = SIZE};
    lseek(in, 0, SEEK_SET);
    double begin = bench_cpu();
    bench_need(cvm_blob_seal(&spec, salt, in, SIZE, drop, &seen, &digest, &err), &err);
    return bench_cpu() - begin;
}

int main(void)
{
    struct cvm_error err;
    struct cvm_secret key = {0};
    uint8_t seen = 0, *plain = malloc(SIZE);
    struct memory sealed = {.data = malloc(SIZE + (1 << 20)), .room = SIZE + (1 << 20)};
    int in = memfd_create("bench", MFD_CLOEXEC);
    if (!plain || !sealed.data || in < 0)
        return 1;
    bench_need(cvm_secret_random(&key, 32, &err), &err);
    for (size_t i = 0; i < SIZE; i++)
        plain[i] = (uint8_t)(i * 2654435761u >> 13);
    for (size_t at = 0; at < SIZE;) {
        ssize_t n = write(in, plain + at, SIZE - at);
        if (n <= 0)
            return 1;
        at += (size_t)n;
    }
    double best_seal = 1e9, best_open = 1e9, best_blob = 1e9;
    for (int i = 0; i < ROUNDS; i++) {
        sealed.len = 0;
        seal_stream(&key, plain, keep, &sealed);
        double begin = bench_cpu();
        seal_stream(&key, plain, drop, &seen);
        double middle = bench_cpu();
        open_stream(&key, &sealed, drop, &seen);
        double end = bench_cpu(), b = blob(&key, in);
        best_seal = middle - begin < best_seal ? middle - begin : best_seal;
        best_open = end - middle < best_open ? end - middle : best_open;
        best_blob = b < best_blob ? b : best_blob;
    }
    bench_figure("seal", "seal a stream", SIZE / best_seal / 1e6, "MB/s");
    bench_figure("seal", "open a stream", SIZE / best_open / 1e6, "MB/s");
    bench_figure("seal", "seal a blob (with its content digest)", SIZE / best_blob / 1e6, "MB/s");
    return 0;
}
