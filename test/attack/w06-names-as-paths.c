/*
 * W6, and hcsshim's container ids and root paths (df52d6665, a1f957ff2): a name goes into a path
 * unchecked. Here every id and every path of a manifest becomes one that leaves its folder. Would
 * succeed if any of them took another alphabet than its own.
 */
#include "test/attack/attack.h"

static const char *const ids[] = {"participants.0.id",     "components.0.id",    "data.0.id",
                                  "outputs.0.id",          "outputs.2.id",       "channels.0.from",
                                  "channels.0.to",         "components.0.owner", "data.0.owner",
                                  "outputs.0.recipients.0"};
static const char *const names[] = {
    "\"../keys/private_key.pem\"",
    "\"..\"",
    "\".\"",
    "\"\"",
    "\"a/b\"",
    "\"/etc/passwd\"",
    "\"a\\\\..\\\\b\"",
    "\"-rf\"",
    "\"A\"",
    "\"a b\"",
    "\"a\\n\"",
    "\"%2e%2e\"",
    "\"\xc2\xadx\"",
    "\"~\"",
    "\"\xef\xbc\x8e\xef\xbc\x8e\"", /* full-width dots */
};
static const char *const paths[] = {"channels.0.to_path", "channels.3.from_path"};
static const char *const ways[] = {
    "\"../x\"",        "\"in/../../x\"",   "\"out/../in/x\"",  "\"/proc/self/mem\"",
    "\"in/..\"",       "\"out/..\"",       "\"in/a/../../x\"", "\"in/a\\\\b\"",
    "\"in/%2e%2e/x\"", "\"out/%2e%2e/x\"", "\"in/~\"",         "\"out/\\n\"",
    "\"in\"",          "\"out\"",
};

static void test_names_as_paths(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        for (size_t n = 0; n < sizeof names / sizeof names[0]; n++)
            (void)attack_manifest(ids[i], names[n]);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        for (size_t n = 0; n < sizeof ways / sizeof ways[0]; n++)
            (void)attack_manifest(paths[i], ways[n]);
}

ATTACK_MAIN(test_names_as_paths)
