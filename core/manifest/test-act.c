#include "core/manifest/test-fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/seal/jws.h"

static struct cvm_manifest m;
static struct cvm_digest session = {{1, 2, 3}};

static int setup(void **state)
{
    (void)state;
    fixture_manifest(&m);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cvm_manifest_free(&m);
    return 0;
}

static struct cvm_act release_of(int participant)
{
    struct cvm_act act = {
        .kind = CVM_ACT_RELEASE, .participant = participant, .seq = 7, .nonce_len = 16};
    memset(act.nonce, 0x5a, 16);
    act.n_items = cvm_act_wants(&m, participant, act.items);
    for (uint32_t i = 0; i < act.n_items; i++)
        memset(&act.items[i].sealed, (int)i + 1, sizeof act.items[i].sealed);
    return act;
}

static void test_release_round_trip(void **state)
{
    (void)state;
    for (int p = 0; p < 3; p++) {
        CVM_AUTO_KEY struct cvm_key key = fixture_key(p, CVM_ED25519);
        CVM_AUTO_BUF struct cvm_buf jws = {0};
        struct cvm_act act = release_of(p), got;
        assert_int_equal(cvm_act_make(&m, &session, &act, &key, &jws, NULL), 0);
        assert_int_equal(cvm_act_verify(&m, &session, jws.data, jws.len, &got, NULL), 0);
        assert_int_equal(got.participant, p);
        assert_int_equal(got.seq, 7);
        assert_int_equal(got.nonce_len, 16);
        assert_int_equal(got.n_items, p == 1 ? 3 : 2); /* clean, rows-b, seed */
        assert_int_equal(got.items[got.n_items - 1].item, -1);
        assert_memory_equal(got.items[0].sealed.ct, act.items[0].sealed.ct,
                            sizeof got.items[0].sealed.ct);
        struct cvm_digest named;
        assert_int_equal(cvm_act_read(&m, jws.data, jws.len, &got, &named, NULL), 0);
        assert_memory_equal(named.b, session.b, sizeof named.b);
    }
}

static void test_other_kinds(void **state)
{
    (void)state;
    CVM_AUTO_KEY struct cvm_key key = fixture_key(0, CVM_ED25519);
    struct cvm_act got, acts[] = {
                            {.kind = CVM_ACT_APPROVE,
                             .seq = 1,
                             .output = 1,
                             .transcript_n = 9,
                             .transcript_head = {{4}}},
                            {.kind = CVM_ACT_TIME, .seq = 2, .time = 1700000000},
                            {.kind = CVM_ACT_ABORT, .seq = 3},
                        };
    for (size_t i = 0; i < 3; i++) {
        CVM_AUTO_BUF struct cvm_buf jws = {0};
        assert_int_equal(cvm_act_make(&m, &session, &acts[i], &key, &jws, NULL), 0);
        assert_int_equal(cvm_act_verify(&m, &session, jws.data, jws.len, &got, NULL), 0);
        assert_memory_equal(&got, &acts[i], sizeof got);
    }
}

static void expect(const void *jws, size_t len, enum cvm_code code)
{
    struct cvm_act got;
    struct cvm_error err = {0};
    assert_int_equal(cvm_act_verify(&m, &session, jws, len, &got, &err), -1);
    if (err.code != code)
        fail_msg("%s (%s), not %s", cvm_code_info(err.code)->name, err.message,
                 cvm_code_info(code)->name);
}

/* A release of participant 1 with one member edited, signed by key n. */
static void expect_edited(const char *where, const char *value, int signer, enum cvm_code code)
{
    CVM_AUTO_KEY struct cvm_key own = fixture_key(1, CVM_ED25519),
                                key = fixture_key(signer, CVM_ED25519);
    CVM_AUTO_BUF struct cvm_buf jws = {0}, payload = {0}, edited = {0};
    struct cvm_act act = release_of(1);
    assert_int_equal(cvm_act_make(&m, &session, &act, &own, &jws, NULL), 0);
    CVM_AUTO_JWS struct cvm_jws parsed = {0};
    assert_int_equal(cvm_jws_parse(jws.data, jws.len, &parsed, NULL), 0);
    CVM_AUTO_JSON json_t *o = cvm_json_parse(parsed.payload.data, parsed.payload.len, NULL);
    if (where)
        fixture_edit(o, where, value);
    assert_int_equal(cvm_json_write(o, &payload, NULL), 0);
    assert_int_equal(cvm_jws_create(&key, CVM_JWS_ACT, payload.data, payload.len, &edited, NULL),
                     0);
    expect(edited.data, edited.len, code);
}

