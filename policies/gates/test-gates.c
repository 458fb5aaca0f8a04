/* The three gates' logic, compiled for the host: what passes, what is refused, what the noise is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decimal.h"
#include "group.h"
#include "noisy.h"
#include "schema.h"

static struct text text_of(const char *word)
{
    struct text t = {0};
    text_word(&t, word);
    return t;
}

/* ----------------------------------------------------------------------------------- decimals */

static void decimals_are_exact(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int decimals;
        bool round, good;
        int64_t units;
    } cases[] = {
        {"0", 0, false, true, 0},      {"12", 2, false, true, 1200},
        {"-0.05", 2, false, true, -5}, {"1.10", 1, false, true, 11},
        {"1.005", 2, true, true, 101}, {"1.0049", 2, true, true, 100},
        {"-2.5", 0, true, true, -3},   {"999999999999.999999", 6, false, true, 999999999999999999},
        {"1.01", 1, false, false, 0},  {"01", 0, false, false, 0},
        {"1.", 0, false, false, 0},    {".5", 1, false, false, 0},
        {"+1", 0, false, false, 0},    {"1e3", 0, true, false, 0},
        {"-", 0, false, false, 0},     {"", 0, false, false, 0},
        {"1 ", 0, false, false, 0},    {"1000000000000", 0, false, false, 0},
        {"0x1", 0, false, false, 0},   {"1.0.0", 1, true, false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t units = 0;
        bool good = decimal_read(cases[i].text, strlen(cases[i].text), cases[i].decimals,
                                 cases[i].round, &units);
        if (good != cases[i].good || units != cases[i].units)
            fail_msg("\"%s\": %d %lld", cases[i].text, good, (long long)units);
    }
    char out[32];
    assert_string_equal(decimal_write(1200, 2, false, out), "12");
    assert_string_equal(decimal_write(-5, 2, false, out), "-0.05");
    assert_string_equal(decimal_write(1210, 2, true, out), "12.10");
    assert_string_equal(decimal_write(0, 0, true, out), "0");
}

/* --------------------------------------------------------------------------------------- JSON */

static void json_is_strict(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "{",
        "[1,]",
        "{\"a\":1,}",
        "{\"a\":1,\"a\":2}",
        "[1] 2",
        "01",
        "1.",
        "-",
        "1e",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "\"\n\"",
        "\"\xc3\"",
        "\"\xc0\xaf\"",
        "\"\xed\xa0\x80\"",
        "\"\xf5\x80\x80\x80\"",
        "\"a",
        "\"a\\",
        "nul",
        "{\"a\" 1}",
        "{1:2}",
        "[1 2]",
        "NaN",
        "{\"\\u0061\":1,\"a\":2}",
        "\"\\\"",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct json_document d;
        if (!json_parse(bad[i], strlen(bad[i]), &d))
            fail_msg("taken: %s", bad[i]);
    }
    char deep[80];
    memset(deep, '[', 40);
    memset(deep + 40, ']', 40);
    struct json_document d;
    assert_non_null(json_parse(deep, sizeof deep, &d));
    assert_null(json_parse(deep + 8, 64, &d));
    json_free(&d);
}

static void json_has_one_spelling(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {" { \"a\" : [ 1 , true , null , false ] } ", "{\"a\":[1,true,null,false]}"},
        {"\"\\u0041\\/\\u000a\\u0001\\ud83d\\ude00\"", "\"A/\\n\\u0001\xf0\x9f\x98\x80\""},
        {"\"\\\"\\\\\\b\\f\\n\\r\\t\"", "\"\\\"\\\\\\b\\f\\n\\r\\t\""},
        {"[ ]", "[]"},
        {"-1.50e+3", "-1.50e+3"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct json_document d;
        struct text out = {0};
        assert_null(json_parse(pairs[i][0], strlen(pairs[i][0]), &d));
        json_write(d.root, &out);
        assert_int_equal(out.len, strlen(pairs[i][1]));
        assert_memory_equal(out.data, pairs[i][1], out.len);
        text_free(&out);
        json_free(&d);
    }
}

