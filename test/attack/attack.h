/* What the attacks on a real agent share: a small collaboration, and a look at what must not have
 * changed. Each file is one attack; its header says what would let it succeed. */
#ifndef CVM_TEST_ATTACK_H
#define CVM_TEST_ATTACK_H

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/manifest/test-fixture.h"
#include "test/e2e/agent/world.h"

#define ATTACK __attribute__((unused)) static

/* Anna's rows go through carl's component into the result, for anna and carl. */
ATTACK void attack_world(struct world *w)
{
    world_open(w);
    world_component(w, "c", "copy 0 0\n");
    world_data(w, "rows", 0, "secret rows");
    world_channel(w, "rows", NULL, "c", "in/rows");
    world_channel(w, "c", "out/r", "result", NULL);
    world_output(w, "result", 1000);
}

ATTACK void attack_locked(struct world *w)
{
    attack_world(w);
    world_seal(w);
    world_start_locked(w);
}

/* The status without what only counts; owned. */
ATTACK char *attack_status(struct world *w)
{
    CVM_AUTO_JSON json_t *s = world_status(w);
    json_object_del(s, "refusals");
    return json_dumps(s, JSON_SORT_KEYS);
}

ATTACK void attack_assert_state(struct world *w, const char *want)
{
    CVM_AUTO_JSON json_t *s = world_status(w);
    assert_string_equal(json_string_value(json_object_get(s, "state")), want);
}

ATTACK void attack_assert_result(struct world *w, const char *id, const char *want)
{
    CVM_AUTO_BUF struct cvm_buf got = {0};
    world_open_output(w, 0, id, &got);
    assert_string_equal(cvm_buf_cstr(&got), want);
}

/* The host kills the isolate and starts another one for the same manifest, in the same folder. */
ATTACK void attack_start_again(struct world *w)
{
    static const char *const files[] = {"psp.pid", "agent.pid", "psp.lock", "agent.sock"};
    w->link = cvm_link_close(w->link);
    assert_int_equal(kill(world_agent(w), SIGKILL), 0);
    assert_int_equal(waitpid(w->psp, NULL, 0), w->psp);
    poll(NULL, 0, 300); /* whoever watched the agent has seen its end */
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        CVM_AUTO_FREE char *path = cvm_printf("%s/%s", w->folder, files[i]);
        unlink(path);
    }
    world_start(w);
}

/* The manifest of the fixture with one member changed must be refused; the code comes back. */
ATTACK enum cvm_code attack_manifest(const char *where, const char *value)
{
    struct cvm_error err = {0};
    CVM_AUTO_JSON json_t *doc = fixture_document();
    CVM_AUTO_MANIFEST struct cvm_manifest m = {0};
    fixture_edit(doc, where, value);
    if (fixture_parse(doc, &m, &err) == 0)
        fail_msg("%s = %s was accepted", where, value ? value : "nothing");
    return err.code;
}

#define ATTACK_MAIN(test)                                                                          \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        const struct CMUnitTest tests[] = {cmocka_unit_test(test)};                                \
        return WORLD_MAIN(tests);                                                                  \
    }

#endif
