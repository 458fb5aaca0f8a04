/*
 * Calls between cells. The test is the agent: it holds the doorbells, copies values from one region
 * to another, and sometimes does wrong. The components come from test/attack/cells/calls.
 */
#include "guest-agent/cell/test-support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "guest-agent/sandbox/bell.h"

#define REGION (1u << 20)
#define MEMORY TESTING_MEMORY
#define THINGS "test:calls/things@1.0.0"
#define CHAIN "test:calls/chain@1.0.0"
#define CELLS_MAX 3
#define CHANNELS_MAX 2

static const struct testing_grants command = {TESTING_CLI_AND_FILES, "none", "none", 0, "command"};
static const struct testing_grants library = {"", "none", "none", 0, "library"};

/* --------------------------------------------------------------------------------- one cell */

struct side {
    bool export;
    unsigned channel;
    const char *interface;
    int fd;
    uint8_t *at;
};

struct cell {
    int cwasm;
    const struct testing_grants *grants;
    const char *args, *serve; /* JSON strings; "none", "run" or "one" */
    size_t region;
    struct side sides[2];
    size_t n_sides;
    int in, out; /* the cell's ends of pipes, or -1 */
    /* While it runs */
    int bell;
    struct testing_child child;
    bool ended;
    struct testing_end end;
    struct cvm_cell_result result;
    bool recorded;
};

static int compiled(const char *name, const struct testing_grants *g, const char *calls)
{
    struct testing_compiled c;
    testing_compile(testing_component(name), g, calls, 64u << 20, &c);
    if (c.cwasm < 0)
        fail_msg("%s was refused: %u, side %u, interface %u, function %u", name, c.result.end,
                 c.result.side, c.result.interface, c.result.function);
    free(c.texts);
    return c.cwasm;
}

static void add_side(struct cell *c, bool export, unsigned channel, const char *interface)
{
    struct side *s = &c->sides[c->n_sides++];
    *s = (struct side){.export = export, .channel = channel, .interface = interface};
    s->fd = testing_memory("", 0);
    assert_int_equal(ftruncate(s->fd, (off_t)c->region), 0);
    assert_int_equal(fcntl(s->fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK), 0);
    s->at = mmap(NULL, c->region, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
    assert_true(s->at != MAP_FAILED);
}

static void append_sides(const struct cell *c, bool export, char *text, size_t max)
{
    const char *comma = "";
    for (size_t i = 0; i < c->n_sides; i++) {
        if (c->sides[i].export != export)
            continue;
        size_t len = strlen(text);
        (void)snprintf(text + len, max - len,
                       "%s{\"bytes\":%zu,\"channel\":%u,\"fd\":%zu,\"interface\":\"%s\"}", comma,
                       c->region, c->sides[i].channel, 10 + i, c->sides[i].interface);
        comma = ",";
    }
}

static void start(struct cell *c)
{
    char text[4096], exports[1024] = "", imports[1024] = "", in[32] = "", out[48] = "";
    struct cvm_sandbox_fd fds[12];
    size_t n = 0;
    int bells[2];
    append_sides(c, true, exports, sizeof exports);
    append_sides(c, false, imports, sizeof imports);
    if (c->in >= 0)
        (void)snprintf(in, sizeof in, ",\"stdin\":{\"fd\":20}");
    if (c->out >= 0)
        (void)snprintf(out, sizeof out, ",\"stdout_stream\":{\"fd\":21}");
    (void)snprintf(
        text, sizeof text,
        "{\"args\":[%s],\"calls\":{\"exports\":[%s],\"imports\":[%s],\"serve\":\"%s\"},"
        "\"clock\":\"none\",\"fuel\":0,\"grants\":[%s],\"id\":\"cell\",\"inputs\":[],"
        "\"memory_bytes\":%u,\"outputs\":[],\"random\":\"none\",\"scratch_bytes\":1048576,"
        "\"seed\":\"\"%s%s}",
        c->args, exports, imports, c->serve, c->grants->list, MEMORY, in, out);
    int spec = testing_memory(text, strlen(text));
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, bells), 0);
    fds[n++] = (struct cvm_sandbox_fd){spec, CVM_FD_SPEC};
    fds[n++] = (struct cvm_sandbox_fd){c->cwasm, CVM_FD_CODE};
    fds[n++] = (struct cvm_sandbox_fd){bells[1], CVM_FD_DOORBELL};
    for (size_t i = 0; i < c->n_sides; i++)
        fds[n++] = (struct cvm_sandbox_fd){c->sides[i].fd, 10 + (int)i};
    if (c->in >= 0)
        fds[n++] = (struct cvm_sandbox_fd){c->in, 20};
    if (c->out >= 0)
        fds[n++] = (struct cvm_sandbox_fd){c->out, 21};
    testing_start(CELL, fds, n, MEMORY + (64u << 20), &c->child);
    close(spec);
    close(bells[1]);
    c->bell = bells[0];
}

