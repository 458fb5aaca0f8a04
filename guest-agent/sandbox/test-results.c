/* Records that lie: each field out of its range is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "guest-agent/sandbox/results.h"

static const uint64_t MAX[2] = {10, 20};

static struct cvm_cell_result good_cell(void)
{
    return (struct cvm_cell_result){
        .magic = CVM_CELL_RESULT_MAGIC, .n_outputs = 2, .output_bytes = {10, 20}};
}

static int read_cell(const struct cvm_cell_result *r)
{
    struct cvm_cell_result out;
    struct cvm_error err = {0};
    int ok = cvm_cell_result_read(r, sizeof *r, MAX, 2, &out, &err);
    if (ok < 0)
        assert_int_equal(err.code, CVM_E_CELL_FAILED);
    return ok;
}

#define REFUSED(change)                                                                            \
    do {                                                                                           \
        struct cvm_cell_result r = good_cell();                                                    \
        change;                                                                                    \
        assert_int_equal(read_cell(&r), -1);                                                       \
    } while (0)
#define ACCEPTED(change)                                                                           \
    do {                                                                                           \
        struct cvm_cell_result r = good_cell();                                                    \
        change;                                                                                    \
        assert_int_equal(read_cell(&r), 0);                                                        \
    } while (0)

static void test_cell(void **state)
{
    (void)state;
    ACCEPTED((void)0);
    ACCEPTED(r.end = CVM_CELL_EXIT; r.exit_code = 255);
    ACCEPTED(r.end = CVM_CELL_OUTPUT; r.which = 1; r.too_large = 1);
    ACCEPTED(r.end = CVM_CELL_INTERNAL; r.internal = CVM_E_SANDBOX);
    REFUSED(r.magic ^= 1);
    REFUSED(r.zero = 1);
    REFUSED(r.end = CVM_CELL_END_COUNT);
    REFUSED(r.end = CVM_CELL_EXIT); /* with code 0 */
    REFUSED(r.end = CVM_CELL_EXIT; r.exit_code = 256);
    REFUSED(r.exit_code = 7); /* ended well with a code */
    REFUSED(r.which = 1);
    REFUSED(r.too_large = 1);
    REFUSED(r.end = CVM_CELL_OUTPUT; r.which = 2);
    REFUSED(r.end = CVM_CELL_OUTPUT; r.too_large = 2);
    REFUSED(r.internal = CVM_E_SANDBOX);
    REFUSED(r.end = CVM_CELL_INTERNAL; r.internal = 99999);
    REFUSED(r.n_outputs = 1);
    REFUSED(r.n_outputs = 257);
    REFUSED(r.output_bytes[0] = 11);
    REFUSED(r.output_bytes[1] = UINT64_MAX);
    REFUSED(r.output_bytes[2] = 1);
    REFUSED(r.output_bytes[255] = 1);
    ACCEPTED(r.fuel = r.memory_bytes = r.stdout_bytes = r.stderr_bytes = CVM_CELL_COUNT_MAX);
    REFUSED(r.fuel = CVM_CELL_COUNT_MAX + 1);
    REFUSED(r.memory_bytes = CVM_CELL_COUNT_MAX + 1);
    REFUSED(r.stdout_bytes = CVM_CELL_COUNT_MAX + 1);
    REFUSED(r.stderr_bytes = UINT64_MAX);
}

static void test_lengths(void **state)
{
    (void)state;
    struct cvm_cell_result r = good_cell(), out;
    struct cvm_error err;
    assert_int_equal(cvm_cell_result_read(&r, sizeof r - 1, MAX, 2, &out, &err), -1);
    assert_int_equal(cvm_cell_result_read(&r, 0, MAX, 2, &out, &err), -1);
    struct cvm_compile_result c = {.magic = CVM_COMPILE_RESULT_MAGIC, .cwasm_bytes = 1}, c_out;
    assert_int_equal(cvm_compile_result_read(&c, sizeof c, 1, &c_out, &err), 0);
    assert_int_equal(cvm_compile_result_read(&c, sizeof c + 1, 1, &c_out, &err), -1);
    assert_int_equal(cvm_compile_result_read(&c, sizeof c, 0, &c_out, &err), -1);
}

static int read_compile(struct cvm_compile_result r)
{
    struct cvm_compile_result out;
    struct cvm_error err;
    return cvm_compile_result_read(&r, sizeof r, 100, &out, &err);
}

