/*
 * A cell names more bytes than its region holds: one more, 2^64-1, and numbers whose low half, or
 * whose signed half, would do. Would succeed if the agent copied one byte beyond either region, or
 * counted such a length.
 */
#include "test/attack/patched/together.h"

static void test_lying_lengths(void **state)
{
    (void)state;
    struct world w;
    static const char *const CALLS[] = {"call-above-region", "call-endless", "call-wrapped",
                                        "call-low-half"};
    static const char *const REPLIES[] = {"reply-above-region", "reply-endless", "reply-low-half"};
    /* What the whole channel may carry is no reason: it is the one call. */
    for (size_t i = 0; i < sizeof CALLS / sizeof CALLS[0]; i++) {
        print_message("%s\n", CALLS[i]);
        together_two(&w, CALLS[i], "[\"echo=100\"]", "answer", "run",
                     "'max_calls':10,'max_bytes':1099511627776");
        world_assert_fails(&w, CALLS[i], "call", "max_call_bytes");
    }
    for (size_t i = 0; i < sizeof REPLIES / sizeof REPLIES[0]; i++)
        for (int one = 0; one < 2; one++) {
            print_message("%s\n", REPLIES[i]);
            together_two(&w, "ask", "[\"echo=100\"]", REPLIES[i], one ? "call" : "run",
                         "'max_calls':10,'max_bytes':1099511627776");
            world_assert_fails(&w, REPLIES[i], "call", "max_call_bytes");
        }
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(test_lying_lengths)};
TOGETHER_MAIN(tests)
