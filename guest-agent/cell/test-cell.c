/*
 * 2cvm-compile and 2cvm-cell as the agent starts them: in their sandboxes, with the descriptors of
 * doc/PROTOCOL.md section 9. The components come from test/attack/cells (built by the fixture of
 * this test).
 */
#include "guest-agent/cell/test-support.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define MEMORY TESTING_MEMORY
#define OUT_MAX 100000u
#define BOTH TESTING_CLI_AND_FILES

static const struct testing_grants plain = {BOTH, "none", "none", 0, "command"};

/* Compiles what is in the descriptor `component`; the .cwasm's descriptor, or -1. */
static int compile_fd(int component, const struct testing_grants *g, uint64_t max_cwasm,
                      struct cvm_compile_result *ret)
{
    struct testing_compiled c;
    testing_compile(component, g, NULL, max_cwasm, &c);
    *ret = c.result;
    free(c.texts);
    return c.cwasm;
}

static int compile(const char *name, const struct testing_grants *g, struct cvm_compile_result *ret)
{
    return compile_fd(testing_component(name), g, 64u << 20, ret);
}

struct run {
    struct testing_grants g;
    const char *args;    /* JSON strings */
    const char *outputs; /* paths, JSON; the n-th has descriptor 11 + n */
    const char *seed;
    struct cvm_cell_result result;
    struct testing_end ended;
    int out;
    bool recorded;
};

/* One input (in/a.txt, "hello"), one output, 1 MiB of scratch. */
static void run_cell(int cwasm, struct run *r)
{
    char text[4096];
    struct cvm_error err = {0};
    (void)snprintf(text, sizeof text,
                   "{\"args\":[%s],\"clock\":\"%s\",\"fuel\":%d,\"grants\":[%s],\"id\":\"probe\","
                   "\"inputs\":[{\"fd\":10,\"last\":true,\"path\":\"in/a.txt\"}],"
                   "\"memory_bytes\":%u,\"outputs\":[{\"fd\":11,\"max_bytes\":%u,\"path\":\"%s\"}],"
                   "\"random\":\"%s\",\"scratch_bytes\":1048576,\"seed\":\"%s\"}",
                   r->args, r->g.clock, r->g.fuel, r->g.list, MEMORY, OUT_MAX, r->outputs,
                   r->g.random, r->seed ? r->seed : "");
    int spec = testing_memory(text, strlen(text)), in = testing_memory("hello", 5);
    r->out = testing_memory("", 0);
    assert_int_equal(ftruncate(r->out, OUT_MAX), 0);
    assert_int_equal(fcntl(r->out, F_ADD_SEALS, F_SEAL_GROW), 0);
    const struct cvm_sandbox_fd fds[] = {
        {spec, CVM_FD_SPEC}, {cwasm, CVM_FD_CODE}, {in, 10}, {r->out, 11}};
    assert_int_equal(lseek(spec, 0, SEEK_SET), 0);
    struct testing_child child;
    testing_start(CELL, fds, 4, MEMORY + (64u << 20), &child);
    testing_wait(&child, &r->ended);
    const uint64_t max = OUT_MAX;
    r->recorded = cvm_cell_result_read(r->ended.record, r->ended.len < 0 ? 0 : (size_t)r->ended.len,
                                       &max, 1, &r->result, &err) == 0;
    if (!r->recorded && r->ended.len > 0)
        fail_msg("cell: %s", err.message);
    close(spec);
    close(in);
}

static struct run run_named(const char *component, struct testing_grants g, const char *args,
                            const char *output, const char *seed)
{
    struct cvm_compile_result c;
    struct run r = {.g = g, .args = args, .outputs = output, .seed = seed};
    int cwasm = compile(component, &g, &c);
    if (cwasm < 0)
        fail_msg("%s was refused: %u, %s", component, c.end, cvm_wasi_function_text(c.function));
    run_cell(cwasm, &r);
    close(cwasm);
    return r;
}

static struct run probe(const char *args)
{
    return run_named("probe", plain, args, "out/sub/b.txt", NULL);
}

static void check_end(const char *args, enum cvm_cell_end end)
{
    struct run r = probe(args);
    if (!r.recorded)
        fail_msg("%s: no record, status %x", args, r.ended.status);
    if (r.result.end != end)
        fail_msg("%s: ended %u (exit %u), expected %u", args, r.result.end, r.result.exit_code,
                 end);
    assert_int_equal(r.ended.status, 0);
    close(r.out);
}

/* -------------------------------------------------------------------------------------- tests */

