/*
 * A cell that was taken over passes bytes that are no value of the type: to a library as
 * arguments, to a caller as results. Each row of patched/edits.def is one collaboration. Would
 * succeed if the receiving engine believed a count, a case, a length or a character: then the run
 * would end well, or with the receiver's signal instead of its refusal.
 */
#include "test/attack/patched/together.h"

enum side { ARGUMENTS, RESULTS };
enum function { FN_ECHO, FN_JOIN, FN_MOVE, FN_TURN, FN_LARGEST };

static const struct {
    const char *id;
    enum side side;
    enum function function;
    const char *why;
} edits[] = {
#define EDIT(id, side, function, at, width, value, bytes, why) {#id, side, function, why},
#include "test/attack/patched/edits.def"
};

static void pass(const char *lie, enum side side, enum function function, const char *instance,
                 struct world *w)
{
    const char *args = function == FN_ECHO ? "[\"echo=100\"]" : "[\"kinds\"]";
    CVM_AUTO_FREE char *id = cvm_strdup(lie);
    for (char *p = id; *p; p++)
        if (*p == '_')
            *p = '-';
    bool caller_lies = side == ARGUMENTS;
    together_two(w, caller_lies ? id : "ask", args, caller_lies ? "answer" : id, instance,
                 WORLD_AMPLE);
    world_assert_fails(w, caller_lies ? "answer" : "ask", "call", "");
}

static void each(enum side side, const char *instance)
{
    struct world w;
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        if (edits[i].side != side)
            continue;
        print_message("%s: %s\n", edits[i].id, edits[i].why);
        pass(edits[i].id, side, edits[i].function, instance, &w);
    }
}

/* The patched runner itself is no reason to fail. */
static void test_honest_cells_of_the_patched_runner(void **state)
{
    (void)state;
    struct world w;
    together_two(&w, "ask", "[\"kinds\",\"echo=100\"]", "answer", "run", WORLD_AMPLE);
    world_assert_result(&w, "");
}

static void test_arguments(void **state)
{
    (void)state;
    each(ARGUMENTS, "run");
}

static void test_results(void **state)
{
    (void)state;
    each(RESULTS, "run");
}

/* A process for the one call has to refuse as well, and its caller has to, of such a process. */
static void test_fresh_process(void **state)
{
    (void)state;
    struct world w;
    pass("count_huge", ARGUMENTS, FN_ECHO, "call", &w);
    pass("reply_count_huge", RESULTS, FN_ECHO, "call", &w);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_honest_cells_of_the_patched_runner), cmocka_unit_test(test_arguments),
    cmocka_unit_test(test_results), cmocka_unit_test(test_fresh_process)};
TOGETHER_MAIN(tests)
