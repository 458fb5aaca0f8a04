/*
 * hcsshim 3f1758f95: the state is changed and the action fails, so that both part. Here thirty
 * requests fail for as many reasons, at every depth; status, transcript and what can be done next
 * must be as before. Would succeed if anything but a counter were written before the last check.
 */
#include "core/seal/release.h"
#include "test/attack/attack.h"

static void fail_in_every_way(struct world *w)
{
    struct cvm_error err;
    struct cvm_act act;
    assert_int_equal(world_lock(w), CVM_E_ALREADY_LOCKED);
    assert_int_not_equal(world_op(w, "run"), CVM_OK);
    assert_int_not_equal(world_refusal(w, "output", "result"), CVM_OK);
    assert_int_not_equal(world_refusal(w, "receipt", NULL), CVM_OK);
    assert_int_not_equal(world_refusal(w, "close", NULL), CVM_OK);
    assert_int_not_equal(world_refusal(w, "exit", NULL), CVM_OK);
    assert_int_not_equal(world_item(w, "rows"), CVM_OK);
    assert_int_not_equal(world_item(w, "c"), CVM_OK);
    /* A release of which all but the last key is right: the first one must not stay. */
    for (uint32_t bad = 0; bad < 2; bad++) {
        world_make_release(w, 0, &act);
        assert_int_equal(act.n_items, 2);
        act.items[bad].sealed.ct[0] ^= 1;
        assert_int_equal(world_act(w, 0, &act), CVM_E_HPKE_OPEN);
    }
    /* The right keys, but a share that is not the one that was promised. */
    world_make_release(w, 0, &act);
    assert_int_equal(cvm_release_seal(&w->session_seal, &w->manifest.digest, &w->session, "seed",
                                      &w->share[1], &act.items[1].sealed, &err),
                     0);
    assert_int_equal(world_act(w, 0, &act), CVM_E_SEED_MISMATCH);
    act.nonce[0] ^= 1;
    assert_int_not_equal(world_act(w, 0, &act), CVM_OK);
}

static void test_failed_action(void **state)
{
    (void)state;
    struct world w;
    attack_locked(&w);
    CVM_AUTO_FREE char *before = attack_status(&w);
    for (int i = 0; i < 3; i++)
        fail_in_every_way(&w);
    CVM_AUTO_FREE char *after = attack_status(&w);
    assert_string_equal(after, before);
    for (int i = 0; i < 3; i++) /* what a failed act named is not spent */
        assert_int_equal(world_release(&w, i), CVM_OK);
    for (size_t i = 0; i < w.n_items; i++)
        assert_int_equal(world_item(&w, w.items[i].id), CVM_OK);
    assert_true(world_await(&w, "sealed"));
    assert_string_equal(world_run(&w), "releasing");
    attack_assert_result(&w, "result", "secret rows");
    world_close(&w);
}

ATTACK_MAIN(test_failed_action)
