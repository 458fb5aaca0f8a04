/*
 * W3: nothing says which bytes a component or a data item has, so its owner changes it after all
 * have verified, or the host hands one item over as another. Here an owner releases the right key
 * for other content, and the host swaps two blobs. Would succeed if the digest in the manifest were
 * not compared with the whole content, or compared before all of it had come.
 */
#include "test/attack/attack.h"

/* The same collaboration by the same people, but for the content of the two items. */
static void another_world(struct world *w)
{
    world_open(w);
    world_component(w, "c", "text 0 stolen\n");
    world_data(w, "rows", 0, "other  rows");
}

static void test_swapped(void **state)
{
    (void)state;
    struct world w, other;
    attack_locked(&w);
    another_world(&other);
    for (size_t i = 0; i < 2; i++)
        world_take_key(&w, i, &other);
    world_release_all(&w);
    CVM_AUTO_FREE char *before = attack_status(&w);
    for (size_t i = 0; i < 2; i++) /* each opens, and is what its owner sealed: but not for us */
        assert_int_equal(
            world_item_bytes(&w, w.items[i].id, other.items[i].blob.data, other.items[i].blob.len),
            CVM_E_DIGEST_MISMATCH);
    CVM_AUTO_FREE char *after = attack_status(&w);
    assert_string_equal(after, before);
    assert_int_not_equal(world_op(&w, "run"), CVM_OK);
    world_close(&w);
    world_close(&other);
}

static void test_one_for_another(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_component(&w, "c", "copy 0 0\n");
    world_data(&w, "mine", 0, "of anna");
    world_data(&w, "more", 0, "of anna, too");
    world_channel(&w, "mine", NULL, "c", "in/rows");
    world_channel(&w, "more", NULL, "c", "in/more");
    world_channel(&w, "c", "out/r", "result", NULL);
    world_output(&w, "result", 1000);
    world_seal(&w);
    world_start_locked(&w);
    world_release_all(&w);
    for (size_t i = 1; i < 3; i++)
        assert_int_equal(
            world_item_bytes(&w, w.items[i].id, w.items[3 - i].blob.data, w.items[3 - i].blob.len),
            CVM_E_STREAM_CORRUPT);
    for (size_t i = 0; i < w.n_items; i++) /* the right ones still can */
        assert_int_equal(world_item(&w, w.items[i].id), CVM_OK);
    assert_true(world_await(&w, "sealed"));
    assert_string_equal(world_run(&w), "releasing");
    attack_assert_result(&w, "result", "of anna");
    world_close(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_swapped),
                                       cmocka_unit_test(test_one_for_another)};
    return WORLD_MAIN(tests);
}
