#include "core/manifest/test-fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/manifest/explain.h"

static char *explain(const struct cvm_manifest *m)
{
    CVM_AUTO_JSON json_t *list = cvm_manifest_explain(m);
    CVM_AUTO_BUF struct cvm_buf text = {0};
    cvm_explain_text(list, 0, &text);
    return cvm_strdup(cvm_buf_cstr(&text));
}

static void has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in:\n%s", part, text);
}

static void test_says_who_learns_what(void **state)
{
    (void)state;
    CVM_AUTO_MANIFEST struct cvm_manifest m;
    fixture_manifest(&m);
    CVM_AUTO_FREE char *text = explain(&m);
    has(text,
        "clinic-a (Clinic A) can learn, in output \"model\" of at most 64 KiB, whatever the code "
        "clean (of clinic-b), train (of analyst) makes of the data rows-a (of clinic-a), "
        "rows-b (of clinic-b).");
    has(text, "SIMULATED");
    has(text,
        "\"report\" goes to analyst, at most 64 KiB, when the rules of the other outputs hold.");
    has(text, "wasi:cli, wasi:filesystem; no clock; randomness from the seed");
    has(text, "waives them: cgroup");
    has(text, "to a power of two");
    has(text, "diagnostics \"run-log\"");
    has(text, "approval of clinic-a, not before 2023-11-14 22:13:20 UTC by the clocks of clinic-b");
    assert_null(strstr(text, "host's clock"));
}

static void test_says_host_clock_and_bystanders(void **state)
{
    (void)state;
    CVM_AUTO_JSON json_t *doc = fixture_document();
    fixture_edit(doc, "components.0.clock", "\"host\"");
    fixture_edit(doc, "outputs.0.recipients", "[\"analyst\"]");
    CVM_AUTO_MANIFEST struct cvm_manifest m = {0};
    assert_int_equal(fixture_parse(doc, &m, NULL), 0);
    CVM_AUTO_FREE char *text = explain(&m);
    has(text, "\"train\" reads the host's clock");
    has(text, "clinic-a (Clinic A) gets no output");
}

static struct cvm_manifest together(const char *where, const char *value)
{
    CVM_AUTO_JSON json_t *doc = fixture_together();
    if (where)
        fixture_edit(doc, where, value);
    struct cvm_manifest m = {0};
    assert_int_equal(fixture_parse(doc, &m, NULL), 0);
    return m;
}

static void test_says_what_runs_together(void **state)
{
    (void)state;
    CVM_AUTO_MANIFEST struct cvm_manifest m = together(NULL, NULL);
    CVM_AUTO_FREE char *text = explain(&m);
    has(text,
        "\"ask\" calls \"model\" (study:model/infer@1.0.0), at most 3 times, 4 KiB a call and "
        "direction, 10000 bytes in all. A call leads both ways: \"model\" can learn what "
        "\"ask\" passes, and \"ask\" what \"model\" answers.");
    has(text,
        "\"model\" remembers from call to call and is shared: through it, each of \"ask\" (of "
        "analyst), \"tell\" (of clinic-b) can learn what the others pass.");
    has(text, "\"score\" starts afresh for each call");
    has(text, "\"ask\" streams to \"tell\" while both run, at most 1000 bytes.");
    has(text, "\"feed\" is chosen at run time: clinic-a sends up to 10 items");
    has(text, "Before it is sealed, \"answer\" passes the gate \"guard\" of clinic-b");
    has(text, "\"model\" is a library of analyst");
    has(text, "of the data feed (of clinic-a), rows-b (of clinic-b).");
}

/* `tell` alone makes the answer. What `ask` knows (the open input) reaches it through a shared
 * library, and only through that. */
static void test_shared_library_joins_its_callers(void **state)
{
    (void)state;
    static const char *const KEPT_APART[] = {"components.2.instance", "\"call\""};
    for (int shared = 0; shared < 2; shared++) {
        CVM_AUTO_JSON json_t *doc = fixture_together();
        fixture_edit(doc, "channels.3", NULL); /* the stream from `ask` to `tell` */
        if (!shared)
            fixture_edit(doc, KEPT_APART[0], KEPT_APART[1]);
        CVM_AUTO_MANIFEST struct cvm_manifest m = {0};
        assert_int_equal(fixture_parse(doc, &m, NULL), 0);
        CVM_AUTO_FREE char *text = explain(&m);
        if (shared)
            has(text,
                "whatever the code score (of analyst), model (of analyst), ask (of "
                "analyst), tell (of clinic-b), guard (of clinic-b) makes of the data feed (of "
                "clinic-a), rows-b");
        else
            has(text, "whatever the code score (of analyst), model (of analyst), tell (of "
                      "clinic-b), guard (of clinic-b) makes of the data rows-b (of clinic-b).");
    }
}

