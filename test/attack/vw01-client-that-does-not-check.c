/*
 * VW1: the client that is shipped compares neither the policy's digest nor the runtime's. Here
 * genuine evidence of a running isolate is shown to a participant that signed something else:
 * another manifest, another measurement, another nonce, another platform. Would succeed if
 * appraisal, by which `2cvm` decides before it sends a key, took one of them.
 */
#include <time.h>

#include "core/evidence/appraise.h"
#include "test/attack/attack.h"

/* The bundle that the isolate makes for these nonces. */
static void bundle(struct world *w, struct cvm_buf *ret)
{
    struct cvm_error err;
    CVM_AUTO_FREE char *nonce = cvm_b64u(w->nonce[0], sizeof w->nonce[0]);
    json_t *request = json_pack("{s:s, s:[s]}", "op", "challenge", "nonces", nonce);
    CVM_AUTO_JSON json_t *answer = cvm_link_call(w->link, request, NULL, 60000, &err);
    json_decref(request);
    assert_non_null(answer);
    json_t *size = json_array_get(json_object_get(answer, "bundles"), 0);
    assert_int_equal(
        cvm_link_read(w->link, (uint64_t)json_integer_value(size), ret, -1, 60000, &err), 0);
}

static enum cvm_outcome appraise(const struct cvm_buf *bytes, const struct cvm_manifest *m,
                                 const uint8_t *nonce)
{
    struct cvm_error err;
    CVM_AUTO_BUNDLE struct cvm_bundle b = {0};
    assert_int_equal(cvm_bundle_parse(bytes->data, bytes->len, &b, &err), 0);
    struct cvm_appraise_options o = {.time = time(NULL), .nonce = CVM_BYTES(nonce, 32)};
    CVM_AUTO_FREE struct cvm_appraisal *a = cvm_alloc(sizeof *a);
    assert_int_equal(cvm_evidence_appraise(&b, m, &o, a, &err), 0);
    return a->outcome;
}

/* The same world with one member of its isolate, or its title, changed. */
static enum cvm_outcome appraise_other(struct world *w, const struct cvm_buf *bytes,
                                       const char *where, const char *member, json_t *value)
{
    struct cvm_error err;
    CVM_AUTO_MANIFEST struct cvm_manifest m = {0};
    CVM_AUTO_JSON json_t *document = json_deep_copy(w->draft);
    CVM_AUTO_BUF struct cvm_buf text = {0};
    json_object_set_new(where ? json_object_get(document, where) : document, member, value);
    assert_int_equal(cvm_json_write(document, &text, &err), 0);
    assert_int_equal(cvm_manifest_parse(text.data, text.len, &m, &err), 0);
    return appraise(bytes, &m, w->nonce[0]);
}

static void test_does_not_check(void **state)
{
    (void)state;
    struct world w;
    CVM_AUTO_BUF struct cvm_buf b = {0};
    attack_locked(&w);
    bundle(&w, &b);
    assert_int_equal(appraise(&b, &w.manifest, w.nonce[0]), CVM_OUTCOME_SIMULATED);
    assert_int_equal(appraise(&b, &w.manifest, w.nonce[1]), CVM_OUTCOME_REFUSED);
    char other[8 + 96] = "sha384:";
    memset(other + 7, 'b', 96);
    assert_int_equal(appraise_other(&w, &b, "isolate", "measurements", json_pack("[s]", other)),
                     CVM_OUTCOME_REFUSED);
    assert_int_equal(
        appraise_other(&w, &b, "isolate", "platforms",
                       json_pack("[s]", world_is_machine() ? "sim-process" : "sim-vm")),
        CVM_OUTCOME_REFUSED);
    assert_int_equal(appraise_other(&w, &b, NULL, "title", json_string("another")),
                     CVM_OUTCOME_REFUSED);
    world_close(&w);
}

ATTACK_MAIN(test_does_not_check)
