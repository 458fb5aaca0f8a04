#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/json.h"
#include "core/evidence/line.h"
#include "core/evidence/report.h"

/* Every field filled with bytes of its own, so that a field read from another's place shows. */
static void filled(uint64_t version, struct cvm_report *ret)
{
    struct cvm_report r = {0};
    uint8_t next = 1;
#define UINT(name, offset, bytes, since, text)                                                     \
    for (size_t i = 0; version >= (since) && i < (bytes); i++)                                     \
        r.name |= (uint64_t)next++ << (8 * i);
#define BYTES(name, offset, bytes, since, text)                                                    \
    for (size_t i = 0; version >= (since) && i < (bytes); i++)                                     \
        r.name[i] = next++;
#define TCB(name, offset, since, text)                                                             \
    for (size_t i = 0; i < 8; i++)                                                                 \
        r.name[i] = next++;
#define ZERO(offset, bytes)
#include "core/evidence/report-fields.def"
#undef UINT
#undef BYTES
#undef TCB
#undef ZERO
    r.version = version;
    cvm_report_write(&r, r.raw);
    *ret = r;
}

static const uint64_t versions[] = {2, 3, 5};

static void test_round_trip(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct cvm_report r, back;
        filled(versions[i], &r);
        struct cvm_error err = {0};
        if (cvm_report_parse(r.raw, CVM_REPORT_LEN, &back, &err) < 0)
            fail_msg("version %d: %s", (int)versions[i], err.message);
        uint8_t again[CVM_REPORT_LEN];
        cvm_report_write(&back, again);
        assert_memory_equal(again, r.raw, CVM_REPORT_LEN);
        assert_int_equal(cvm_report_diff(&r, &back, &(struct cvm_buf){0}), 0);
    }
}

static void test_places(void **state)
{
    (void)state;
    uint8_t raw[CVM_REPORT_LEN] = {0};
    raw[0] = 5;
    raw[0x0a] = 0x0a; /* policy: bits 17 and 19 */
    raw[0x30] = 3;
    raw[0x50] = 0x11;
    raw[0x90] = 0x22;
    raw[0xc0] = 0x33;
    raw[0x188] = 0x1a;
    raw[0x189] = 0x02;
    raw[0x1a0] = 0x44;
    raw[0x1f8] = 0x3f;
    raw[0x2a0] = 0x55;
    raw[0x2e8] = 0x66;
    struct cvm_report r;
    assert_int_equal(cvm_report_parse(raw, sizeof(raw), &r, NULL), 0);
    assert_int_equal(r.policy, CVM_POLICY_RESERVED1 | CVM_POLICY_DEBUG);
    assert_int_equal(r.vmpl, 3);
    assert_int_equal(r.report_data[0], 0x11);
    assert_int_equal(r.measurement[0], 0x22);
    assert_int_equal(r.host_data[0], 0x33);
    assert_int_equal(cvm_line_by_cpuid(r.cpuid_family, r.cpuid_model), CVM_LINE_TURIN);
    assert_int_equal(r.chip_id[0], 0x44);
    assert_int_equal(r.launch_mit_vector, 0x3f);
    assert_int_equal(r.signature_r[0], 0x55);
    assert_int_equal(r.signature_s[0], 0x66);
}

static void refused(const uint8_t *raw, size_t len, const char *what)
{
    struct cvm_report r;
    memset(&r, 0x7e, sizeof(r));
    struct cvm_error err = {0};
    if (cvm_report_parse(raw, len, &r, &err) == 0)
        fail_msg("%s is accepted", what);
    assert_int_equal(err.code, CVM_E_REPORT_FORMAT);
    assert_int_equal(((uint8_t *)&r)[0], 0x7e); /* untouched */
}