static void wait_for(struct cell *c)
{
    struct cvm_error err = {0};
    if (c->ended)
        return;
    testing_wait(&c->child, &c->end);
    c->ended = true;
    c->recorded = cvm_cell_result_read(c->end.record, c->end.len < 0 ? 0 : (size_t)c->end.len, NULL,
                                       0, &c->result, &err) == 0;
    if (!c->recorded && c->end.len > 0)
        fail_msg("cell: %s", err.message);
}

static void release(struct cell *c)
{
    if (!c->ended) {
        assert_int_equal(kill(c->child.child.pid, SIGKILL), 0);
        wait_for(c);
    }
    close(c->bell);
    close(c->cwasm);
    for (size_t i = 0; i < c->n_sides; i++) {
        munmap(c->sides[i].at, c->region);
        close(c->sides[i].fd);
    }
}

static struct cell make_library(const char *name, const char *calls, const char *serve)
{
    return (struct cell){.cwasm = compiled(name, &library, calls),
                         .grants = &library,
                         .args = "",
                         .serve = serve,
                         .region = REGION,
                         .in = -1,
                         .out = -1};
}

static struct cell make_command(const char *name, const char *calls, const char *args)
{
    return (struct cell){.cwasm = compiled(name, &command, calls),
                         .grants = &command,
                         .args = args,
                         .serve = "none",
                         .region = REGION,
                         .in = -1,
                         .out = -1};
}

/* -------------------------------------------------------------------------------- the agent */

static struct cvm_bell hear(const struct cell *c)
{
    struct cvm_bell bell = {0};
    struct pollfd p = {.fd = c->bell, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 3000), 1);
    ssize_t n = read(c->bell, &bell, sizeof bell);
    if (n != sizeof bell)
        return (struct cvm_bell){0}; /* it has ended */
    return bell;
}

static void ring(const struct cell *c, struct cvm_bell bell)
{
    assert_int_equal(write(c->bell, &bell, sizeof bell), sizeof bell);
}

struct agent {
    struct cell *cells[CELLS_MAX];
    size_t n_cells;
    struct {
        struct cell *from, *to;
        uint8_t *from_at, *to_at;
        uint32_t first; /* the callee's number of the caller's first function */
    } channels[CHANNELS_MAX];
    uint64_t calls;
    /* Changes what crosses. */
    void (*meddle)(struct cvm_bell *bell, uint8_t *value);
};

static void wire(struct agent *a, unsigned channel, struct cell *from, struct cell *to,
                 const char *interface)
{
    add_side(from, false, channel, interface);
    add_side(to, true, channel, interface);
    a->channels[channel].from = from;
    a->channels[channel].to = to;
    a->channels[channel].from_at = from->sides[from->n_sides - 1].at;
    a->channels[channel].to_at = to->sides[to->n_sides - 1].at;
}

