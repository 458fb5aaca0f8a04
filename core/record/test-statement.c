#include "core/record/test-fixture-record.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/record/statement.h"

/* clinic-a has released, then the analyst withdraws. */
static void withdrawn(struct cvm_transcript *t, struct cvm_statement *s)
{
    cvm_transcript_start(t, &m.digest);
    fixture_move(t, CVM_PHASE_EMPTY, CVM_PHASE_LOCKED);
    fixture_act(t, "clinic-a", CVM_ACT_RELEASE, 1);
    fixture_move(t, CVM_PHASE_LOCKED, CVM_PHASE_FILLING);
    fixture_act(t, "analyst", CVM_ACT_WITHDRAW, 1);
    must(cvm_transcript_move(t, CVM_PHASE_FILLING, CVM_PHASE_ABORTED, NULL, CVM_E_WITHDRAWN, NULL));
    int who = cvm_manifest_participant(&m, "clinic-a");
    *s = (struct cvm_statement){.participant = cvm_manifest_participant(&m, "analyst"),
                                .act = cvm_sha256("analyst", 7),
                                .transcript_n = t->n,
                                .transcript_head = t->head,
                                .released = UINT32_C(1) << who};
    for (uint32_t i = 0; i < cvm_manifest_items(&m); i++)
        if (cvm_manifest_item_at(&m, i).owner == who)
            s->admitted[i / 64] |= UINT64_C(1) << i % 64;
}

static void test_round_trip(void **state)
{
    (void)state;
    CVM_CLEANUP(cvm_transcript_free) struct cvm_transcript t;
    struct cvm_statement s, got;
    struct cvm_transcript_summary sum;
    struct cvm_error err = {0};
    CVM_AUTO_BUF struct cvm_buf jws = {0};
    withdrawn(&t, &s);
    assert_int_equal(cvm_statement_make(&m, &s, &key, &jws, NULL), 0);
    assert_int_equal(cvm_statement_verify(&m, &key.pub, jws.data, jws.len, &got, NULL), 0);
    assert_memory_equal(&got, &s, sizeof s);
    assert_int_equal(cvm_transcript_check(&m, t.lines.data, t.lines.len, &sum, NULL), 0);
    assert_int_equal(sum.reason, CVM_E_WITHDRAWN);
    assert_int_equal(cvm_statement_check_transcript(&got, &sum, NULL), 0);

    struct cvm_transcript_summary bad[7] = {sum, sum, sum, sum, sum, sum, sum};
    bad[0].stopped = false;
    bad[1].phase = CVM_PHASE_CLOSED;
    bad[2].stopped_by = 0;
    bad[3].stopped_act.b[0] ^= 1;
    bad[4].n++;
    bad[5].head.b[31] ^= 1;
    bad[6].released = 0;
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(cvm_statement_check_transcript(&got, &bad[i], &err), -1);
        assert_int_equal(err.code, CVM_E_STATEMENT_MISMATCH);
    }
}

/* A payload of any form, rightly signed. */
static enum cvm_code signed_as(const struct cvm_key *by, const char *typ, const json_t *payload)
{
    CVM_AUTO_BUF struct cvm_buf jws = {0};
    struct cvm_statement got;
    struct cvm_error err = {0};
    fixture_sign(payload, typ, by, &jws);
    return cvm_statement_verify(&m, &key.pub, jws.data, jws.len, &got, &err) < 0 ? err.code
                                                                                 : CVM_OK;
}

