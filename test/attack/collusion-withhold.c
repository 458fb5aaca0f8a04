/*
 * Host and one participant hold something back: an item, a release, everything of a third one; and
 * try to run without it, or to see what is there. Would succeed if anything ran, or left, before
 * all is there. (That nobody can be made to bring it is not promised.)
 */
#include "test/attack/attack.h"

static void nothing_happens(struct world *w, enum cvm_code code)
{
    CVM_AUTO_FREE char *before = attack_status(w);
    assert_int_equal(world_op(w, "run"), code);
    assert_int_equal(world_refusal(w, "output", "result"), CVM_E_WITHHELD);
    assert_int_equal(world_refusal(w, "receipt", NULL), CVM_E_WITHHELD);
    CVM_AUTO_FREE char *after = attack_status(w);
    assert_string_equal(after, before);
}

static void test_withhold(void **state)
{
    (void)state;
    struct world w;
    attack_locked(&w);
    nothing_happens(&w, CVM_E_NOT_EVERYONE_RELEASED);
    assert_int_equal(world_release(&w, 0), CVM_OK);
    assert_int_equal(world_release(&w, 2), CVM_OK);
    nothing_happens(&w, CVM_E_NOT_EVERYONE_RELEASED);
    assert_int_equal(world_item(&w, "rows"), CVM_OK);
    assert_int_equal(world_item(&w, "c"), CVM_OK);
    nothing_happens(&w, CVM_E_NOT_EVERYONE_RELEASED); /* berta, who brings nothing */
    attack_assert_state(&w, "filling");
    world_close(&w);

    attack_locked(&w);
    world_release_all(&w);
    assert_int_equal(world_item(&w, "c"), CVM_OK);
    nothing_happens(&w, CVM_E_ITEM_MISSING);
    attack_assert_state(&w, "filling");
    world_close(&w);
}

ATTACK_MAIN(test_withhold)
