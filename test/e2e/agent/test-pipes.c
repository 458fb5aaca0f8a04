/* Streams between components that run together: order, back-pressure, budget, and that an end is
 * never mistaken for an error or the other way round. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/e2e/agent/world.h"

static void pair(struct world *w, const char *writer, const char *reader, unsigned max_bytes)
{
    CVM_AUTO_FREE char *channel =
        cvm_printf("{'kind':'stream','from':'writer','from_path':'/dev/stdout','to':'reader',"
                   "'to_path':'/dev/stdin','max_bytes':%u}",
                   max_bytes);
    world_open(w);
    world_component(w, "writer", writer);
    world_component(w, "reader", reader);
    world_joint(w, channel);
    world_channel(w, "reader", "out/r", "result", NULL);
    world_output(w, "result", 4096);
    world_diagnostics(w, "how");
}

/* The run's result; the diagnostics come back. */
static void ends(struct world *w, const char *result, struct cvm_buf *how)
{
    world_seal(w);
    world_fill(w);
    assert_string_equal(world_run(w), "releasing");
    CVM_AUTO_JSON json_t *s = world_status(w);
    world_open_output(w, 0, "how", how);
    if (strcmp(json_string_value(json_object_get(s, "result")), result) != 0)
        fail_msg("not %s: %s", result, cvm_buf_cstr(how));
}

static void assert_reads(const char *writer, const char *reader, unsigned max_bytes,
                         const char *want)
{
    struct world w;
    CVM_AUTO_BUF struct cvm_buf how = {0}, got = {0};
    pair(&w, writer, reader, max_bytes);
    ends(&w, "completed", &how);
    world_open_output(&w, 0, "result", &got);
    assert_string_equal(cvm_buf_cstr(&got), want);
    world_close(&w);
}

static void assert_fails(struct world *w, const char *why, const char *limit)
{
    CVM_AUTO_BUF struct cvm_buf how = {0};
    ends(w, "failed", &how);
    CVM_AUTO_FREE char *want_why = cvm_printf("\"why\":\"%s\"", why);
    CVM_AUTO_FREE char *want_limit = cvm_printf("\"limit\":\"%s\"", limit);
    if (!strstr(cvm_buf_cstr(&how), want_why) || !strstr(cvm_buf_cstr(&how), want_limit))
        fail_msg("not %s (%s): %s", why, limit, cvm_buf_cstr(&how));
    world_close(w);
}

static void test_bytes_in_order(void **state)
{
    (void)state;
    assert_reads("write-stream 0\n", "read-stream 0 0\n", 1, "0 bytes, 0 wrong");
    assert_reads("write-stream 1\n", "read-stream 0 0\n", 1, "1 bytes, 0 wrong");
    assert_reads("write-stream 3000000\n", "read-stream 0 0\n", 3000000, "3000000 bytes, 0 wrong");
}

/* Each side the slower one; the writer waits for the reader, whatever the pipes hold. */
static void test_back_pressure(void **state)
{
    (void)state;
    assert_reads("write-stream 1000000\n", "nap 300\nread-stream 0 1000\n", 1000000,
                 "1000000 bytes, 0 wrong");
    assert_reads("nap 300\nwrite-stream 1000000\n", "read-stream 0 0\n", 1000000,
                 "1000000 bytes, 0 wrong");
    /* without a reader a writer of more than two pipes hold waits until its time is up */
    struct world w;
    pair(&w, "write-stream 1000000\n", "sleep\n", 1000000);
    json_object_set_new(json_object_get(world_last_component(&w), "limits"), "wall_ms",
                        json_integer(700));
    assert_fails(&w, "wall", "wall_ms");
}

/* One byte too many ends the run, and says which limit it was. */
static void test_budget(void **state)
{
    (void)state;
    struct world w;
    assert_reads("write-stream 100000\n", "read-stream 0 0\n", 100000, "100000 bytes, 0 wrong");
    pair(&w, "write-stream 100001\nsleep\n", "read-stream 0 0\n", 100000);
    assert_fails(&w, "stream", "max_bytes");
}

