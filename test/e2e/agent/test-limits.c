/* Components, and cells that a component has taken over: every limit holds, nothing but the
 * diagnostics output says how it ended, and nothing else comes out. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/e2e/agent/world.h"

static void prepare(struct world *w, const char *program, int cpu_ms, int wall_ms)
{
    world_open(w);
    world_component(w, "c", program);
    json_t *limits = json_object_get(world_last_component(w), "limits");
    json_object_set_new(limits, "cpu_ms", json_integer(cpu_ms));
    json_object_set_new(limits, "wall_ms", json_integer(wall_ms));
    world_data(w, "rows", 0, "secret rows");
    world_channel(w, "rows", NULL, "c", "in/rows");
    world_channel(w, "c", "out/r", "result", NULL);
    world_output(w, "result", 1000);
    world_diagnostics(w, "how");
}

/* Runs to its end, which must be `failed`; the diagnostics come back. */
static void fails(struct world *w, struct cvm_buf *how)
{
    world_seal(w);
    world_fill(w);
    assert_string_equal(world_run(w), "releasing");
    CVM_AUTO_JSON json_t *s = world_status(w);
    assert_string_equal(json_string_value(json_object_get(s, "result")), "failed");
    assert_int_equal(world_refusal(w, "output", "result"), CVM_E_RUN_FAILED);
    world_open_output(w, 0, "how", how);
    struct cvm_receipt r;
    struct cvm_error err;
    CVM_AUTO_BUF struct cvm_buf receipt = {0};
    world_fetch(w, "receipt", NULL, &receipt);
    assert_int_equal(
        cvm_receipt_verify(&w->manifest, &w->session_sign, receipt.data, receipt.len, &r, &err), 0);
    assert_false(r.completed);
    assert_false(r.ok[0]);
    assert_false(r.outputs[0].present);
}

static void expect(const char *program, const char *why, const char *limit)
{
    struct world w;
    /* Short where the limit shall be met; long elsewhere, for slow machines. */
    prepare(&w, program, strcmp(why, "cpu") ? 10000 : 300, strcmp(why, "wall") ? 20000 : 1500);
    CVM_AUTO_BUF struct cvm_buf how = {0};
    fails(&w, &how);
    CVM_AUTO_FREE char *want_why = cvm_printf("\"why\":\"%s\"", why);
    CVM_AUTO_FREE char *want_limit = cvm_printf("\"limit\":\"%s\"", limit);
    if (!strstr(cvm_buf_cstr(&how), want_why) || !strstr(cvm_buf_cstr(&how), want_limit))
        fail_msg("%s gave %s", program, cvm_buf_cstr(&how));
    world_close(&w);
}

static void test_limits(void **state)
{
    (void)state;
    expect("loop\n", "cpu", "cpu_ms");
    expect("sleep\n", "wall", "wall_ms");
    expect("bomb\n", "memory", "memory_bytes");
    expect("recurse\n", "signal", "");
    expect("exit 3\n", "exit", "");
    expect("trap\n", "trap", "");
    expect("too-large\n", "output", "max_bytes");
}

static void test_cells_that_lie(void **state)
{
    (void)state;
    expect("silent\n", "signal", "");
    expect("crash\n", "signal", "");
    expect("lie-length\n", "signal", "");
    expect("lie-end\n", "signal", "");
    expect("lie-short\n", "signal", "");
    expect("lie-twice\n", "signal", "");
    expect("stderr 9007199254740992\n", "signal", "");
    expect("stderr 18446744073709551615\nexit 3\n", "signal", "");
    expect("text 0 words\ncut 0\n", "output", "");
}

static void test_output_is_bounded(void **state)
{
    (void)state;
    struct world w;
    prepare(&w, "overgrow 0\n", 1000, 5000);
    world_seal(&w);
    world_fill(&w);
    assert_string_equal(world_run(&w), "releasing");
    CVM_AUTO_BUF struct cvm_buf said = {0};
    world_open_output(&w, 0, "result", &said);
    assert_string_equal(cvm_buf_cstr(&said), "refused");
    world_close(&w);
}

/* What the host can see of a run that failed. */
static void seen(const char *program, struct cvm_buf *ret)
{
    struct world w;
    prepare(&w, program, 1000, 5000);
    CVM_AUTO_BUF struct cvm_buf how = {0}, transcript = {0}, log = {0}, sealed = {0};
    fails(&w, &how);
    CVM_AUTO_JSON json_t *s = world_status(&w);
    json_object_del(s, "transcript");
    struct cvm_error err;
    assert_int_equal(cvm_json_write(s, ret, &err), 0);
    world_log(&w, &log);
    cvm_buf_append(ret, log.data, log.len);
    world_fetch(&w, "output", "how", &sealed);
    CVM_AUTO_FREE char *sizes = cvm_printf("%zu", sealed.len);
    cvm_buf_append_str(ret, sizes);
    /* Digests differ from session to session: only their places are compared. */
    world_fetch(&w, "transcript", NULL, &transcript);
    for (char *p = cvm_buf_cstr(&transcript); (p = strstr(p, "sha256:")); p += 71)
        memset(p + 7, '0', 64);
    cvm_buf_append(ret, transcript.data, transcript.len);
    world_close(&w);
}