/* ----------------------------------------------------------------------------- smallest group */

static void small_groups_do_not_pass(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out; /* NULL: refused */
        bool json, refuse;
    } cases[] = {
        {"g,n\na,10\nb,9\nc,11\n", "g,n\na,10\nc,11\n", false, false},
        {"g,n\na,10\nb,9\n", NULL, false, true},
        {"g,n\na,10\nb,11", "g,n\na,10\nb,11", false, true},
        {"n,g\n0,a\n", "n,g\n", false, false},
        {"g,n\n", "g,n\n", false, false},
        {"", NULL, false, false},
        {"g,m\na,10\n", NULL, false, false},   /* no such column */
        {"n,n\n10,1\n", NULL, false, false},   /* which of the two? */
        {"g,n\na,10,b\n", NULL, false, false}, /* a row of another shape */
        {"g,n\na,1e3\n", NULL, false, false},
        {"g,n\na,0x20\n", NULL, false, false},
        {"g,n\na, 10\n", NULL, false, false},
        {"g,n\na,10.0\n", NULL, false, false},
        {"g,n\na,-10\n", NULL, false, false},
        {"g,n\na,010\n", NULL, false, false},
        {"g,n\n\"a,1\",10\n", NULL, false, false}, /* quotes are read in different ways */
        {"g,n\r\na,10\r\n", NULL, false, false},
        {"g,n\n\na,10\n", NULL, false, false},
        {"[{\"g\":\"a\",\"n\":10}, {\"g\":\"b\",\"n\":2},{\"n\":12}]",
         "[{\"g\":\"a\",\"n\":10},{\"n\":12}]", true, false},
        {"[{\"n\":10},{\"n\":2}]", NULL, true, true},
        {"[]", "[]", true, false},
        {"[{\"n\":10,\"\\u006e\":1}]", NULL, true, false}, /* the same name, spelled twice */
        {"[{\"n\":\"10\"}]", NULL, true, false},
        {"[{\"m\":10}]", NULL, true, false},
        {"[10]", NULL, true, false},
        {"{\"n\":10}", NULL, true, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text in = text_of(cases[i].in), out = {0};
        struct group_rule rule = {.count = "n", .k = 10, .refuse = cases[i].refuse};
        const char *why =
            cases[i].json ? group_json(&in, &rule, &out) : group_csv(&in, &rule, &out);
        bool same = cases[i].out && !why && out.len == strlen(cases[i].out) &&
                    memcmp(out.data, cases[i].out, out.len) == 0;
        if (cases[i].out ? !same : !why)
            fail_msg("case %zu: %s: %s", i, cases[i].in, why ? why : "passed");
        assert_true(why || out.len <= in.len);
        text_free(&in);
        text_free(&out);
    }
}

/* --------------------------------------------------------------------------------- the schema */

static const char SCHEMA[] =
    "{\"type\":\"object\",\"required\":[\"n\"],\"properties\":{"
    "\"n\":{\"type\":\"integer\",\"minimum\":-5,\"maximum\":100},"
    "\"x\":{\"type\":\"number\",\"minimum\":0,\"maximum\":1,\"multipleOf\":0.01},"
    "\"w\":{\"type\":\"string\",\"enum\":[\"yes\",\"no\"]},"
    "\"s\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":2},"
    "\"b\":{\"type\":\"boolean\"},"
    "\"l\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":2,"
    "\"items\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":9}}}}";

