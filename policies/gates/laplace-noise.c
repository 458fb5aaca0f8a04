/*
 * The gate "Laplace noise":
 *
 *   laplace-noise IN OUT csv|json NAMES SCALE DECIMALS WIDTH LOW HIGH
 *
 * Every number of the columns or members NAMES (parted by commas) is moved into LOW … HIGH, rounded
 * to DECIMALS, gets noise of scale SCALE, and is written in WIDTH characters. For a result of
 * epsilon-differential privacy SCALE is what one person can change all those numbers by, summed up,
 * after rounding, over epsilon.
 *
 * The manifest must give this component "random":"seeded": its bytes then come from the seed that
 * all participants made together.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "decimal.h"
#include "noisy.h"

static const char NAME[] = "laplace-noise";

struct pool {
    uint64_t words[32];
    size_t left;
};

static uint64_t next_bits(void *ctx)
{
    struct pool *p = ctx;
    if (p->left == 0) {
        if (getentropy(p->words, sizeof p->words) != 0)
            exit(gate_end(NAME, "no randomness", 3));
        p->left = sizeof p->words / sizeof *p->words;
    }
    return p->words[--p->left];
}

static bool small_number(const char *word, int *ret)
{
    int64_t n;
    if (!decimal_read(word, strlen(word), 0, false, &n) || n < 0 || n > 64)
        return false;
    *ret = (int)n;
    return true;
}

static bool read_rule(char **argv, struct noisy_rule *rule)
{
    int64_t scale;
    if (!small_number(argv[6], &rule->decimals) || rule->decimals > DECIMAL_PLACES ||
        !small_number(argv[7], &rule->width))
        return false;
    /* SCALE is exact to a millionth; in units of 10^-decimals it is scale / 10^(6 - decimals). */
    if (!decimal_read(argv[5], strlen(argv[5]), DECIMAL_PLACES, false, &scale) || scale < 1 ||
        scale > NOISE_SCALE_MAX)
        return false;
    rule->names = argv[4];
    rule->scale_top = scale;
    rule->scale_bottom = decimal_power(DECIMAL_PLACES - rule->decimals);
    return decimal_read(argv[8], strlen(argv[8]), rule->decimals, false, &rule->low) &&
           decimal_read(argv[9], strlen(argv[9]), rule->decimals, false, &rule->high) &&
           noisy_rule_fits(rule);
}

int main(int argc, char **argv)
{
    struct pool pool = {.left = 0};
    struct noisy_rule rule = {.source = {next_bits, &pool}};
    if (argc != 10)
        return gate_end(NAME, "IN OUT csv|json NAMES SCALE DECIMALS WIDTH LOW HIGH", 2);
    bool csv = strcmp(argv[3], "csv") == 0;
    if ((!csv && strcmp(argv[3], "json") != 0) || !read_rule(argv, &rule))
        return gate_end(NAME, "csv or json; numbers that fit one another", 2);
    struct text in = {0}, out = {0};
    if (!text_read(&in, argv[1], GATE_INPUT_MAX))
        return gate_end(NAME, "the result can't be read", 1);
    const char *why = csv ? noisy_csv(&in, &rule, &out) : noisy_json(&in, &rule, &out);
    if (why)
        return gate_end(NAME, why, 1);
    return text_save(&out, argv[2]) ? 0 : gate_end(NAME, "the result can't be written", 1);
}
