/*
 * hcsshim 04735e059, 04d91ee2e: an empty list of allowed signals allowed the two most important
 * ones. Here every list of a manifest becomes empty. Those that may be are named, and each of them
 * means less, never more: no argument, nothing waived, no further condition, no floor under the
 * firmware.
 */
#include "test/attack/attack.h"

static const char *const may_be_empty[] = {"args", "waive", "release"};
static unsigned refused, accepted;

static void empty(json_t *root, json_t *object, const char *key)
{
    CVM_AUTO_MANIFEST struct cvm_manifest m = {0};
    struct cvm_error err = {0};
    bool may = false;
    for (size_t i = 0; i < sizeof may_be_empty / sizeof may_be_empty[0]; i++)
        may |= !strcmp(key, may_be_empty[i]);
    json_t *kept = json_deep_copy(json_object_get(object, key));
    json_object_set_new(object, key, json_array());
    bool good = fixture_parse(root, &m, &err) == 0;
    json_object_set_new(object, key, kept);
    if (good && !may)
        fail_msg("an empty list of %s was accepted", key);
    accepted += good;
    refused += !good;
}

static void walk(json_t *root, json_t *at)
{
    json_t *value;
    size_t i;
    if (json_is_object(at)) {
        const char *keys[32];
        size_t n = 0;
        for (void *it = json_object_iter(at); it; it = json_object_iter_next(at, it))
            keys[n++] = json_object_iter_key(it);
        for (size_t k = 0; k < n; k++) {
            walk(root, json_object_get(at, keys[k]));
            if (json_is_array(json_object_get(at, keys[k])))
                empty(root, at, keys[k]);
        }
    }
    json_array_foreach(at, i, value) walk(root, value);
}

static void test_empty_list(void **state)
{
    (void)state;
    CVM_AUTO_JSON json_t *doc = fixture_document();
    walk(doc, doc);
    print_message("%u refused, %u accepted\n", refused, accepted);
    assert_true(refused >= 10 && accepted >= 3);
}

ATTACK_MAIN(test_empty_list)