static void pass_on(struct agent *a, struct cell *c)
{
    struct cvm_bell bell = hear(c);
    if (bell.kind == 0)
        return;
    assert_true(bell.kind == CVM_BELL_CALL || bell.kind == CVM_BELL_REPLY);
    assert_true(bell.channel < CHANNELS_MAX && bell.bytes <= REGION);
    bool forth = bell.kind == CVM_BELL_CALL;
    assert_ptr_equal(forth ? a->channels[bell.channel].from : a->channels[bell.channel].to, c);
    uint8_t *from = a->channels[bell.channel].from_at, *to = a->channels[bell.channel].to_at;
    struct cell *other = forth ? a->channels[bell.channel].to : a->channels[bell.channel].from;
    if (!forth)
        from = to, to = a->channels[bell.channel].from_at;
    memcpy(to, from, bell.bytes);
    /* Each side counts the functions of its own text. */
    if (forth)
        bell.function += a->channels[bell.channel].first;
    else
        bell.function -= a->channels[bell.channel].first;
    if (a->meddle)
        a->meddle(&bell, to);
    a->calls += forth;
    ring(other, bell);
}

/* Starts them, the callees first, and passes calls on until the first cell, which calls, or another
 * one that failed has ended. */
static void run(struct agent *a)
{
    for (size_t i = a->n_cells; i-- > 0;) {
        start(a->cells[i]);
        if (strcmp(a->cells[i]->serve, "none") != 0)
            assert_int_equal(hear(a->cells[i]).kind, CVM_BELL_READY);
    }
    for (bool ended = false; !ended;) {
        struct pollfd p[2 * CELLS_MAX];
        for (size_t i = 0; i < a->n_cells; i++) {
            p[2 * i] = (struct pollfd){.fd = a->cells[i]->bell, .events = POLLIN};
            p[2 * i + 1] = (struct pollfd){.fd = a->cells[i]->child.child.pidfd, .events = POLLIN};
        }
        if (poll(p, 2 * a->n_cells, 5000) == 0)
            return; /* nobody says anything: the test looks who is to blame */
        for (size_t i = 0; i < a->n_cells; i++) {
            if (p[2 * i].revents & POLLIN)
                pass_on(a, a->cells[i]);
            if (p[2 * i + 1].revents) {
                wait_for(a->cells[i]);
                ended = true;
            }
        }
    }
}

static void end_libraries(struct agent *a)
{
    for (size_t i = 1; i < a->n_cells; i++) {
        ring(a->cells[i], (struct cvm_bell){.kind = CVM_BELL_END});
        wait_for(a->cells[i]);
    }
}

#define EXPORTS_THINGS "{\"exports\":[\"" THINGS "\"],\"imports\":[]}"
#define IMPORTS_THINGS "{\"exports\":[],\"imports\":[\"" THINGS "\"]}"

/* caller -> things */
static void run_two(struct agent *a, struct cell *caller, struct cell *things, const char *args)
{
    *caller = make_command("caller", IMPORTS_THINGS, args);
    *things = make_library("things", EXPORTS_THINGS, "run");
    a->cells[0] = caller;
    a->cells[1] = things;
    a->n_cells = 2;
    wire(a, 0, caller, things, THINGS);
    run(a);
}

static void check_well(const struct cell *c)
{
    if (!c->ended || !c->recorded)
        fail_msg("no record, status %x", c->end.status);
    if (c->result.end != CVM_CELL_OK)
        fail_msg("ended %u, exit %u, internal %u", c->result.end, c->result.exit_code,
                 c->result.internal);
}

static void check_end(const struct cell *c, enum cvm_cell_end end)
{
    if (!c->ended || !c->recorded || c->result.end != end)
        fail_msg("ended %u (status %x), expected %u", c->result.end, c->end.status, end);
}

/* -------------------------------------------------------------------------------------- tests */

