/*
 * The calls that each way of calling is measured by, in one process: what `drive` of
 * calls/calls.wit is told, under the names that between/ask.c gives them too. A program has a
 * function that drives so many calls; the best of some rounds is printed, microseconds a call.
 */
#ifndef CVM_BENCHMARKS_DRIVE_H
#define CVM_BENCHMARKS_DRIVE_H

#include <stdint.h>

#include "benchmarks/bench.h"

struct bench_drive {
    const char *name;
    uint32_t function, bytes; /* as `drive` counts them */
};

static const struct bench_drive bench_drives[] = {
    {"empty", 0, 0},
    {"take-bytes-64", 1, 64u << 10},
    {"take-numbers-64", 2, 64u << 10},
    {"give-bytes-64", 3, 64u << 10},
    {"give-numbers-64", 4, 64u << 10},
    {"take-bytes-1024", 1, 1u << 20},
    {"take-numbers-1024", 2, 1u << 20},
    {"give-bytes-1024", 3, 1u << 20},
    {"give-numbers-1024", 4, 1u << 20},
};
enum { BENCH_DRIVES = sizeof bench_drives / sizeof bench_drives[0], BENCH_ROUNDS = 30 };

#endif
