/*
 * Calls that come back into what is not finished: a library that calls its caller, one that calls
 * on although nobody asks it, a caller with two calls open; and components that call another out of
 * the function that gives memory for a result, or out of the one that takes it back, while their
 * own value is half passed. Would succeed if a second call touched a region that is in use.
 */
#include "test/attack/patched/together.h"

/* What reenters-caller.c and reenters-library.c of test/attack/cells/calls are told. */
static void chain(struct world *w, const char *told, const char *middle)
{
    CVM_AUTO_FREE char *args = cvm_printf("[\"%s\"]", told);
    together_chain(w, "reenters-caller", args, middle, "reenters-library");
}

static void test_cells(void **state)
{
    (void)state;
    struct world w;
    together_two(&w, "ask", "[\"echo=100\"]", "reply-by-call", "run", WORLD_AMPLE);
    world_assert_fails(&w, "reply-by-call", "message", "");
    together_two(&w, "ask", "[\"echo=100\"]", "reply-by-call", "call", WORLD_AMPLE);
    world_assert_fails(&w, "reply-by-call", "message", "");
    together_two(&w, "call-twice", "[\"spin\"]", "answer", "run", WORLD_AMPLE);
    world_assert_fails(&w, "call-twice", "message", "");
    chain(&w, "nothing", "call-unasked");
    world_assert_fails(&w, "call-unasked", "message", "");
    chain(&w, "nothing", "call-before-ready");
    world_assert_fails(&w, "call-before-ready", "message", "");
}

/* Honest cells, hostile components. */
static void test_components(void **state)
{
    (void)state;
    struct world w;
    static const char *const WHEN[] = {"results", "arguments", "given-back"};
    for (size_t i = 0; i < sizeof WHEN / sizeof WHEN[0]; i++) {
        print_message("%s\n", WHEN[i]);
        chain(&w, WHEN[i], "middle");
        world_assert_fails(&w, i == 0 ? "ask" : "middle", "trap", "");
    }
    chain(&w, "plainly", "middle"); /* what they do otherwise is well */
    world_assert_result(&w, "");
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(test_cells),
                                          cmocka_unit_test(test_components)};
TOGETHER_MAIN(tests)
