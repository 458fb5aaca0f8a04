/*
 * Laplace noise on whole units, exactly: the discrete Laplace distribution (two-sided geometric),
 * P(x) proportional to exp(-|x| / scale), sampled as Canonne, Kamath and Steinke describe ("The
 * Discrete Gaussian for Differential Privacy", 2020, algorithms 1 and 2), by comparing whole
 * random numbers only.
 *
 * Why not -scale * log(uniform): the doubles that such a sampler can return lie unevenly, and which
 * of them are possible depends on the true value; the low bits of one noisy result then tell it
 * apart from its neighbour with certainty (Mironov, "On Significance of the Least Significant Bits
 * For Differential Privacy", 2012). Here every number is a multiple of one unit, the true one (it
 * is rounded before) and the noise, and no floating point is used at all.
 *
 * What remains: how long sampling takes depends on the noise drawn. Only the host sees that time.
 */
#ifndef GATES_NOISE_H
#define GATES_NOISE_H

#include <stdint.h>

/* 64 random bits. */
struct noise_source {
    uint64_t (*bits)(void *ctx);
    void *ctx;
};

#define NOISE_SCALE_MAX INT64_C(1000000000000) /* of numerator and denominator */

/* Uniform in 0 … below - 1; below > 0. */
uint64_t noise_below(const struct noise_source *from, uint64_t below);

/* Scale numerator/denominator units, both 1 … NOISE_SCALE_MAX. */
int64_t noise_laplace(const struct noise_source *from, int64_t numerator, int64_t denominator);

#endif