static void only_what_fits_passes(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{\"n\":1}", "{\"n\":1}"},
        {" { \"w\" : \"yes\", \"n\" : 1.0 } ", "{\"n\":1,\"w\":\"yes\"}"},
        {"{\"n\":-0}", "{\"n\":0}"},
        {"{\"n\":1,\"x\":0.50}", "{\"n\":1,\"x\":0.5}"},
        {"{\"n\":1,\"s\":\"\\u00e9a\"}", "{\"n\":1,\"s\":\"\xc3\xa9"
                                         "a\"}"},
        {"{\"n\":1,\"l\":[1,2],\"b\":true}", "{\"n\":1,\"b\":true,\"l\":[1,2]}"},
        {"{}", NULL},
        {"[]", NULL},
        {"{\"n\":101}", NULL},
        {"{\"n\":-6}", NULL},
        {"{\"n\":1.5}", NULL},
        {"{\"n\":\"1\"}", NULL},
        {"{\"n\":1e0}", NULL},
        {"{\"n\":null}", NULL},
        {"{\"n\":1,\"more\":1}", NULL},
        {"{\"n\":1,\"x\":0.001}", NULL},
        {"{\"n\":1,\"x\":1.01}", NULL},
        {"{\"n\":1,\"x\":0.5000000001}", NULL},
        {"{\"n\":1,\"w\":\"perhaps\"}", NULL},
        {"{\"n\":1,\"w\":\"yes\\u0000\"}", NULL},
        {"{\"n\":1,\"s\":\"\"}", NULL},
        {"{\"n\":1,\"s\":\"abc\"}", NULL},
        {"{\"n\":1,\"b\":1}", NULL},
        {"{\"n\":1,\"l\":[]}", NULL},
        {"{\"n\":1,\"l\":[1,2,3]}", NULL},
        {"{\"n\":1,\"l\":[10]}", NULL},
        {"{\"n\":1} {\"n\":1}", NULL},
        {"{\"n\":1,\"n\":1}", NULL},
    };
    struct json_document schema, d;
    assert_null(json_parse(SCHEMA, strlen(SCHEMA), &schema));
    assert_null(schema_check(schema.root));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text out = {0};
        const char *why = json_parse(cases[i][0], strlen(cases[i][0]), &d);
        if (!why)
            why = schema_pass(schema.root, d.root, &out);
        bool same = cases[i][1] && !why && out.len == strlen(cases[i][1]) &&
                    memcmp(out.data, cases[i][1], out.len) == 0;
        if (cases[i][1] ? !same : !why)
            fail_msg("%s: %s", cases[i][0], why ? why : "passed");
        assert_true(why || out.len <= strlen(cases[i][0]));
        text_free(&out);
        json_free(&d);
    }
    json_free(&schema);
}

static void schemas_leave_nothing_open(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "1",
        "{}",
        "{\"type\":\"any\"}",
        "{\"type\":[\"integer\",\"null\"]}",
        "{\"type\":\"integer\"}",
        "{\"type\":\"integer\",\"minimum\":1}",
        "{\"type\":\"integer\",\"minimum\":2,\"maximum\":1}",
        "{\"type\":\"integer\",\"minimum\":1,\"maximum\":1e3}",
        "{\"type\":\"integer\",\"minimum\":1,\"maximum\":2,\"multipleOf\":1}",
        "{\"type\":\"number\",\"minimum\":0,\"maximum\":1}",
        "{\"type\":\"number\",\"minimum\":0,\"maximum\":1,\"multipleOf\":0.3}",
        "{\"type\":\"number\",\"minimum\":0,\"maximum\":1,\"multipleOf\":0}",
        "{\"type\":\"string\"}",
        "{\"type\":\"string\",\"maxLength\":-1}",
        "{\"type\":\"string\",\"enum\":[]}",
        "{\"type\":\"string\",\"enum\":[1]}",
        "{\"type\":\"string\",\"enum\":[\"a\"],\"maxLength\":3}",
        "{\"type\":\"string\",\"maxLength\":3,\"pattern\":\".\"}",
        "{\"type\":\"boolean\",\"const\":true}",
        "{\"type\":\"array\",\"items\":{\"type\":\"boolean\"}}",
        "{\"type\":\"array\",\"maxItems\":1}",
        "{\"type\":\"array\",\"maxItems\":1,\"items\":{}}",
        "{\"type\":\"object\"}",
        "{\"type\":\"object\",\"properties\":{\"a\":{}}}",
        "{\"type\":\"object\",\"properties\":{},\"required\":[\"a\"]}",
        "{\"type\":\"object\",\"properties\":{},\"additionalProperties\":true}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct json_document d;
        assert_null(json_parse(bad[i], strlen(bad[i]), &d));
        if (!schema_check(d.root))
            fail_msg("taken: %s", bad[i]);
        json_free(&d);
    }
}