static void test_compile(void **state)
{
    (void)state;
    const struct cvm_compile_result ok = {.magic = CVM_COMPILE_RESULT_MAGIC, .cwasm_bytes = 100};
    struct cvm_compile_result r = ok;
    assert_int_equal(read_compile(r), 0);
    r.function = 1; /* only with IMPORT */
    assert_int_equal(read_compile(r), -1);
    r = (struct cvm_compile_result){.magic = CVM_COMPILE_RESULT_MAGIC, .end = CVM_COMPILE_IMPORT};
    assert_int_equal(read_compile(r), 0);
    r.function = CVM_WASI_FUNCTION_UNKNOWN;
    assert_int_equal(read_compile(r), 0);
    r.function = 100000;
    assert_int_equal(read_compile(r), -1);
    r.function = 0;
    r.cwasm_bytes = 1; /* only with OK */
    assert_int_equal(read_compile(r), -1);
    r = ok;
    r.cwasm_bytes = 0;
    assert_int_equal(read_compile(r), -1);
    r = ok;
    r.internal = 1;
    assert_int_equal(read_compile(r), -1);
    r = ok;
    r.texts_bytes = CVM_TEXTS_MAX;
    assert_int_equal(read_compile(r), 0);
    r.texts_bytes++;
    assert_int_equal(read_compile(r), -1);
    r = ok;
    r.end = CVM_COMPILE_END_COUNT;
    assert_int_equal(read_compile(r), -1);
    r = ok;
    r.magic = CVM_CELL_RESULT_MAGIC;
    assert_int_equal(read_compile(r), -1);
}

/* What is wrong with a call interface is said by numbers, each in its range and only there. */
static void test_compile_calls(void **state)
{
    (void)state;
    struct cvm_compile_result r = {.magic = CVM_COMPILE_RESULT_MAGIC};
    for (r.end = CVM_COMPILE_CALL_RESOURCE; r.end <= CVM_COMPILE_CALL_TYPE; r.end++) {
        r.side = 1;
        r.interface = CVM_CELL_CALLS_MAX - 1;
        r.function = 100000;
        assert_int_equal(read_compile(r), 0);
        r.side = 2;
        assert_int_equal(read_compile(r), -1);
        r.side = 0;
        r.interface++;
        assert_int_equal(read_compile(r), -1);
        r.interface = 0;
        r.texts_bytes = 1;
        assert_int_equal(read_compile(r), -1);
        r.texts_bytes = 0;
    }
    r.end = CVM_COMPILE_EXPORT;
    r.function = 0;
    assert_int_equal(read_compile(r), 0);
    r.side = 1;
    assert_int_equal(read_compile(r), -1);
    r.side = 0;
    r.interface = 1;
    assert_int_equal(read_compile(r), -1);
}

/* Each end has its own refusal, and the function's name comes from our table. */
static void test_refusals(void **state)
{
    (void)state;
    static const enum cvm_code codes[] = {
        [CVM_COMPILE_INVALID] = CVM_E_COMPONENT_INVALID,
        [CVM_COMPILE_IMPORT] = CVM_E_COMPONENT_IMPORT,
        [CVM_COMPILE_FEATURE] = CVM_E_COMPONENT_FEATURE,
        [CVM_COMPILE_EXPORT] = CVM_E_COMPONENT_EXPORT,
        [CVM_COMPILE_MEMORY] = CVM_E_COMPONENT_MEMORY,
        [CVM_COMPILE_CALL_RESOURCE] = CVM_E_CALL_RESOURCE,
        [CVM_COMPILE_CALL_STREAM] = CVM_E_CALL_STREAM,
        [CVM_COMPILE_CALL_FUTURE] = CVM_E_CALL_FUTURE,
        [CVM_COMPILE_CALL_ERROR_CONTEXT] = CVM_E_CALL_ERROR_CONTEXT,
        [CVM_COMPILE_CALL_PARAMETERS] = CVM_E_CALL_PARAMETERS,
        [CVM_COMPILE_CALL_IMPORT] = CVM_E_CALL_IMPORT,
        [CVM_COMPILE_CALL_EXPORT] = CVM_E_CALL_EXPORT,
        [CVM_COMPILE_CALL_TYPE] = CVM_E_CALL_TYPE,
        [CVM_COMPILE_LIMIT] = CVM_E_COMPILE_LIMIT,
        [CVM_COMPILE_INTERNAL] = CVM_E_INTERNAL,
    };
    struct cvm_error err;
    struct cvm_compile_result r = {.end = CVM_COMPILE_OK};
    assert_int_equal(cvm_compile_result_refuse(&r, "x", &err), 0);
    for (uint32_t end = CVM_COMPILE_INVALID; end < CVM_COMPILE_END_COUNT; end++) {
        r.end = end;
        assert_int_equal(cvm_compile_result_refuse(&r, "x", &err), -1);
        assert_int_equal(err.code, codes[end]);
    }
    assert_string_equal(cvm_wasi_function_text(0), "wasi:cli/environment#get-environment");
    assert_string_equal(cvm_wasi_function_text(CVM_WASI_FUNCTION_UNKNOWN),
                        "a function outside WASI 0.2");
    assert_string_equal(cvm_cell_end_word(CVM_CELL_FUEL), "fuel");
    assert_string_equal(cvm_cell_end_word(CVM_CELL_CALL), "call");
    assert_string_equal(cvm_cell_end_word(77), "signal");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cell),     cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_compile),  cmocka_unit_test(test_compile_calls),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