/* Two libraries that each live for one call, and one behind them that lives for the run. */
static void test_joined_at_a_distance(void **state)
{
    (void)state;
    CVM_AUTO_JSON json_t *doc = fixture_together();
    fixture_edit(doc, "channels.3", NULL);
    fixture_edit(doc, "components.2.instance", "\"call\"");
    fixture_edit(doc, "components.3.instance", "\"run\"");
    CVM_AUTO_MANIFEST struct cvm_manifest m = {0};
    assert_int_equal(fixture_parse(doc, &m, NULL), 0);
    CVM_AUTO_FREE char *text = explain(&m);
    has(text, "makes of the data feed (of clinic-a), rows-b (of clinic-b).");
}

static void test_wraps(void **state)
{
    (void)state;
    CVM_AUTO_MANIFEST struct cvm_manifest m;
    fixture_manifest(&m);
    CVM_AUTO_JSON json_t *list = cvm_manifest_explain(&m);
    CVM_AUTO_BUF struct cvm_buf text = {0};
    cvm_explain_text(list, 110, &text);
    for (const char *p = cvm_buf_cstr(&text); *p; p += strcspn(p, "\n") + 1)
        assert_true(strcspn(p, "\n") <= 110);
}

static void test_spoken_digest(void **state)
{
    (void)state;
    char text[CVM_SPOKEN_LEN], wrong[CVM_SPOKEN_LEN];
    struct cvm_digest zero = {{0}}, one = {{0}}, all;
    memset(all.b, 0xff, sizeof all.b);
    one.b[31] = 10;
    assert_string_equal(cvm_digest_spoken(&zero, text),
                        "00000-00000-00000-00000-00000-00000-00000-00000-00000");
    assert_string_equal(cvm_digest_spoken(&one, text),
                        "00000-00000-00000-00000-00000-00000-00000-00000-00101");
    /* 2^256 - 1 = 115792089237316195423570985008687907853269984665640564039457584007913129639935 */
    cvm_digest_spoken(&all, text);
    assert_memory_equal(text, "07853-26998-46656-40564-03945-75840-07913-12963-9935", 52);
    assert_true(cvm_digest_spoken_matches(&all, text));
    for (size_t i = 0; i + 1 < strlen(text); i++) {
        if (text[i] == '-')
            continue;
        memcpy(wrong, text, sizeof wrong);
        wrong[i] = text[i] == '9' ? '0' : (char)(text[i] + 1);
        assert_false(cvm_digest_spoken_matches(&all, wrong));
    }
    assert_false(cvm_digest_spoken_matches(&all, ""));
    assert_false(cvm_digest_spoken_matches(&zero, text));
}

static const char *first_risk(const json_t *list)
{
    return json_string_value(json_object_get(json_array_get(list, 0), "risk"));
}

static void test_diff(void **state)
{
    (void)state;
    static const struct {
        const char *where, *value, *risk, *place;
    } EDITS[] = {
        {"title", "\"x\"", "low", "title"},
        {"not_after", "1798761599", "medium", "not_after"},
        {"components.0.limits.cpu_ms", "1", "low", "components[train].limits.cpu_ms"},
        {"components.0.args", "[\"--rounds\",\"41\"]", "high", "components[train].args"},
        {"components.0.clock", "\"host\"", "high", "components[train].clock"},
        {"outputs.1.recipients", "[\"analyst\",\"clinic-a\"]", "high",
         "outputs[report].recipients"},
        {"outputs.0.recipients", "[\"analyst\"]", "medium", "outputs[model].recipients"},
        {"outputs.0.release", "[]", "high", "outputs[model].release"},
        {"outputs.2", NULL, "medium", "outputs[run-log]"},
        {"isolate.waive", "[]", "low", "isolate.waive"},
        {"isolate.waive", "[\"cgroup\",\"seccomp\"]", "high", "isolate.waive"},
        {"isolate.memory_mib", "511", "low", "isolate.memory_mib"},
        {"participants.0.name", "\"Clinic B\"", "medium", "participants[clinic-a].name"},
        {"channels.2.max_bytes", "5", "low",
         "channels[clean:out/b.csv -> train:in/b.csv].max_bytes"},
        {"outputs.0.recipients", "[\"analyst\",\"clinic-b\",\"clinic-a\"]", "low", ""},
    };
    CVM_AUTO_MANIFEST struct cvm_manifest a;
    fixture_manifest(&a);
    CVM_AUTO_JSON json_t *same = cvm_manifest_diff(&a, &a);
    assert_int_equal(json_array_size(same), 0);
    for (size_t i = 0; i < sizeof EDITS / sizeof EDITS[0]; i++) {
        CVM_AUTO_JSON json_t *doc = fixture_document();
        fixture_edit(doc, EDITS[i].where, EDITS[i].value);
        CVM_AUTO_MANIFEST struct cvm_manifest b = {0};
        assert_int_equal(fixture_parse(doc, &b, NULL), 0);
        CVM_AUTO_JSON json_t *list = cvm_manifest_diff(&a, &b);
        assert_true(json_array_size(list) >= 1);
        assert_string_equal(first_risk(list), EDITS[i].risk);
        assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "place")),
                            EDITS[i].place);
    }
}