static void test_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *where, *value;
        enum cvm_code code;
    } BAD[] = {
        {"version", "2", CVM_E_ACT_FORMAT},
        {"manifest", "\"sha256:0000000000000000000000000000000000000000000000000000000000000000\"",
         CVM_E_ACT_MANIFEST},
        {"manifest", "\"0\"", CVM_E_ACT_FORMAT},
        {"session", "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"", CVM_E_ACT_SESSION},
        {"session", "\"AAAA\"", CVM_E_ACT_FORMAT},
        {"participant", "\"clinic-a\"", CVM_E_JWS_KEY},
        {"seq", "0", CVM_E_ACT_FORMAT},
        {"seq", "\"1\"", CVM_E_ACT_FORMAT},
        {"act", "\"withdraw\"", CVM_E_ACT_FORMAT},
        {"act", "\"item\"", CVM_E_ACT_FORMAT},
        {"act", "\"time\"", CVM_E_ACT_FORMAT}, /* members of another kind */
        {"nonce", "\"AAAA\"", CVM_E_ACT_FORMAT},
        {"nonce", "\"AAAAAAAAAAAAAAAAAAAAA=\"", CVM_E_ACT_FORMAT},
        {"nonce", NULL, CVM_E_ACT_FORMAT},
        {"note", "1", CVM_E_ACT_FORMAT},
        {"items", "[]", CVM_E_ACT_ITEM},
        {"items.0", NULL, CVM_E_ACT_ITEM},
        {"items.0.id", "\"train\"", CVM_E_ACT_ITEM},
        {"items.0.id", "\"rows-b\"", CVM_E_ACT_ITEM},
        {"items.2.id", "\"rows-b\"", CVM_E_ACT_ITEM},
        {"items.0.ct", "\"AAAA\"", CVM_E_ACT_FORMAT},
        {"items.0.enc", NULL, CVM_E_ACT_FORMAT},
        {"items.0.key", "1", CVM_E_ACT_FORMAT},
    };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++)
        expect_edited(BAD[i].where, BAD[i].value, 1, BAD[i].code);
    expect_edited(NULL, NULL, 0, CVM_E_JWS_KEY);
    expect_edited(NULL, NULL, 9, CVM_E_NOT_A_PARTICIPANT);
}

static void test_refuses_forged_statements(void **state)
{
    (void)state;
    CVM_AUTO_KEY struct cvm_key key = fixture_key(0, CVM_ED25519);
    CVM_AUTO_BUF struct cvm_buf jws = {0}, typ = {0};
    struct cvm_act act = release_of(0);
    assert_int_equal(cvm_act_make(&m, &session, &act, &key, &jws, NULL), 0);
    uint8_t was = jws.data[jws.len - 10];
    jws.data[jws.len - 10] = was == 'A' ? 'B' : 'A';
    expect(jws.data, jws.len, CVM_E_JWS_SIGNATURE);
    jws.data[jws.len - 10] = was;
    expect(jws.data, jws.len - 1, CVM_E_JWS_FORMAT);
    expect("", 0, CVM_E_JWS_FORMAT);
    assert_int_equal(cvm_jws_create(&key, CVM_JWS_RECEIPT, "{}", 2, &typ, NULL), 0);
    expect(typ.data, typ.len, CVM_E_JWS_TYPE);
    CVM_AUTO_FREE char *large = cvm_alloc(CVM_ACT_MAX + 1);
    expect(large, CVM_ACT_MAX + 1, CVM_E_TOO_LARGE);
}

