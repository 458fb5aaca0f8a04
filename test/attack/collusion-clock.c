/*
 * Host and one participant turn the clock: forward, so that an output comes out early, and
 * backward, so that an old manifest runs. Would succeed if one participant's time stood for
 * another's, if time could go back, or if the host's own clock counted.
 */
#include "test/attack/attack.h"

static enum cvm_code tell(struct world *w, int who, int64_t time, uint64_t seq)
{
    struct cvm_act a = {.kind = CVM_ACT_TIME, .participant = who, .seq = seq, .time = time};
    return world_act(w, who, &a);
}

static void test_clock(void **state)
{
    (void)state;
    struct world w;
    attack_world(&w);
    json_object_set_new(world_last_output(&w), "release",
                        json_pack("[{s:s, s:I, s:[s, s]}]", "when", "not-before", "time",
                                  (json_int_t)1800000000, "by", "anna", "berta"));
    world_seal(&w);
    world_fill(&w);
    assert_string_equal(world_run(&w), "waiting");
    /* Berta is with the host; so is carl, whom the rule does not name. */
    assert_int_equal(tell(&w, 1, 1850000000, 20), CVM_OK);
    assert_int_not_equal(tell(&w, 1, 1850000000, 20), CVM_OK); /* once more */
    (void)tell(&w, 2, 1860000000, 20);
    assert_int_equal(world_refusal(&w, "output", "result"), CVM_E_WITHHELD);
    assert_int_equal(tell(&w, 1, 1700000000, 21), CVM_E_TIME_BACKWARD);
    assert_int_not_equal(tell(&w, 0, -1, 20), CVM_OK);
    assert_int_equal(tell(&w, 0, 1799999999, 21), CVM_OK);
    assert_int_equal(world_refusal(&w, "output", "result"), CVM_E_WITHHELD);
    assert_int_equal(tell(&w, 0, 1800000000, 22), CVM_OK); /* anna's own clock has come there */
    assert_true(world_await(&w, "releasing"));
    attack_assert_result(&w, "result", "secret rows");
    world_close(&w);

    /* A manifest that has ended: time that anybody has told cannot be taken back by another. */
    attack_locked(&w);
    assert_int_equal(world_release(&w, 0), CVM_OK);
    w.seq[1] = 30;
    assert_int_equal(tell(&w, 1, 1900000001, 30), CVM_OK);
    assert_int_equal(tell(&w, 2, 1700000000, 10), CVM_OK);
    w.seq[2] = 10;
    assert_int_equal(world_release(&w, 2), CVM_E_MANIFEST_EXPIRED);
    assert_int_equal(world_release(&w, 1), CVM_E_MANIFEST_EXPIRED);
    world_close(&w);
}

ATTACK_MAIN(test_clock)
