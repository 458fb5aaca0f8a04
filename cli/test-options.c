#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/cli.h"

static const struct cli_option OPTIONS[] = {
    {"max-bytes", 'm', "N", "a number"},
    {"simulated", 0, NULL, "a flag"},
    {"offer", 0, "FILE", "may be repeated"},
    {0},
};
static const struct cli_verb PACK = {
    .name = "pack", .arguments = "FILE", .options = OPTIONS, .min_args = 1, .max_args = 1};
static const struct cli_verb ADD = {.name = "contact add", .arguments = "CARD", .max_args = 1};
static const struct cli_verb *const VERBS[] = {&PACK, &ADD, NULL};

static int parse(struct cli *c, bool *help, struct cvm_error *err, int n, const char *const *words)
{
    char *argv[12] = {(char *)(uintptr_t) "2cvm"};
    for (int i = 0; i < n; i++)
        argv[i + 1] = (char *)(uintptr_t)words[i];
    *c = (struct cli){0};
    *err = (struct cvm_error){0};
    return cli_parse(c, VERBS, n + 1, argv, help, err);
}
#define PARSE(...)                                                                                 \
    parse(&c, &help, &err, (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)),          \
          (const char *[]){__VA_ARGS__})

static void takes_options_anywhere(void **state)
{
    (void)state;
    struct cli c;
    struct cvm_error err;
    bool help;
    int64_t v;
    assert_int_equal(PARSE("--home", "h", "pack", "--offer=a", "file", "-m", "12", "--offer", "b"),
                     0);
    assert_ptr_equal(c.verb, &PACK);
    assert_string_equal(c.home, "h");
    assert_string_equal(c.args[0], "file");
    assert_string_equal(cli_opt_at(&c, "offer", 0), "a");
    assert_string_equal(cli_opt_at(&c, "offer", 1), "b");
    assert_null(cli_opt_at(&c, "offer", 2));
    assert_string_equal(cli_opt(&c, "offer"), "b");
    assert_int_equal(cli_opt_int(&c, "max-bytes", 1, 100, 0, &v, &err), 0);
    assert_int_equal(v, 12);
    assert_false(cli_flag(&c, "simulated"));
    assert_int_equal(PARSE("contact", "add", "card", "--json"), 0);
    assert_ptr_equal(c.verb, &ADD);
    assert_true(c.json);
    assert_int_equal(PARSE("pack", "--help"), 0);
    assert_true(help);
}

static void refuses_what_it_does_not_know(void **state)
{
    (void)state;
    struct cli c;
    struct cvm_error err;
    bool help;
#define REFUSED(...)                                                                               \
    do {                                                                                           \
        assert_int_equal(PARSE(__VA_ARGS__), -1);                                                  \
        assert_int_equal(err.code, CVM_E_USAGE);                                                   \
    } while (0)
    REFUSED("unpack", "file");
    REFUSED("contact");
    REFUSED("contact", "remove");
    REFUSED("pack");
    REFUSED("pack", "a", "b");
    REFUSED("pack", "a", "--maxbytes", "1");
    REFUSED("pack", "a", "--max-bytes");
    REFUSED("pack", "a", "--max-bytes=");
    REFUSED("pack", "a", "--simulated=yes");
    REFUSED("pack", "a", "-mm", "1");
    REFUSED("pack", "a", "-x");
    REFUSED("contact", "add", "card", "--max-bytes", "1");
    REFUSED("--json");
    REFUSED("--offer", "x", "pack", "a");
}

static void refuses_numbers_that_are_none(void **state)
{
    (void)state;
    struct cli c;
    struct cvm_error err;
    bool help;
    int64_t v = 7;
    static const char *const BAD[] = {
        "0", "101", "1x", " 1", "+1", "1e2", "0x10", "-1", "99999999999999999999"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        assert_int_equal(PARSE("pack", "a", "--max-bytes", BAD[i]), 0);
        assert_int_equal(cli_opt_int(&c, "max-bytes", 1, 100, 0, &v, &err), -1);
        assert_int_equal(err.code, CVM_E_USAGE);
        assert_int_equal(v, 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_options_anywhere),
        cmocka_unit_test(refuses_what_it_does_not_know),
        cmocka_unit_test(refuses_numbers_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
