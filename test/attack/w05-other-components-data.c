/*
 * W5 and VW5: every component of a composition sees all data and all outputs. Here a component
 * whose cell it has taken over reads every descriptor that its process could have, while another
 * runs with other data. Would succeed if a cell got one descriptor more than its channels.
 */
#include "test/attack/attack.h"

static void test_other_components_data(void **state)
{
    (void)state;
    struct world w;
    static char greedy[16 * 600];
    size_t n = 0;
    for (unsigned fd = 2; fd < 500; fd++) /* 0 is its input, 1 its own output */
        n += (size_t)snprintf(greedy + n, sizeof greedy - n, "copy %u 0\n", fd);
    snprintf(greedy + n, sizeof greedy - n, "copy 0 0\n");
    world_open(&w);
    world_component(&w, "greedy", greedy);
    world_component(&w, "other", "copy 0 0\n");
    world_data(&w, "mine", 2, "my own rows");
    world_data(&w, "theirs", 0, "rows of another");
    world_channel(&w, "mine", NULL, "greedy", "in/rows");
    world_channel(&w, "theirs", NULL, "other", "in/rows");
    world_channel(&w, "greedy", "out/r", "loot", NULL);
    world_channel(&w, "other", "out/r", "rest", NULL);
    world_output(&w, "loot", 60000);
    world_output(&w, "rest", 60000);
    world_seal(&w);
    world_fill(&w);
    assert_string_equal(world_run(&w), "releasing");
    attack_assert_result(&w, "rest", "rows of another");
    attack_assert_result(&w, "loot", "my own rows"); /* and nothing else */
    world_close(&w);
}

ATTACK_MAIN(test_other_components_data)
