#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "core/base/encode.h"
#include "core/evidence/measure-sim.h"
#include "core/evidence/sim-device.h"

static char folder[] = "/tmp/2cvm-test-XXXXXX";

static void put(const char *name, const char *text)
{
    CVM_AUTO_FREE char *path = cvm_printf("%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    put("2cvm-agent", "agent");
    put("2cvm-compile", "compile");
    put("2cvm-cell", "cell");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < CVM_SIM_PROGRAMS; i++) {
        CVM_AUTO_FREE char *path = cvm_printf("%s/%s", folder, cvm_sim_program_names[i]);
        unlink(path);
    }
    for (size_t i = 0; i < CVM_SIM_VM_FILES; i++) {
        CVM_AUTO_FREE char *path = cvm_printf("%s/%s", folder, cvm_sim_vm_file_names[i]);
        unlink(path);
    }
    return rmdir(folder);
}

/* Computed apart from this code, by Python's hashlib, for the three files above and two processors.
 */
static const char expected[] = "db63b6abfc012ce9815e77fac30c9bd2924c3980014b860bf30f59c10828dd7e094"
                               "01a031a696b76127d35025de82bff";

static void test_folder(void **state)
{
    (void)state;
    uint8_t m[48];
    struct cvm_error err = {0};
    if (cvm_measure_sim_folder(folder, 2, m, &err) < 0)
        fail_msg("%s", err.message);
    CVM_AUTO_FREE char *hex = cvm_hex(m, sizeof(m));
    assert_string_equal(hex, expected);
    uint8_t other[48];
    assert_int_equal(cvm_measure_sim_folder(folder, 3, other, NULL), 0);
    assert_memory_not_equal(m, other, 48);
    put("2cvm-cell", "Cell");
    assert_int_equal(cvm_measure_sim_folder(folder, 2, other, NULL), 0);
    assert_memory_not_equal(m, other, 48);
    put("2cvm-cell", "cell");
}

static void test_refusals(void **state)
{
    (void)state;
    uint8_t m[48];
    struct cvm_error err = {0};
    assert_int_equal(cvm_measure_sim_folder("/nonexistent", 2, m, &err), -1);
    CVM_AUTO_FREE char *path = cvm_printf("%s/2cvm-cell", folder);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(cvm_measure_sim_folder(folder, 2, m, &err), -1);
    assert_int_equal(symlink("2cvm-agent", path), 0);
    assert_int_equal(cvm_measure_sim_folder(folder, 2, m, &err), -1);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(cvm_measure_sim_folder(folder, 2, m, &err), -1);
    assert_int_equal(unlink(path), 0);
    put("2cvm-cell", "cell");
}

/* As above, for the files below, two processors and 512 MiB. */
static const char expected_vm[] = "3d47351bfe8acc1d3c1aa9dd3ea3cbb1b4e55819e8f55e2bf255147305d4ea34"
                                  "3990222c278d6e3f7b69b0af99105c72";

static void put_vm(const char *cmdline)
{
    put("kernel", "kernel");
    put("initramfs", "initramfs");
    put("cmdline", cmdline);
}

static void test_vm(void **state)
{
    (void)state;
    uint8_t m[48], other[48];
    struct cvm_error err = {0};
    put_vm("loglevel=0\n");
    if (cvm_measure_sim_vm_folder(folder, 2, 512, m, &err) < 0)
        fail_msg("%s", err.message);
    CVM_AUTO_FREE char *hex = cvm_hex(m, sizeof(m));
    assert_string_equal(hex, expected_vm);
    put("cmdline", "loglevel=0");
    assert_int_equal(cvm_measure_sim_vm_folder(folder, 2, 512, other, NULL), 0);
    assert_memory_equal(m, other, 48);
    assert_int_equal(cvm_measure_sim_vm_folder(folder, 3, 512, other, NULL), 0);
    assert_memory_not_equal(m, other, 48);
    assert_int_equal(cvm_measure_sim_vm_folder(folder, 2, 513, other, NULL), 0);
    assert_memory_not_equal(m, other, 48);
    for (size_t i = 0; i < CVM_SIM_VM_FILES; i++) {
        put_vm("loglevel=0");
        put(cvm_sim_vm_file_names[i], "other");
        assert_int_equal(cvm_measure_sim_vm_folder(folder, 2, 512, other, NULL), 0);
        assert_memory_not_equal(m, other, 48);
    }
}

static void test_vm_refusals(void **state)
{
    (void)state;
    uint8_t m[48];
    char line[CVM_SIM_CMDLINE_MAX + 4] = {0};
    struct cvm_error err = {0};
    memset(line, 'a', CVM_SIM_CMDLINE_MAX);
    put_vm(line);
    assert_int_equal(cvm_measure_sim_vm_folder(folder, 2, 512, m, NULL), 0);
    memset(line, 'a', CVM_SIM_CMDLINE_MAX + 1);
    put_vm(line);
    assert_int_equal(cvm_measure_sim_vm_folder(folder, 2, 512, m, &err), -1);
    assert_int_equal(err.code, CVM_E_TOO_LARGE);
    put_vm("one\ntwo");
    assert_int_equal(cvm_measure_sim_vm_folder(folder, 2, 512, m, &err), -1);
    assert_int_equal(err.code, CVM_E_USAGE);
    for (size_t i = 0; i < CVM_SIM_VM_FILES; i++) {
        put_vm("loglevel=0");
        CVM_AUTO_FREE char *path = cvm_printf("%s/%s", folder, cvm_sim_vm_file_names[i]);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(cvm_measure_sim_vm_folder(folder, 2, 512, m, &err), -1);
        assert_int_equal(symlink("2cvm-agent", path), 0);
        assert_int_equal(cvm_measure_sim_vm_folder(folder, 2, 512, m, &err), -1);
        assert_int_equal(unlink(path), 0); /* what is written next must not go through the link */
    }
    put_vm("loglevel=0");
}

static void test_device(void **state)
{
    (void)state;
    CVM_AUTO_SIM_RESPONSE struct cvm_sim_response r = {.n_certificates = 2}, back = {0};
    memset(r.report, 3, sizeof(r.report));
    cvm_buf_append_str(&r.certificates[0], "one");
    cvm_buf_append_str(&r.certificates[1], "three");
    CVM_AUTO_BUF struct cvm_buf x = {0};
    cvm_sim_response_write(&r, &x);
    assert_int_equal(cvm_sim_response_parse(x.data, x.len, &back, NULL), 0);
    assert_int_equal(back.n_certificates, 2);
    assert_memory_equal(back.certificates[1].data, "three", 5);
    assert_memory_equal(back.report, r.report, sizeof(r.report));
    /* Every cut, and a byte more, is refused. */
    struct cvm_sim_response none = {0};
    for (size_t len = 0; len < x.len; len++)
        assert_int_equal(cvm_sim_response_parse(x.data, len, &none, NULL), -1);
    cvm_buf_append_u8(&x, 0);
    assert_int_equal(cvm_sim_response_parse(x.data, x.len, &none, NULL), -1);
    assert_int_equal(none.n_certificates, 0);
    /* Lengths and counts that promise more than there is. */
    for (size_t at = 8 + CVM_REPORT_LEN; at < 8 + CVM_REPORT_LEN + 8; at++) {
        uint8_t before = x.data[at];
        x.data[at] = 0xff;
        assert_int_equal(cvm_sim_response_parse(x.data, x.len - 1, &none, NULL), -1);
        x.data[at] = before;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folder), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_vm),     cmocka_unit_test(test_vm_refusals),
        cmocka_unit_test(test_device),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
