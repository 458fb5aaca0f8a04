/* Calls and streams by the real compiler and the real cells, below the real agent: the components
 * are those of test/attack/cells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/e2e/agent/world.h"

#define THINGS "test:calls/things@1.0.0"
#define CHAIN "test:calls/chain@1.0.0"
#define CALL(from, to, interface)                                                                  \
    "{'kind':'call','from':'" from "','to':'" to                                                   \
    "','interface':'" interface "','max_calls':1000,'max_bytes':100000000}"

static void library(struct world *w, const char *id, const char *name, const char *instance)
{
    world_component_file(w, id, name, "[]");
    world_library(w, instance);
}

/* What the run came to, and what it says of how. */
static void run(struct world *w, const char *result, struct cvm_buf *ret_how)
{
    world_seal(w);
    world_fill(w);
    assert_string_equal(world_run(w), "releasing");
    world_open_output(w, 0, "how", ret_how);
    CVM_AUTO_JSON json_t *s = world_status(w);
    if (strcmp(json_string_value(json_object_get(s, "result")), result) != 0)
        fail_msg("not %s: %s", result, cvm_buf_cstr(ret_how));
}

static void outputs(struct world *w, const char *from)
{
    world_channel(w, from, "/dev/stdout", "result", NULL);
    world_output(w, "result", 2000000);
    world_diagnostics(w, "how");
}

static void two(struct world *w, const char *args, const char *instance)
{
    world_open(w);
    world_component_file(w, "ask", "caller", args);
    library(w, "answer", "things", instance);
    world_joint(w, CALL("ask", "answer", THINGS));
    outputs(w, "ask");
}

static void test_calls(void **state)
{
    (void)state;
    struct world w;
    CVM_AUTO_BUF struct cvm_buf how = {0};
    two(&w, "[\"kinds\",\"state\",\"echo=0\",\"echo=1048572\"]", "run");
    run(&w, "completed", &how);
    world_close(&w);
}

/* Each call meets an instance that has seen no other. */
static void test_fresh_instances(void **state)
{
    (void)state;
    struct world w;
    CVM_AUTO_BUF struct cvm_buf how = {0}, again = {0};
    two(&w, "[\"kinds\"]", "call");
    run(&w, "completed", &how);
    world_close(&w);
    two(&w, "[\"state\"]", "call");
    run(&w, "failed", &again);
    world_close(&w);
}

static void test_trap(void **state)
{
    (void)state;
    struct world w;
    CVM_AUTO_BUF struct cvm_buf how = {0};
    two(&w, "[\"echo=5\",\"trap\"]", "run");
    run(&w, "failed", &how);
    assert_non_null(strstr(cvm_buf_cstr(&how), "\"trap\""));
    world_close(&w);
}

static void test_too_large(void **state)
{
    (void)state;
    struct world w;
    CVM_AUTO_BUF struct cvm_buf how = {0};
    two(&w, "[\"echo=1048573\"]", "run");
    run(&w, "failed", &how);
    assert_non_null(strstr(cvm_buf_cstr(&how), "\"call\""));
    world_close(&w);
}

static void test_chain(void **state)
{
    (void)state;
    struct world w;
    CVM_AUTO_BUF struct cvm_buf how = {0};
    world_open(&w);
    world_component_file(&w, "ask", "chained", "[]");
    library(&w, "between", "middle", "run");
    library(&w, "answer", "things", "run");
    world_joint(&w, CALL("ask", "between", CHAIN));
    world_joint(&w, CALL("between", "answer", THINGS));
    outputs(&w, "ask");
    run(&w, "completed", &how);
    world_close(&w);
}

/* More bytes than a pipe holds, and the reader's are the writer's in capitals. */
static void test_stream(void **state)
{
    (void)state;
    struct world w;
    CVM_AUTO_BUF struct cvm_buf how = {0}, got = {0};
    world_open(&w);
    world_component_file(&w, "write", "probe", "[\"flood\"]");
    world_component_file(&w, "read", "upper", "[]");
    world_joint(&w, "{'kind':'stream','from':'write','from_path':'/dev/stdout','to':'read',"
                    "'to_path':'/dev/stdin','max_bytes':1000000}");
    outputs(&w, "read");
    run(&w, "completed", &how);
    world_open_output(&w, 0, "result", &got);
    assert_int_equal(got.len, 1000000);
    world_close(&w);
}

int main(int argc, char **argv)
{
    world_image = CVM_BINARY_DIR "/real-image";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls), cmocka_unit_test(test_fresh_instances),
        cmocka_unit_test(test_trap),  cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_chain), cmocka_unit_test(test_stream),
    };
    return WORLD_MAIN(tests);
}
