/* Components that call one another: what honest ones get, and what a cell can't get by speaking the
 * doorbell wrongly on purpose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/e2e/agent/world.h"

#define CALL WORLD_CALL
#define AMPLE WORLD_AMPLE

/* `ask` calls `answer`, and hands out what it heard. */
static void pair(struct world *w, const char *ask, const char *answer, const char *instance,
                 const char *channel)
{
    world_open(w);
    world_component(w, "ask", ask);
    world_component(w, "answer", answer);
    world_library(w, instance);
    world_joint(w, channel);
    world_channel(w, "ask", "out/r", "result", NULL);
    world_output(w, "result", 4096);
    world_diagnostics(w, "how");
}

#define SIMPLE CALL("ask", "answer", "a:b/c", AMPLE)

static void test_calls_and_replies(void **state)
{
    (void)state;
    struct world w;
    pair(&w, "call 0 one\ncall 0 two\n", "serve echo\n", "run", SIMPLE);
    world_assert_result(&w, "<one><two>");
}

/* A library for the run remembers, one for a call can't: neither in itself nor in its region. */
static void test_instances(void **state)
{
    (void)state;
    struct world w;
    pair(&w, "call 0 one\ncall 0 two\ncall 0 three\n", "serve count\n", "run", SIMPLE);
    world_assert_result(&w, "123");
    pair(&w, "call 0 one\ncall 0 two\ncall 0 three\n", "serve count\n", "call", SIMPLE);
    world_assert_result(&w, "111");
    pair(&w, "call 0 one\ncall 0 t\n", "serve leak\n", "call", SIMPLE);
    world_assert_result(&w, "");
    /* What each claims to have used is the most that it may claim; so is the sum. */
    pair(&w, "call 0 one\ncall 0 two\n", "stderr 9007199254740991\nserve echo\n", "call", SIMPLE);
    world_assert_result(&w, "<one><two>");
}

static void test_chain(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct world w;
        world_open(&w);
        world_component(&w, "ask", "call 0 x\ncall 0 y\n");
        world_component(&w, "middle", "serve on\n");
        world_library(&w, i & 1 ? "call" : "run");
        world_component(&w, "last", "serve echo\n");
        world_library(&w, i & 2 ? "call" : "run");
        world_joint(&w, CALL("ask", "middle", "a:b/c", AMPLE));
        world_joint(&w, CALL("middle", "last", "a:b/d", AMPLE));
        world_channel(&w, "ask", "out/r", "result", NULL);
        world_output(&w, "result", 4096);
        world_diagnostics(&w, "how");
        world_assert_result(&w, "[<x>][<y>]");
    }
}

/* Two callers of one library: each gets its own replies; what the library leaves counts as an
 * output of it once both have ended. */
static void test_two_callers(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_component(&w, "one", "calls 300\ncall 0 one\n");
    world_component(&w, "two", "calls 300\ncall 0 two\n");
    world_component(&w, "shared", "serve echo\ntext 0 left\n");
    world_library(&w, "run");
    world_joint(&w, CALL("one", "shared", "a:b/c", AMPLE));
    world_joint(&w, CALL("two", "shared", "a:b/c", AMPLE));
    world_component(&w, "join", "copy 0 0\ncopy 1 0\ncopy 2 0\n");
    world_channel(&w, "one", "out/r", "join", "in/1");
    world_channel(&w, "two", "out/r", "join", "in/2");
    world_channel(&w, "shared", "out/r", "join", "in/3");
    world_channel(&w, "join", "out/r", "result", NULL);
    world_output(&w, "result", 4096);
    world_diagnostics(&w, "how");
    world_assert_result(&w, "<one><two>left");
}

/* The caller imports fewer functions than there are, in its own numbers. */
static void test_functions_are_mapped(void **state)
{
    (void)state;
    struct world w;
    pair(&w, "call-function 0 0\ncall-function 0 1\nimports b()|d()\n",
         "serve function\nexports a()|b()|c()|d()\n", "run", SIMPLE);
    world_assert_result(&w, "13");
    pair(&w, "call-function 0 2\nimports b()|d()\n", "serve function\nexports a()|b()|c()|d()\n",
         "run", SIMPLE);
    world_assert_fails(&w, "ask", "message", "");
}