static void test_refusals(void **state)
{
    (void)state;
    struct cvm_report r;
    uint8_t raw[CVM_REPORT_LEN + 20] = {0};
    filled(3, &r);
    memcpy(raw, r.raw, CVM_REPORT_LEN);
    refused(raw, 0, "nothing");
    refused(raw, CVM_REPORT_LEN - 1, "a short report");
    refused(raw, CVM_REPORT_LEN + 20, "a long report");
    const uint8_t unknown[] = {0, 1, 4, 6, 255};
    for (size_t i = 0; i < sizeof(unknown); i++) {
        raw[0] = unknown[i];
        refused(raw, CVM_REPORT_LEN, "an unknown version");
    }
    raw[0] = 3;
    raw[3] = 1;
    refused(raw, CVM_REPORT_LEN, "a version above one byte");
    raw[3] = 0;
    const size_t reserved[] = {0x4c, 0x4f, 0x18b, 0x19f, 0x1eb, 0x1ef, 0x208, 0x29f, 0x330, 0x49f};
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
        raw[reserved[i]] = 1;
        refused(raw, CVM_REPORT_LEN, "a reserved byte");
        raw[reserved[i]] = 0;
    }
    raw[0x1f8] = 1;
    refused(raw, CVM_REPORT_LEN, "a mitigation vector in version 3");
    raw[0x1f8] = 0;
    raw[0] = 2;
    refused(raw, CVM_REPORT_LEN, "a processor in version 2");
}

static void test_text(void **state)
{
    (void)state;
    struct cvm_report a, b;
    filled(3, &a);
    filled(5, &b);
    b.vmpl = 0;
    CVM_AUTO_BUF struct cvm_buf text = {0}, diff = {0};
    a.policy = CVM_POLICY_DEBUG | 1ULL << 40;
    cvm_report_print(&a, &text);
    assert_non_null(strstr(cvm_buf_cstr(&text), "bit 19 debug"));
    assert_non_null(strstr(cvm_buf_cstr(&text), "bit 40 (no name known)"));
    assert_null(strstr(cvm_buf_cstr(&text), "launch_mit_vector"));
    assert_true(cvm_report_diff(&a, &b, &diff) >= 4);
    assert_non_null(strstr(cvm_buf_cstr(&diff), "version: 3 -> 5"));
    assert_non_null(strstr(cvm_buf_cstr(&diff), "launch_mit_vector: (absent) -> "));
    CVM_AUTO_JSON json_t *o = cvm_report_json(&a);
    assert_int_equal(json_integer_value(json_object_get(o, "version")), 3);
    assert_string_equal(json_string_value(json_object_get(o, "policy")), "0x0000010000080000");
    assert_int_equal(strlen(json_string_value(json_object_get(o, "chip_id"))), 128);
}

static void test_tcb(void **state)
{
    (void)state;
    const uint8_t raw[8] = {1, 2, 3, 4, 0, 0, 7, 8};
    struct cvm_tcb a = cvm_tcb_decode(raw, CVM_TCB_ZEN3), b = cvm_tcb_decode(raw, CVM_TCB_ZEN5);
    const struct cvm_tcb zen3 = {-1, 1, 2, 7, 8}, zen5 = {1, 2, 3, 4, 8};
    assert_true(cvm_tcb_equal(&a, &zen3));
    assert_true(cvm_tcb_equal(&b, &zen5));
    uint8_t out[8];
    cvm_tcb_encode(&zen5, CVM_TCB_ZEN5, out);
    assert_memory_equal(out, ((const uint8_t[]){1, 2, 3, 4, 0, 0, 0, 8}), 8);
    cvm_tcb_encode(&zen3, CVM_TCB_ZEN3, out);
    assert_memory_equal(out, ((const uint8_t[]){1, 2, 0, 0, 0, 0, 7, 8}), 8);
    /* One part lower is lower, however high the others are: never one number. */
    struct cvm_tcb low = {-1, 0, 255, 255, 255};
    assert_false(cvm_tcb_at_least(&low, &zen3));
    assert_true(cvm_tcb_at_least(&zen3, &zen3));
    assert_int_equal(cvm_line_by_cpuid(0x19, 0x01), CVM_LINE_MILAN);
    assert_int_equal(cvm_line_by_cpuid(0x19, 0xa0), CVM_LINE_GENOA);
    assert_int_equal(cvm_line_by_cpuid(0x19, 0x20), CVM_LINE_UNKNOWN);
    assert_int_equal(cvm_line_by_cpuid(0, 0), CVM_LINE_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_places),
        cmocka_unit_test(test_refusals),   cmocka_unit_test(test_text),
        cmocka_unit_test(test_tcb),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
