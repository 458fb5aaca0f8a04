#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/evidence/bundle.h"
#include "core/manifest/test-fixture.h"
#include "core/record/report-data.h"

static void make(struct cvm_bundle *b, bool with_nonce)
{
    *b = (struct cvm_bundle){0};
    memcpy(b->platform, "sim-process", 12);
    uint8_t report[CVM_REPORT_LEN];
    memset(report, 0xa5, sizeof(report));
    cvm_buf_append(&b->report, report, sizeof(report));
    assert_int_equal(cvm_certificates_add_der(&b->certificates, "first", 5, NULL), 0);
    assert_int_equal(cvm_certificates_add_der(&b->certificates, "second", 6, NULL), 0);
    CVM_AUTO_KEY struct cvm_key sign = fixture_key(9, CVM_ED25519);
    CVM_AUTO_KEY struct cvm_key seal = fixture_key(9, CVM_X25519);
    b->sign = sign.pub;
    b->seal = seal.pub;
    b->manifest = cvm_sha256("m", 1);
    b->transcript_n = 4;
    b->transcript_head = cvm_sha256("h", 1);
    if (!with_nonce)
        return;
    const struct cvm_bytes nonces[2] = {CVM_STR("0123456789abcdef"), CVM_STR("fedcba9876543210")};
    memcpy(b->nonce, nonces[1].data, 16);
    b->nonce_len = 16;
    b->path = cvm_nonce_tree_path(nonces, 2, 1);
}

static void test_round_trip(void **state)
{
    (void)state;
    for (int with = 0; with < 2; with++) {
        CVM_AUTO_BUNDLE struct cvm_bundle b, back = {0};
        make(&b, with);
        CVM_AUTO_BUF struct cvm_buf x = {0}, y = {0};
        struct cvm_error err = {0};
        assert_int_equal(cvm_bundle_write(&b, &x, &err), 0);
        if (cvm_bundle_parse(x.data, x.len, &back, &err) < 0)
            fail_msg("%s", err.message);
        assert_int_equal(cvm_bundle_write(&back, &y, &err), 0);
        assert_int_equal(x.len, y.len);
        assert_memory_equal(x.data, y.data, x.len);
        assert_int_equal(back.nonce_len, with ? 16 : 0);
        assert_string_equal(back.platform, "sim-process");
        assert_int_equal(back.certificates.n, 2);
        assert_int_equal(back.transcript_n, 4);
        uint8_t p[64], q[64];
        assert_int_equal(cvm_bundle_report_data(&b, p, NULL), 0);
        assert_int_equal(cvm_bundle_report_data(&back, q, NULL), 0);
        assert_memory_equal(p, q, 64);
    }
}

/* REPORT_DATA written out once more, from the text of doc/PROTOCOL.md. */
static void test_report_data(void **state)
{
    (void)state;
    CVM_AUTO_BUNDLE struct cvm_bundle b;
    make(&b, true);
    uint8_t node[65] = {1}, leaf[17] = {0};
    memcpy(leaf + 1, "0123456789abcdef", 16);
    struct cvm_digest left = cvm_sha256(leaf, sizeof(leaf));
    memcpy(leaf + 1, "fedcba9876543210", 16);
    struct cvm_digest right = cvm_sha256(leaf, sizeof(leaf));
    memcpy(node + 1, left.b, 32);
    memcpy(node + 33, right.b, 32);
    struct cvm_digest root = cvm_sha256(node, sizeof(node));
    const struct cvm_bytes parts[] = {
        CVM_BYTES(b.sign.b, 32), CVM_BYTES(b.seal.b, 32), CVM_DIGEST_BYTES(&b.manifest),
        CVM_DIGEST_BYTES(&b.transcript_head), CVM_DIGEST_BYTES(&root)};
    uint8_t want[64], got[64];
    cvm_label_sha512("2cvm/report-data/1", parts, 5, want);
    assert_int_equal(cvm_bundle_report_data(&b, got, NULL), 0);
    assert_memory_equal(want, got, 64);
}

static const struct {
    const char *where, *value;
} bad[] = {
    {"version", "2"},
    {"version", NULL},
    {"extra", "1"},
    {"platform", "\"a-platform-with-a-very-long-name\""},
    {"platform", "7"},
    {"report", "\"AAA=\""},
    {"report", "\"!!!!\""},
    {"report", NULL},
    {"certificates", "{}"},
    {"certificates.+", "\"\""},
    {"certificates.+", "7"},
    {"session.sign", NULL},
    {"session.sign.crv", "\"X25519\""},
    {"session.seal.x", "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\""},
    {"session.other", "1"},
    {"manifest", "\"sha256:00\""},
    {"manifest", "\"sha512:00\""},
    {"transcript.n", "-1"},
    {"transcript.head", NULL},
    {"nonce", NULL},
    {"nonce", "\"MDEyMzQ1Njc4OWFiY2Rl\""}, /* 15 bytes */
    {"path", NULL},
    {"path.index", "2"},
    {"path.size", "0"},
    {"path.size", "1025"},
    {"path.hashes.0", "7"},
    {"path.hashes.0", "\"sha256:zz\""},
    {"path.more", "1"},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CVM_AUTO_BUNDLE struct cvm_bundle b, back = {0};
        make(&b, true);
        CVM_AUTO_BUF struct cvm_buf x = {0}, y = {0};
        assert_int_equal(cvm_bundle_write(&b, &x, NULL), 0);
        CVM_AUTO_JSON json_t *o = cvm_json_parse(x.data, x.len, NULL);
        fixture_edit(o, bad[i].where, bad[i].value);
        assert_int_equal(cvm_json_write(o, &y, NULL), 0);
        struct cvm_error err = {0};
        if (cvm_bundle_parse(y.data, y.len, &back, &err) == 0)
            fail_msg("%s = %s is accepted", bad[i].where, bad[i].value);
        assert_int_not_equal(err.code, CVM_OK);
        assert_int_equal(back.certificates.n, 0);
    }
}

static void test_form(void **state)
{
    (void)state;
    CVM_AUTO_BUNDLE struct cvm_bundle b, back = {0};
    make(&b, true);
    CVM_AUTO_BUF struct cvm_buf x = {0};
    assert_int_equal(cvm_bundle_write(&b, &x, NULL), 0);
    struct cvm_error err = {0};
    assert_int_equal(cvm_bundle_parse(x.data, x.len - 1, &back, &err), -1);
    cvm_buf_append_str(&x, "\n");
    assert_int_equal(cvm_bundle_parse(x.data, x.len, &back, &err), -1);
    assert_int_equal(err.code, CVM_E_JSON_NOT_CANONICAL);
    cvm_buf_extend(&x, CVM_BUNDLE_MAX);
    assert_int_equal(cvm_bundle_parse(x.data, x.len, &back, &err), -1);
    assert_int_equal(err.code, CVM_E_BUNDLE_FORMAT);
    /* A path of another length than index and size demand leads to no root. */
    b.path.n = 0;
    uint8_t data[64];
    assert_int_equal(cvm_bundle_report_data(&b, data, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_report_data),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
