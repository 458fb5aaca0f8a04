/*
 * A million calls without a byte of arguments. Would succeed if a call cost the agent memory that
 * it keeps, if the transcript told of calls, or if the budget ended a call too late.
 */
#include <stdio.h>
#include <stdlib.h>

#include "test/attack/patched/together.h"

/* The agent's own memory, in KiB. */
static long agent_kib(struct world *w)
{
    char line[256];
    long kib = -1;
    CVM_AUTO_FREE char *path = cvm_printf("/proc/%d/status", (int)world_agent(w));
    CVM_AUTO_FCLOSE FILE *f = fopen(path, "re");
    assert_non_null(f);
    while (fgets(line, sizeof line, f))
        if (!strncmp(line, "RssAnon:", 8))
            kib = strtol(line + 8, NULL, 10);
    return kib;
}

static void test_a_million(void **state)
{
    (void)state;
    struct world w;
    CVM_AUTO_BUF struct cvm_buf transcript = {0};
    if (world_is_machine()) /* an hour of an emulated processor, and its agent cannot be looked at
                             */
        skip();
    together_two(&w, "ask", "[\"times=1000000\"]", "answer", "run",
                 "'max_calls':1000000,'max_bytes':8000000");
    json_object_set_new(json_object_get(world_last_component(&w), "limits"), "cpu_ms",
                        json_integer(60000));
    json_object_set_new(
        json_object_get(json_array_get(json_object_get(w.draft, "components"), 0), "limits"),
        "cpu_ms", json_integer(60000));
    for (size_t i = 0; i < 2; i++)
        json_object_set_new(
            json_object_get(json_array_get(json_object_get(w.draft, "components"), i), "limits"),
            "wall_ms", json_integer(200000));
    world_seal(&w);
    world_fill(&w);
    long before = agent_kib(&w);
    assert_int_equal(world_op(&w, "run"), CVM_OK);
    for (int i = 0; i < 8 && !world_await(&w, "releasing"); i++)
        ;
    attack_assert_result(&w, "result", "");
    assert_in_range(agent_kib(&w), 1, before + 4096);
    world_fetch(&w, "transcript", NULL, &transcript);
    assert_in_range(transcript.len, 1, 20000);
    world_close(&w);
}

/* The budget ends the call behind the last, and the last was still one. */
static void test_budget(void **state)
{
    (void)state;
    struct world w;
    int budget = world_is_machine() ? 500 : 10000;
    CVM_AUTO_FREE char *limits = cvm_printf("'max_calls':%d,'max_bytes':%d", budget, budget * 8);
    CVM_AUTO_FREE char *just = cvm_printf("[\"times=%d\"]", budget);
    together_two(&w, "ask", "[\"times=1000000\"]", "answer", "run", limits);
    world_assert_fails(&w, "ask", "call", "max_calls");
    together_two(&w, "ask", just, "answer", "run", limits);
    world_assert_result(&w, "");
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(test_budget),
                                          cmocka_unit_test(test_a_million)};
TOGETHER_MAIN(tests)