static void assert_wrote(const struct run *r, const char *want)
{
    char text[8] = "";
    assert_true(r->recorded);
    assert_int_equal(r->result.end, CVM_CELL_OK);
    assert_int_equal(r->result.output_bytes[0], 5);
    assert_int_equal(pread(r->out, text, 5, 0), 5);
    assert_string_equal(text, want);
}

static void test_copy(void **state)
{
    (void)state;
    struct run r = probe("\"copy\"");
    assert_wrote(&r, "HELLO");
    assert_int_equal(r.result.stdout_bytes, strlen("copied 5\n"));
    assert_int_equal(r.result.stderr_bytes, strlen("done"));
    assert_int_equal(r.result.fuel, 0);
    assert_true(r.result.memory_bytes >= 65536 && r.result.memory_bytes <= MEMORY);
    close(r.out);
}

static void test_stdout_channel(void **state)
{
    (void)state;
    struct run r = run_named("probe", plain, "\"copy\"", "/dev/stdout", NULL);
    /* out/sub was not made, because no channel names it. */
    assert_true(r.recorded);
    assert_int_equal(r.result.end, CVM_CELL_EXIT);
    close(r.out);
    r = run_named("probe", plain, "\"flood\"", "/dev/stdout", NULL);
    assert_true(r.recorded);
    assert_int_equal(r.result.end, CVM_CELL_OUTPUT);
    assert_int_equal(r.result.too_large, 1);
    assert_int_equal(r.result.stdout_bytes, 1000000);
    close(r.out);
}

static void test_bad_ends(void **state)
{
    (void)state;
    check_end("\"trap\"", CVM_CELL_TRAP);
    check_end("\"recurse\"", CVM_CELL_TRAP);
    check_end("\"memory-bomb\"", CVM_CELL_MEMORY);
    check_end("\"memory-polite\"", CVM_CELL_OK);
    check_end("\"missing\"", CVM_CELL_OUTPUT);
    check_end("\"folder\"", CVM_CELL_OUTPUT);
    check_end("\"link\"", CVM_CELL_OUTPUT);
    check_end("\"exact\",\"100000\"", CVM_CELL_OK);
    check_end("\"one-too-many\",\"100000\"", CVM_CELL_OUTPUT);
    check_end("\"file-bomb\"", CVM_CELL_EXIT);
    check_end("\"scratch-bomb\"", CVM_CELL_EXIT);
    check_end("\"wander\"", CVM_CELL_OK);
}

static void test_exit_code(void **state)
{
    (void)state;
    struct run r = probe("\"exit\"");
    assert_true(r.recorded);
    assert_int_equal(r.result.end, CVM_CELL_EXIT);
    assert_true(r.result.exit_code == 3 || r.result.exit_code == 1);
    close(r.out);
}

static void test_loop(void **state)
{
    (void)state;
    struct run r = probe("\"loop\"");
    assert_false(r.recorded);
    assert_true(WIFSIGNALED(r.ended.status));
    close(r.out);
}

static void test_fuel(void **state)
{
    (void)state;
    struct testing_grants g = plain;
    g.fuel = 1000000;
    struct run r = run_named("probe", g, "\"loop\"", "out/sub/b.txt", NULL);
    assert_true(r.recorded);
    assert_int_equal(r.result.end, CVM_CELL_FUEL);
    assert_int_equal(r.result.fuel, 1000000);
    close(r.out);
    uint64_t used[2];
    for (int i = 0; i < 2; i++) {
        r = run_named("probe", g, "\"exact\",\"9\"", "out/sub/b.txt", NULL);
        assert_true(r.recorded);
        assert_int_equal(r.result.end, CVM_CELL_OK);
        used[i] = r.result.fuel;
        close(r.out);
    }
    assert_true(used[0] > 0);
    assert_int_equal(used[0], used[1]); /* an exact, repeatable count */
}

static void see(struct testing_grants g, const char *seed, char text[256])
{
    struct run r = run_named("world", g, "", "out/seen.txt", seed);
    assert_true(r.recorded);
    if (r.result.end != CVM_CELL_OK)
        fail_msg("world ended %u, exit %u", r.result.end, r.result.exit_code);
    memset(text, 0, 256);
    assert_true(pread(r.out, text, 255, 0) > 0);
    *strchrnul(text, '\n') = 0;
    close(r.out);
}

