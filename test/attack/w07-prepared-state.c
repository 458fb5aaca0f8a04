/*
 * W7: the agent takes up a lock and keys that a host has laid out for it, or that an earlier life
 * has left. Here both: files under every name that might be read, then a second life beside the
 * first one's. Would succeed if the agent read any state, or wrote any.
 */
#include <fcntl.h>

#include "test/attack/attack.h"

static const char *const planted[] = {
    "lock",        "commitment-manifest.json", "manifest.json",     "state.json", "private_key.pem",
    "session.key", "transcript.jsonl",         ".attestation-agent"};

static void plant(struct world *w, bool remove)
{
    for (size_t i = 0; i < sizeof planted / sizeof planted[0]; i++) {
        CVM_AUTO_FREE char *path = cvm_printf("%s/%s", w->folder, planted[i]);
        if (remove) {
            assert_int_equal(unlink(path), 0);
            continue;
        }
        CVM_AUTO_CLOSE int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        assert_int_equal(write(fd, w->manifest.bytes, w->manifest.len), w->manifest.len);
    }
}

static void test_prepared_state(void **state)
{
    (void)state;
    struct world w;
    attack_world(&w);
    world_seal(&w);
    plant(&w, false);
    world_start(&w);
    attack_assert_state(&w, "empty");
    assert_int_equal(world_lock(&w), CVM_OK);
    assert_int_equal(world_challenge(&w), CVM_OK);
    struct cvm_public_key sign = w.session_sign, seal = w.session_seal;
    assert_int_equal(world_release(&w, 0), CVM_OK);
    attack_assert_state(&w, "filling");

    attack_start_again(&w);
    attack_assert_state(&w, "empty");
    assert_int_equal(world_lock(&w), CVM_OK);
    assert_int_equal(world_challenge(&w), CVM_OK);
    assert_memory_not_equal(&w.session_sign, &sign, sizeof sign);
    assert_memory_not_equal(&w.session_seal, &seal, sizeof seal);
    plant(&w, true); /* all are still there, and nothing else is */
    world_close(&w);
    assert_int_not_equal(access(w.folder, F_OK), 0);
}

ATTACK_MAIN(test_prepared_state)
