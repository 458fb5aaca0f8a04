#include "core/record/test-fixture-record.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void expect(const void *data, size_t len, enum cvm_code code, const char *message)
{
    struct cvm_transcript_summary s;
    struct cvm_error err = {0};
    if (cvm_transcript_check(&m, data, len, &s, &err) == 0)
        fail_msg("accepted: %.*s", (int)len, (const char *)data);
    assert_int_equal(err.code, code);
    if (!strstr(err.message, message))
        fail_msg("\"%s\" lacks \"%s\"", err.message, message);
}

static void test_whole_life(void **state)
{
    (void)state;
    CVM_CLEANUP(cvm_transcript_free) struct cvm_transcript t;
    fixture_transcript_releasing(&t);
    struct cvm_digest before = t.head, receipt = cvm_sha256("r", 1);
    assert_int_equal(
        cvm_transcript_move(&t, CVM_PHASE_RELEASING, CVM_PHASE_CLOSED, &receipt, CVM_OK, NULL), 0);
    struct cvm_transcript_summary s;
    assert_int_equal(cvm_transcript_check(&m, t.lines.data, t.lines.len, &s, NULL), 0);
    assert_int_equal(s.n, 12);
    assert_memory_equal(s.head.b, t.head.b, 32);
    assert_memory_equal(s.before_head.b, before.b, 32);
    assert_int_equal(s.before_n, 11);
    assert_int_equal(s.phase, CVM_PHASE_CLOSED);
    assert_int_equal(s.released, 7);
    assert_true(s.has_waiting && s.has_receipt && !s.failed);
    assert_int_equal(s.waiting_n, 8);
    assert_int_equal(s.refused, 3);
    assert_memory_equal(s.receipt.b, receipt.b, 32);
    size_t at = 0, entries = 0;
    for (json_t *next; (next = cvm_transcript_entry(&t.lines, &at)); entries++) {
        CVM_AUTO_JSON json_t *entry = next;
        assert_int_equal(json_integer_value(json_object_get(entry, "n")), entries + 1);
    }
    assert_int_equal(entries, s.n);
    assert_true(at >= t.lines.len);
    /* every prefix that ends with a whole step is a transcript as well */
    size_t len = 0, good = 0;
    while (len < t.lines.len) {
        len = (size_t)((uint8_t *)memchr(t.lines.data + len, '\n', t.lines.len - len) -
                       t.lines.data) +
              1;
        good += cvm_transcript_check(&m, t.lines.data, len, &s, NULL) == 0;
    }
    assert_int_equal(good,
                     11); /* all but the one that ends between the first release and its move */
}

static void test_first_line_to_the_byte(void **state)
{
    (void)state;
    CVM_CLEANUP(cvm_transcript_free) struct cvm_transcript t;
    cvm_transcript_start(&t, &m.digest);
    struct cvm_bytes f = CVM_DIGEST_BYTES(&m.digest);
    struct cvm_digest h0 = cvm_label_sha256("2cvm/transcript/1", &f, 1);
    assert_memory_equal(h0.b, t.head.b, 32);
    cvm_transcript_refused(&t, CVM_E_ACT_NONCE);
    fixture_move(&t, CVM_PHASE_EMPTY, CVM_PHASE_LOCKED);
    static const char LINE[] = "{\"from\":\"empty\",\"n\":1,\"refused\":{\"act-nonce\":1},\"to\":"
                               "\"locked\",\"type\":\"move\"}\n";
    assert_string_equal(cvm_buf_cstr(&t.lines), LINE);
    struct cvm_digest h1 = cvm_transcript_next(&h0, LINE, sizeof LINE - 2);
    assert_memory_equal(h1.b, t.head.b, 32);
}