#define SEED "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static void test_world(void **state)
{
    (void)state;
    const struct testing_grants fixed = {BOTH, "fixed", "seeded", 0, "command"};
    const struct testing_grants real = {BOTH, "host", "real", 0, "command"};
    char a[256], b[256];
    see(fixed, SEED, a);
    see(fixed, SEED, b);
    assert_string_equal(a, b);
    /* ChaCha20, key 00 01 … 1f, nonce 0 (any implementation agrees): 39fd2b7d d9c5196a 8dbd0377 …,
     * every fourth byte. */
    assert_string_equal(a, "wall 0 step 1000 slept 1 file 0 chance d8b2bc8ab88dd939");
    see(fixed,
        "ff"
        "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        b);
    assert_string_not_equal(a, b);
    see(real, NULL, a);
    see(real, NULL, b);
    assert_string_not_equal(a, b);
    assert_null(strstr(a, "wall 0 "));
    assert_non_null(strstr(a, "slept 1"));
    assert_null(strstr(a, "file 0 "));
}

static void refused(const char *name, const struct testing_grants *g, enum cvm_compile_end end,
                    const char *function)
{
    struct cvm_compile_result c;
    struct cvm_error err = {0};
    int cwasm = compile(name, g, &c);
    if (cwasm >= 0 || c.end != end)
        fail_msg("%s: ended %u, expected %u", name, c.end, end);
    if (function)
        assert_string_equal(cvm_wasi_function_text(c.function), function);
    assert_int_equal(cvm_compile_result_refuse(&c, name, &err), -1);
    if (function)
        assert_non_null(strstr(err.message, function));
}

static void test_admission(void **state)
{
    (void)state;
    const struct testing_grants cli = {"\"wasi:cli\"", "none", "none", 0, "command"};
    const struct testing_grants none = {"", "none", "none", 0, "command"};
    const struct testing_grants no_random = {BOTH, "fixed", "none", 0, "command"};
    const char *outside = "a function outside WASI 0.2";
    refused("shared-memory", &plain, CVM_COMPILE_FEATURE, NULL);
    refused("memory64", &plain, CVM_COMPILE_FEATURE, NULL);
    refused("tail-call", &plain, CVM_COMPILE_FEATURE, NULL);
    refused("two-memories", &plain, CVM_COMPILE_FEATURE, NULL);
    refused("large-memory", &plain, CVM_COMPILE_MEMORY, NULL);
    refused("nothing-exported", &plain, CVM_COMPILE_EXPORT, NULL);
    refused("wrong-run", &plain, CVM_COMPILE_EXPORT, NULL);
    refused("sockets", &plain, CVM_COMPILE_IMPORT,
            "wasi:sockets/tcp-create-socket#create-tcp-socket");
    refused("outside", &plain, CVM_COMPILE_IMPORT, outside);
    refused("next-version", &plain, CVM_COMPILE_IMPORT, outside);
    refused("bare-function", &plain, CVM_COMPILE_IMPORT, outside);
    refused("foreign-resource", &plain, CVM_COMPILE_IMPORT, outside);
    refused("hidden-import", &plain, CVM_COMPILE_IMPORT, outside);
    refused("probe", &none, CVM_COMPILE_IMPORT, "wasi:cli/environment#get-arguments");
    refused("probe", &cli, CVM_COMPILE_IMPORT,
            "wasi:filesystem/types#[method]descriptor.read-via-stream");
    refused("world", &plain, CVM_COMPILE_IMPORT, "wasi:clocks/monotonic-clock#now");
    refused("world", &no_random, CVM_COMPILE_IMPORT, "wasi:random/random#get-random-bytes");
}

/* What is imported for its types alone needs no grant, and runs. */
static void test_types_only(void **state)
{
    (void)state;
    const struct testing_grants none = {"", "none", "none", 0, "command"};
    struct run r = run_named("types-only", none, "", "out/sub/b.txt", NULL);
    assert_true(r.recorded);
    assert_int_equal(r.result.end, CVM_CELL_OUTPUT); /* it ended well but wrote nothing */
    close(r.out);
}

/* Parts of a component hand values to one another, although each module has one memory only. */
static void test_composed(void **state)
{
    (void)state;
    struct run r = run_named("composed", plain, "", "out/sub/b.txt", NULL);
    assert_true(r.recorded);
    assert_int_equal(r.result.end, CVM_CELL_OUTPUT); /* the sum was right, but it wrote nothing */
    close(r.out);
}

/* A guest that never waits in a call: a file is read and written on the cell's one thread all the
 * same. */
static void test_file_streams(void **state)
{
    (void)state;
    struct run r = run_named("file-streams", plain, "", "out/sub/b.txt", NULL);
    assert_wrote(&r, "hello");
    close(r.out);
}

/* Sockets may be named where the manifest says so; they are there for nobody. */
static void test_sockets_denied(void **state)
{
    (void)state;
    const struct testing_grants denied = {BOTH ",\"wasi:sockets-denied\"", "none", "none", 0,
                                          "command"};
    struct run r = run_named("sockets-denied", denied, "", "out/sub/b.txt", NULL);
    assert_true(r.recorded);
    assert_int_equal(r.result.end, CVM_CELL_TRAP);
    close(r.out);
    refused("sockets-denied", &plain, CVM_COMPILE_IMPORT,
            "wasi:sockets/tcp#[method]tcp-socket.subscribe");
}

static void test_broken_components(void **state)
{
    (void)state;
    static uint8_t bytes[1 << 20];
    struct cvm_compile_result c;
    int fd = testing_component("probe");
    ssize_t len = read(fd, bytes, sizeof bytes);
    close(fd);
    assert_true(len > 1000);
    const size_t cuts[] = {0, 1, 7, 8, 9, 500, (size_t)len / 2, (size_t)len - 1};
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        assert_int_equal(compile_fd(testing_memory(bytes, cuts[i]), &plain, 64u << 20, &c), -1);
        /* Cut at the header's end it is a valid, empty component. */
        assert_int_equal(c.end, cuts[i] == 8 ? CVM_COMPILE_EXPORT : CVM_COMPILE_INVALID);
    }
    static const uint8_t core[] = {0, 'a', 's', 'm', 1, 0, 0, 0};
    assert_int_equal(compile_fd(testing_memory(core, sizeof core), &plain, 1 << 20, &c), -1);
    assert_int_equal(c.end, CVM_COMPILE_INVALID);
    /* The .cwasm above its limit. */
    assert_int_equal(compile_fd(testing_memory(bytes, (size_t)len), &plain, 1000, &c), -1);
    assert_int_equal(c.end, CVM_COMPILE_LIMIT);
}

