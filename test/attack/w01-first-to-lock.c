/*
 * W1: whoever reaches the port first may lock any manifest. Here the host comes first, with a
 * manifest of its own that strangers signed, with the right manifest under strangers' signatures,
 * and with the right one unsigned. Would succeed without the comparison with HOST_DATA or without
 * the check of every commitment.
 */
#include "test/attack/attack.h"

static void test_first_to_lock(void **state)
{
    (void)state;
    struct world w, strangers;
    attack_world(&w);
    world_seal(&w);
    attack_world(&strangers); /* the same but for its keys */
    world_seal(&strangers);
    world_start(&w);
    struct cvm_buf right = {.data = w.manifest.bytes, .len = w.manifest.len};
    struct cvm_buf theirs = {.data = strangers.manifest.bytes, .len = strangers.manifest.len};
    assert_int_equal(world_lock_with(&w, &theirs, strangers.commitments, 3),
                     CVM_E_HOST_DATA_MISMATCH);
    assert_int_equal(world_lock_with(&w, &right, strangers.commitments, 3), CVM_E_JWS_KEY);
    assert_int_equal(world_lock_with(&w, &right, NULL, 0), CVM_E_COMMITMENT_MISSING);
    struct cvm_buf thrice[3] = {w.commitments[0], w.commitments[0], w.commitments[0]};
    assert_int_equal(world_lock_with(&w, &right, thrice, 3), CVM_E_JWS_KEY);
    attack_assert_state(&w, "empty");
    assert_int_equal(world_lock(&w), CVM_OK); /* the right one still can */
    world_close(&w);
    world_close(&strangers);
}

ATTACK_MAIN(test_first_to_lock)
