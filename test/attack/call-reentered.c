/*
 * Calls that come back into what is not finished: a library that calls its caller, one that calls
 * on although nobody asks it, a caller with two calls open; and components that call another out of
 * the function that gives memory for a result, or out of the one that takes it back, while their
 * own value is half passed. Would succeed if a second call touched a region that is in use.
 */
#include "test/attack/patched/together.h"

static void test_cells(void **state)
{
    (void)state;
    struct world w;
    together_two(&w, "ask", "[\"echo=100\"]", "reply-by-call", "run", WORLD_AMPLE);
    world_assert_fails(&w, "reply-by-call", "message", "");
    together_two(&w, "ask", "[\"echo=100\"]", "reply-by-call", "call", WORLD_AMPLE);
    world_assert_fails(&w, "reply-by-call", "message", "");
    together_two(&w, "call-twice", "[\"echo=100\"]", "answer", "run", WORLD_AMPLE);
    world_assert_fails(&w, "call-twice", "message", "");
    together_chain(&w, "call-unasked");
    world_assert_fails(&w, "call-unasked", "message", "");
    together_chain(&w, "call-before-ready");
    world_assert_fails(&w, "call-before-ready", "message", "");
}

/* Honest cells, hostile components. */
static void test_components(void **state)
{
    (void)state;
    struct world w;
    static const char *const WHEN[] = {"results", "arguments", "given-back"};
    for (size_t i = 0; i < sizeof WHEN / sizeof WHEN[0]; i++) {
        CVM_AUTO_FREE char *args = cvm_printf("[\"%s\"]", WHEN[i]);
        print_message("%s\n", WHEN[i]);
        world_open(&w);
        world_component_file(&w, "ask", "reenters-caller", args);
        world_component_file(&w, "middle", "reenters-library", "[]");
        world_library(&w, "run");
        world_component_file(&w, "answer", "things", "[]");
        world_library(&w, "run");
        together_call(&w, "ask", "middle", CHAIN, WORLD_AMPLE);
        together_call(&w, "middle", "answer", THINGS, WORLD_AMPLE);
        together_outputs(&w, "ask");
        world_assert_fails(&w, i == 0 ? "ask" : "middle", "trap", "");
    }
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(test_cells),
                                          cmocka_unit_test(test_components)};
TOGETHER_MAIN(tests)
