/* The clock for time-outs: it never goes back, and means nothing to anyone else. */
#ifndef CVM_BASE_CLOCK_H
#define CVM_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t cvm_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

#endif
