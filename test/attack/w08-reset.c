/*
 * W8, and hcsshim's control actions without an enforcement point (a84084d0e, 28a93ca76, 6f3a82758):
 * a call that resets, reloads, debugs, mounts, or runs something else, while the measurement stays.
 * Here every such word is asked for in every phase, as an operation and as an act. Would succeed if
 * the agent knew one operation more than doc/PROTOCOL.md lists.
 */
#include "test/attack/attack.h"

static const char *const words[] = {
    "clear",
    "reset",
    "unlock",
    "relock",
    "reload",
    "restart",
    "debug",
    "dev",
    "test",
    "set",
    "config",
    "policy",
    "load-fragment",
    "mount",
    "unmount",
    "mount-device",
    "mount-overlay",
    "scratch-mount",
    "plan9-mount",
    "create-container",
    "exec",
    "exec-external",
    "signal",
    "kill",
    "shutdown",
    "dump-stacks",
    "get-properties",
    "runtime-logging",
    "log",
    "env",
    "upload",
    "download",
    "read-file",
    "write-file",
    "append-file",
    "request-result",
    "export-keys",
    "keys",
    "snapshot",
    "restore",
    "migrate",
    "rollback",
    "pause",
    "resume",
    "hooks",
    "",
    "Run",
    "RUN",
    "run ",
    "lock\n",
};

static void try_all(struct world *w, const char *phase)
{
    attack_assert_state(w, phase);
    CVM_AUTO_FREE char *before = attack_status(w);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        assert_int_not_equal(world_op(w, words[i]), CVM_OK);
        world_connect(w); /* a wrong operation may end the connection */
        if (strcmp(phase, "empty")) {
            assert_int_not_equal(world_act_json(w, 0, world_act_payload(w, 0, words[i])), CVM_OK);
            world_connect(w);
        }
    }
    CVM_AUTO_FREE char *after = attack_status(w);
    assert_string_equal(after, before);
}

static void test_reset(void **state)
{
    (void)state;
    struct world w;
    attack_world(&w);
    world_seal(&w);
    world_start(&w);
    try_all(&w, "empty");
    assert_int_equal(world_lock(&w), CVM_OK);
    assert_int_equal(world_challenge(&w), CVM_OK);
    try_all(&w, "locked");
    world_release_all(&w);
    try_all(&w, "filling");
    for (size_t i = 0; i < w.n_items; i++)
        assert_int_equal(world_item(&w, w.items[i].id), CVM_OK);
    try_all(&w, "sealed");
    *w.state = 0;
    assert_string_equal(world_run(&w), "releasing");
    try_all(&w, "releasing");
    attack_assert_result(&w, "result", "secret rows");
    CVM_AUTO_BUF struct cvm_buf last = {0};
    world_fetch(&w, "close", NULL, &last);
    try_all(&w, "closed");
    world_close(&w);
}

ATTACK_MAIN(test_reset)