/* 200 MiB of nothing, wrapped as a component: read in place, so that no limit of memory is met. */
static void test_huge_component(void **state)
{
    (void)state;
    struct cvm_compile_result c;
    static const uint8_t head[] = {0,    'a',  's',  'm',  0x0d, 0, 1, 0, /* a component */
                                   0,                      /* of one custom section, */
                                   0x80, 0x80, 0x80, 0x64, /* 200 MiB long, */
                                   1,    'x'};             /* named x */
    int fd = testing_memory(head, sizeof head);
    assert_int_equal(ftruncate(fd, 13 + (200 << 20)), 0);
    assert_int_equal(compile_fd(dup(fd), &plain, 1 << 20, &c), -1);
    assert_int_equal(c.end, CVM_COMPILE_EXPORT);
    assert_int_equal(ftruncate(fd, 12 + (200 << 20)), 0); /* one byte short */
    assert_int_equal(compile_fd(fd, &plain, 1 << 20, &c), -1);
    assert_int_equal(c.end, CVM_COMPILE_INVALID);
}

/* A .cwasm is hostile: other options, cut, or with other bytes, it must not run well. */
static void test_broken_code(void **state)
{
    (void)state;
    struct cvm_compile_result c;
    struct run r = {.g = plain, .args = "\"copy\"", .outputs = "out/sub/b.txt"};
    int cwasm = compile("probe", &plain, &c);
    r.g.fuel = 5; /* compiled without */
    run_cell(cwasm, &r);
    assert_true(r.recorded);
    assert_int_equal(r.result.end, CVM_CELL_INTERNAL);
    close(r.out);
    /* The agent would have to be wrong about the grants: the runner looks for itself. */
    r.g = (struct testing_grants){"\"wasi:cli\"", "none", "none", 0, "command"};
    run_cell(cwasm, &r);
    assert_true(r.recorded);
    assert_int_equal(r.result.end, CVM_CELL_INTERNAL);
    close(r.out);
    r.g = plain;
    assert_int_equal(ftruncate(cwasm, 2000), 0);
    run_cell(cwasm, &r);
    assert_true(!r.recorded || r.result.end == CVM_CELL_INTERNAL);
    close(r.out);
    close(cwasm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_stdout_channel),
        cmocka_unit_test(test_bad_ends),
        cmocka_unit_test(test_exit_code),
        cmocka_unit_test(test_loop),
        cmocka_unit_test(test_fuel),
        cmocka_unit_test(test_world),
        cmocka_unit_test(test_admission),
        cmocka_unit_test(test_types_only),
        cmocka_unit_test(test_composed),
        cmocka_unit_test(test_sockets_denied),
        cmocka_unit_test(test_file_streams),
        cmocka_unit_test(test_broken_components),
        cmocka_unit_test(test_broken_code),
        cmocka_unit_test(test_huge_component),
    };
    return cmocka_run_group_tests(tests, testing_setup, NULL);
}
