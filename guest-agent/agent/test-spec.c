/* What the two programs are told, byte for byte, and how their record is taken back. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "guest-agent/agent/spec.h"

static struct cvm_manifest manifest;

static struct cvm_component component(void)
{
    return (struct cvm_component){
        .id = "train",
        .n_args = 2,
        .args = {"--rows", "\"seed\":\"x"},
        .grants = 1U << CVM_GRANT_CLI | 1U << CVM_GRANT_FILESYSTEM,
        .clock = CVM_CLOCK_FIXED,
        .random = CVM_RANDOM_SEEDED,
        .memory_bytes = 65536,
        .fuel = 9,
    };
}

static void assert_file(int fd, const char *want)
{
    char text[4096] = "";
    assert_true(fd >= 0);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
    assert_true(read(fd, text, sizeof text - 1) > 0);
    assert_string_equal(text, want);
    assert_int_equal(write(fd, "x", 1), -1); /* sealed */
    close(fd);
}

static void test_compiler(void **state)
{
    (void)state;
    struct cvm_error err;
    struct cvm_component c = component();
    const struct cvm_interfaces none = {0};
    assert_file(cvm_spec_compiler(&c, &none, 1000, &err),
                "{\"clock\":\"fixed\",\"fuel\":1,\"grants\":[\"wasi:cli\",\"wasi:filesystem\"],"
                "\"kind\":\"command\",\"max_cwasm_bytes\":1000,\"memory_bytes\":65536,"
                "\"random\":\"seeded\"}");
    c.fuel = 0;
    c.grants = 0;
    c.random = CVM_RANDOM_NONE;
    assert_file(cvm_spec_compiler(&c, &none, 1, &err),
                "{\"clock\":\"fixed\",\"fuel\":0,\"grants\":[],\"kind\":\"command\","
                "\"max_cwasm_bytes\":1,\"memory_bytes\":65536,\"random\":\"none\"}");
}

static struct cvm_spec_channels channels(void)
{
    manifest.channels[0] = (struct cvm_channel){.to_path = "in/a", .max_bytes = 7};
    manifest.channels[1] = (struct cvm_channel){.to_path = "in/b", .max_bytes = 8};
    manifest.channels[2] = (struct cvm_channel){.from_path = "/dev/stdout", .max_bytes = 9};
    return (struct cvm_spec_channels){.manifest = &manifest,
                                      .n_in = 2,
                                      .n_out = 1,
                                      .in = {0, 1},
                                      .out = {2},
                                      .last = {false, true}};
}

/* An argument that looks like the seed's member does not get the seed. */
static void test_cell(void **state)
{
    (void)state;
    struct cvm_error err;
    struct cvm_component c = component();
    struct cvm_spec_channels ch = channels();
    struct cvm_secret seed = {0};
    assert_int_equal(cvm_secret_new(&seed, 32, &err), 0);
    memset(seed.data, 0xa5, 32);
    static const char head[] =
        "{\"args\":[\"--rows\",\"\\\"seed\\\":\\\"x\"],\"clock\":\"fixed\",\"fuel\":9,"
        "\"grants\":[\"wasi:cli\",\"wasi:filesystem\"],\"id\":\"train\","
        "\"inputs\":[{\"fd\":10,\"path\":\"in/a\"},{\"fd\":11,\"last\":true,\"path\":\"in/b\"}],"
        "\"memory_bytes\":65536,"
        "\"outputs\":[{\"fd\":12,\"max_bytes\":9,\"path\":\"/dev/stdout\"}],"
        "\"random\":\"seeded\",\"scratch_bytes\":1048576,\"seed\":\"";
    char want[2048];
    snprintf(want, sizeof want, "%s%s\"}", head,
             "a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5");
    assert_file(cvm_spec_cell(&c, &ch, &seed, &err), want);
    cvm_secret_free(&seed);
    snprintf(want, sizeof want, "%s\"}", head);
    assert_file(cvm_spec_cell(&c, &ch, &seed, &err), want);
}