/* ---------------------------------------------------------------------------------- the noise */

/* SplitMix64: the same numbers in every run. */
static uint64_t next(void *ctx)
{
    uint64_t x = *(uint64_t *)ctx += 0x9e3779b97f4a7c15ull;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

/* Chi-squared of the samples against the distribution that they should have; the last cell on each
 * side holds all that lies beyond. */
static double distance(int64_t top, int64_t bottom, int n, uint64_t seed)
{
    enum { REACH = 12 };
    struct noise_source from = {next, &seed};
    double seen[2 * REACH + 1] = {0}, sum = 0, q = exp(-(double)bottom / (double)top);
    for (int i = 0; i < n; i++) {
        int64_t x = noise_laplace(&from, top, bottom);
        x = x < -REACH ? -REACH : x > REACH ? REACH : x;
        seen[x + REACH]++;
    }
    for (int x = -REACH; x <= REACH; x++) {
        double chance = (1 - q) / (1 + q) * pow(q, abs(x));
        if (abs(x) == REACH)
            chance /= 1 - q;
        double d = seen[x + REACH] - n * chance;
        sum += d * d / (n * chance);
    }
    return sum;
}

static void noise_is_laplace(void **state)
{
    (void)state;
    /* 24 degrees of freedom: 60 is passed by chance once in 15,000 seeds; the seeds are fixed. */
    static const struct {
        int64_t top, bottom;
    } scales[] = {{2, 1}, {3, 1}, {7, 3}, {5, 2}, {4, 1}, {2500000, 1000000}, {3333333, 1000000}};
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++) {
        double d = distance(scales[i].top, scales[i].bottom, 100000, 1000 + i);
        if (d > 60)
            fail_msg("scale %lld/%lld: chi-squared %.1f", (long long)scales[i].top,
                     (long long)scales[i].bottom, d);
    }
    /* The measure itself tells a wrong scale. */
    uint64_t seed = 1;
    struct noise_source from = {next, &seed};
    double zeros = 0;
    for (int i = 0; i < 100000; i++)
        zeros += noise_laplace(&from, 2, 1) == 0;
    double as_if_3 = 100000 * tanh(1.0 / 6);
    assert_true(fabs(zeros - as_if_3) > 20 * sqrt(as_if_3));
}

static uint64_t only_high(void *ctx)
{
    uint64_t *n = ctx;
    return (*n)++ < 3 ? 0 : UINT64_MAX - *n;
}

static void uniform_is_fair(void **state)
{
    (void)state;
    /* 2^64 is no multiple of 3: the lowest number is drawn again. */
    uint64_t n = 0;
    struct noise_source from = {only_high, &n};
    assert_in_range(noise_below(&from, 3), 0, 2);
    assert_int_equal(n, 4);
    n = 0;
    assert_int_equal(noise_below(&from, 4), 0); /* of 4 it is */
    assert_int_equal(n, 1);
    assert_int_equal(noise_below(&from, 1), 0);
}

static struct noisy_rule rule_of(uint64_t *seed)
{
    return (struct noisy_rule){.names = "n,sum",
                               .scale_top = 2,
                               .scale_bottom = 1,
                               .decimals = 0,
                               .width = 5,
                               .low = 0,
                               .high = 1000,
                               .source = {next, seed}};
}

