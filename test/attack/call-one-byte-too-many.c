/*
 * Each budget of a channel is crossed by one: a call, a byte of one call, a byte of all, by the
 * caller's arguments and by the library's results. Would succeed if one more were passed, or if one
 * less were refused. Components and cells are honest but for the two that say a length of their own
 * (the honest runner refuses before it rings).
 */
#include "test/attack/patched/together.h"

/* The wire value of a list of n bytes has 4 + n. */
static void just(const char *args, const char *limits)
{
    struct world w;
    print_message("%s %s\n", args, limits);
    together_two(&w, "ask", args, "answer", "run", limits);
    world_assert_result(&w, "");
}

static void beyond(const char *args, const char *limits, const char *id, const char *why,
                   const char *limit)
{
    struct world w;
    print_message("%s %s\n", args, limits);
    together_two(&w, "ask", args, "answer", "run", limits);
    world_assert_fails(&w, id, why, limit);
}

static void test_one_too_many(void **state)
{
    (void)state;
    just("[\"echo=0\",\"echo=1\",\"echo=2\"]", "'max_calls':3,'max_bytes':1000");
    beyond("[\"echo=0\",\"echo=1\",\"echo=2\"]", "'max_calls':2,'max_bytes':1000", "ask", "call",
           "max_calls");
    /* all bytes of a channel: 104 there and 104 back, twice */
    just("[\"echo=100\",\"echo=100\"]", "'max_calls':9,'max_bytes':416");
    beyond("[\"echo=100\",\"echo=100\"]", "'max_calls':9,'max_bytes':415", "answer", "call",
           "max_bytes");
    beyond("[\"echo=100\",\"echo=100\"]", "'max_calls':9,'max_bytes':311", "ask", "call",
           "max_bytes");
    /* bytes of a call */
    just("[\"echo=100\"]", "'max_calls':9,'max_bytes':1000,'max_call_bytes':104");
    beyond("[\"echo=101\"]", "'max_calls':9,'max_bytes':1000,'max_call_bytes':104", "ask", "call",
           "");
}

static void test_without_the_runners_own_check(void **state)
{
    (void)state;
    struct world w;
#define LIMITS "'max_calls':9,'max_bytes':1000,'max_call_bytes':104"
    together_two(&w, "call-above-region", "[\"echo=100\"]", "answer", "run", LIMITS);
    world_assert_fails(&w, "call-above-region", "call", "max_call_bytes");
    together_two(&w, "ask", "[\"echo=100\"]", "reply-above-region", "call", LIMITS);
    world_assert_fails(&w, "reply-above-region", "call", "max_call_bytes");
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_too_many),
                                          cmocka_unit_test(test_without_the_runners_own_check)};
TOGETHER_MAIN(tests)
