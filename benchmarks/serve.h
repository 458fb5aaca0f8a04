/* A compiled component that answers calls, run within the benchmark's own process. */
#ifndef CVM_BENCHMARKS_SERVE_H
#define CVM_BENCHMARKS_SERVE_H

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest-agent/engine/cvm-engine.h"

/* Runs the .cwasm until `next` of `calls` says that no more come; the program's exit code: 0 good,
 * 1 the run ended badly, 2 the file cannot be read. */
static inline int bench_serve(const char *path, const struct cvm_engine_calls *calls)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return 2;
    void *code = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (code == MAP_FAILED)
        return 2;
    const struct cvm_engine_run run = {
        .options = {.kind = CVM_ENGINE_KIND_LIBRARY, .memory_bytes = 64u << 20},
        .in_fd = -1,
        .out_sink = {.fd = -1},
        .err_sink = {.fd = -1},
        .calls = calls};
    struct cvm_engine_result result;
    cvm_engine_run(code, (size_t)st.st_size, &run, &result);
    if (result.end != CVM_ENGINE_OK)
        fprintf(stderr, "the run ended %u\n", result.end);
    return result.end == CVM_ENGINE_OK ? 0 : 1;
}

#endif
