/* Genuine evidence of AMD's chips, under the roots that are pinned in this program. */
#include "core/evidence/test-vectors.h"

#include "core/evidence/appraise.h"

static void show(const struct cvm_appraisal *a, const char *name)
{
    CVM_AUTO_BUF struct cvm_buf text = {0};
    cvm_appraisal_print(a, &text);
    print_message("%s:\n%s", name, cvm_buf_cstr(&text));
}

static struct cvm_appraisal check(const struct vector *report, const struct vector *chain,
                                  const struct cvm_expectations *e)
{
    CVM_AUTO_BUF struct cvm_buf b = vector_file(report->report);
    CVM_AUTO_CERTIFICATES struct cvm_certificates c = {0};
    vector_certificates(chain, &c);
    struct cvm_appraisal a;
    cvm_evidence_check(b.data, b.len, &c, e, &a);
    return a;
}

static void test_genuine(void **state)
{
    (void)state;
    if (!vectors_here())
        skip();
    for (size_t i = 0; i < N_VECTORS; i++) {
        const struct vector *v = &vectors[i];
        const struct cvm_expectations e = {.time = v->time};
        struct cvm_appraisal a = check(v, v, &e);
        if (a.outcome != CVM_OUTCOME_VERIFIED) {
            show(&a, v->name);
            fail_msg("%s is refused", v->name);
        }
        assert_int_equal(a.vek.line, v->line);
        assert_int_equal(a.vek.kind, v->kind);
        assert_int_equal(cvm_appraisal_exit_code(&a), 0);
    }
}

static void test_mixed(void **state)
{
    (void)state;
    if (!vectors_here())
        skip();
    for (size_t i = 0; i < N_VECTORS; i++)
        for (size_t k = 0; k < N_VECTORS; k++) {
            if (i == k)
                continue;
            const struct cvm_expectations e = {.time = vectors[k].time};
            struct cvm_appraisal a = check(&vectors[i], &vectors[k], &e);
            if (a.outcome != CVM_OUTCOME_REFUSED)
                fail_msg("%s passes with the chain of %s", vectors[i].name, vectors[k].name);
        }
}