static enum cvm_code admission(const char *ask, const char *answer)
{
    struct world w;
    pair(&w, ask, answer, "run", SIMPLE);
    world_seal(&w);
    world_start(&w);
    world_connect(&w);
    assert_int_equal(world_lock(&w), CVM_OK);
    assert_int_equal(world_challenge(&w), CVM_OK);
    world_release_all(&w);
    enum cvm_code code = world_item(&w, "ask");
    if (code == CVM_OK)
        code = world_item(&w, "answer");
    if (code != CVM_OK) {
        CVM_AUTO_JSON json_t *s = world_status(&w);
        assert_string_equal(json_string_value(json_object_get(s, "state")), "aborted");
    }
    world_close(&w);
    return code;
}

static void test_types_are_compared(void **state)
{
    (void)state;
    static const char *const NO_MATCH[] = {
        "\nexports a()|b()\n", "\nexports f(x: list<u8>) -> list<u8>\n",
        "\nexports f(x: list<u8>)|g()\n", "\nexports f(y: list<u8>) -> list<u8>|g()\n",
        "\nexports f(x: list<s8>) -> list<u8>|g()\n"};
    for (size_t i = 0; i < sizeof NO_MATCH / sizeof *NO_MATCH; i++)
        assert_int_equal(admission("\n", NO_MATCH[i]), CVM_E_CALL_TYPES);
    assert_int_equal(admission("\n", "\nexports a()|f(x: list<u8>) -> list<u8>|g()|h()\n"), CVM_OK);
    /* a compiler that was taken over */
    static const char *const LIES[] = {
        "\ntexts-broken\n",    "\ntexts-extended\n", "\ntexts-none\n", "\nexports g()|f()\n",
        "\nexports f()|f()\n", "\nexports f\n",      "\nexports (\n"};
    for (size_t i = 0; i < sizeof LIES / sizeof *LIES; i++)
        assert_int_equal(admission("\n", LIES[i]), CVM_E_COMPILE_LIMIT);
    assert_int_equal(admission("\n", "\ntexts-too-long\n"), CVM_E_CELL_FAILED);
    assert_int_equal(admission("\n", "\ntexts-grown\n"), CVM_OK); /* it could not */
}

/* Each budget holds to the byte and to the call, and the diagnostics say which it was. */
static void test_budgets(void **state)
{
    (void)state;
    struct world w;
#define LIMITS "'max_calls':4,'max_call_bytes':100,'max_bytes':250"
#define BOUNDED CALL("ask", "answer", "a:b/c", LIMITS)
    pair(&w, "calls 4\ntext 0 fine\n", "serve nothing\n", "run", BOUNDED);
    world_assert_result(&w, "fine");
    pair(&w, "calls 5\n", "serve nothing\n", "run", BOUNDED);
    world_assert_fails(&w, "ask", "call", "max_calls");
    pair(&w, "call-bytes 0 100\ntext 0 fine\n", "serve nothing 100\n", "run", BOUNDED);
    world_assert_result(&w, "fine");
    pair(&w, "call-bytes 0 101\n", "serve nothing\n", "run", BOUNDED);
    world_assert_fails(&w, "ask", "call", "max_call_bytes");
    pair(&w, "call-bytes 0 1\n", "serve nothing 101\n", "run", BOUNDED);
    world_assert_fails(&w, "answer", "call", "max_call_bytes");
    pair(&w, "call-bytes 0 100\ncall-bytes 0 25\ntext 0 fine\n", "serve nothing 62\n", "run",
         BOUNDED); /* 249 */
    world_assert_result(&w, "fine");
    pair(&w, "call-bytes 0 100\ncall-bytes 0 51\n", "serve nothing 100\n", "run", BOUNDED);
    world_assert_fails(&w, "ask", "call", "max_bytes"); /* 251 */
    pair(&w, "call-bytes 0 99\ncall-bytes 0 52\n", "serve nothing 50\n", "call", BOUNDED);
    world_assert_fails(&w, "answer", "call", "max_bytes"); /* 251 */
}

static void test_million_tiny_calls(void **state)
{
    (void)state;
    struct world w;
    pair(&w, "calls 1000000\n", "serve nothing\n", "run",
         CALL("ask", "answer", "a:b/c", "'max_calls':10000,'max_bytes':10"));
    world_assert_fails(&w, "ask", "call", "max_calls");
}

