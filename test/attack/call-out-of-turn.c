/*
 * Messages that an honest cell never says: of a wrong kind, channel, function or size, at a wrong
 * moment, or once too often. Would succeed if the agent took one, if it ended by it, or if the
 * partner noticed anything but the end.
 */
#include "test/attack/patched/together.h"

static void test_callers(void **state)
{
    (void)state;
    static const char *const LIES[] = {"call-other-channel", "call-far-channel", "call-no-function",
                                       "call-far-function",  "call-cut",         "reply-to-nothing",
                                       "say-ready",          "say-end",          "say-nothing",
                                       "say-unknown"};
    struct world w;
    for (size_t i = 0; i < sizeof LIES / sizeof LIES[0]; i++) {
        print_message("%s\n", LIES[i]);
        together_two(&w, LIES[i], "[\"echo=100\"]", "answer", "run", WORLD_AMPLE);
        world_assert_fails(&w, LIES[i], "message", "");
    }
}

static void test_libraries(void **state)
{
    (void)state;
    static const char *const LIES[] = {
        "ready-twice", "ready-with-bytes", "reply-before-ready",      "reply-unasked",
        "reply-twice", "next-never",       "reply-of-other-function", "reply-on-other-channel"};
    struct world w;
    for (size_t i = 0; i < sizeof LIES / sizeof LIES[0]; i++)
        for (int one = 0; one < 2; one++) {
            if (one && !strcmp(LIES[i], "reply-unasked"))
                continue; /* a process of one call is never unasked */
            print_message("%s, %s\n", LIES[i], one ? "call" : "run");
            bool unasked = !strcmp(LIES[i], "reply-unasked");
            together_two(&w, "ask", unasked ? "[]" : "[\"echo=100\",\"echo=100\"]", LIES[i],
                         one ? "call" : "run", WORLD_AMPLE);
            world_assert_fails(&w, LIES[i], "message", "");
        }
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(test_callers),
                                          cmocka_unit_test(test_libraries)};
TOGETHER_MAIN(tests)