static void test_refused(void **state)
{
    (void)state;
    CVM_CLEANUP(cvm_transcript_free) struct cvm_transcript t;
    CVM_AUTO_KEY struct cvm_key other = fixture_key(3, CVM_ED25519);
    CVM_AUTO_BUF struct cvm_buf jws = {0};
    struct cvm_statement s;
    withdrawn(&t, &s);
    must(cvm_statement_make(&m, &s, &key, &jws, NULL));
    CVM_AUTO_JSON json_t *good = fixture_payload(&jws);
    assert_int_equal(signed_as(&key, CVM_JWS_STATEMENT, good), CVM_OK);
    assert_int_equal(signed_as(&other, CVM_JWS_STATEMENT, good), CVM_E_JWS_KEY);
    assert_int_equal(signed_as(&key, CVM_JWS_RECEIPT, good), CVM_E_JWS_TYPE);
    assert_int_equal(signed_as(&key, CVM_JWS_ACT, good), CVM_E_JWS_TYPE);

    static const char *const members[] = {"act",     "manifest",   "participant", "session",
                                          "version", "transcript", "wiped"};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        CVM_AUTO_JSON json_t *o = json_deep_copy(good);
        json_object_del(o, members[i]);
        assert_int_equal(signed_as(&key, CVM_JWS_STATEMENT, o), CVM_E_STATEMENT_MISMATCH);
        json_object_set_new(o, members[i], json_string("x"));
        assert_int_equal(signed_as(&key, CVM_JWS_STATEMENT, o), CVM_E_STATEMENT_MISMATCH);
    }
    CVM_AUTO_JSON json_t *more = json_deep_copy(good);
    json_object_set_new(more, "more", json_integer(1));
    assert_int_equal(signed_as(&key, CVM_JWS_STATEMENT, more), CVM_E_STATEMENT_MISMATCH);

    /* It may not leave out a key that it held, nor name content that it can't have had. */
    CVM_AUTO_JSON json_t *less = json_deep_copy(good);
    json_array_clear(json_object_get(json_object_get(less, "wiped"), "keys"));
    assert_int_equal(signed_as(&key, CVM_JWS_STATEMENT, less), CVM_E_STATEMENT_MISMATCH);
    CVM_AUTO_JSON json_t *twice = json_deep_copy(good);
    json_t *seeds = json_object_get(json_object_get(twice, "wiped"), "seeds");
    json_array_append(seeds, json_array_get(seeds, 0));
    assert_int_equal(signed_as(&key, CVM_JWS_STATEMENT, twice), CVM_E_STATEMENT_MISMATCH);
    CVM_AUTO_JSON json_t *none = json_deep_copy(good);
    json_array_clear(json_object_get(json_object_get(none, "wiped"), "seeds"));
    json_array_clear(json_object_get(json_object_get(none, "wiped"), "keys"));
    assert_int_equal(signed_as(&key, CVM_JWS_STATEMENT, none), CVM_E_STATEMENT_MISMATCH);

    struct cvm_statement got;
    struct cvm_error err = {0};
    for (size_t i = 0; i < jws.len; i += 7) {
        jws.data[i] ^= 1;
        assert_int_equal(cvm_statement_verify(&m, &key.pub, jws.data, jws.len, &got, &err), -1);
        jws.data[i] ^= 1;
    }
    assert_int_equal(cvm_statement_verify(&m, &key.pub, jws.data, jws.len - 1, &got, &err), -1);
}

/* The transcript itself holds act and reason together. */
static void test_reasons(void **state)
{
    (void)state;
    static const struct {
        enum cvm_act_kind kind;
        enum cvm_code reason;
        bool good;
    } cases[] = {
        {CVM_ACT_WITHDRAW, CVM_E_WITHDRAWN, true}, {CVM_ACT_WITHDRAW, CVM_E_ABORTED, false},
        {CVM_ACT_ABORT, CVM_E_ABORTED, true},      {CVM_ACT_ABORT, CVM_E_WITHDRAWN, false},
        {CVM_ACT_TIME, CVM_E_SANDBOX, true},       {CVM_ACT_TIME, CVM_E_WITHDRAWN, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CVM_CLEANUP(cvm_transcript_free) struct cvm_transcript t;
        struct cvm_transcript_summary sum;
        cvm_transcript_start(&t, &m.digest);
        fixture_move(&t, CVM_PHASE_EMPTY, CVM_PHASE_LOCKED);
        fixture_act(&t, "analyst", cases[i].kind, 1);
        must(cvm_transcript_move(&t, CVM_PHASE_LOCKED, CVM_PHASE_ABORTED, NULL, cases[i].reason,
                                 NULL));
        int got = cvm_transcript_check(&m, t.lines.data, t.lines.len, &sum, NULL);
        assert_int_equal(got, cases[i].good ? 0 : -1);
    }
    /* A withdrawal when all is sealed, and an item before anything runs, can't stand there. */
    CVM_CLEANUP(cvm_transcript_free) struct cvm_transcript late, early;
    struct cvm_transcript_summary sum;
    fixture_transcript_running(&late);
    fixture_act(&late, "analyst", CVM_ACT_WITHDRAW, 5);
    assert_int_equal(cvm_transcript_check(&m, late.lines.data, late.lines.len, &sum, NULL), -1);
    cvm_transcript_start(&early, &m.digest);
    fixture_move(&early, CVM_PHASE_EMPTY, CVM_PHASE_LOCKED);
    fixture_act(&early, "analyst", CVM_ACT_ITEM, 1);
    assert_int_equal(cvm_transcript_check(&m, early.lines.data, early.lines.len, &sum, NULL), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_reasons),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
