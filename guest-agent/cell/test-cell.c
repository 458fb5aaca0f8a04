/*
 * 2cvm-compile and 2cvm-cell as the agent starts them: in their sandboxes, with the descriptors of
 * doc/PROTOCOL.md section 9. The components come from test/attack/cells (built by the fixture of
 * this test).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "guest-agent/sandbox/results.h"
#include "guest-agent/sandbox/sandbox.h"

#define MEMORY (64u << 20)
#define OUT_MAX 100000u

static unsigned have;

/* --------------------------------------------------------------------------- the agent's part */

static int memory_with(const void *data, size_t len)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, data, len, 0), len);
    return fd;
}

static int load_component(const char *name)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s.wasm", CELLS, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        fail_msg("%s is missing: run test/attack/cells/build", path);
    return fd;
}

struct ended {
    int status;
    ssize_t len; /* of the record */
    uint8_t record[8192];
};

static void run_program(const char *path, const struct cvm_sandbox_fd *given, size_t n_given,
                        uint64_t data_bytes, struct ended *ret)
{
    struct cvm_error err = {0};
    struct cvm_sandbox_fd fds[64];
    int result[2];
    int program = open(path, O_PATH | O_CLOEXEC);
    int null = memfd_create("null", MFD_CLOEXEC);
    assert_true(program >= 0 && null >= 0 && n_given < 60);
    assert_int_equal(pipe2(result, O_CLOEXEC), 0);
    memcpy(fds, given, n_given * sizeof *given);
    fds[n_given] = (struct cvm_sandbox_fd){result[1], CVM_FD_RESULT};
    fds[n_given + 1] = (struct cvm_sandbox_fd){null, CVM_FD_NULL};
    struct cvm_sandbox_spawn spec = {.program = program,
                                     .name = "test",
                                     .have = have,
                                     .fds = fds,
                                     .n_fds = n_given + 2,
                                     .data_bytes = data_bytes,
                                     .cpu_seconds = 20,
                                     .cgroup = -1,
                                     .proc = -1};
    struct cvm_sandbox_child child;
    if (cvm_sandbox_spawn(&spec, &child, &err) < 0)
        fail_msg("spawn: %s", err.message);
    close(result[1]);
    close(program);
    memset(ret, 0, sizeof *ret);
    struct pollfd end = {.fd = child.pidfd, .events = POLLIN};
    if (poll(&end, 1, 3000) == 0) /* what the agent's timer does */
        assert_int_equal(kill(child.pid, SIGKILL), 0);
    assert_int_equal(waitpid(child.pid, &ret->status, 0), child.pid);
    ret->len = read(result[0], ret->record, sizeof ret->record);
    char text[512] = "";
    if (pread(null, text, sizeof text - 1, 0) > 0)
        print_message("  it said: %s\n", text);
    close(child.pidfd);
    close(result[0]);
    close(null);
}

struct grants {
    const char *list, *clock, *random;
    int fuel;
    const char *kind;
};
#define BOTH "\"wasi:cli\",\"wasi:filesystem\""
static const struct grants plain = {BOTH, "none", "none", 0, "command"};

/* Compiles what is in the descriptor `component`; the .cwasm's descriptor, or -1. */
static int compile_fd(int component, const struct grants *g, uint64_t max_cwasm,
                      struct cvm_compile_result *ret)
{
    char text[1024];
    struct cvm_error err = {0};
    struct ended e;
    (void)snprintf(text, sizeof text,
                   "{\"clock\":\"%s\",\"fuel\":%d,\"grants\":[%s],\"kind\":\"%s\",\"max_cwasm_"
                   "bytes\":%llu,\"memory_bytes\":%u,\"random\":\"%s\"}",
                   g->clock, g->fuel > 0, g->list, g->kind, (unsigned long long)max_cwasm, MEMORY,
                   g->random);
    int spec = memory_with(text, strlen(text)), cwasm = memory_with("", 0);
    const struct cvm_sandbox_fd fds[] = {
        {spec, CVM_FD_SPEC}, {component, CVM_FD_CODE}, {cwasm, CVM_FD_CWASM}};
    assert_int_equal(lseek(spec, 0, SEEK_SET), 0);
    run_program(COMPILE, fds, 3, 512u << 20, &e);
    close(spec);
    close(component);
    if (cvm_compile_result_read(e.record, (size_t)e.len, max_cwasm, ret, &err) < 0)
        fail_msg("compiler: %s (status %x)", err.message, e.status);
    assert_int_equal(e.status, 0);
    if (ret->end != CVM_COMPILE_OK) {
        close(cwasm);
        return -1;
    }
    struct stat st;
    assert_int_equal(fstat(cwasm, &st), 0);
    assert_int_equal(st.st_size, ret->cwasm_bytes);
    return cwasm;
}

static int compile(const char *name, const struct grants *g, struct cvm_compile_result *ret)
{
    return compile_fd(load_component(name), g, 64u << 20, ret);
}