static void test_texts(void **state)
{
    (void)state;
    struct testing_compiled c;
    testing_compile(testing_component("things"), &library, EXPORTS_THINGS, 64u << 20, &c);
    assert_int_equal(c.result.end, CVM_COMPILE_OK);
#define POINT "record{x: f64, y: s16, name: string}"
#define SHAPE "variant{nothing, circle(f32), polygon(list<" POINT ">)}"
#define LINES                                                                                      \
    "[\"count() -> tuple<u32, u32>\",\"echo(bytes: list<u8>) -> list<u8>\","                       \
    "\"join(texts: list<string>, colour: enum{red, green, blue}) -> result<string, u32>\","        \
    "\"largest(numbers: list<f64>) -> option<f64>\","                                              \
    "\"move(p: " POINT ", by: tuple<f64, f64>, marks: flags{a, b, c}) -> " POINT "\","             \
    "\"spin()\",\"trap()\",\"turn(s: " SHAPE ") -> " SHAPE "\"]"
    assert_string_equal(c.texts, "{\"exports\":{\"" THINGS "\":" LINES "},\"imports\":{}}");
    free(c.texts);
    close(c.cwasm);
    testing_compile(testing_component("caller"), &command, IMPORTS_THINGS, 64u << 20, &c);
    assert_int_equal(c.result.end, CVM_COMPILE_OK);
    assert_string_equal(c.texts, "{\"exports\":{},\"imports\":{\"" THINGS "\":" LINES "}}");
    free(c.texts);
    close(c.cwasm);
}

static void refused(const char *name, const char *calls, enum cvm_compile_end end, unsigned side,
                    unsigned interface, unsigned function)
{
    struct testing_compiled c;
    struct cvm_error err = {0};
    testing_compile(testing_component(name), &library, calls, 64u << 20, &c);
    if (c.cwasm >= 0 || c.result.end != end || c.result.side != side ||
        c.result.interface != interface || c.result.function != function)
        fail_msg("%s: ended %u, side %u, interface %u, function %u", name, c.result.end,
                 c.result.side, c.result.interface, c.result.function);
    assert_int_equal(cvm_compile_result_refuse(&c.result, name, &err), -1);
}

static void test_admission(void **state)
{
    (void)state;
    static const char both[] = "{\"exports\":[\"t:t/e\"],\"imports\":[\"t:t/i\"]}";
    struct testing_compiled c;
    refused("call-resource", both, CVM_COMPILE_CALL_RESOURCE, 1, 0, 1);
    refused("call-stream", both, CVM_COMPILE_CALL_STREAM, 1, 0, 1);
    refused("call-future", both, CVM_COMPILE_CALL_FUTURE, 1, 0, 0);
    refused("call-async", both, CVM_COMPILE_CALL_FUTURE, 1, 0, 0);
    refused("call-error-context", both, CVM_COMPILE_CALL_ERROR_CONTEXT, 1, 0, 0);
    refused("call-parameters", both, CVM_COMPILE_CALL_PARAMETERS, 1, 0, 1);
    refused("call-deep", both, CVM_COMPILE_CALL_TYPE, 1, 0, 0);
    refused("call-empty", "{\"exports\":[\"t:t/e\",\"t:t/x\"],\"imports\":[]}",
            CVM_COMPILE_CALL_EXPORT, 0, 1, 0);
    refused("call-empty", "{\"exports\":[],\"imports\":[\"t:t/i\",\"t:t/x\"]}",
            CVM_COMPILE_CALL_IMPORT, 1, 1, 0);
    /* Another version is another interface. */
    refused("things", "{\"exports\":[\"test:calls/things@1.0.1\"],\"imports\":[]}",
            CVM_COMPILE_CALL_EXPORT, 0, 0, 0);
    /* What no channel names is refused as ever, and no channel makes WASI its own. */
    refused("middle", NULL, CVM_COMPILE_IMPORT, 0, 0, CVM_WASI_FUNCTION_UNKNOWN);
    testing_compile(testing_component("sockets"), &library,
                    "{\"exports\":[],\"imports\":[\"wasi:sockets/tcp-create-socket@0.2.12\"]}",
                    64u << 20, &c);
    assert_int_equal(c.result.end, CVM_COMPILE_IMPORT);
    assert_string_equal(cvm_wasi_function_text(c.result.function),
                        "wasi:sockets/tcp-create-socket#create-tcp-socket");
    testing_compile(testing_component("call-empty"), &library, both, 64u << 20, &c);
    assert_int_equal(c.result.end, CVM_COMPILE_OK);
    assert_string_equal(c.texts, "{\"exports\":{\"t:t/e\":[]},\"imports\":{\"t:t/i\":[]}}");
    free(c.texts);
    close(c.cwasm);
}

