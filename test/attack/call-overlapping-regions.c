/*
 * The memory by which two cells pass values is made to overlap: a cell lets the region of its
 * callers and the one of what it calls be the same memory; both ends of one channel write over
 * their whole region while the other one looks. Would succeed if the two sides of a channel shared
 * a byte, or if more than a value's own bytes were copied.
 */
#include "test/attack/patched/together.h"

/* What arrives is not what was meant: a value of the liar's own, which is refused. Nothing of the
 * one channel is in the other: that would be a value that fits. */
static void test_one_memory_for_two_channels(void **state)
{
    (void)state;
    struct world w;
    together_chain(&w, "chained", "[]", "callers-region-for-both", "middle");
    world_assert_fails(&w, "answer", "call", "");
    together_chain(&w, "chained", "[]", "callees-region-for-both", "middle");
    world_assert_fails(&w, "callees-region-for-both", "call", "");
}

/* The two look themselves, and end with a signal if they find anything. */
static void test_both_ends_write(void **state)
{
    (void)state;
    struct world w;
    together_two(&w, "call-and-watch", "[\"echo=100\",\"echo=5000\"]", "write-meanwhile", "run",
                 WORLD_AMPLE);
    world_assert_result(&w, "");
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_memory_for_two_channels),
                                          cmocka_unit_test(test_both_ends_write)};
TOGETHER_MAIN(tests)