static void test_make_refuses(void **state)
{
    (void)state;
    CVM_AUTO_KEY struct cvm_key key = fixture_key(1, CVM_ED25519),
                                other = fixture_key(2, CVM_ED25519);
    CVM_AUTO_BUF struct cvm_buf jws = {0};
    struct cvm_error err = {0};
    struct cvm_act act = release_of(1);
    assert_int_equal(cvm_act_make(&m, &session, &act, &other, &jws, &err), -1);
    assert_int_equal(err.code, CVM_E_JWS_KEY);
    act.n_items--;
    assert_int_equal(cvm_act_make(&m, &session, &act, &key, &jws, &err), -1);
    assert_int_equal(err.code, CVM_E_ACT_ITEM);
    act = release_of(1);
    act.items[0].item = 2;
    assert_int_equal(cvm_act_make(&m, &session, &act, &key, &jws, &err), -1);
    assert_int_equal(err.code, CVM_E_ACT_ITEM);
    act = (struct cvm_act){.kind = CVM_ACT_APPROVE, .participant = 1, .seq = 1, .output = 3};
    assert_int_equal(cvm_act_make(&m, &session, &act, &key, &jws, &err), -1);
    assert_int_equal(err.code, CVM_E_ACT_OUTPUT);
    assert_int_equal(jws.len, 0);
}

static void test_commitments(void **state)
{
    (void)state;
    struct cvm_buf jws[3] = {{0}};
    struct cvm_commitment set[4];
    struct cvm_error err = {0};
    for (int p = 0; p < 3; p++) {
        CVM_AUTO_KEY struct cvm_key key = fixture_key(p, CVM_ED25519);
        assert_int_equal(cvm_commitment_make(&m, p, &key, &jws[p], NULL), 0);
        set[p] = (struct cvm_commitment){m.participants[p].id, jws[p].data, jws[p].len};
    }
    assert_int_equal(cvm_commitment_check_all(&m, set, 3, NULL), 0);
    assert_int_equal(cvm_commitment_check_all(&m, set, 2, &err), -1);
    assert_int_equal(err.code, CVM_E_COMMITMENT_MISSING);
    set[3] = set[0];
    assert_int_equal(cvm_commitment_check_all(&m, set, 4, &err), -1);
    assert_int_equal(err.code, CVM_E_EXISTS);
    set[1].jws = jws[2].data; /* another's commitment under this name */
    assert_int_equal(cvm_commitment_check_all(&m, set, 3, &err), -1);
    assert_int_equal(err.code, CVM_E_JWS_KEY);
    set[1] = (struct cvm_commitment){"outsider", jws[1].data, jws[1].len};
    assert_int_equal(cvm_commitment_check_all(&m, set, 3, &err), -1);
    assert_int_equal(err.code, CVM_E_NOT_A_PARTICIPANT);

    CVM_AUTO_KEY struct cvm_key wrong = fixture_key(1, CVM_ED25519);
    CVM_AUTO_BUF struct cvm_buf none = {0};
    assert_int_equal(cvm_commitment_make(&m, 0, &wrong, &none, &err), -1);
    assert_int_equal(err.code, CVM_E_JWS_KEY);

    /* Over other bytes: the same manifest with another title. */
    CVM_AUTO_JSON json_t *doc = fixture_document();
    fixture_edit(doc, "title", "\"Joint studies\"");
    CVM_AUTO_MANIFEST struct cvm_manifest other = {0};
    assert_int_equal(fixture_parse(doc, &other, NULL), 0);
    assert_int_equal(cvm_commitment_check(&other, 0, jws[0].data, jws[0].len, &err), -1);
    assert_int_equal(err.code, CVM_E_JWS_SIGNATURE);

    /* Of another type: an act of the right key. */
    CVM_AUTO_KEY struct cvm_key key = fixture_key(0, CVM_ED25519);
    CVM_AUTO_BUF struct cvm_buf act = {0};
    struct cvm_act abort_act = {.kind = CVM_ACT_ABORT, .seq = 1};
    assert_int_equal(cvm_act_make(&m, &session, &abort_act, &key, &act, NULL), 0);
    assert_int_equal(cvm_commitment_check(&m, 0, act.data, act.len, &err), -1);
    assert_int_equal(err.code, CVM_E_JWS_TYPE);
    for (int p = 0; p < 3; p++)
        cvm_buf_free(&jws[p]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_release_round_trip),
        cmocka_unit_test(test_other_kinds),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_refuses_forged_statements),
        cmocka_unit_test(test_make_refuses),
        cmocka_unit_test(test_commitments),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