struct run {
    struct grants g;
    const char *args;    /* JSON strings */
    const char *outputs; /* paths, JSON; the n-th has descriptor 11 + n */
    const char *seed;
    struct cvm_cell_result result;
    struct ended ended;
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
    int spec = memory_with(text, strlen(text)), in = memory_with("hello", 5);
    r->out = memory_with("", 0);
    assert_int_equal(ftruncate(r->out, OUT_MAX), 0);
    assert_int_equal(fcntl(r->out, F_ADD_SEALS, F_SEAL_GROW), 0);
    const struct cvm_sandbox_fd fds[] = {
        {spec, CVM_FD_SPEC}, {cwasm, CVM_FD_CODE}, {in, 10}, {r->out, 11}};
    assert_int_equal(lseek(spec, 0, SEEK_SET), 0);
    run_program(CELL, fds, 4, MEMORY + (64u << 20), &r->ended);
    const uint64_t max = OUT_MAX;
    r->recorded = cvm_cell_result_read(r->ended.record, r->ended.len < 0 ? 0 : (size_t)r->ended.len,
                                       &max, 1, &r->result, &err) == 0;
    if (!r->recorded && r->ended.len > 0)
        fail_msg("cell: %s", err.message);
    close(spec);
    close(in);
}

static struct run run_named(const char *component, struct grants g, const char *args,
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

static void test_copy(void **state)
{
    (void)state;
    struct run r = probe("\"copy\"");
    char text[8] = "";
    assert_true(r.recorded);
    assert_int_equal(r.result.end, CVM_CELL_OK);
    assert_int_equal(r.result.output_bytes[0], 5);
    assert_int_equal(pread(r.out, text, 5, 0), 5);
    assert_string_equal(text, "HELLO");
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
    struct grants g = plain;
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

static void see(struct grants g, const char *seed, char text[256])
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
    const struct grants fixed = {BOTH, "fixed", "seeded", 0, "command"};
    const struct grants real = {BOTH, "host", "real", 0, "command"};
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

static void refused(const char *name, const struct grants *g, enum cvm_compile_end end,
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
    const struct grants cli = {"\"wasi:cli\"", "none", "none", 0, "command"};
    const struct grants none = {"", "none", "none", 0, "command"};
    const struct grants no_random = {BOTH, "fixed", "none", 0, "command"};
    const char *outside = "a function outside WASI 0.2";
    refused("shared-memory", &plain, CVM_COMPILE_FEATURE, NULL);
    refused("memory64", &plain, CVM_COMPILE_FEATURE, NULL);
    refused("tail-call", &plain, CVM_COMPILE_FEATURE, NULL);
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
    const struct grants none = {"", "none", "none", 0, "command"};
    struct run r = run_named("types-only", none, "", "out/sub/b.txt", NULL);
    assert_true(r.recorded);
    assert_int_equal(r.result.end, CVM_CELL_OUTPUT); /* it ended well but wrote nothing */
    close(r.out);
}

static void test_broken_components(void **state)
{
    (void)state;
    static uint8_t bytes[1 << 20];
    struct cvm_compile_result c;
    int fd = load_component("probe");
    ssize_t len = read(fd, bytes, sizeof bytes);
    close(fd);
    assert_true(len > 1000);
    const size_t cuts[] = {0, 1, 7, 8, 9, 500, (size_t)len / 2, (size_t)len - 1};
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        assert_int_equal(compile_fd(memory_with(bytes, cuts[i]), &plain, 64u << 20, &c), -1);
        /* Cut at the header's end it is a valid, empty component. */
        assert_int_equal(c.end, cuts[i] == 8 ? CVM_COMPILE_EXPORT : CVM_COMPILE_INVALID);
    }
    static const uint8_t core[] = {0, 'a', 's', 'm', 1, 0, 0, 0};
    assert_int_equal(compile_fd(memory_with(core, sizeof core), &plain, 1 << 20, &c), -1);
    assert_int_equal(c.end, CVM_COMPILE_INVALID);
    /* The .cwasm above its limit. */
    assert_int_equal(compile_fd(memory_with(bytes, (size_t)len), &plain, 1000, &c), -1);
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
    int fd = memory_with(head, sizeof head);
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
    r.g = (struct grants){"\"wasi:cli\"", "none", "none", 0, "command"};
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

static int setup(void **state)
{
    (void)state;
    struct cvm_error err = {0};
    if (cvm_sandbox_probe(&have, &err) < 0)
        fail_msg("probe: %s", err.message);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy),        cmocka_unit_test(test_stdout_channel),
        cmocka_unit_test(test_bad_ends),    cmocka_unit_test(test_exit_code),
        cmocka_unit_test(test_loop),        cmocka_unit_test(test_fuel),
        cmocka_unit_test(test_world),       cmocka_unit_test(test_admission),
        cmocka_unit_test(test_types_only),  cmocka_unit_test(test_broken_components),
        cmocka_unit_test(test_broken_code), cmocka_unit_test(test_huge_component),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