/* A component writes a secret into its exit code, its fuel, the number of its refused calls, the
 * length of its error output, and the way it fails: the host sees the same each time. */
static void test_nothing_tells(void **state)
{
    (void)state;
    static const char *const ways[] = {
        "exit 3\n",     "exit 77\n", "fuel 12345\nexit 3\n",    "stderr 99\ntrap\n",
        "lie-length\n", "silent\n",  "text 0 secret\nexit 3\n", "stderr 18446744073709551615\n"};
    CVM_AUTO_BUF struct cvm_buf first = {0};
    seen(ways[0], &first);
    for (size_t i = 1; i < sizeof ways / sizeof *ways; i++) {
        CVM_AUTO_BUF struct cvm_buf other = {0};
        seen(ways[i], &other);
        assert_string_equal(cvm_buf_cstr(&first), cvm_buf_cstr(&other));
    }
}

/* The length of an output hides behind its padding. */
static void test_padding(void **state)
{
    (void)state;
    size_t sizes[2];
    static const char *const programs[] = {"text 0 x\n", "text 0 a-longer-text\n"};
    for (int i = 0; i < 2; i++) {
        struct world w;
        prepare(&w, programs[i], 1000, 5000);
        world_seal(&w);
        world_fill(&w);
        assert_string_equal(world_run(&w), "releasing");
        CVM_AUTO_BUF struct cvm_buf sealed = {0};
        world_fetch(&w, "output", "result", &sealed);
        sizes[i] = sealed.len;
        world_close(&w);
    }
    assert_int_equal(sizes[0], sizes[1]);
}

/* One failure stops the others, also those side by side and those that never started. */
static void test_one_stops_all(void **state)
{
    (void)state;
    struct world w;
    prepare(&w, "text 0 fine\n", 5000, 10000);
    world_component(&w, "bad", "exit 9\n");
    world_component(&w, "slow", "sleep\n");
    world_component(&w, "later", "copy 0 0\n");
    world_channel(&w, "bad", "out/x", "later", "in/x");
    world_channel(&w, "later", "out/y", "second", NULL);
    world_channel(&w, "slow", "out/z", "third", NULL);
    world_output(&w, "second", 100);
    world_output(&w, "third", 100);
    CVM_AUTO_BUF struct cvm_buf how = {0};
    world_seal(&w);
    world_fill(&w);
    assert_string_equal(world_run(&w), "releasing");
    assert_int_equal(world_refusal(&w, "output", "second"), CVM_E_RUN_FAILED);
    assert_int_equal(world_refusal(&w, "output", "third"), CVM_E_RUN_FAILED);
    assert_int_equal(world_refusal(&w, "output", "result"), CVM_E_RUN_FAILED);
    world_open_output(&w, 0, "how", &how);
    assert_non_null(strstr(cvm_buf_cstr(&how), "\"why\":\"not-run\""));
    assert_non_null(strstr(cvm_buf_cstr(&how), "\"exit\":9"));
    world_close(&w);
}

/* The host kills a cell from outside. */
static void test_cell_killed(void **state)
{
    (void)state;
    struct world w;
    prepare(&w, "sleep\n", 5000, 20000);
    world_seal(&w);
    world_fill(&w);
    assert_int_equal(world_op(&w, "run"), CVM_OK);
    CVM_AUTO_JSON json_t *s = world_status(&w); /* answered after the cell was started */
    CVM_AUTO_FREE char *path =
        cvm_printf("/proc/%d/task/%d/children", (int)world_agent(&w), (int)world_agent(&w));
    CVM_AUTO_FCLOSE FILE *f = fopen(path, "re");
    int cell = 0;
    if (!f || fscanf(f, "%d", &cell) != 1) {
        world_close(&w);
        skip();
    }
    assert_int_equal(kill(cell, SIGKILL), 0);
    assert_true(world_await(&w, "releasing"));
    CVM_AUTO_BUF struct cvm_buf how = {0};
    world_open_output(&w, 0, "how", &how);
    assert_non_null(strstr(cvm_buf_cstr(&how), "\"why\":\"signal\""));
    world_close(&w);
}

/* The host kills the isolate: nothing is left that could run or release again. */
static void test_agent_killed(void **state)
{
    (void)state;
    struct world w;
    prepare(&w, "sleep\n", 5000, 20000);
    world_seal(&w);
    world_fill(&w);
    assert_int_equal(world_op(&w, "run"), CVM_OK);
    assert_int_equal(kill(world_agent(&w), SIGKILL), 0);
    struct cvm_error err;
    while (cvm_link_wait(w.link, -1, 5000, &err) == 1)
        ;
    assert_true(cvm_link_broken(w.link));
    world_close(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_cells_that_lie),
        cmocka_unit_test(test_output_is_bounded),
        cmocka_unit_test(test_nothing_tells),
        cmocka_unit_test(test_padding),
        cmocka_unit_test(test_one_stops_all),
        cmocka_unit_test(test_cell_killed),
        cmocka_unit_test(test_agent_killed),
    };
    return WORLD_MAIN(tests);
}
