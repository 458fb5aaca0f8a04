/*
 * hcsshim f03c2fb23: the host chooses a second, weaker reader by an older form. Here manifests,
 * acts and greetings of every other version. Would succeed if there were more than one reader.
 */
#include "test/attack/attack.h"

static void test_older_version(void **state)
{
    (void)state;
    static const char *const versions[] = {"0",    "2",    "-1",  "\"1\"", "\"\"",
                                           "null", "true", "[1]", "{}",    "1000000000000"};
    struct world w;
    struct cvm_error err = {0};
    assert_int_not_equal(attack_manifest("version", NULL), CVM_OK);
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++)
        assert_int_not_equal(attack_manifest("version", versions[i]), CVM_OK);

    attack_locked(&w);
    CVM_AUTO_FREE char *before = attack_status(&w);
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        if (!strcmp(versions[i], "null"))
            continue; /* nothing that canonical JSON could say */
        json_t *p = world_act_payload(&w, 0, "abort");
        json_object_set_new(p, "version", fixture_json(versions[i]));
        assert_int_not_equal(world_act_json(&w, 0, p), CVM_OK);
        CVM_AUTO_JSON json_t *hello =
            json_pack("{s:s, s:o}", "op", "hello", "version", fixture_json(versions[i]));
        json_t *answer = cvm_link_call(w.link, hello, NULL, 20000, &err);
        if (answer)
            fail_msg("version %s was accepted", versions[i]);
        world_connect(&w);
    }
    CVM_AUTO_FREE char *after = attack_status(&w);
    assert_string_equal(after, before);
    world_close(&w);
}

ATTACK_MAIN(test_older_version)