static void test_diff_of_what_runs_together(void **state)
{
    (void)state;
    static const struct {
        const char *where, *value, *risk, *place;
    } EDITS[] = {
        {"components.4.gate", "false", "high", "components[guard].gate"},
        {"components.4.gate", NULL, "high", "components[guard].gate"},
        {"components.3.instance", "\"run\"", "high", "components[score].instance"},
        {"data.0.max_items", "11", "low", "data[feed].max_items"},
        {"channels.0.max_calls", "4", "low",
         "channels[ask -> model study:model/infer@1.0.0].max_calls"},
        {"channels.0.max_call_bytes", "5", "low",
         "channels[ask -> model study:model/infer@1.0.0].max_call_bytes"},
        {"channels.1", NULL, "medium", "channels[tell -> model study:model/infer@1.0.0]"},
        {"channels.2.interface", "\"study:score/two\"", "high",
         "channels[model -> score study:score/two]"},
        {"channels.3", NULL, "medium", "channels[ask:/dev/stdout -> tell:/dev/stdin]"},
    };
    CVM_AUTO_MANIFEST struct cvm_manifest a = together(NULL, NULL);
    for (size_t i = 0; i < sizeof EDITS / sizeof EDITS[0]; i++) {
        CVM_AUTO_MANIFEST struct cvm_manifest b = together(EDITS[i].where, EDITS[i].value);
        CVM_AUTO_JSON json_t *list = cvm_manifest_diff(&a, &b);
        assert_string_equal(first_risk(list), EDITS[i].risk);
        assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "place")),
                            EDITS[i].place);
    }
}

static void test_diff_riskiest_first(void **state)
{
    (void)state;
    CVM_AUTO_MANIFEST struct cvm_manifest a;
    fixture_manifest(&a);
    CVM_AUTO_JSON json_t *doc = fixture_document();
    fixture_edit(doc, "title", "\"x\"");
    fixture_edit(doc, "not_after", "1798761599");
    fixture_edit(doc, "components.0.random", "\"real\"");
    CVM_AUTO_MANIFEST struct cvm_manifest b = {0};
    assert_int_equal(fixture_parse(doc, &b, NULL), 0);
    CVM_AUTO_JSON json_t *list = cvm_manifest_diff(&a, &b);
    CVM_AUTO_BUF struct cvm_buf text = {0};
    cvm_explain_text(list, 0, &text);
    assert_string_equal(cvm_buf_cstr(&text),
                        "high risk\n  components[train].random: was \"seeded\", is \"real\"\n"
                        "medium risk\n  not_after: was 1798761600, is 1798761599\n"
                        "low risk\n  title: was \"Joint study\", is \"x\"\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_says_who_learns_what),
        cmocka_unit_test(test_says_host_clock_and_bystanders),
        cmocka_unit_test(test_says_what_runs_together),
        cmocka_unit_test(test_shared_library_joins_its_callers),
        cmocka_unit_test(test_joined_at_a_distance),
        cmocka_unit_test(test_wraps),
        cmocka_unit_test(test_spoken_digest),
        cmocka_unit_test(test_diff),
        cmocka_unit_test(test_diff_of_what_runs_together),
        cmocka_unit_test(test_diff_riskiest_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
