/*
 * W10: names are the only keys, and two of the same name collide. Here every component, data item
 * and output takes the name of every other, and participants each other's names and keys. Would
 * succeed if the three kinds had name spaces of their own.
 */
#include "test/attack/attack.h"

static const char *const places[] = {"components.0.id", "components.1.id", "data.0.id",
                                     "data.1.id",       "outputs.0.id",    "outputs.1.id",
                                     "outputs.2.id"};
static const char *const names[] = {"\"train\"", "\"clean\"",  "\"rows-a\"", "\"rows-b\"",
                                    "\"model\"", "\"report\"", "\"run-log\""};

static void test_same_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        for (size_t n = 0; n < sizeof names / sizeof names[0]; n++)
            if (i != n)
                assert_int_equal(attack_manifest(places[i], names[n]), CVM_E_MANIFEST_DUPLICATE_ID);
    assert_int_equal(attack_manifest("participants.1.id", "\"clinic-a\""),
                     CVM_E_MANIFEST_DUPLICATE_ID);
    for (int curve = 0; curve < 2; curve++) {
        CVM_AUTO_JSON json_t *doc = fixture_document();
        CVM_AUTO_MANIFEST struct cvm_manifest m = {0};
        struct cvm_error err = {0};
        json_t *all = json_object_get(doc, "participants");
        const char *member = curve ? "seal" : "sign";
        json_object_set(json_array_get(all, 1), member,
                        json_object_get(json_array_get(all, 0), member));
        assert_int_equal(fixture_parse(doc, &m, &err), -1);
    }
}

ATTACK_MAIN(test_same_name)
