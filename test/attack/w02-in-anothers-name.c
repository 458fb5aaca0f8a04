/*
 * W2: the identity is an unauthenticated string. Here every participant, and one who was made up,
 * acts in every other's name. Would succeed without the check of an act's signature against the key
 * that the manifest gives its participant.
 */
#include "core/seal/jws.h"
#include "test/attack/attack.h"

static enum cvm_code act_as(struct world *w, const char *who, const struct cvm_key *with)
{
    struct cvm_error err;
    CVM_AUTO_BUF struct cvm_buf text = {0}, jws = {0};
    CVM_AUTO_JSON json_t *p = world_act_payload(w, 0, "abort");
    json_object_set_new(p, "participant", json_string(who));
    assert_int_equal(cvm_json_write(p, &text, &err), 0);
    assert_int_equal(cvm_jws_create(with, CVM_JWS_ACT, text.data, text.len, &jws, &err), 0);
    return world_act_bytes(w, &jws);
}

static void test_in_anothers_name(void **state)
{
    (void)state;
    static const char *const names[] = {"anna", "berta", "carl"};
    struct world w;
    struct cvm_error err;
    CVM_AUTO_KEY struct cvm_key nobody = {0};
    attack_locked(&w);
    assert_int_equal(cvm_key_generate(&nobody, CVM_ED25519, &err), 0);
    CVM_AUTO_FREE char *before = attack_status(&w);
    for (int name = 0; name < 3; name++)
        for (int key = 0; key < 4; key++)
            if (key != name)
                assert_int_equal(act_as(&w, names[name], key < 3 ? &w.sign[key] : &nobody),
                                 key < 3 ? CVM_E_JWS_KEY : CVM_E_NOT_A_PARTICIPANT);
    assert_int_not_equal(act_as(&w, "dora", &nobody), CVM_OK);
    assert_int_not_equal(act_as(&w, "dora", &w.sign[0]), CVM_OK);
    CVM_AUTO_FREE char *after = attack_status(&w);
    assert_string_equal(after, before);
    /* The same act under its own name and key is one. */
    assert_int_equal(act_as(&w, "anna", &w.sign[0]), CVM_OK);
    attack_assert_state(&w, "aborted");
    world_close(&w);
}

ATTACK_MAIN(test_in_anothers_name)