static void test_aborted(void **state)
{
    (void)state;
    CVM_CLEANUP(cvm_transcript_free) struct cvm_transcript t;
    fixture_transcript_running(&t);
    fixture_act(&t, "analyst", CVM_ACT_ABORT, 5);
    expect(t.lines.data, t.lines.len, CVM_E_TRANSCRIPT_BROKEN,
           "the move to \"aborted\" is missing");
    assert_int_equal(
        cvm_transcript_move(&t, CVM_PHASE_RUNNING, CVM_PHASE_ABORTED, NULL, CVM_E_ABORTED, NULL),
        0);
    struct cvm_transcript_summary s;
    assert_int_equal(cvm_transcript_check(&m, t.lines.data, t.lines.len, &s, NULL), 0);
    assert_int_equal(s.reason, CVM_E_ABORTED);
    assert_int_equal(s.phase, CVM_PHASE_ABORTED);
    fixture_act(&t, "analyst", CVM_ACT_TIME, 6);
    expect(t.lines.data, t.lines.len, CVM_E_TRANSCRIPT_BROKEN, "after its end");
}

static void test_writer_refuses(void **state)
{
    (void)state;
    CVM_CLEANUP(cvm_transcript_free) struct cvm_transcript t;
    cvm_transcript_start(&t, &m.digest);
    struct cvm_digest d = {{0}};
    struct cvm_error err = {0};
    assert_int_equal(
        cvm_transcript_move(&t, CVM_PHASE_EMPTY, CVM_PHASE_FILLING, NULL, CVM_OK, &err), -1);
    assert_int_equal(
        cvm_transcript_move(&t, CVM_PHASE_RELEASING, CVM_PHASE_CLOSED, NULL, CVM_OK, &err), -1);
    assert_int_equal(cvm_transcript_move(&t, CVM_PHASE_EMPTY, CVM_PHASE_LOCKED, &d, CVM_OK, &err),
                     -1);
    assert_int_equal(
        cvm_transcript_move(&t, CVM_PHASE_LOCKED, CVM_PHASE_ABORTED, NULL, CVM_OK, &err), -1);
    assert_int_equal(t.n, 0);
    assert_int_equal(t.lines.len, 0);
}

/* Each is what follows `running`, with n = 8. */
static void test_refuses_entries(void **state)
{
    (void)state;
    static const struct {
        const char *line, *message;
    } BAD[] = {
        {"{\"from\":\"running\",\"n\":9,\"refused\":{},\"to\":\"waiting\",\"type\":\"move\"}\n",
         "\"n\" is 9"},
        {"{\"from\":\"running\",\"n\":7,\"refused\":{},\"to\":\"waiting\",\"type\":\"move\"}\n",
         "\"n\" is 7"},
        {"{\"from\":\"sealed\",\"n\":8,\"refused\":{},\"to\":\"running\",\"type\":\"move\"}\n",
         "can't stand here"},
        {"{\"from\":\"running\",\"n\":8,\"refused\":{},\"to\":\"closed\",\"type\":\"move\"}\n",
         "can't stand here"},
        {"{\"from\":\"running\",\"n\":8,\"refused\":{},\"to\":\"paused\",\"type\":\"move\"}\n",
         "can't stand here"},
        {"{\"from\":\"running\",\"n\":8,\"refused\":{},\"to\":\"waiting\",\"type\":\"move\"}",
         "has no end"},
        {"{\"from\":\"running\",\"n\":8,\"refused\":{},\"to\":\"waiting\",\"type\":\"move\",\"x\":"
         "1}\n",
         "\"x\""},
        {"{\"n\":8,\"from\":\"running\",\"refused\":{},\"to\":\"waiting\",\"type\":\"move\"}\n",
         "offset"},
        {"{\"from\":\"running\",\"n\":8,\"refused\":{\"x\":1},\"to\":\"waiting\",\"type\":\"move\"}"
         "\n",
         "\"refused\""},
        {"{\"from\":\"running\",\"n\":8,\"refused\":{\"io\":0},\"to\":\"waiting\",\"type\":"
         "\"move\"}\n",
         "\"refused\""},
        {"{\"from\":\"running\",\"n\":8,\"reason\":\"bored\",\"refused\":{},\"to\":\"aborted\","
         "\"type\":\"move\"}\n",
         "\"reason\""},
        {"{\"from\":\"running\",\"n\":8,\"refused\":{},\"to\":\"aborted\",\"type\":\"move\"}\n",
         "\"reason\""},
        {"{\"n\":8,\"refused\":{},\"type\":\"note\"}\n", "\"type\""},
        {"\n", ""},
    };
    CVM_CLEANUP(cvm_transcript_free) struct cvm_transcript t;
    fixture_transcript_running(&t);
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        CVM_AUTO_BUF struct cvm_buf b = {0};
        cvm_buf_append(&b, t.lines.data, t.lines.len);
        cvm_buf_append_str(&b, BAD[i].line);
        expect(b.data, b.len, CVM_E_TRANSCRIPT_BROKEN, BAD[i].message);
    }
}

