/*
 * A caller writes over its arguments from the moment that it rings until the answer is there: over
 * the content of a list of a megabyte, sixty calls long, and over its count. Would succeed if what
 * the receiver checked could still change: if it read the caller's memory, or if the agent were not
 * done with its copy when it rings. A receiver that reads twice looks for that.
 */
#include "test/attack/patched/together.h"

static void test_content(void **state)
{
    (void)state;
    struct world w;
    static const char *const LIBRARIES[] = {"answer", "read-twice"};
    for (size_t i = 0; i < 2; i++) {
        together_two(&w, "scribble-content", "[\"echo=1000000\"]", LIBRARIES[i], "run",
                     "'max_calls':100,'max_bytes':1000000000");
        world_assert_result(&w, "");
    }
}

/* Whatever count the copy took, it is judged as one: refused, or by luck the right one. */
static void test_count(void **state)
{
    (void)state;
    for (int i = 0; i < (world_is_machine() ? 2 : 5); i++) {
        struct world w;
        together_two(&w, "scribble-count", "[\"echo=1000000\"]", "answer", "run",
                     "'max_calls':100,'max_bytes':1000000000");
        world_assert_result_or_fails(&w, "answer", "call", "");
    }
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(test_content),
                                          cmocka_unit_test(test_count)};
TOGETHER_MAIN(tests)
