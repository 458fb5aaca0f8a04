/* What is shown may have come from anyone: nothing of it drives the terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/cli.h"

static void assert_shown(const char *text, const char *want)
{
    char *shown = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&shown, &len);
    assert_non_null(out);
    cli_print_safe(out, text);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(shown, want);
    free(shown);
}

static void shows_what_can_be_shown(void **state)
{
    (void)state;
    assert_shown("", "");
    assert_shown("two\nlines", "two\nlines");
    assert_shown("Z\xc3\xbcrich \xe2\x82\xac \xf0\x9f\x98\x80 \xc2\xa0",
                 "Z\xc3\xbcrich \xe2\x82\xac \xf0\x9f\x98\x80 \xc2\xa0");
}

static void drives_no_terminal(void **state)
{
    (void)state;
    assert_shown("\033[2J\033[HVERIFIED", "?[2J?[HVERIFIED");
    assert_shown("REFUSED\rVERIFIED\b\x7f", "REFUSED?VERIFIED??");
    assert_shown("\xc2\x9b"
                 "2J",
                 "?2J"); /* CSI in one character */
    assert_shown("a\xe2\x80\xae"
                 "b",
                 "a?b"); /* right to left */
    assert_shown("a\xe2\x81\xa6"
                 "b",
                 "a?b");
    assert_shown("cut \xc2", "cut \xc2"); /* the end of the text ends it */
    assert_shown("cut \xe2\x80", "cut \xe2\x80");
}

static void keeps_plain_text_on_its_line(void **state)
{
    (void)state;
    char out[8];
    assert_string_equal(cli_plain("a\nb\033c", out, sizeof out), "a?b?c");
    assert_string_equal(cli_plain("much too long", out, sizeof out), "much to");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_what_can_be_shown),
        cmocka_unit_test(drives_no_terminal),
        cmocka_unit_test(keeps_plain_text_on_its_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
