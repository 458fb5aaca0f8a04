/*
 * The host keeps every act, and sends it again, in another order, and with one participant's help
 * with parts of another act in it. Would succeed if an act were taken twice, if an older one came
 * after a younger one, or if any byte of it could be another.
 */
#include "test/attack/attack.h"

static void make(struct world *w, int who, const struct cvm_act *act, struct cvm_buf *ret)
{
    struct cvm_error err;
    assert_int_equal(cvm_act_make(&w->manifest, &w->session, act, &w->sign[who], ret, &err), 0);
}

static void test_replay(void **state)
{
    (void)state;
    struct world w;
    struct cvm_act release;
    struct cvm_act early = {.kind = CVM_ACT_TIME, .participant = 0, .seq = 1, .time = 1700000000};
    struct cvm_act late = {.kind = CVM_ACT_TIME, .participant = 0, .seq = 3, .time = 1700000100};
    CVM_AUTO_BUF struct cvm_buf first = {0}, second = {0}, third = {0};
    attack_locked(&w);
    w.seq[0] = 1;
    world_make_release(&w, 0, &release);
    make(&w, 0, &early, &first);
    make(&w, 0, &release, &second);
    make(&w, 0, &late, &third);
    for (size_t i = 0; i < second.len; i += 7) { /* any character */
        uint8_t was = second.data[i];
        second.data[i] = was == 'A' ? 'B' : 'A';
        assert_int_not_equal(world_act_bytes(&w, &second), CVM_OK);
        second.data[i] = was;
    }
    attack_assert_state(&w, "locked");
    assert_int_equal(world_act_bytes(&w, &second), CVM_OK);
    attack_assert_state(&w, "filling");
    CVM_AUTO_FREE char *before = attack_status(&w);
    assert_int_equal(world_act_bytes(&w, &first), CVM_E_ACT_SEQUENCE);  /* held back until now */
    assert_int_equal(world_act_bytes(&w, &second), CVM_E_ACT_SEQUENCE); /* once more */
    CVM_AUTO_FREE char *after = attack_status(&w);
    assert_string_equal(after, before);
    assert_int_equal(world_act_bytes(&w, &third), CVM_OK);
    assert_int_equal(world_act_bytes(&w, &third), CVM_E_ACT_SEQUENCE);
    assert_int_equal(world_act_bytes(&w, &second), CVM_E_ACT_SEQUENCE);
    /* Carl, who is with the host, says anna's words as his own. */
    json_t *p = world_act_payload(&w, 0, "time");
    json_object_set_new(p, "time", json_integer(1700000200));
    assert_int_equal(world_act_json(&w, 2, p), CVM_E_JWS_KEY);
    world_close(&w);
}

ATTACK_MAIN(test_replay)