/* What an honest cell never says. The caller is at channel 0, the library's file at channel 1. */
static void test_wrong_messages_of_a_caller(void **state)
{
    (void)state;
    static const char *const WRONG[] = {
        "bell 1 1 0 0\nawait\n",     /* a file channel */
        "bell 1 2 0 0\nawait\n",     /* no channel */
        "bell 1 65535 0 0\nawait\n", /* far from one */
        "bell 1 0 2 0\nawait\n",     /* no function */
        "bell 1 0 4294967295 0\nawait\n",
        "bell 2 0 0 0\nawait\n",  /* a reply to no call */
        "bell 3 0 0 0\nawait\n",  /* ready, and no library */
        "bell 4 0 0 0\nawait\n",  /* what only the agent says */
        "bell 0 0 0 0\nawait\n",  /* nothing */
        "bell 77 0 0 0\nawait\n", /* unknown */
        "flood 100000\n",         /* rings, reads nothing */
        "bell-size 15\nawait\n",
        "bell-size 17\nawait\n",
        "bell-size 1\nawait\n",
    };
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        struct world w;
        print_message("%s", WRONG[i]);
        pair(&w, WRONG[i], "serve echo\n", "run", SIMPLE);
        world_assert_fails(&w, "ask", "message", "");
    }
    struct world two; /* calls at a time */
    pair(&two, "bell 1 0 0 0\nbell 1 0 0 0\nawait\nawait\n", "serve slow\n", "run", SIMPLE);
    world_assert_fails(&two, "ask", "message", "");
    static const char *const LENGTHS[] = {"bell 1 0 0 18446744073709551615\nawait\n",
                                          "bell 1 0 0 1048577\nawait\n"};
    for (size_t i = 0; i < sizeof LENGTHS / sizeof *LENGTHS; i++) {
        struct world w;
        pair(&w, LENGTHS[i], "serve echo\n", "run", SIMPLE);
        world_assert_fails(&w, "ask", "call", "max_call_bytes");
    }
}

static void test_wrong_messages_of_a_library(void **state)
{
    (void)state;
    static const char *const WRONG[] = {
        "bell 2 0 0 0\nawait\n",                      /* a reply before it is ready */
        "bell 1 0 0 0\nawait\n",                      /* it calls by another's channel */
        "bell 3 0 0 1\nawait\n",                      /* ready, with bytes */
        "bell 3 0 0 0\nbell 3 0 0 0\nawait\nawait\n", /* ready twice */
        "bell 3 0 0 0\nbell 2 0 0 0\nawait\nawait\n", /* a reply to no call, or to one that
                                                         it has not read */
        "bell 3 0 0 0\nawait\nbell 2 1 0 0\nawait\n", /* of another channel */
        "bell 3 0 0 0\nawait\nbell 2 0 1 0\nawait\n", /* of another function */
        "bell 3 0 0 0\nawait\nbell 2 0 0 0\nbell 2 0 0 0\nawait\nawait\n", /* twice */
        "bell 3 0 0 0\nawait\nbell-size 12\nawait\n",
        "bell 3 0 0 0\n", /* ends before it was told to */
        "bell 3 0 0 0\nawait\nbell 2 0 0 0\n",
    };
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        /* One process a call ends after its reply, but only when it was told to. */
        for (int one = 0; one < (i == 4 ? 1 : 2); one++) {
            struct world w;
            print_message("%s", WRONG[i]);
            pair(&w, "call 0 x\nnap 300\ncall 0 y\n", WRONG[i], one ? "call" : "run", SIMPLE);
            if (one && i == 10) {
                world_assert_result(&w, "");
                continue;
            }
            world_assert_fails(&w, "answer", "message", "");
        }
    }
    struct world w;
    pair(&w, "call 0 x\n", "bell 3 0 0 0\nawait\nbell 2 0 0 18446744073709551615\nawait\n", "run",
         SIMPLE);
    world_assert_fails(&w, "answer", "call", "max_call_bytes");
}

/* A library that calls on while it works on nothing. */
static void test_library_calls_unasked(void **state)
{
    (void)state;
    static const char *const WRONG[] = {"bell 1 1 0 0\nawait\n",
                                        "bell 3 0 0 0\nbell 1 1 0 0\nawait\nawait\n"};
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        struct world w;
        world_open(&w);
        world_component(&w, "ask", "nap 300\ncall 0 x\n");
        world_component(&w, "middle", WRONG[i]);
        world_library(&w, "run");
        world_component(&w, "last", "serve echo\n");
        world_library(&w, "run");
        world_joint(&w, CALL("ask", "middle", "a:b/c", AMPLE));
        world_joint(&w, CALL("middle", "last", "a:b/d", AMPLE));
        world_channel(&w, "ask", "out/r", "result", NULL);
        world_output(&w, "result", 4096);
        world_diagnostics(&w, "how");
        world_assert_fails(&w, "middle", "message", "");
    }
}

