/*
 * VW3: any participant may stop the service and wipe everybody's work. Here strangers stop it at
 * any time, and participants when the outputs are out. Would succeed without signatures on aborts,
 * or if an abort counted in `releasing` or `closed`.
 */
#include "core/seal/jws.h"
#include "test/attack/attack.h"

static enum cvm_code stop(struct world *w, int who, const struct cvm_key *with)
{
    struct cvm_error err;
    CVM_AUTO_BUF struct cvm_buf text = {0}, jws = {0};
    CVM_AUTO_JSON json_t *p = world_act_payload(w, who, "abort");
    assert_int_equal(cvm_json_write(p, &text, &err), 0);
    assert_int_equal(cvm_jws_create(with, CVM_JWS_ACT, text.data, text.len, &jws, &err), 0);
    return world_act_bytes(w, &jws);
}

static void test_stop_from_outside(void **state)
{
    (void)state;
    struct world w;
    struct cvm_error err;
    CVM_AUTO_KEY struct cvm_key nobody = {0};
    assert_int_equal(cvm_key_generate(&nobody, CVM_ED25519, &err), 0);
    attack_world(&w);
    world_seal(&w);
    world_fill(&w);
    for (int who = 0; who < 3; who++)
        assert_int_equal(stop(&w, who, &nobody), CVM_E_NOT_A_PARTICIPANT);
    attack_assert_state(&w, "sealed");
    assert_string_equal(world_run(&w), "releasing");
    for (int who = 0; who < 3; who++)
        assert_int_not_equal(stop(&w, who, &w.sign[who]), CVM_OK);
    attack_assert_state(&w, "releasing");
    attack_assert_result(&w, "result", "secret rows");
    CVM_AUTO_BUF struct cvm_buf last = {0};
    world_fetch(&w, "close", NULL, &last);
    for (int who = 0; who < 3; who++)
        assert_int_not_equal(stop(&w, who, &w.sign[who]), CVM_OK);
    attack_assert_result(&w, "result", "secret rows");
    world_close(&w);
}

ATTACK_MAIN(test_stop_from_outside)
