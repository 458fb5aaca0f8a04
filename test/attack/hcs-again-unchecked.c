/*
 * hcsshim 9eea3de28: what is there already is not checked once more. Here each item is sent again
 * when it is there: as it was, with other bytes, and after all is sealed. Would succeed if a second
 * time replaced the first, or counted as anything.
 */
#include "test/attack/attack.h"

static void again(struct world *w)
{
    for (size_t i = 0; i < w->n_items; i++) {
        struct cvm_buf *blob = &w->items[i].blob;
        assert_int_not_equal(world_item(w, w->items[i].id), CVM_OK);
        blob->data[blob->len / 2] ^= 1;
        assert_int_not_equal(world_item(w, w->items[i].id), CVM_OK);
        blob->data[blob->len / 2] ^= 1;
        assert_int_not_equal(world_item_bytes(w, w->items[i].id, "", 0), CVM_OK);
    }
}

static void test_again(void **state)
{
    (void)state;
    struct world w;
    attack_locked(&w);
    world_release_all(&w);
    assert_int_equal(world_item(&w, "rows"), CVM_OK);
    assert_int_equal(world_item(&w, "rows"), CVM_E_ITEM_NOT_WANTED);
    assert_int_equal(world_item(&w, "c"), CVM_OK);
    assert_true(world_await(&w, "sealed"));
    CVM_AUTO_FREE char *before = attack_status(&w);
    again(&w);
    CVM_AUTO_FREE char *after = attack_status(&w);
    assert_string_equal(after, before);
    assert_string_equal(world_run(&w), "releasing");
    again(&w);
    attack_assert_result(&w, "result", "secret rows");
    world_close(&w);
}

ATTACK_MAIN(test_again)
