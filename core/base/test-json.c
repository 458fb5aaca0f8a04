#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/json.h"

static void canon(const char *in, const char *expected)
{
    struct cvm_error err = {0};
    CVM_AUTO_JSON json_t *v = cvm_json_parse(in, strlen(in), &err);
    CVM_AUTO_BUF struct cvm_buf out = {0};
    if (!v)
        fail_msg("%s: %s", in, err.message);
    assert_int_equal(cvm_json_write(v, &out, &err), 0);
    assert_string_equal(cvm_buf_cstr(&out), expected);
    CVM_AUTO_JSON json_t *again = cvm_json_parse_canonical(expected, strlen(expected), &err);
    assert_non_null(again);
    assert_int_equal(json_equal(v, again), 1);
}

static void refuse(enum cvm_code code, const char *in, size_t len)
{
    struct cvm_error err = {0};
    CVM_AUTO_JSON json_t *v = cvm_json_parse_canonical(in, len, &err);
    if (v)
        fail_msg("accepted: %s", in);
    assert_string_equal(cvm_code_info(err.code)->name, cvm_code_info(code)->name);
}

/* The parts of RFC 8785 that our restricted JSON has: strings (3.2.2.2), literals, integers,
 * arrays, sorting by names. */
static void rfc8785(void **state)
{
    (void)state;
    canon("\"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\"",
          "\"\xe2\x82\xac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"");
    canon("[true, false ,\t4,\n-1, 0]", "[true,false,4,-1,0]");
    canon("{\"peach\":1,\"p\":2,\"Peach\":3,\"10\":4,\"1\":5,\"\":6,\"pe~\":7,\"pe_\":8}",
          "{\"\":6,\"1\":5,\"10\":4,\"Peach\":3,\"p\":2,\"pe_\":8,\"peach\":1,\"pe~\":7}");
    canon("{\"b\":{\"z\":[],\"a\":{}},\"a\":[{\"y\":1,\"x\":2}]}",
          "{\"a\":[{\"x\":2,\"y\":1}],\"b\":{\"a\":{},\"z\":[]}}");
    canon("\"\\u0008\\u0009\\u000a\\u000c\\u000d\\u001f\\u007f\\u0080\"",
          "\"\\b\\t\\n\\f\\r\\u001f\x7f\xc2\x80\"");
    canon("\"\\ud83d\\ude02\"", "\"\xf0\x9f\x98\x82\"");
    canon("9007199254740991", "9007199254740991");
    canon("-9007199254740991", "-9007199254740991");
}

static void not_canonical(void **state)
{
    (void)state;
    static const char *const texts[] = {
        " 1",     "1\n",         "{\"a\":1}\n", "{\"a\": 1}",  "{\"b\":1,\"a\":2}",
        "[1, 2]", "\"\\u0041\"", "\"\\/\"",     "\"\\u001F\"", "\"\\u0009\"",
        "-0",     "\"\\u00e4\"",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        refuse(CVM_E_JSON_NOT_CANONICAL, texts[i], strlen(texts[i]));
    struct cvm_error err = {0};
    assert_null(cvm_json_parse_canonical("{\"a\":1,\"b\": 2}", 14, &err));
    assert_string_equal(err.message, "first differing offset 11");
    assert_string_equal(err.expected, "2}");
    assert_string_equal(err.got, " 2}");
    assert_null(cvm_json_parse_canonical("[]\n", 3, &err));
    assert_string_equal(err.expected, "the end");
}

static void refusals(void **state)
{
    (void)state;
    static const struct {
        enum cvm_code code;
        const char *text;
    } rows[] = {
        {CVM_E_JSON_SYNTAX, ""},
        {CVM_E_JSON_SYNTAX, "{"},
        {CVM_E_JSON_SYNTAX, "{}{}"},
        {CVM_E_JSON_SYNTAX, "[1,]"},
        {CVM_E_JSON_SYNTAX, "{\"a\":1,}"},
        {CVM_E_JSON_SYNTAX, "{a:1}"},
        {CVM_E_JSON_SYNTAX, "'a'"},
        {CVM_E_JSON_SYNTAX, "01"},
        {CVM_E_JSON_SYNTAX, "+1"},
        {CVM_E_JSON_SYNTAX, "NaN"},
        {CVM_E_JSON_SYNTAX, "\xef\xbb\xbf{}"},
        {CVM_E_JSON_SYNTAX, "// x\n{}"},
        {CVM_E_JSON_SYNTAX, "\"\xff\""},
        {CVM_E_JSON_SYNTAX, "\"\xc0\xaf\""},
        {CVM_E_JSON_SYNTAX, "\"\xed\xa0\x80\""},
        {CVM_E_JSON_SYNTAX, "\"\\ud800\""},
        {CVM_E_JSON_SYNTAX, "\"\\u0000\""},
        {CVM_E_JSON_SYNTAX, "\"\n\""},
        {CVM_E_JSON_SYNTAX, "{\"\xc3\xa4\":1}"},
        {CVM_E_JSON_SYNTAX, "{\"a\\n\":1}"},
        {CVM_E_JSON_DUPLICATE, "{\"a\":1,\"a\":1}"},
        {CVM_E_JSON_DUPLICATE, "{\"a\":1,\"\\u0061\":2}"},
        {CVM_E_JSON_NUMBER, "1.0"},
        {CVM_E_JSON_NUMBER, "1e3"},
        {CVM_E_JSON_NUMBER, "9007199254740992"},
        {CVM_E_JSON_NUMBER, "-9007199254740992"},
        {CVM_E_JSON_NUMBER, "99999999999999999999"},
        {CVM_E_JSON_TYPE, "null"},
        {CVM_E_JSON_TYPE, "[{\"a\":null}]"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        refuse(rows[i].code, rows[i].text, strlen(rows[i].text));
    refuse(CVM_E_JSON_SYNTAX, "\"a\0b\"", 5);
    refuse(CVM_E_JSON_SYNTAX, "{}\0", 3);
    char deep[200];
    memset(deep, '[', 100);
    memset(deep + 100, ']', 100);
    refuse(CVM_E_JSON_SYNTAX, deep, 200);
    refuse(CVM_E_JSON_SYNTAX, deep + 100 - CVM_JSON_DEPTH - 2, 2 * (CVM_JSON_DEPTH + 2));
    CVM_AUTO_JSON json_t *at_limit =
        cvm_json_parse(deep + 100 - CVM_JSON_DEPTH - 1, 2 * (CVM_JSON_DEPTH + 1), NULL);
    assert_non_null(at_limit);
}

static void writer_refuses(void **state)
{
    (void)state;
    CVM_AUTO_BUF struct cvm_buf out = {0};
    struct cvm_error err = {0};
    CVM_AUTO_JSON json_t *real = json_real(1.5), *null = json_pack("[n]");
    assert_int_equal(cvm_json_write(real, &out, &err), -1);
    assert_int_equal(err.code, CVM_E_JSON_TYPE);
    assert_int_equal(cvm_json_write(null, &out, &err), -1);
    assert_int_equal(cvm_json_write(NULL, &out, &err), -1);
    CVM_AUTO_JSON json_t *most = json_integer(CVM_JSON_INT_MAX),
                         *large = json_pack("{s:[I]}", "n", (json_int_t)CVM_JSON_INT_MAX + 1),
                         *negative = json_integer(-CVM_JSON_INT_MAX - 1);
    assert_int_equal(cvm_json_write(most, &out, &err), 0);
    assert_int_equal(cvm_json_write(large, &out, &err), -1);
    assert_int_equal(err.code, CVM_E_JSON_NUMBER);
    assert_int_equal(cvm_json_write(negative, &out, &err), -1);
}

/* One reader over one object; gives the code of its end. */
static enum cvm_code read_as(const char *text, void (*read)(struct cvm_json_reader *))
{
    struct cvm_error err = {0};
    struct cvm_json_reader r;
    CVM_AUTO_JSON json_t *v = cvm_json_parse(text, strlen(text), &err);
    assert_non_null(v);
    cvm_json_begin(&r, v, "it", &err);
    read(&r);
    return cvm_json_end(&r) < 0 ? err.code : CVM_OK;
}

static void table(struct cvm_json_reader *r)
{
    cvm_json_string(r, "s");
    cvm_json_int(r, "i", 1, 5);
    cvm_json_bool_opt(r, "b", false);
    cvm_json_array_opt(r, "a", 2);
    cvm_json_int_opt(r, "o", 0, 3, 7);
}

static void readers(void **state)
{
    (void)state;
    static const struct {
        enum cvm_code code;
        const char *text;
    } rows[] = {
        {CVM_OK, "{\"s\":\"x\",\"i\":1}"},
        {CVM_OK, "{\"s\":\"x\",\"i\":5,\"b\":true,\"a\":[1,2],\"o\":3}"},
        {CVM_E_JSON_TYPE, "[]"},
        {CVM_E_JSON_MISSING, "{\"i\":1}"},
        {CVM_E_JSON_MISSING, "{\"s\":\"x\"}"},
        {CVM_E_JSON_TYPE, "{\"s\":1,\"i\":1}"},
        {CVM_E_JSON_TYPE, "{\"s\":\"x\",\"i\":\"1\"}"},
        {CVM_E_JSON_TYPE, "{\"s\":\"x\",\"i\":1,\"b\":1}"},
        {CVM_E_JSON_TYPE, "{\"s\":\"x\",\"i\":1,\"a\":{}}"},
        {CVM_E_MANIFEST_RANGE, "{\"s\":\"x\",\"i\":0}"},
        {CVM_E_MANIFEST_RANGE, "{\"s\":\"x\",\"i\":6}"},
        {CVM_E_MANIFEST_RANGE, "{\"s\":\"x\",\"i\":1,\"a\":[1,2,3]}"},
        {CVM_E_MANIFEST_RANGE, "{\"s\":\"x\",\"i\":1,\"o\":4}"},
        {CVM_E_JSON_UNKNOWN, "{\"s\":\"x\",\"i\":1,\"z\":1}"},
        {CVM_E_JSON_UNKNOWN, "{\"s\":\"x\",\"i\":1,\"S\":\"x\"}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(cvm_code_info(read_as(rows[i].text, table))->name,
                            cvm_code_info(rows[i].code)->name);
}

static void values(void **state)
{
    (void)state;
    struct cvm_error err = {0};
    struct cvm_json_reader r;
    static const char text[] =
        "{\"d\":\"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\",\"s\":"
        "\"x\"}";
    CVM_AUTO_JSON json_t *v = cvm_json_parse(text, strlen(text), &err);
    cvm_json_begin(&r, v, "it", &err);
    struct cvm_digest d = cvm_json_digest(&r, "d"), abc = cvm_sha256("abc", 3);
    assert_memory_equal(&d, &abc, sizeof d);
    assert_string_equal(cvm_json_string(&r, "s"), "x");
    assert_int_equal(cvm_json_int_opt(&r, "none", 0, 1, 7), 7);
    assert_null(cvm_json_string_opt(&r, "none"));
    assert_true(cvm_json_bool_opt(&r, "none", true));
    assert_int_equal(cvm_json_end(&r), 0);
    cvm_json_digest(&r, "s");
    assert_int_equal(cvm_json_int(&r, "s", 3, 4), 3); /* after the first error nothing is read */
    assert_int_equal(cvm_json_end(&r), -1);
    assert_int_equal(err.code, CVM_E_MANIFEST_DIGEST);
    assert_string_equal(err.message, "it: \"s\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rfc8785),  cmocka_unit_test(not_canonical),
                                       cmocka_unit_test(refusals), cmocka_unit_test(writer_refuses),
                                       cmocka_unit_test(readers),  cmocka_unit_test(values)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
