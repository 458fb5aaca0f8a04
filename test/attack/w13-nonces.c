/*
 * W13: a nonce of any length becomes a file's name, and two requests with one nonce race. Here
 * nonces of every wrong form, the same one twice, and one that comes back. Would succeed without
 * bounds on their number and size, or if a spent nonce counted again.
 */
#include "core/base/encode.h"
#include "test/attack/attack.h"

static enum cvm_code challenge(struct world *w, json_t *nonces)
{
    struct cvm_error err = {0};
    CVM_AUTO_JSON json_t *request = json_pack("{s:s, s:o}", "op", "challenge", "nonces", nonces);
    json_t *answer = cvm_link_call(w->link, request, NULL, 20000, &err);
    json_decref(answer);
    world_connect(w);
    return answer ? CVM_OK : err.code;
}

static json_t *of_length(size_t len)
{
    uint8_t bytes[4096] = {1, 2, 3};
    CVM_AUTO_FREE char *text = cvm_b64u(bytes, len);
    return json_pack("[s]", text);
}

static void test_nonces(void **state)
{
    (void)state;
    struct world w;
    attack_locked(&w);
    static const size_t wrong[] = {0, 1, 15, 65, 100, 4096};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_not_equal(challenge(&w, of_length(wrong[i])), CVM_OK);
    assert_int_not_equal(challenge(&w, json_array()), CVM_OK);
    assert_int_not_equal(challenge(&w, json_pack("[i]", 7)), CVM_OK);
    assert_int_not_equal(challenge(&w, json_pack("[n]")), CVM_OK);
    assert_int_not_equal(challenge(&w, json_string("AAAAAAAAAAAAAAAAAAAAAA")), CVM_OK);
    assert_int_not_equal(challenge(&w, json_pack("[s]", "../../../../tmp/AAAAAAAAAA")), CVM_OK);
    assert_int_not_equal(challenge(&w, json_pack("[s]", "AAAAAAAAAAAAAAAAAAAAAA==")), CVM_OK);
    json_t *many = json_array();
    for (int i = 0; i < 600; i++)
        json_array_append_new(many, json_string("AAAAAAAAAAAAAAAAAAAAAA"));
    assert_int_not_equal(challenge(&w, many), CVM_OK);
    attack_assert_state(&w, "locked");
    /* A nonce is spent by the release that names it, and one of another's challenge is none. */
    assert_int_equal(world_release(&w, 0), CVM_OK);
    memcpy(w.nonce[1], w.nonce[0], sizeof w.nonce[0]);
    assert_int_equal(world_release(&w, 1), CVM_E_ACT_NONCE);
    memset(w.nonce[1], 7, sizeof w.nonce[1]);
    assert_int_equal(world_release(&w, 1), CVM_E_ACT_NONCE);
    world_close(&w);
}

ATTACK_MAIN(test_nonces)
