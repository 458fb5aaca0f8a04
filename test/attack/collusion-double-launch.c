/*
 * Host and one participant launch the same manifest twice and want the keys of the others in both.
 * Every act of the first session is sent to the second, as it is, and signed anew by the one who is
 * with the host. Would succeed if a key were sealed to less than manifest, session and item, or if
 * an act did not name its session. (That a participant's machine releases to one session only:
 * test/e2e/cli-online-test.)
 */
#include "test/attack/attack.h"

static void test_double_launch(void **state)
{
    (void)state;
    struct world w;
    struct cvm_error err;
    attack_locked(&w);
    struct cvm_buf release[3] = {{0}, {0}, {0}};
    struct cvm_act act[3];
    for (int i = 0; i < 3; i++) {
        world_make_release(&w, i, &act[i]);
        assert_int_equal(
            cvm_act_make(&w.manifest, &w.session, &act[i], &w.sign[i], &release[i], &err), 0);
    }
    struct cvm_digest first = w.session;
    attack_start_again(&w);
    assert_int_equal(world_lock(&w), CVM_OK);
    assert_int_equal(world_challenge(&w), CVM_OK);
    assert_memory_not_equal(&first, &w.session, sizeof first);
    CVM_AUTO_FREE char *before = attack_status(&w);
    for (int i = 0; i < 3; i++)
        assert_int_equal(world_act_bytes(&w, &release[i]), CVM_E_ACT_SESSION);
    /* Carl is with the host: he signs an act for the second session that holds his old keys. */
    act[2].seq = ++w.seq[2];
    memcpy(act[2].nonce, w.nonce[2], sizeof w.nonce[2]);
    assert_int_equal(world_act(&w, 2, &act[2]), CVM_E_HPKE_OPEN);
    /* … or anna's sealed share as his own. */
    struct cvm_act mine;
    world_make_release(&w, 2, &mine);
    for (uint32_t i = 0; i < mine.n_items; i++)
        mine.items[i].sealed = act[0].items[0].sealed;
    assert_int_equal(world_act(&w, 2, &mine), CVM_E_HPKE_OPEN);
    CVM_AUTO_FREE char *after = attack_status(&w);
    assert_string_equal(after, before);
    for (int i = 0; i < 3; i++)
        cvm_buf_free(&release[i]);
    world_close(&w);
}

ATTACK_MAIN(test_double_launch)