/* The bytes are copied once; what the caller changes meanwhile is its own affair. */
static void test_region_changes_under_the_copy(void **state)
{
    (void)state;
    struct world w;
    pair(&w, "scribble 0\ntext 0 fine\n", "serve nothing\n", "run", SIMPLE);
    world_assert_result(&w, "fine");
}

static void test_callee_ends_badly(void **state)
{
    (void)state;
    struct world w;
    pair(&w, "call 0 x\n", "bell 3 0 0 0\nawait\ntrap\n", "run", SIMPLE);
    world_assert_fails(&w, "answer", "trap", "");
    pair(&w, "call 0 x\n", "bell 3 0 0 0\nawait\ntrap\n", "call", SIMPLE);
    world_assert_fails(&w, "answer", "trap", "");
    pair(&w, "call 0 x\n", "trap\n", "run", SIMPLE); /* its caller never ran */
    world_assert_fails(&w, "ask", "not-run", "");
    pair(&w, "call 0 x\n", "serve never\n", "run", SIMPLE);
    world_limit_wall(&w, 700);
    world_assert_fails(&w, "answer", "wall", "wall_ms");
    pair(&w, "call 0 x\n", "serve never\n", "call", SIMPLE);
    world_limit_wall(&w, 700);
    world_assert_fails(&w, "answer", "wall", "wall_ms");
    /* it has closed its doorbell and waits for ever */
    pair(&w, "call 0 x\n", "bell 3 0 0 0\nbell-closed\nsleep\n", "run", SIMPLE);
    world_limit_wall(&w, 700);
    world_assert_fails(&w, "answer", "wall", "wall_ms");
}

/* A library of one process a call that is never called ends well with its callers. */
static void test_never_called(void **state)
{
    (void)state;
    struct world w;
    pair(&w, "text 0 alone\n", "serve echo\n", "call", SIMPLE);
    world_assert_result(&w, "alone");
    pair(&w, "text 0 alone\n", "serve echo\n", "run", SIMPLE);
    world_assert_result(&w, "alone");
}

/* What a library of one process a call reads is there for each of them. */
static void test_inputs_of_each_process(void **state)
{
    (void)state;
    struct world w;
    pair(&w, "call 0 x\ncall 0 y\n", "serve echo\n", "call", SIMPLE);
    world_data(&w, "model", 0, "weights");
    world_channel(&w, "model", NULL, "answer", "in/model");
    world_assert_result(&w, "<x><y>");
}

static void test_gates(void **state)
{
    (void)state;
    static const struct {
        const char *gate, *result;
    } GATES[] = {
        {"copy 0 0\n", "four"}, {"text 0 4\n", "4"}, {"text 0 12345\n", NULL}, {"trap\n", NULL}};
    for (size_t i = 0; i < sizeof GATES / sizeof *GATES; i++) {
        struct world w;
        world_open(&w);
        world_component(&w, "make", "text 0 four\n");
        world_component(&w, "guard", GATES[i].gate);
        json_object_set_new(world_last_component(&w), "gate", json_true());
        json_object_set_new(world_last_component(&w), "owner", json_string("carl"));
        world_data(&w, "rows", 2, "of carl");
        world_channel(&w, "rows", NULL, "make", "in/r");
        world_channel(&w, "make", "out/r", "guard", "in/r");
        world_channel(&w, "guard", "out/r", "result", NULL);
        world_output(&w, "result", 100);
        world_diagnostics(&w, "how");
        if (GATES[i].result)
            world_assert_result(&w, GATES[i].result);
        else
            world_assert_fails(&w, "guard", i == 2 ? "gate" : "trap", "");
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_and_replies),
        cmocka_unit_test(test_instances),
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_two_callers),
        cmocka_unit_test(test_functions_are_mapped),
        cmocka_unit_test(test_types_are_compared),
        cmocka_unit_test(test_budgets),
        cmocka_unit_test(test_million_tiny_calls),
        cmocka_unit_test(test_wrong_messages_of_a_caller),
        cmocka_unit_test(test_wrong_messages_of_a_library),
        cmocka_unit_test(test_library_calls_unasked),
        cmocka_unit_test(test_region_changes_under_the_copy),
        cmocka_unit_test(test_callee_ends_badly),
        cmocka_unit_test(test_never_called),
        cmocka_unit_test(test_inputs_of_each_process),
        cmocka_unit_test(test_gates),
    };
    return WORLD_MAIN(tests);
}