static void test_refuses_acts(void **state)
{
    (void)state;
    static const struct {
        const char *participant;
        enum cvm_act_kind kind;
        uint64_t seq;
    } BAD[] = {
        {"nobody", CVM_ACT_TIME, 9},
        {"clinic-a", CVM_ACT_TIME, 1},
        {"clinic-a", CVM_ACT_RELEASE, 9},
        {"clinic-a", CVM_ACT_APPROVE, 9}, /* nothing waits yet */
    };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        CVM_CLEANUP(cvm_transcript_free) struct cvm_transcript t;
        fixture_transcript_running(&t);
        fixture_act(&t, BAD[i].participant, BAD[i].kind, BAD[i].seq);
        expect(t.lines.data, t.lines.len, CVM_E_TRANSCRIPT_BROKEN, "line 8");
    }
}

static void test_sealed_needs_everyone(void **state)
{
    (void)state;
    CVM_CLEANUP(cvm_transcript_free) struct cvm_transcript t;
    cvm_transcript_start(&t, &m.digest);
    fixture_move(&t, CVM_PHASE_EMPTY, CVM_PHASE_LOCKED);
    fixture_act(&t, "clinic-a", CVM_ACT_RELEASE, 1);
    fixture_move(&t, CVM_PHASE_LOCKED, CVM_PHASE_FILLING);
    fixture_act(&t, "clinic-b", CVM_ACT_RELEASE, 1);
    fixture_move(&t, CVM_PHASE_FILLING, CVM_PHASE_SEALED);
    expect(t.lines.data, t.lines.len, CVM_E_TRANSCRIPT_BROKEN, "line 5");
}

/* Taking a line out, changing one, or another manifest: the head tells. */
static void test_chain(void **state)
{
    (void)state;
    CVM_CLEANUP(cvm_transcript_free) struct cvm_transcript t;
    fixture_transcript_running(&t);
    struct cvm_transcript_summary s;
    char *seq = strstr(cvm_buf_cstr(&t.lines), "\"seq\":4");
    assert_non_null(seq);
    seq[6] = '3';
    assert_int_equal(cvm_transcript_check(&m, t.lines.data, t.lines.len, &s, NULL), 0);
    assert_memory_not_equal(s.head.b, t.head.b, 32);
    seq[6] = '4';
    CVM_AUTO_JSON json_t *doc = fixture_document();
    fixture_edit(doc, "title", "\"x\"");
    CVM_AUTO_MANIFEST struct cvm_manifest other = {0};
    assert_int_equal(fixture_parse(doc, &other, NULL), 0);
    assert_int_equal(cvm_transcript_check(&other, t.lines.data, t.lines.len, &s, NULL), 0);
    assert_memory_not_equal(s.head.b, t.head.b, 32);
    uint8_t *second = memchr(t.lines.data, '\n', t.lines.len);
    expect(second + 1, t.lines.len - (size_t)(second + 1 - t.lines.data), CVM_E_TRANSCRIPT_BROKEN,
           "line 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_life),
        cmocka_unit_test(test_first_line_to_the_byte),
        cmocka_unit_test(test_aborted),
        cmocka_unit_test(test_writer_refuses),
        cmocka_unit_test(test_refuses_entries),
        cmocka_unit_test(test_refuses_acts),
        cmocka_unit_test(test_sealed_needs_everyone),
        cmocka_unit_test(test_chain),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
