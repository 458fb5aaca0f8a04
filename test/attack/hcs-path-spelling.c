/*
 * hcsshim 141ed370c: what was stored under one spelling of a path is missed under another. Here
 * every path of a manifest gets other spellings of itself, and a second channel another spelling of
 * the first one's. Would succeed if a path had more than one form.
 */
#include "test/attack/attack.h"

static const char *const spellings[] = {
    "in//a.csv",     "in/./a.csv", "./in/a.csv",  "in/a.csv/", "in/a.csv/.",
    "in/x/../a.csv", "/in/a.csv",  "in\\\\a.csv", "IN/a.csv",  " in/a.csv",
    "in/a.csv ",     "in/%61.csv", "in/a.csv\\n",
};

static void test_path_spelling(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++) {
        CVM_AUTO_FREE char *value = cvm_printf("\"%s\"", spellings[i]);
        CVM_AUTO_FREE char *second = cvm_printf(
            "{\"kind\":\"file\",\"from\":\"rows-b\",\"to\":\"train\",\"to_path\":\"%s\"}",
            spellings[i]);
        assert_int_not_equal(attack_manifest("channels.0.to_path", value), CVM_OK);
        assert_int_not_equal(attack_manifest("channels.+", second), CVM_OK);
    }
}

ATTACK_MAIN(test_path_spelling)
