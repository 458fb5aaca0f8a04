#include "noise.h"

#include <stdbool.h>

uint64_t noise_below(const struct noise_source *from, uint64_t below)
{
    uint64_t unfair = (UINT64_MAX % below + 1) % below; /* 2^64 mod below: drawn again */
    for (;;) {
        uint64_t x = from->bits(from->ctx);
        if (x >= unfair)
            return x % below;
    }
}

static bool with_chance(const struct noise_source *from, uint64_t part, uint64_t of)
{
    return noise_below(from, of) < part;
}

/* True with chance exp(-part/of), part <= of: algorithm 1. The chance that the run of successes
 * with chances x/1, x/2, x/3 … ends at an odd place is the series of exp(-x). */
static bool with_exp(const struct noise_source *from, uint64_t part, uint64_t of)
{
    uint64_t k = 1;
    while (with_chance(from, part, of * k))
        k++;
    return k & 1;
}

static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

int64_t noise_laplace(const struct noise_source *from, int64_t numerator, int64_t denominator)
{
    uint64_t common = gcd((uint64_t)numerator, (uint64_t)denominator);
    uint64_t t = (uint64_t)numerator / common, s = (uint64_t)denominator / common;
    for (;;) {
        uint64_t u = noise_below(from, t), turns = 0;
        if (!with_exp(from, u, t))
            continue;
        while (turns < 1000000 && with_exp(from, 1, 1)) /* a longer run: a chance of e^-1000000 */
            turns++;
        int64_t size = (int64_t)((u + t * turns) / s);
        bool minus = noise_below(from, 2) == 1;
        if (minus && size == 0) /* zero has one sign only */
            continue;
        return minus ? -size : size;
    }
}