static void well(const char *args, uint64_t calls)
{
    struct agent a = {0};
    struct cell caller, things;
    run_two(&a, &caller, &things, args);
    check_well(&caller);
    end_libraries(&a);
    check_well(&things);
    assert_int_equal(a.calls, calls);
    release(&caller);
    release(&things);
}

static void test_kinds(void **state)
{
    (void)state;
    well("\"kinds\"", 10);
}

/* One instance serves all calls, and its post-return functions run. */
static void test_state(void **state)
{
    (void)state;
    well("\"state\",\"kinds\",\"state\"", 22);
}

static void test_sizes(void **state)
{
    (void)state;
    /* The last one fills the region to its last byte: 4 are the count. */
    well("\"echo=0\",\"echo=1\",\"echo=65536\",\"echo=1048572\"", 4);
}

static void test_many(void **state)
{
    (void)state;
    well("\"times=20000\"", 20000);
}

static void badly(const char *args, enum cvm_cell_end caller_end)
{
    struct agent a = {0};
    struct cell caller, things;
    run_two(&a, &caller, &things, args);
    check_end(&caller, caller_end);
    assert_int_equal(a.calls, 0);
    release(&caller);
    release(&things);
}

/* What a caller does wrong stays with it: no call leaves. */
static void test_bad_callers(void **state)
{
    (void)state;
    badly("\"echo=1048573\"", CVM_CELL_CALL); /* one byte too large */
    badly("\"pointer\"", CVM_CELL_CALL);
    badly("\"case\"", CVM_CELL_CALL);
}

static void callee_ends(const char *args, void (*meddle)(struct cvm_bell *, uint8_t *),
                        enum cvm_cell_end end)
{
    struct agent a = {.meddle = meddle};
    struct cell caller, things;
    run_two(&a, &caller, &things, args);
    check_end(&things, end);
    assert_false(caller.ended);
    release(&caller);
    release(&things);
}

static void bad_text(struct cvm_bell *bell, uint8_t *value)
{
    if (bell->kind == CVM_BELL_CALL)
        value[8] = 0xff; /* the first byte of the first text */
}

static void bad_case(struct cvm_bell *bell, uint8_t *value)
{
    if (bell->kind == CVM_BELL_CALL)
        memset(value, 0xff, 4);
}

static void one_less(struct cvm_bell *bell, uint8_t *value)
{
    (void)value;
    bell->bytes -= bell->kind == CVM_BELL_CALL;
}

static void one_more(struct cvm_bell *bell, uint8_t *value)
{
    (void)value;
    bell->bytes += bell->kind == CVM_BELL_CALL;
}

static void beyond(struct cvm_bell *bell, uint8_t *value)
{
    (void)value;
    bell->bytes = REGION + 1;
}

static void no_function(struct cvm_bell *bell, uint8_t *value)
{
    (void)value;
    bell->function = 8;
}

static void no_channel(struct cvm_bell *bell, uint8_t *value)
{
    (void)value;
    bell->channel = 1;
}

static void unasked_reply(struct cvm_bell *bell, uint8_t *value)
{
    (void)value;
    bell->kind = CVM_BELL_REPLY;
}

static void test_bad_callees(void **state)
{
    (void)state;
    callee_ends("\"trap\"", NULL, CVM_CELL_TRAP);
    callee_ends("\"lie\"", NULL, CVM_CELL_CALL); /* results that do not lie in memory */
}

/* What comes to a callee is checked before any of its code sees it. */
static void test_bad_values(void **state)
{
    (void)state;
    callee_ends("\"kinds\"", bad_text, CVM_CELL_CALL);
    callee_ends("\"echo=10\"", bad_case, CVM_CELL_CALL);
    callee_ends("\"echo=10\"", one_less, CVM_CELL_CALL);
    callee_ends("\"echo=10\"", one_more, CVM_CELL_CALL);
}