static void noisy_numbers_keep_their_width(void **state)
{
    (void)state;
    uint64_t seed = 7;
    struct noisy_rule rule = rule_of(&seed);
    assert_true(noisy_rule_fits(&rule));
    static const char table[] = "g,n,sum\na,   12,  900\nb,    0, 5000\n";
    struct text in = text_of(table), out = {0};
    assert_null(noisy_csv(&in, &rule, &out));
    assert_int_equal(out.len, in.len);
    assert_memory_equal(out.data, "g,n,sum\na,", 10);
    int first, second, third, fourth;
    text_add(&out, "", 1);
    assert_int_equal(
        sscanf(out.data, "g,n,sum\na,%d,%d\nb,%d,%d\n", &first, &second, &third, &fourth), 4);
    assert_in_range(first + 100, 12 + 60, 12 + 140);
    assert_in_range(fourth, 960, 1040); /* moved into the bounds first */
    text_free(&in);
    text_free(&out);

    in = text_of("{\"g\":\"a\",\"n\":   12,\"sum\":[    1,    2]}");
    assert_null(noisy_json(&in, &rule, &out));
    assert_int_equal(out.len, in.len);
    text_free(&in);
    text_free(&out);
}

static void noise_is_only_given_where_it_was_agreed(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        bool json;
    } bad[] = {
        {"g,n,sum\na,12,  900\n", false},     /* a narrow field */
        {"g,n,sum\na,    12,  900\n", false}, /* a wide one */
        {"g,n,sum\na,12   ,  900\n", false},  /* blanks behind */
        {"g,n,sum\na,  1e2,  900\n", false},
        {"g,n,sum\na,     ,  900\n", false},
        {"g,n\na,   12\n", false}, /* a column is missing */
        {"g,n,n,sum\na,    1,    1,    1\n", false},
        {"g,n,sum\na,   12\n", false},
        {"{\"n\":12,\"sum\":    1}", true},
        {"{\"m\":   12}", true}, /* a number without noise */
        {"[    1]", true},
        {"{\"n\":{\"m\":    1}}", true},
        {"{\"n\":  1e2}", true},
    };
    uint64_t seed = 9;
    struct noisy_rule rule = rule_of(&seed);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct text in = text_of(bad[i].in), out = {0};
        const char *why = bad[i].json ? noisy_json(&in, &rule, &out) : noisy_csv(&in, &rule, &out);
        if (!why)
            fail_msg("taken: %s", bad[i].in);
        text_free(&in);
        text_free(&out);
    }
    struct noisy_rule narrow = rule;
    narrow.high = 100000;
    assert_false(noisy_rule_fits(&narrow));
    narrow = rule;
    narrow.low = -10000;
    assert_false(noisy_rule_fits(&narrow));
    narrow.width = 60;
    assert_false(noisy_rule_fits(&narrow));
}

static void noise_never_leaves_its_field(void **state)
{
    (void)state;
    uint64_t seed = 11;
    struct noisy_rule rule = rule_of(&seed);
    rule.scale_top = 1000000; /* far beyond what five characters hold */
    for (int i = 0; i < 2000; i++) {
        struct text in = text_of("n,sum\n  500,    0\n"), out = {0};
        assert_null(noisy_csv(&in, &rule, &out));
        assert_int_equal(out.len, in.len);
        text_free(&in);
        text_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decimals_are_exact),
        cmocka_unit_test(json_is_strict),
        cmocka_unit_test(json_has_one_spelling),
        cmocka_unit_test(small_groups_do_not_pass),
        cmocka_unit_test(only_what_fits_passes),
        cmocka_unit_test(schemas_leave_nothing_open),
        cmocka_unit_test(noise_is_laplace),
        cmocka_unit_test(uniform_is_fair),
        cmocka_unit_test(noisy_numbers_keep_their_width),
        cmocka_unit_test(noise_is_only_given_where_it_was_agreed),
        cmocka_unit_test(noise_never_leaves_its_field),
    };
    return cmocka_run_group_tests_name("gates", tests, NULL, NULL);
}