/* All 9,472: the signed bytes, the signature, and what must be zero around it. */
static void test_bits_of_a_report(void **state)
{
    (void)state;
    if (!vectors_here())
        skip();
    const struct cvm_expectations e = {.time = vectors[4].time};
    struct cvm_appraisal right = check(&vectors[4], &vectors[4], &e);
    assert_int_equal(right.outcome, CVM_OUTCOME_VERIFIED);
    CVM_AUTO_BUF struct cvm_buf b = vector_file(vectors[4].report);
    for (size_t bit = 0; bit < 8 * CVM_REPORT_LEN; bit++) {
        b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        struct cvm_report r;
        if (cvm_report_parse(b.data, b.len, &r, NULL) == 0 &&
            cvm_report_verify_signature(&r, right.vek.public_key, NULL) == 0)
            fail_msg("bit %zu of the report can be changed", bit);
        b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void test_production(void **state)
{
    (void)state;
    if (!vectors_here())
        skip();
    const struct cvm_expectations debug = {.time = AT_2025, .production = true};
    struct cvm_appraisal a = check(&vectors[0], &vectors[0], &debug);
    assert_int_equal(a.outcome, CVM_OUTCOME_REFUSED);
    assert_int_equal(a.checks[CVM_CHECK_DEBUG].verdict, CVM_VERDICT_FAIL);
    /* Newer microcode runs than the host is bound to keep. */
    a = check(&vectors[2], &vectors[2], &(struct cvm_expectations){.time = AT_2025});
    assert_int_equal(a.outcome, CVM_OUTCOME_VERIFIED);
    a = check(&vectors[2], &vectors[2],
              &(struct cvm_expectations){.time = AT_2025, .committed_only = true});
    assert_int_equal(a.outcome, CVM_OUTCOME_REFUSED);
    assert_int_equal(a.checks[CVM_CHECK_FIRMWARE].verdict, CVM_VERDICT_FAIL);
    a = check(&vectors[5], &vectors[5], &debug);
    assert_int_equal(a.outcome, CVM_OUTCOME_REFUSED);
    assert_int_equal(a.checks[CVM_CHECK_VMPL].verdict, CVM_VERDICT_FAIL);
    a = check(&vectors[4], &vectors[4],
              &(struct cvm_expectations){.time = 1780000000, .production = true});
    assert_int_equal(a.outcome, CVM_OUTCOME_VERIFIED);
}

static void test_expired(void **state)
{
    (void)state;
    if (!vectors_here())
        skip();
    /* The VLEK ended on 2025-12-10. */
    const struct cvm_expectations late = {.time = 1780000000};
    struct cvm_appraisal a = check(&vectors[5], &vectors[5], &late);
    assert_int_equal(a.outcome, CVM_OUTCOME_REFUSED);
    assert_int_equal(a.checks[CVM_CHECK_VALIDITY].verdict, CVM_VERDICT_FAIL);
    assert_int_equal(a.checks[CVM_CHECK_SIGNATURE].verdict, CVM_VERDICT_PASS);
}

static void test_bogus_chip(void **state)
{
    (void)state;
    if (!vectors_here())
        skip();
    const char *const files[] = {"negative/test-vcek-invalid-legacy.der",
                                 "negative/test-vcek-invalid-new.der"};
    for (size_t i = 0; i < 2; i++) {
        struct vector v = vectors[2];
        v.files[1] = files[i];
        const struct cvm_expectations e = {.time = AT_2025};
        struct cvm_appraisal a = check(&vectors[2], &v, &e);
        assert_int_equal(a.outcome, CVM_OUTCOME_REFUSED);
        assert_int_equal(a.checks[CVM_CHECK_CHAIN].verdict, CVM_VERDICT_FAIL);
    }
}

static void test_expectations(void **state)
{
    (void)state;
    if (!vectors_here())
        skip();
    struct cvm_report r;
    vector_report(&vectors[3], &r);
    uint8_t host[32], data[64], measured[1][48];
    memcpy(host, r.host_data, 32);
    memcpy(data, r.report_data, 64);
    memcpy(measured[0], r.measurement, 48);
    const struct cvm_tcb low = {-1, 0, 0, 0, 0}, high = {-1, 0, 0, 0, 255};
    struct cvm_expectations e = {.time = vectors[3].time,
                                 .host_data = host,
                                 .report_data = data,
                                 .measurements = measured,
                                 .n_measurements = 1,
                                 .min_tcb = &low};
    assert_int_equal(check(&vectors[3], &vectors[3], &e).outcome, CVM_OUTCOME_VERIFIED);
    host[0] ^= 1;
    assert_int_equal(check(&vectors[3], &vectors[3], &e).checks[CVM_CHECK_HOST_DATA].verdict,
                     CVM_VERDICT_FAIL);
    host[0] ^= 1;
    data[63] ^= 1;
    assert_int_equal(check(&vectors[3], &vectors[3], &e).outcome, CVM_OUTCOME_REFUSED);
    data[63] ^= 1;
    measured[0][5] ^= 1;
    assert_int_equal(check(&vectors[3], &vectors[3], &e).outcome, CVM_OUTCOME_REFUSED);
    measured[0][5] ^= 1;
    e.min_tcb = &high;
    assert_int_equal(check(&vectors[3], &vectors[3], &e).checks[CVM_CHECK_MIN_TCB].verdict,
                     CVM_VERDICT_FAIL);
}

/* Leaves those without which the chain does not verify. */
static void drop_unused(struct cvm_certificates *c)
{
    for (size_t k = 0; k < c->n;) {
        struct cvm_vek vek;
        struct cvm_buf one = c->der[k];
        c->der[k] = c->der[c->n - 1];
        c->der[--c->n] = (struct cvm_buf){0};
        if (cvm_certificates_verify(c, &vek, NULL) == 0) {
            cvm_buf_free(&one);
            continue;
        }
        c->der[c->n++] = c->der[k];
        c->der[k++] = one;
    }
}

/* The chain alone: every bit of one chain's certificates, every eleventh of the others'. */
static void test_bits_of_certificates(void **state)
{
    (void)state;
    if (!vectors_here())
        skip();
    const struct {
        size_t vector, step;
    } runs[] = {{4, 1}, {3, 11}, {5, 11}};
    for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
        CVM_AUTO_CERTIFICATES struct cvm_certificates c = {0};
        vector_certificates(&vectors[runs[i].vector], &c);
        struct cvm_vek vek;
        assert_int_equal(cvm_certificates_verify(&c, &vek, NULL), 0);
        drop_unused(&c);
        assert_int_equal(c.n, 3);
        for (size_t k = 0; k < c.n; k++)
            for (size_t bit = runs[i].step > 1 ? k : 0; bit < 8 * c.der[k].len;
                 bit += runs[i].step) {
                c.der[k].data[bit / 8] ^= (uint8_t)(1 << bit % 8);
                if (cvm_certificates_verify(&c, &vek, NULL) == 0)
                    fail_msg("%s: bit %zu of certificate %zu can be changed",
                             vectors[runs[i].vector].name, bit, k);
                c.der[k].data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            }
        assert_int_equal(cvm_certificates_verify(&c, &vek, NULL), 0);
    }
}

static void test_roots(void **state)
{
    (void)state;
    if (!vectors_here())
        skip();
    /* Roots alone, a chain without root, and one root in the place of another lead nowhere. */
    CVM_AUTO_CERTIFICATES struct cvm_certificates c = {0};
    struct vector v = vectors[4];
    v.files[2] = "roots/milan_ark.pem";
    vector_certificates(&v, &c);
    struct cvm_vek vek;
    struct cvm_error err = {0};
    assert_int_equal(cvm_certificates_verify(&c, &vek, &err), -1);
    assert_int_equal(err.code, CVM_E_EVIDENCE_REFUSED);
    cvm_certificates_free(&c);
    v.files[2] = NULL;
    vector_certificates(&v, &c);
    assert_int_equal(cvm_certificates_verify(&c, &vek, &err), -1);
    assert_non_null(strstr(err.message, "no pinned root"));
    /* All roots together do not disturb. */
    cvm_certificates_free(&c);
    vector_certificates(&vectors[4], &c);
    const char *const more[] = {"roots/turin_ark.pem", "roots/milan_ask_ark_asvk.pem"};
    for (size_t i = 0; i < 2; i++) {
        CVM_AUTO_BUF struct cvm_buf b = vector_file(more[i]);
        assert_int_equal(cvm_certificates_add(&c, b.data, b.len, NULL), 0);
    }
    assert_int_equal(cvm_certificates_verify(&c, &vek, NULL), 0);
    assert_int_equal(vek.unused, 4);
}

/* As a host hands certificates over: GUIDs, offsets, DER and PEM inside, in any order. */
static void test_table(void **state)
{
    (void)state;
    if (!vectors_here())
        skip();
    static const uint8_t guids[4][16] = {
        {0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac,
         0xcd},
        {0x4a, 0xb7, 0xb3, 0x79, 0xbb, 0xac, 0x4f, 0xe4, 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7,
         0x82},
        {0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03, 0x49, 0x52, 0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0,
         0xae},
        {1, 2, 3}, /* something else: passed over */
    };
    CVM_AUTO_BUF struct cvm_buf table = {0};
    cvm_buf_extend(&table, 5 * 24);
    for (size_t i = 0; i < 4; i++) {
        CVM_AUTO_BUF struct cvm_buf file =
            vector_file(i < 3 ? vectors[4].files[i] : vectors[4].report);
        uint32_t entry[2] = {(uint32_t)table.len, (uint32_t)file.len};
        memcpy(table.data + 24 * (3 - i), guids[i], 16);
        memcpy(table.data + 24 * (3 - i) + 16, entry, 8);
        cvm_buf_append(&table, file.data, file.len);
    }
    CVM_AUTO_CERTIFICATES struct cvm_certificates c = {0};
    assert_int_equal(cvm_certificates_add(&c, table.data, table.len, NULL), 0);
    assert_int_equal(c.n, 3);
    struct cvm_vek vek;
    assert_int_equal(cvm_certificates_verify(&c, &vek, NULL), 0);
    /* An offset or a length beyond the end, also when their sum wraps; a table without end. */
    for (size_t at = 16; at < 24; at += 4) {
        uint8_t before = table.data[at + 3];
        table.data[at + 3] = 0xff;
        assert_int_equal(cvm_certificates_add(&c, table.data, table.len, NULL), -1);
        table.data[at + 3] = before;
    }
    assert_int_equal(cvm_certificates_add(&c, table.data, 4 * 24, NULL), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_genuine),
        cmocka_unit_test(test_mixed),
        cmocka_unit_test(test_production),
        cmocka_unit_test(test_expired),
        cmocka_unit_test(test_bogus_chip),
        cmocka_unit_test(test_expectations),
        cmocka_unit_test(test_roots),
        cmocka_unit_test(test_bits_of_a_report),
        cmocka_unit_test(test_bits_of_certificates),
        cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