static void test_bad_bells(void **state)
{
    (void)state;
    callee_ends("\"echo=10\"", beyond, CVM_CELL_INTERNAL);
    callee_ends("\"echo=10\"", no_function, CVM_CELL_INTERNAL);
    callee_ends("\"echo=10\"", no_channel, CVM_CELL_INTERNAL);
    callee_ends("\"echo=10\"", unasked_reply, CVM_CELL_INTERNAL);
}

static void bad_result(struct cvm_bell *bell, uint8_t *value)
{
    if (bell->kind == CVM_BELL_REPLY)
        value[0] = 2; /* an option has two cases */
}

static void results_beyond(struct cvm_bell *bell, uint8_t *value)
{
    (void)value;
    if (bell->kind == CVM_BELL_REPLY)
        bell->bytes = REGION + 1;
}

static void other_function(struct cvm_bell *bell, uint8_t *value)
{
    (void)value;
    bell->function += bell->kind == CVM_BELL_REPLY;
}

static void caller_ends(void (*meddle)(struct cvm_bell *, uint8_t *), enum cvm_cell_end end)
{
    struct agent a = {.meddle = meddle};
    struct cell caller, things;
    run_two(&a, &caller, &things, "\"kinds\"");
    check_end(&caller, end);
    release(&caller);
    release(&things);
}

static void test_bad_replies(void **state)
{
    (void)state;
    caller_ends(bad_result, CVM_CELL_CALL);
    caller_ends(results_beyond, CVM_CELL_INTERNAL);
    caller_ends(other_function, CVM_CELL_INTERNAL);
}

/* A callee that never answers: both wait, and use no time of a processor but the one that spins. */
static void test_spin(void **state)
{
    (void)state;
    struct agent a = {0};
    struct cell caller, things;
    run_two(&a, &caller, &things, "\"spin\"");
    assert_false(caller.ended || things.ended);
    release(&caller);
    release(&things);
    assert_true(WIFSIGNALED(things.end.status) && WIFSIGNALED(caller.end.status));
}

static void test_chain(void **state)
{
    (void)state;
    struct agent a = {.n_cells = 3};
    struct cell chained =
        make_command("chained", "{\"exports\":[],\"imports\":[\"" CHAIN "\"]}", "");
    struct cell middle =
        make_library("middle", "{\"exports\":[\"" CHAIN "\"],\"imports\":[\"" THINGS "\"]}", "run");
    struct cell things = make_library("things", EXPORTS_THINGS, "run");
    a.cells[0] = &chained;
    a.cells[1] = &middle;
    a.cells[2] = &things;
    wire(&a, 0, &chained, &middle, CHAIN);
    wire(&a, 1, &middle, &things, THINGS);
    a.channels[1].first = 1; /* the middle one imports `echo` alone */
    run(&a);
    check_well(&chained);
    end_libraries(&a);
    check_well(&middle);
    check_well(&things);
    assert_int_equal(a.calls, 200);
    release(&chained);
    release(&middle);
    release(&things);
}

/* Two callers reach one instance by two channels. */
static void test_two_channels(void **state)
{
    (void)state;
    struct cell things = make_library("things", EXPORTS_THINGS, "run");
    add_side(&things, true, 0, THINGS);
    add_side(&things, true, 1, THINGS);
    start(&things);
    assert_int_equal(hear(&things).kind, CVM_BELL_READY);
    for (uint32_t i = 0; i < 6; i++) {
        uint16_t channel = i % 2;
        ring(&things, (struct cvm_bell){CVM_BELL_CALL, channel, 0, 0}); /* count */
        struct cvm_bell got = hear(&things);
        assert_int_equal(got.kind, CVM_BELL_REPLY);
        assert_int_equal(got.channel, channel);
        assert_int_equal(got.bytes, 8);
        assert_int_equal(things.sides[channel].at[0], i + 1);
    }
    ring(&things, (struct cvm_bell){.kind = CVM_BELL_END});
    wait_for(&things);
    check_well(&things);
    release(&things);
}

