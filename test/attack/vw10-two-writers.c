/*
 * VW10: a file that two may write belongs to nobody. Here a second channel leads to every place
 * that has one, and channels begin or end where their kind may not. Would succeed without the rule
 * that each output and each path of an input has exactly one source.
 */
#include "test/attack/attack.h"

static const char *const channels[] = {
    "{\"kind\":\"file\",\"from\":\"clean\",\"from_path\":\"out/c\",\"to\":\"model\"}",
    "{\"kind\":\"file\",\"from\":\"train\",\"from_path\":\"out/c\",\"to\":\"model\"}",
    "{\"kind\":\"file\",\"from\":\"clean\",\"from_path\":\"out/c\",\"to\":\"report\"}",
    "{\"kind\":\"file\",\"from\":\"clean\",\"from_path\":\"out/c\",\"to\":\"run-log\"}",
    "{\"kind\":\"file\",\"from\":\"rows-b\",\"to\":\"train\",\"to_path\":\"in/a.csv\"}",
    "{\"kind\":\"file\",\"from\":\"rows-b\",\"to\":\"train\",\"to_path\":\"in/b.csv\"}",
    "{\"kind\":\"file\",\"from\":\"rows-b\",\"to\":\"train\",\"to_path\":\"in/a.csv/x\"}",
    "{\"kind\":\"file\",\"from\":\"rows-b\",\"to\":\"model\"}",
    "{\"kind\":\"file\",\"from\":\"rows-b\",\"to\":\"rows-a\"}",
    "{\"kind\":\"file\",\"from\":\"train\",\"from_path\":\"out/c\",\"to\":\"rows-a\"}",
    "{\"kind\":\"file\",\"from\":\"model\",\"to\":\"train\",\"to_path\":\"in/c\"}",
};

static void test_two_writers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof channels / sizeof channels[0]; i++)
        (void)attack_manifest("channels.+", channels[i]);
}

ATTACK_MAIN(test_two_writers)
