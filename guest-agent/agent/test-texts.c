/* What compilers say about call interfaces: read strictly, compared exactly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "guest-agent/agent/texts.h"

static struct cvm_manifest manifest;

/* 0 calls 1 and 2 by one interface each; 1 calls 2; both 0 and 1 call 2 by the same interface. */
static int setup(void **state)
{
    (void)state;
    static const struct {
        int from, to;
        const char *interface;
    } CALLS[] = {{0, 1, "a:b/c"}, {0, 2, "a:b/d@1.0.0"}, {1, 2, "a:b/d@1.0.0"}};
    manifest.n_channels = 4;
    manifest.n_components = 3;
    for (int i = 0; i < 3; i++)
        manifest.channels[i] = (struct cvm_channel){.kind = CVM_CHANNEL_KIND_CALL,
                                                    .from_component = CALLS[i].from,
                                                    .to_component = CALLS[i].to,
                                                    .interface = CALLS[i].interface};
    manifest.channels[3] = (struct cvm_channel){.from_component = 0, .to_component = 2};
    return 0;
}

static void test_interfaces(void **state)
{
    (void)state;
    struct cvm_interfaces i;
    cvm_interfaces_of(&manifest, 0, &i);
    assert_int_equal(i.n_exports, 0);
    assert_int_equal(i.n_imports, 2);
    assert_string_equal(i.imports[1], "a:b/d@1.0.0");
    cvm_interfaces_of(&manifest, 2, &i);
    assert_int_equal(i.n_exports, 1); /* two channels, one interface */
    assert_int_equal(i.n_imports, 0);
}

static json_t *parse(uint32_t component, const char *text)
{
    struct cvm_interfaces wanted;
    struct cvm_error err = {0};
    cvm_interfaces_of(&manifest, component, &wanted);
    json_t *o = cvm_texts_parse(text, strlen(text), &wanted, &err);
    if (!o)
        assert_int_equal(err.code, CVM_E_COMPILE_LIMIT);
    return o;
}

#define SIDE_1(functions)                                                                          \
    "{\"exports\":{\"a:b/c\":[" functions "]},\"imports\":{\"a:b/d@1.0.0\":[]}}"

static void test_strict(void **state)
{
    (void)state;
    static const char *const FINE[] = {SIDE_1(""), SIDE_1("\"f()\""),
                                       SIDE_1("\"a()\",\"a-b() -> u8\",\"a0()\",\"b(x: s8)\"")};
    for (size_t i = 0; i < sizeof FINE / sizeof *FINE; i++) {
        CVM_AUTO_JSON json_t *o = parse(1, FINE[i]);
        assert_non_null(o);
    }
    static const char *const BAD[] = {
        "",
        "{}",
        "[]",
        "{\"exports\":{},\"imports\":{}}",
        "{\"exports\":{\"a:b/c\":[]},\"imports\":{}}",
        "{\"exports\":{\"a:b/c\":[]},\"imports\":{\"a:b/d@1.0.0\":[]},\"more\":{}}",
        "{\"exports\":{\"a:b/c\":[]},\"imports\":{\"a:b/d@1.0.0\":[],\"a:b/e\":[]}}",
        "{\"exports\":{\"a:b/x\":[]},\"imports\":{\"a:b/d@1.0.0\":[]}}",
        "{\"exports\":{\"a:b/c\":{}},\"imports\":{\"a:b/d@1.0.0\":[]}}",
        SIDE_1("1"),
        SIDE_1("\"f\""),
        SIDE_1("\"(x: u8)\""),
        SIDE_1("\"f()\",\"f()\""),
        SIDE_1("\"f()\",\"f(x: u8)\""),
        SIDE_1("\"g()\",\"f()\""),
        SIDE_1("\"f()\"") "\n",
        " " SIDE_1("\"f()\""),
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        assert_null(parse(1, BAD[i]));
}

static void test_bounded(void **state)
{
    (void)state;
    CVM_AUTO_BUF struct cvm_buf text = {0};
    cvm_buf_append_str(&text, "{\"exports\":{\"a:b/c\":[");
    for (int i = 0; i <= CVM_FUNCTIONS_MAX; i++) {
        CVM_AUTO_FREE char *line = cvm_printf("%s\"f%05d()\"", i ? "," : "", i);
        cvm_buf_append_str(&text, line);
    }
    cvm_buf_append_str(&text, "]},\"imports\":{\"a:b/d@1.0.0\":[]}}");
    assert_null(parse(1, cvm_buf_cstr(&text)));
}

static int compare(const char *imports, const char *exports, struct cvm_call_types *ret,
                   struct cvm_error *err)
{
    CVM_AUTO_FREE char *a =
        cvm_printf("{\"exports\":{},\"imports\":{\"a:b/c\":[%s],\"a:b/d@1.0.0\":[]}}", imports);
    CVM_AUTO_FREE char *b =
        cvm_printf("{\"exports\":{\"a:b/c\":[%s]},\"imports\":{\"a:b/d@1.0.0\":[]}}", exports);
    CVM_AUTO_JSON json_t *caller = parse(0, a), *callee = parse(1, b);
    assert_true(caller && callee);
    return cvm_texts_compare(&manifest, 0, caller, callee, ret, err);
}

static void test_compares(void **state)
{
    (void)state;
    struct cvm_call_types t = {0};
    struct cvm_error err = {0};
    assert_int_equal(
        compare("\"b()\",\"d(x: u8)\"", "\"a()\",\"b()\",\"c()\",\"d(x: u8)\"", &t, &err), 0);
    assert_int_equal(t.n, 2);
    assert_int_equal(t.callee[0], 1);
    assert_int_equal(t.callee[1], 3);
    cvm_call_types_free(&t);
    assert_int_equal(compare("", "\"a()\"", &t, &err), 0);
    assert_int_equal(t.n, 0);
    cvm_call_types_free(&t);
    static const struct {
        const char *imports, *exports, *in_message;
    } BAD[] = {
        {"\"a()\",\"b()\"", "\"a()\"", "function 1"},
        {"\"a()\"", "\"b()\"", "function 0"},
        {"\"b()\"", "\"a()\"", "function 0"},
        {"\"a(x: u8)\"", "\"a(x: s8)\"", "function 0"},
        {"\"a(x: u8)\"", "\"a(y: u8)\"", "function 0"},
        {"\"a() -> u8\"", "\"a()\"", "function 0"},
        {"\"a()\"", "", "channels[0]"},
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        assert_int_equal(compare(BAD[i].imports, BAD[i].exports, &t, &err), -1);
        assert_int_equal(err.code, CVM_E_CALL_TYPES);
        assert_non_null(strstr(err.message, BAD[i].in_message));
        assert_null(t.callee);
        assert_null(strstr(err.message, "u8")); /* the compiler's words go nowhere */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interfaces),
        cmocka_unit_test(test_strict),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_compares),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
