/*
 * Host and one participant want an output out before the other has approved it: the one's approval
 * twice, in the other's name, for another output, for another point of the transcript, from before
 * the run, and the other's approval of one output for the second. Would succeed if an approval
 * named less than output and transcript, or were counted instead of ticked off.
 */
#include "test/attack/attack.h"

static void test_approval(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_component(&w, "c", "text 0 one\ntext 1 two\n");
    world_channel(&w, "c", "out/1", "one", NULL);
    world_channel(&w, "c", "out/2", "two", NULL);
    for (int i = 0; i < 2; i++) {
        world_output(&w, i ? "two" : "one", 100);
        json_object_set_new(
            world_last_output(&w), "release",
            json_pack("[{s:s, s:[s, s]}]", "when", "approved", "by", "anna", "berta"));
    }
    world_seal(&w);
    world_fill(&w);
    struct cvm_act early = {.kind = CVM_ACT_APPROVE, .participant = 1, .seq = 5, .transcript_n = 3};
    assert_int_not_equal(world_act(&w, 1, &early), CVM_OK);
    assert_string_equal(world_run(&w), "waiting");

    struct cvm_error err;
    struct cvm_transcript_summary t;
    CVM_AUTO_BUF struct cvm_buf transcript = {0}, sent = {0};
    world_fetch(&w, "transcript", NULL, &transcript);
    assert_int_equal(cvm_transcript_check(&w.manifest, transcript.data, transcript.len, &t, &err),
                     0);
    struct cvm_act a = {.kind = CVM_ACT_APPROVE,
                        .participant = 1,
                        .seq = 10,
                        .output = 0,
                        .transcript_n = t.waiting_n,
                        .transcript_head = t.waiting_head};
    assert_int_equal(cvm_act_make(&w.manifest, &w.session, &a, &w.sign[1], &sent, &err), 0);
    assert_int_equal(world_act_bytes(&w, &sent), CVM_OK);
    assert_int_equal(world_act_bytes(&w, &sent), CVM_E_ACT_SEQUENCE); /* replayed */
    for (int i = 0; i < 3; i++) {                                     /* and again, signed anew */
        a.seq++;
        (void)world_act(&w, 1, &a);
    }
    a.participant = 0; /* in anna's name */
    a.seq = 50;
    CVM_AUTO_BUF struct cvm_buf forged = {0};
    if (cvm_act_make(&w.manifest, &w.session, &a, &w.sign[1], &forged, &err) == 0)
        assert_int_not_equal(world_act_bytes(&w, &forged), CVM_OK);
    a.participant = 2; /* carl, whom nobody asks */
    assert_int_not_equal(world_act(&w, 2, &a), CVM_OK);
    a.participant = 0; /* anna approves the first only, of another point first */
    a.transcript_n--;
    assert_int_not_equal(world_act(&w, 0, &a), CVM_OK);
    a.transcript_n++;
    a.seq++;
    assert_int_equal(world_act(&w, 0, &a), CVM_OK);
    a.participant = 1;
    a.output = 1;
    a.seq = 99;
    assert_int_equal(world_act(&w, 1, &a), CVM_OK);
    /* All or none: the first has both approvals, the second lacks anna's. */
    assert_int_equal(world_refusal(&w, "output", "one"), CVM_E_WITHHELD);
    assert_int_equal(world_refusal(&w, "output", "two"), CVM_E_WITHHELD);
    assert_int_equal(world_refusal(&w, "receipt", NULL), CVM_E_WITHHELD);
    a.participant = 0;
    a.seq = 100;
    assert_int_equal(world_act(&w, 0, &a), CVM_OK);
    assert_true(world_await(&w, "releasing"));
    attack_assert_result(&w, "two", "two");
    world_close(&w);
}

ATTACK_MAIN(test_approval)
