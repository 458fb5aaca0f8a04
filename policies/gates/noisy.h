/* Which numbers of a result get noise, and how they are written. */
#ifndef GATES_NOISY_H
#define GATES_NOISY_H

#include "noise.h"
#include "text.h"

struct noisy_rule {
    const char *names;               /* columns (CSV) or members (JSON), parted by commas */
    int64_t scale_top, scale_bottom; /* in units of 10^-decimals */
    int decimals;
    int width;         /* characters of every number written */
    int64_t low, high; /* units: what comes is moved into these bounds first */
    struct noise_source source;
};

/* Whether the bounds can be written in `width` characters. */
bool noisy_rule_fits(const struct noisy_rule *rule);

/*
 * NULL and what may pass, or why nothing may. Numbers that get noise must stand in a field of
 * exactly `width` characters, blanks before them counted (in JSON: at least so many), and come out
 * so: neither the length of a number nor of the result tells anything of the true one.
 *
 * CSV: every row of the named columns. JSON: members of the named names that are numbers or arrays
 * of numbers; a number anywhere else is refused.
 */
const char *noisy_csv(const struct text *in, const struct noisy_rule *rule, struct text *out);
const char *noisy_json(const struct text *in, const struct noisy_rule *rule, struct text *out);

#endif