static void test_serve_one(void **state)
{
    (void)state;
    for (int again = 0; again < 2; again++) {
        struct cell things = make_library("things", EXPORTS_THINGS, "one");
        add_side(&things, true, 3, THINGS);
        start(&things);
        assert_int_equal(hear(&things).kind, CVM_BELL_READY);
        ring(&things, (struct cvm_bell){CVM_BELL_CALL, 3, 0, 0});
        assert_int_equal(hear(&things).kind, CVM_BELL_REPLY);
        ring(&things, again ? (struct cvm_bell){CVM_BELL_CALL, 3, 0, 0}
                            : (struct cvm_bell){.kind = CVM_BELL_END});
        wait_for(&things);
        check_end(&things, again ? CVM_CELL_INTERNAL : CVM_CELL_OK);
        release(&things);
    }
}

/* The agent ends: so do the cells. */
static void test_closed_bell(void **state)
{
    (void)state;
    struct cell things = make_library("things", EXPORTS_THINGS, "run");
    add_side(&things, true, 0, THINGS);
    start(&things);
    assert_int_equal(hear(&things).kind, CVM_BELL_READY);
    assert_int_equal(shutdown(things.bell, SHUT_RDWR), 0);
    wait_for(&things);
    check_end(&things, CVM_CELL_INTERNAL);
    release(&things);
}

/* ------------------------------------------------------------------------------------ streams */

static void pump(int to, const char *data, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = write(to, data + at, len - at);
        assert_true(n > 0);
        at += (size_t)n;
    }
}

/* More than a pipe holds, both ways at once: the cell waits for bytes and for room. */
static void test_streams(void **state)
{
    (void)state;
    static char text[300000], got[sizeof text];
    int in[2], out[2];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + i % 26);
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    struct cell c = make_command("upper", NULL, "");
    c.in = in[0];
    c.out = out[1];
    start(&c);
    close(in[0]);
    close(out[1]);
    pid_t writer = fork();
    if (writer == 0) {
        pump(in[1], text, sizeof text);
        _exit(0);
    }
    close(in[1]);
    size_t at = 0;
    for (ssize_t n; (n = read(out[0], got + at, sizeof got - at)) > 0;)
        at += (size_t)n;
    assert_int_equal(at, sizeof text);
    for (size_t i = 0; i < sizeof text; i++)
        assert_int_equal(got[i], text[i] - 32);
    assert_int_equal(waitpid(writer, NULL, 0), writer);
    wait_for(&c);
    check_well(&c);
    assert_int_equal(c.result.stdout_bytes, sizeof text);
    close(out[0]);
    release(&c);
}

/* Nobody reads any more: the component is told, and not killed. */
static void test_no_reader(void **state)
{
    (void)state;
    int out[2];
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    struct cell c = make_command("probe", NULL, "\"flood\"");
    c.out = out[1];
    close(out[0]);
    start(&c);
    close(out[1]);
    wait_for(&c);
    assert_true(c.recorded && WIFEXITED(c.end.status));
    assert_int_not_equal(c.result.end, CVM_CELL_INTERNAL);
    release(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),       cmocka_unit_test(test_admission),
        cmocka_unit_test(test_kinds),       cmocka_unit_test(test_state),
        cmocka_unit_test(test_sizes),       cmocka_unit_test(test_many),
        cmocka_unit_test(test_bad_callers), cmocka_unit_test(test_bad_callees),
        cmocka_unit_test(test_bad_values),  cmocka_unit_test(test_bad_bells),
        cmocka_unit_test(test_bad_replies), cmocka_unit_test(test_spin),
        cmocka_unit_test(test_chain),       cmocka_unit_test(test_two_channels),
        cmocka_unit_test(test_serve_one),   cmocka_unit_test(test_closed_bell),
        cmocka_unit_test(test_streams),     cmocka_unit_test(test_no_reader),
    };
    return cmocka_run_group_tests(tests, testing_setup, NULL);
}
