/* Calls of cells and of an agent that do wrong: it ends the cell that meets it. */
#include "guest-agent/cell/test-agent.h"

#include <sys/socket.h>
#include <sys/wait.h>

static void badly(const char *args, enum cvm_cell_end caller_end)
{
    struct testing_agent a = {0};
    struct testing_cell caller, things;
    testing_run_two(&a, &caller, &things, args);
    testing_ended(&caller, caller_end);
    assert_int_equal(a.calls, 0);
    testing_cell_release(&caller);
    testing_cell_release(&things);
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
    struct testing_agent a = {.meddle = meddle};
    struct testing_cell caller, things;
    testing_run_two(&a, &caller, &things, args);
    testing_ended(&things, end);
    assert_false(caller.ended);
    testing_cell_release(&caller);
    testing_cell_release(&things);
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
    bell->bytes = TESTING_REGION + 1;
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
        bell->bytes = TESTING_REGION + 1;
}

static void other_function(struct cvm_bell *bell, uint8_t *value)
{
    (void)value;
    bell->function += bell->kind == CVM_BELL_REPLY;
}

static void caller_ends(void (*meddle)(struct cvm_bell *, uint8_t *), enum cvm_cell_end end)
{
    struct testing_agent a = {.meddle = meddle};
    struct testing_cell caller, things;
    testing_run_two(&a, &caller, &things, "\"kinds\"");
    testing_ended(&caller, end);
    testing_cell_release(&caller);
    testing_cell_release(&things);
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
    struct testing_agent a = {0};
    struct testing_cell caller, things;
    testing_run_two(&a, &caller, &things, "\"spin\"");
    assert_false(caller.ended || things.ended);
    testing_cell_release(&caller);
    testing_cell_release(&things);
    assert_true(WIFSIGNALED(things.end.status) && WIFSIGNALED(caller.end.status));
}

/* The agent ends: so do the cells. */
static void test_closed_bell(void **state)
{
    (void)state;
    struct testing_cell things = testing_library("things", TESTING_EXPORTS_THINGS, "run");
    testing_side(&things, true, 0, TESTING_THINGS);
    testing_cell_start(&things);
    assert_int_equal(testing_hear(&things).kind, CVM_BELL_READY);
    assert_int_equal(shutdown(things.bell, SHUT_RDWR), 0);
    testing_cell_wait(&things);
    testing_ended(&things, CVM_CELL_INTERNAL);
    testing_cell_release(&things);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_callers), cmocka_unit_test(test_bad_callees),
        cmocka_unit_test(test_bad_values),  cmocka_unit_test(test_bad_bells),
        cmocka_unit_test(test_bad_replies), cmocka_unit_test(test_spin),
        cmocka_unit_test(test_closed_bell),
    };
    return cmocka_run_group_tests(tests, testing_setup, NULL);
}