/* What a writer left before it failed is never followed by an end. */
static void test_no_false_end(void **state)
{
    (void)state;
    static const char *const BAD[] = {"write-stream 10\ncrash\n", "write-stream 10\ntrap\n",
                                      "write-stream 10\nclose-stdout\nnap 300\nexit 3\n"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        struct world w;
        CVM_AUTO_BUF struct cvm_buf how = {0};
        pair(&w, BAD[i], "read-stream 0 0\n", 100);
        ends(&w, "failed", &how);
        CVM_AUTO_JSON json_t *j = json_loads(cvm_buf_cstr(&how), 0, NULL);
        json_t *reader = json_array_get(json_object_get(j, "components"), 1);
        assert_string_equal(json_string_value(json_object_get(reader, "id")), "reader");
        /* killed while it still waited: it had not seen an end */
        assert_string_equal(json_string_value(json_object_get(reader, "why")), "signal");
        world_close(&w);
    }
}

/* A writer that closes its output and goes on: the end comes when it has ended well. */
static void test_closed_early(void **state)
{
    (void)state;
    assert_reads("write-stream 10\nclose-stdout\nnap 200\n", "read-stream 0 0\n", 100,
                 "10 bytes, 0 wrong");
}

/* A reader that has enough: the writer's next write fails, which its component may take as it
 * likes; here it is an end with exit code 32. */
static void test_reader_gone(void **state)
{
    (void)state;
    struct world w;
    pair(&w, "write-stream 10000000\n", "read-stream 10 0\n", 10000000);
    assert_fails(&w, "exit", "");
    pair(&w, "write-stream 10000000\n", "read-stream 10 0\nclose-stdin\nsleep\n", 10000000);
    assert_fails(&w, "exit", "");
    assert_reads("write-stream 10\n", "read-stream 5 0\n", 10, "5 bytes, 0 wrong");
}

/* a | b | c, and a library that both ends call. */
static void test_chain(void **state)
{
    (void)state;
    struct world w;
    CVM_AUTO_BUF struct cvm_buf how = {0}, got = {0};
    world_open(&w);
    world_component(&w, "first", "call 0 x\nwrite-stream 200000\n");
    world_component(&w, "last", "read-stream 0 0\ncall 0 y\n");
    world_component(&w, "library", "serve echo\n");
    world_library(&w, "run");
    world_joint(&w, "{'kind':'stream','from':'first','from_path':'/dev/stdout','to':'last',"
                    "'to_path':'/dev/stdin','max_bytes':200000}");
    world_joint(&w, "{'kind':'call','from':'first','to':'library','interface':'a:b/c',"
                    "'max_calls':10,'max_bytes':1000}");
    world_joint(&w, "{'kind':'call','from':'last','to':'library','interface':'a:b/c',"
                    "'max_calls':10,'max_bytes':1000}");
    world_channel(&w, "last", "out/r", "result", NULL);
    world_output(&w, "result", 4096);
    world_diagnostics(&w, "how");
    ends(&w, "completed", &how);
    world_open_output(&w, 0, "result", &got);
    assert_string_equal(cvm_buf_cstr(&got), "200000 bytes, 0 wrong<y>");
    world_close(&w);
}

/* The library waits for the stream of the one who waits for it: time ends that. */
static void test_deadlock(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_component(&w, "first", "call 0 x\nwrite-stream 5\n");
    world_component(&w, "library", "read-stream 0 0\nserve echo\n");
    world_library(&w, "run");
    json_object_set_new(json_object_get(world_last_component(&w), "limits"), "wall_ms",
                        json_integer(700));
    world_joint(&w, "{'kind':'stream','from':'first','from_path':'/dev/stdout','to':'library',"
                    "'to_path':'/dev/stdin','max_bytes':10}");
    world_joint(&w, "{'kind':'call','from':'first','to':'library','interface':'a:b/c',"
                    "'max_calls':10,'max_bytes':1000}");
    world_channel(&w, "first", "out/r", "result", NULL);
    world_output(&w, "result", 4096);
    world_diagnostics(&w, "how");
    assert_fails(&w, "wall", "wall_ms");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_in_order), cmocka_unit_test(test_back_pressure),
        cmocka_unit_test(test_budget),         cmocka_unit_test(test_no_false_end),
        cmocka_unit_test(test_closed_early),   cmocka_unit_test(test_reader_gone),
        cmocka_unit_test(test_chain),          cmocka_unit_test(test_deadlock),
    };
    return WORLD_MAIN(tests);
}
