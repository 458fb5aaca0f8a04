/*
 * W9: whole interfaces are looked at, so single functions, packages of another version and imports
 * of a part within pass. Here the real compiler admits none of them: the collaboration ends, and no
 * code of it has run. Would succeed if one import were linked that no grant names.
 */
#include "test/attack/attack.h"

static void test_imports(void **state)
{
    (void)state;
    static const char *const COMPONENTS[] = {"bare-function", "next-version", "hidden-import",
                                             "outside", "sockets"};
    for (size_t i = 0; i < sizeof COMPONENTS / sizeof COMPONENTS[0]; i++) {
        struct world w;
        print_message("%s\n", COMPONENTS[i]);
        world_open(&w);
        world_component_file(&w, "c", COMPONENTS[i], "[]");
        world_channel(&w, "c", "/dev/stdout", "result", NULL);
        world_output(&w, "result", 1000);
        world_seal(&w);
        world_start_locked(&w);
        world_release_all(&w);
        assert_int_equal(world_item(&w, "c"), CVM_E_COMPONENT_IMPORT);
        attack_assert_state(&w, "aborted");
        assert_int_equal(world_op(&w, "run"), CVM_E_ABORTED);
        world_close(&w);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_imports)};
    world_image = CVM_BINARY_DIR "/real-image";
    return WORLD_MAIN(tests);
}
