#include "core/record/test-fixture-record.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_round_trip(void **state)
{
    (void)state;
    CVM_CLEANUP(cvm_transcript_free) struct cvm_transcript t;
    fixture_transcript_releasing(&t);
    struct cvm_receipt r = fixture_receipt(&t), got;
    CVM_AUTO_BUF struct cvm_buf jws = {0};
    assert_int_equal(cvm_receipt_make(&m, &r, &key, &jws, NULL), 0);
    assert_int_equal(cvm_receipt_verify(&m, &key.pub, jws.data, jws.len, &got, NULL), 0);
    assert_memory_equal(got.payload.b, r.payload.b, 32);
    assert_memory_equal(got.session.b, r.session.b, 32);
    assert_true(got.completed && got.ok[0] && got.ok[1]);
    assert_int_equal(got.released, 7);
    assert_int_equal(got.transcript_n, t.n);
    assert_memory_equal(got.outputs[2].digest.b, r.outputs[2].digest.b, 32);

    must(cvm_transcript_move(&t, CVM_PHASE_RELEASING, CVM_PHASE_CLOSED, &r.payload, CVM_OK, NULL));
    struct cvm_transcript_summary s;
    struct cvm_error err = {0};
    assert_int_equal(cvm_transcript_check(&m, t.lines.data, t.lines.len, &s, NULL), 0);
    assert_int_equal(cvm_receipt_check_transcript(&got, &s, NULL), 0);
    struct cvm_transcript_summary bad[5] = {s, s, s, s, s};
    bad[0].receipt.b[0] ^= 1;
    bad[1].before_n++;
    bad[2].before_head.b[3] ^= 1;
    bad[3].failed = true;
    bad[4].phase = CVM_PHASE_RELEASING;
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(cvm_receipt_check_transcript(&got, &bad[i], &err), -1);
        assert_int_equal(err.code, CVM_E_RECEIPT_MISMATCH);
    }
    assert_int_equal(cvm_receipt_check_output(&m, &got, 0, &r.outputs[0].digest, NULL), 0);
    assert_int_equal(cvm_receipt_check_output(&m, &got, 0, &r.outputs[1].digest, &err), -1);
    assert_int_equal(err.code, CVM_E_RECEIPT_MISMATCH);
}

static void test_failed_run(void **state)
{
    (void)state;
    CVM_CLEANUP(cvm_transcript_free) struct cvm_transcript t;
    fixture_transcript_running(&t);
    fixture_move(&t, CVM_PHASE_RUNNING, CVM_PHASE_RELEASING);
    struct cvm_receipt r = fixture_receipt(&t), got;
    struct cvm_error err = {0};
    CVM_AUTO_BUF struct cvm_buf jws = {0};
    r.completed = false;
    r.ok[0] = false;
    assert_int_equal(cvm_receipt_make(&m, &r, &key, &jws, &err),
                     -1); /* outputs after a failed run */
    assert_int_equal(err.code, CVM_E_RECEIPT_MISMATCH);
    r.outputs[0].present = r.outputs[1].present = false;
    assert_int_equal(cvm_receipt_make(&m, &r, &key, &jws, NULL), 0);
    assert_int_equal(cvm_receipt_verify(&m, &key.pub, jws.data, jws.len, &got, NULL), 0);
    assert_false(got.completed || got.ok[0] || got.outputs[0].present);
    assert_true(got.ok[1] && got.outputs[2].present);
    assert_int_equal(cvm_receipt_check_output(&m, &got, 0, &r.outputs[0].digest, &err), -1);
    assert_int_equal(err.code, CVM_E_RECEIPT_MISMATCH);
}

static void test_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *where, *value;
    } BAD[] = {
        {"version", "2"},
        {"version", NULL},
        {"note", "1"},
        {"collaboration", "\"7f1d5c1e-2b6a-4f43-9a0e-5d2b8f4f6a12\""},
        {"manifest", "\"sha256:0000000000000000000000000000000000000000000000000000000000000000\""},
        {"session", "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\""},
        {"result", "\"failed\""},
        {"result", "\"fine\""},
        {"components.0.result", "\"failed\""},
        {"components.0.result", "\"great\""},
        {"components.0.id", "\"clean\""},
        {"components.1", NULL},
        {"components.0.cpu_ms", "1"},
        {"data.0.digest",
         "\"sha256:0000000000000000000000000000000000000000000000000000000000000000\""},
        {"data", "[]"},
        {"outputs.0", NULL},
        {"outputs.0.recipients", "[\"clinic-a\"]"},
        {"outputs.0.digest", "\"sha256:00\""},
        {"outputs.0.id", "\"report\""},
        {"outputs.0.id", "\"other\""},
        {"released", "[\"clinic-a\"]"},
        {"released.0", "\"clinic-z\""},
        {"released.0", "7"},
        {"transcript.n", "0"},
        {"transcript.head", NULL},
        {"transcript", "[]"},
    };
    CVM_CLEANUP(cvm_transcript_free) struct cvm_transcript t;
    fixture_transcript_releasing(&t);
    struct cvm_receipt r = fixture_receipt(&t), got;
    CVM_AUTO_BUF struct cvm_buf jws = {0};
    assert_int_equal(cvm_receipt_make(&m, &r, &key, &jws, NULL), 0);
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        CVM_AUTO_JSON json_t *o = fixture_payload(&jws);
        fixture_edit(o, BAD[i].where, BAD[i].value);
        CVM_AUTO_BUF struct cvm_buf edited = {0};
        struct cvm_error err = {0};
        fixture_sign(o, CVM_JWS_RECEIPT, &key, &edited);
        if (cvm_receipt_verify(&m, &key.pub, edited.data, edited.len, &got, &err) == 0)
            fail_msg("%s = %s accepted", BAD[i].where, BAD[i].value);
        assert_int_equal(err.code, CVM_E_RECEIPT_MISMATCH);
    }
    struct cvm_error err = {0};
    CVM_AUTO_KEY struct cvm_key other = fixture_key(0, CVM_ED25519);
    assert_int_equal(cvm_receipt_verify(&m, &other.pub, jws.data, jws.len, &got, &err), -1);
    assert_int_equal(err.code, CVM_E_JWS_KEY);
    jws.data[jws.len - 8] = jws.data[jws.len - 8] == 'A' ? 'B' : 'A';
    assert_int_equal(cvm_receipt_verify(&m, &key.pub, jws.data, jws.len, &got, &err), -1);
    assert_int_equal(err.code, CVM_E_JWS_SIGNATURE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_failed_run),
        cmocka_unit_test(test_refuses),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
