/*
 * A library that never answers, never comes up, or never ends when nobody needs it any more. Would
 * succeed if anything but its own limits decided how long the run lasts: the agent waits for no
 * cell. Also a caller that goes without waiting for its answer: it has not ended well.
 */
#include "test/attack/patched/together.h"

static void test_never(void **state)
{
    (void)state;
    struct world w;
    static const char *const LIBRARIES[] = {"reply-never", "ready-never", "next-and-stay"};
    for (size_t i = 0; i < sizeof LIBRARIES / sizeof LIBRARIES[0]; i++)
        for (int one = 0; one < 2; one++) {
            if (one && i == 2)
                continue; /* shown below */
            print_message("%s\n", LIBRARIES[i]);
            together_two(&w, "ask", "[\"echo=100\"]", LIBRARIES[i], one ? "call" : "run",
                         WORLD_AMPLE);
            world_limit_wall(&w, WALL_MS);
            world_assert_fails(&w, LIBRARIES[i], "wall", "wall_ms");
        }
    together_two(&w, "ask", "[\"echo=100\",\"echo=100\"]", "next-and-stay", "call", WORLD_AMPLE);
    world_limit_wall(&w, WALL_MS);
    world_assert_fails(&w, "next-and-stay", "wall", "wall_ms");
    /* an honest cell whose component never returns */
    together_two(&w, "ask", "[\"spin\"]", "answer", "run", WORLD_AMPLE);
    world_limit_wall(&w, WALL_MS);
    world_assert_fails(&w, "answer", "wall", "wall_ms");
}

static void test_caller_leaves(void **state)
{
    (void)state;
    struct world w;
    together_two(&w, "call-and-leave", "[\"spin\"]", "answer", "run", WORLD_AMPLE);
    world_assert_fails(&w, "call-and-leave", "message", "");
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(test_never),
                                          cmocka_unit_test(test_caller_leaves)};
TOGETHER_MAIN(tests)
