/*
 * hcsshim e118801ff: hooks, a field outside of what was checked, ran commands of the host's choice.
 * Here every object of a manifest gets a member that nobody knows, in each form that a member can
 * have, and so do acts and operations. Would succeed with a reader that passes over what it does
 * not know.
 */
#include "test/attack/attack.h"

static const char *const values[] = {
    "true", "null", "{}", "[]", "0", "\"sh -c id\"", "[{\"path\":\"/bin/sh\"}]"};
static const char *const members[] = {"hooks", "env", "extra", "version2", "debug", "zzz"};
static unsigned tried;

static void refused(json_t *root, json_t *object)
{
    for (size_t m = 0; m < sizeof members / sizeof members[0]; m++)
        for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
            CVM_AUTO_MANIFEST struct cvm_manifest parsed = {0};
            struct cvm_error err = {0};
            json_object_set_new(object, members[m], fixture_json(values[v]));
            if (fixture_parse(root, &parsed, &err) == 0)
                fail_msg("a member %s = %s was accepted", members[m], values[v]);
            json_object_del(object, members[m]);
            tried++;
        }
}

static void walk(json_t *root, json_t *at)
{
    const char *key;
    json_t *value;
    size_t i;
    if (json_is_object(at)) {
        refused(root, at);
        json_object_foreach(at, key, value) walk(root, value);
    }
    json_array_foreach(at, i, value) walk(root, value);
}

static void test_unknown_member(void **state)
{
    (void)state;
    CVM_AUTO_JSON json_t *doc = fixture_document();
    struct cvm_error err = {0};
    CVM_AUTO_MANIFEST struct cvm_manifest m = {0};
    walk(doc, doc);
    assert_true(tried > 20 * 42); /* the fixture has more than twenty objects */
    assert_int_equal(fixture_parse(doc, &m, &err), 0);

    struct world w;
    attack_locked(&w);
    CVM_AUTO_FREE char *before = attack_status(&w);
    static const char *const acts[] = {"abort", "time", "approve", "release"};
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
        json_t *p = world_act_payload(&w, 0, acts[i]);
        if (!strcmp(acts[i], "time"))
            json_object_set_new(p, "time", json_integer(1700000000));
        json_object_set_new(p, "hooks", json_array());
        assert_int_equal(world_act_json(&w, 0, p), CVM_E_ACT_FORMAT);
    }
    static const char *const ops[] = {"run", "status", "transcript", "close", "receipt"};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        CVM_AUTO_JSON json_t *q = json_pack("{s:s, s:[]}", "op", ops[i], "hooks");
        json_t *answer = cvm_link_call(w.link, q, NULL, 20000, &err);
        assert_null(answer);
        world_connect(&w);
    }
    CVM_AUTO_FREE char *after = attack_status(&w);
    assert_string_equal(after, before);
    world_close(&w);
}

ATTACK_MAIN(test_unknown_member)
