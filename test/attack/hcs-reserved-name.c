/*
 * hcsshim 5869bd017: a part that others bring takes a reserved name and overrides the rules. Here
 * every id of a manifest becomes the one word that the format keeps for itself. Would succeed if an
 * item could be named like the seed, whose share would then be its key.
 */
#include "test/attack/attack.h"

static void test_reserved_name(void **state)
{
    (void)state;
    static const char *const places[] = {"participants.0.id", "components.0.id", "components.1.id",
                                         "data.0.id",         "data.1.id",       "outputs.0.id",
                                         "outputs.1.id",      "outputs.2.id"};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        assert_int_equal(attack_manifest(places[i], "\"seed\""), CVM_E_MANIFEST_ID);
}

ATTACK_MAIN(test_reserved_name)
