/*
 * W4 and VW2: a finished run starts again on each further submission, so that changed data gives a
 * second output to compare with the first. Here everything is submitted again after the run. Would
 * succeed if a run, an item or a release could be had twice.
 */
#include "test/attack/attack.h"

static void test_run_again(void **state)
{
    (void)state;
    struct world w;
    attack_world(&w);
    world_seal(&w);
    world_fill(&w);
    assert_string_equal(world_run(&w), "releasing");
    CVM_AUTO_BUF struct cvm_buf first = {0}, second = {0};
    world_fetch(&w, "output", "result", &first);
    CVM_AUTO_FREE char *before = attack_status(&w);
    assert_int_equal(world_op(&w, "run"), CVM_E_ALREADY_RUN);
    for (size_t i = 0; i < w.n_items; i++)
        assert_int_not_equal(world_item(&w, w.items[i].id), CVM_OK);
    for (int who = 0; who < 3; who++)
        assert_int_not_equal(world_release(&w, who), CVM_OK);
    assert_int_equal(world_lock(&w), CVM_E_ALREADY_LOCKED);
    assert_int_equal(world_op(&w, "run"), CVM_E_ALREADY_RUN);
    CVM_AUTO_FREE char *after = attack_status(&w);
    assert_string_equal(after, before);
    world_fetch(&w, "output", "result", &second);
    assert_int_equal(first.len, second.len); /* the same sealed bytes, not sealed anew */
    assert_memory_equal(first.data, second.data, first.len);
    CVM_AUTO_BUF struct cvm_buf last = {0};
    world_fetch(&w, "close", NULL, &last);
    assert_int_not_equal(world_op(&w, "run"), CVM_OK);
    world_close(&w);
}

ATTACK_MAIN(test_run_again)
