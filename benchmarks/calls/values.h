/*
 * What the sources of calls.wit's worlds share: `memory.c` goes into each of them, `callee.c`
 * exports `values`, `caller.c` imports it and exports `driver`. Every byte of a list is a 1, and
 * who gets one looks at its end: a figure of calls that bring nothing is none.
 */
#ifndef CVM_BENCHMARKS_CALLS_VALUES_H
#define CVM_BENCHMARKS_CALLS_VALUES_H

#include <stddef.h>
#include <stdint.h>

#define VALUES "bench:calls/values@1.0.0"
#define DRIVER "bench:calls/driver@1.0.0"
#define BLOCK (2u << 20)

struct list {
    void *data;
    uint32_t len; /* elements */
};

/* A block to send from, all of it ones. */
static inline void *ones(void)
{
    static _Alignas(16) uint8_t block[BLOCK];
    if (!block[0])
        __builtin_memset(block, 1, BLOCK);
    return block;
}

static inline void arrived(const void *data, uint32_t bytes)
{
    if (bytes && ((const uint8_t *)data)[bytes - 1] != 1)
        __builtin_trap();
}

void *cabi_realloc(void *old, size_t had, size_t align, size_t size);

#endif
