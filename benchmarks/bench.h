/*
 * What the benchmark programs share: a clock, and one JSON line a figure on stdout, which
 * scripts/bench turns into the table:
 * {"class":"seal","what":"open a stream","value":1.2,"unit":"GB/s"}.
 */
#ifndef CVM_BENCHMARKS_BENCH_H
#define CVM_BENCHMARKS_BENCH_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/base/error.h"

static inline double bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* CPU seconds of this process: what `openssl speed` counts by, so that a busy machine does not
 * change the ratio. */
static inline double bench_cpu(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline void bench_figure(const char *class_name, const char *what, double value,
                                const char *unit)
{
    printf("{\"class\":\"%s\",\"what\":\"%s\",\"value\":%.6g,\"unit\":\"%s\"}\n", class_name, what,
           value, unit);
}

/* Ends the program with the error when `result` is negative. */
static inline void bench_need(int result, const struct cvm_error *err)
{
    char line[1024];
    if (result >= 0)
        return;
    fprintf(stderr, "%s\n", cvm_error_line(err, line, sizeof line));
    exit(1);
}

#endif