/* Regions and pipes are numbered behind the outputs. */
static void test_joints(void **state)
{
    (void)state;
    struct cvm_error err;
    struct cvm_component c = component();
    struct cvm_spec_channels ch = channels();
    struct cvm_secret none = {0};
    c.n_args = 0;
    c.grants = 0;
    c.random = CVM_RANDOM_NONE;
    c.kind = CVM_COMPONENT_KIND_LIBRARY;
    manifest.channels[3] = (struct cvm_channel){.interface = "a:b/c@1.0.0", .max_call_bytes = 64};
    manifest.channels[4] = (struct cvm_channel){.interface = "a:b/d", .max_call_bytes = 65};
    ch.n_in = 0;
    ch.n_exports = ch.n_imports = 1;
    ch.exports[0] = 3;
    ch.imports[0] = 4;
    ch.has_stdin = ch.has_stdout = 1;
    static const char *const SERVE[] = {"run", "one", "none"};
    for (int i = 0; i < 3; i++) {
        c.instance = i == 1 ? CVM_INSTANCE_CALL : CVM_INSTANCE_RUN;
        c.kind = i == 2 ? CVM_COMPONENT_KIND_COMMAND : CVM_COMPONENT_KIND_LIBRARY;
        char want[2048];
        snprintf(
            want, sizeof want,
            "{\"args\":[],\"calls\":{"
            "\"exports\":[{\"bytes\":64,\"channel\":3,\"fd\":11,\"interface\":\"a:b/c@1.0.0\"}],"
            "\"imports\":[{\"bytes\":65,\"channel\":4,\"fd\":12,\"interface\":\"a:b/d\"}],"
            "\"serve\":\"%s\"},\"clock\":\"fixed\",\"fuel\":9,\"grants\":[],\"id\":\"train\","
            "\"inputs\":[],\"memory_bytes\":65536,"
            "\"outputs\":[{\"fd\":10,\"max_bytes\":9,\"path\":\"/dev/stdout\"}],"
            "\"random\":\"none\",\"scratch_bytes\":1048576,\"seed\":\"\",\"stdin\":{\"fd\":13},"
            "\"stdout_stream\":{\"fd\":14}}",
            SERVE[i]);
        assert_file(cvm_spec_cell(&c, &ch, &none, &err), want);
    }
    const struct cvm_interfaces interfaces = {
        .n_exports = 1, .n_imports = 1, .exports = {"a:b/c@1.0.0"}, .imports = {"a:b/d"}};
    c.kind = CVM_COMPONENT_KIND_LIBRARY;
    assert_file(cvm_spec_compiler(&c, &interfaces, 1, &err),
                "{\"calls\":{\"exports\":[\"a:b/c@1.0.0\"],\"imports\":[\"a:b/d\"]},"
                "\"clock\":\"fixed\",\"fuel\":1,\"grants\":[],\"kind\":\"library\","
                "\"max_cwasm_bytes\":1,\"memory_bytes\":65536,\"random\":\"none\"}");
}

static void test_record(void **state)
{
    (void)state;
    struct cvm_error err;
    char got[8] = "";
    int from, to = cvm_spec_result_pipe(&from, &err);
    assert_true(to >= 0);
    assert_int_equal(cvm_spec_read_result(from, got, 4), -1); /* nothing came */
    assert_int_equal(write(to, "abc", 3), 3);
    assert_int_equal(cvm_spec_read_result(from, got, 4), -1); /* too short */
    assert_int_equal(write(to, "abcde", 5), 5);
    assert_int_equal(cvm_spec_read_result(from, got, 4), -1); /* too long */
    assert_string_equal(got, "");
    assert_int_equal(write(to, "abcd", 4), 4);
    assert_int_equal(cvm_spec_read_result(from, got, 4), 0);
    assert_string_equal(got, "abcd");
    close(to);
    assert_int_equal(cvm_spec_read_result(from, got, 4), -1);
    close(from);
}

static void test_null(void **state)
{
    (void)state;
    struct cvm_error err;
    char byte;
    int fd = cvm_spec_null(&err);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), -1);
    assert_int_equal(read(fd, &byte, 1), 0);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compiler), cmocka_unit_test(test_cell), cmocka_unit_test(test_joints),
        cmocka_unit_test(test_record),   cmocka_unit_test(test_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
