/* Calls between cells: what is admitted, and how values go to and fro. */
#include "guest-agent/cell/test-agent.h"

static void test_texts(void **state)
{
    (void)state;
    struct testing_compiled c;
    testing_compile(testing_component("things"), &testing_grants_library, TESTING_EXPORTS_THINGS,
                    64u << 20, &c);
    assert_int_equal(c.result.end, CVM_COMPILE_OK);
#define POINT "record{x: f64, y: s16, name: string}"
#define SHAPE "variant{nothing, circle(f32), polygon(list<" POINT ">)}"
#define LINES                                                                                      \
    "[\"count() -> tuple<u32, u32>\",\"echo(bytes: list<u8>) -> list<u8>\","                       \
    "\"join(texts: list<string>, colour: enum{red, green, blue}) -> result<string, u32>\","        \
    "\"largest(numbers: list<f64>) -> option<f64>\","                                              \
    "\"move(p: " POINT ", by: tuple<f64, f64>, marks: flags{a, b, c}) -> " POINT "\","             \
    "\"spin()\",\"trap()\",\"turn(s: " SHAPE ") -> " SHAPE "\"]"
    assert_string_equal(c.texts, "{\"exports\":{\"" TESTING_THINGS "\":" LINES "},\"imports\":{}}");
    free(c.texts);
    close(c.cwasm);
    testing_compile(testing_component("caller"), &testing_grants_command, TESTING_IMPORTS_THINGS,
                    64u << 20, &c);
    assert_int_equal(c.result.end, CVM_COMPILE_OK);
    assert_string_equal(c.texts, "{\"exports\":{},\"imports\":{\"" TESTING_THINGS "\":" LINES "}}");
    free(c.texts);
    close(c.cwasm);
}

static void refused(const char *name, const char *calls, enum cvm_compile_end end, unsigned side,
                    unsigned interface, unsigned function)
{
    struct testing_compiled c;
    struct cvm_error err = {0};
    testing_compile(testing_component(name), &testing_grants_library, calls, 64u << 20, &c);
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
    testing_compile(testing_component("sockets"), &testing_grants_library,
                    "{\"exports\":[],\"imports\":[\"wasi:sockets/tcp-create-socket@0.2.12\"]}",
                    64u << 20, &c);
    assert_int_equal(c.result.end, CVM_COMPILE_IMPORT);
    assert_string_equal(cvm_wasi_function_text(c.result.function),
                        "wasi:sockets/tcp-create-socket#create-tcp-socket");
    testing_compile(testing_component("call-empty"), &testing_grants_library, both, 64u << 20, &c);
    assert_int_equal(c.result.end, CVM_COMPILE_OK);
    assert_string_equal(c.texts, "{\"exports\":{\"t:t/e\":[]},\"imports\":{\"t:t/i\":[]}}");
    free(c.texts);
    close(c.cwasm);
}

static void well(const char *args, uint64_t calls)
{
    struct testing_agent a = {0};
    struct testing_cell caller, things;
    testing_run_two(&a, &caller, &things, args);
    testing_ended_well(&caller);
    testing_end_libraries(&a);
    testing_ended_well(&things);
    assert_int_equal(a.calls, calls);
    testing_cell_release(&caller);
    testing_cell_release(&things);
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

static void test_chain(void **state)
{
    (void)state;
    struct testing_agent a = {.n_cells = 3};
    struct testing_cell chained =
        testing_command("chained", "{\"exports\":[],\"imports\":[\"" TESTING_CHAIN "\"]}", "");
    struct testing_cell middle = testing_library(
        "middle", "{\"exports\":[\"" TESTING_CHAIN "\"],\"imports\":[\"" TESTING_THINGS "\"]}",
        "run");
    struct testing_cell things = testing_library("things", TESTING_EXPORTS_THINGS, "run");
    a.cells[0] = &chained;
    a.cells[1] = &middle;
    a.cells[2] = &things;
    testing_wire(&a, 0, &chained, &middle, TESTING_CHAIN);
    testing_wire(&a, 1, &middle, &things, TESTING_THINGS);
    a.channels[1].first = 1; /* the middle one imports `echo` alone */
    testing_run(&a);
    testing_ended_well(&chained);
    testing_end_libraries(&a);
    testing_ended_well(&middle);
    testing_ended_well(&things);
    assert_int_equal(a.calls, 200);
    testing_cell_release(&chained);
    testing_cell_release(&middle);
    testing_cell_release(&things);
}

/* Two callers reach one instance by two channels. */
static void test_two_channels(void **state)
{
    (void)state;
    struct testing_cell things = testing_library("things", TESTING_EXPORTS_THINGS, "run");
    testing_side(&things, true, 0, TESTING_THINGS);
    testing_side(&things, true, 1, TESTING_THINGS);
    testing_cell_start(&things);
    assert_int_equal(testing_hear(&things).kind, CVM_BELL_READY);
    for (uint32_t i = 0; i < 6; i++) {
        uint16_t channel = i % 2;
        testing_ring(&things, (struct cvm_bell){CVM_BELL_CALL, channel, 0, 0}); /* count */
        struct cvm_bell got = testing_hear(&things);
        assert_int_equal(got.kind, CVM_BELL_REPLY);
        assert_int_equal(got.channel, channel);
        assert_int_equal(got.bytes, 8);
        assert_int_equal(things.sides[channel].at[0], i + 1);
    }
    testing_ring(&things, (struct cvm_bell){.kind = CVM_BELL_END});
    testing_cell_wait(&things);
    testing_ended_well(&things);
    testing_cell_release(&things);
}

static void test_serve_one(void **state)
{
    (void)state;
    for (int again = 0; again < 2; again++) {
        struct testing_cell things = testing_library("things", TESTING_EXPORTS_THINGS, "one");
        testing_side(&things, true, 3, TESTING_THINGS);
        testing_cell_start(&things);
        assert_int_equal(testing_hear(&things).kind, CVM_BELL_READY);
        testing_ring(&things, (struct cvm_bell){CVM_BELL_CALL, 3, 0, 0});
        assert_int_equal(testing_hear(&things).kind, CVM_BELL_REPLY);
        testing_ring(&things, again ? (struct cvm_bell){CVM_BELL_CALL, 3, 0, 0}
                                    : (struct cvm_bell){.kind = CVM_BELL_END});
        testing_cell_wait(&things);
        testing_ended(&things, again ? CVM_CELL_INTERNAL : CVM_CELL_OK);
        testing_cell_release(&things);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),     cmocka_unit_test(test_admission),
        cmocka_unit_test(test_kinds),     cmocka_unit_test(test_state),
        cmocka_unit_test(test_sizes),     cmocka_unit_test(test_many),
        cmocka_unit_test(test_chain),     cmocka_unit_test(test_two_channels),
        cmocka_unit_test(test_serve_one),
    };
    return cmocka_run_group_tests(tests, testing_setup, NULL);
}
