#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "orchestrator/api/config.h"

static char folder[64], state[96], file[96];

static int setup(void **unused)
{
    (void)unused;
    snprintf(folder, sizeof folder, "/tmp/cvm-config-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(state, sizeof state, "%s/state", folder);
    snprintf(file, sizeof file, "%s/config.json", folder);
    return 0;
}

static int teardown(void **unused)
{
    (void)unused;
    unlink(file);
    rmdir(state);
    return rmdir(folder);
}

static void write_file(const char *text)
{
    FILE *f = fopen(file, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static int read_config(struct cvm_config *ret, struct cvm_error *err, const char *a, const char *b,
                       const char *c, const char *d)
{
    char *argv[] = {(char *)"2cvmd", (char *)a, (char *)b, (char *)c, (char *)d, NULL};
    int argc = 1;
    while (argv[argc])
        argc++;
    return cvm_config_read(argc, argv, ret, err);
}

static void options_and_defaults(void **unused)
{
    (void)unused;
    struct cvm_config c;
    struct cvm_error err = {0};
    assert_int_equal(read_config(&c, &err, "--state", state, "--listen", "[::1]:0"), 0);
    assert_string_equal(c.state, state);
    assert_int_equal(c.address.ss_family, AF_INET6);
    assert_non_null(strstr(c.socket, "/state/operator.sock"));
    assert_int_equal(c.log, CVM_LOG_JSON);
    cvm_config_free(&c);
}

static void options_win_over_the_file(void **unused)
{
    (void)unused;
    struct cvm_config c;
    struct cvm_error err = {0};
    char text[256];
    snprintf(text, sizeof text,
             "{\"state\":\"%s\",\"listen\":\"127.0.0.2:81\",\"log\":\"journal\"}", state);
    write_file(text);
    assert_int_equal(read_config(&c, &err, "--config", file, "--listen", "127.0.0.1:82"), 0);
    assert_string_equal(c.listen, "127.0.0.1:82");
    assert_string_equal(c.state, state);
    assert_int_equal(c.log, CVM_LOG_JOURNAL);
    cvm_config_free(&c);
}

static void plain_http_stays_on_loopback(void **unused)
{
    (void)unused;
    static const char *const wide[] = {"0.0.0.0:8420", "[::]:8420", "192.0.2.1:80", "128.0.0.1:80",
                                       "[::ffff:127.0.0.1]:80"};
    struct cvm_config c;
    for (size_t i = 0; i < sizeof wide / sizeof wide[0]; i++) {
        struct cvm_error err = {0};
        assert_int_equal(read_config(&c, &err, "--state", state, "--listen", wide[i]), -1);
        assert_int_equal(err.code, CVM_E_USAGE);
    }
    struct cvm_error err = {0};
    write_file("{\"tls\":{\"certificate\":\"c.pem\",\"key\":\"k.pem\"},\"listen\":\"0.0.0.0:84\"}");
    assert_int_equal(read_config(&c, &err, "--state", state, "--config", file), 0);
    cvm_config_free(&c);
}

static void wrong_words(void **unused)
{
    (void)unused;
    static const struct {
        const char *option, *value;
    } bad[] = {
        {"--listen", "127.0.0.1"},
        {"--listen", ":80"},
        {"--listen", "localhost:80"},
        {"--listen", "127.0.0.1:65536"},
        {"--listen", "[::1]:80x"},
        {"--listen", "127.0.0.1:-1"},
        {"--log", "xml"},
        {"--nonsense", "x"},
        {"--image", NULL},
        {"more", NULL},
    };
    struct cvm_config c;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct cvm_error err = {0};
        assert_int_equal(read_config(&c, &err, "--state", state, bad[i].option, bad[i].value), -1);
        assert_int_equal(err.code, CVM_E_USAGE);
    }
    struct cvm_error err = {0};
    assert_int_equal(read_config(&c, &err, NULL, NULL, NULL, NULL), -1);
    assert_int_equal(err.code, CVM_E_USAGE);
}

static void wrong_files(void **unused)
{
    (void)unused;
    static const struct {
        const char *text;
        enum cvm_code code;
    } bad[] = {
        {"", CVM_E_JSON_SYNTAX},
        {"{\"sate\":\"x\"}", CVM_E_JSON_UNKNOWN},
        {"{\"listen\":1}", CVM_E_JSON_TYPE},
        {"{\"log\":\"xml\"}", CVM_E_USAGE},
        {"{\"tls\":{\"certificate\":\"x\"}}", CVM_E_JSON_MISSING},
    };
    struct cvm_config c;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct cvm_error err = {0};
        write_file(bad[i].text);
        assert_int_equal(read_config(&c, &err, "--state", state, "--config", file), -1);
        assert_int_equal(err.code, bad[i].code);
    }
    struct cvm_error err = {0};
    unlink(file);
    assert_int_equal(read_config(&c, &err, "--state", state, "--config", file), -1);
    assert_int_equal(err.code, CVM_E_NOT_FOUND);
}

static void machines(void **unused)
{
    (void)unused;
    struct cvm_config c;
    struct cvm_error err = {0};
    /* Both or neither: a machine needs an image, an image needs a libvirt. */
    assert_int_equal(read_config(&c, &err, "--state", state, "--libvirt", "qemu:///session"), -1);
    assert_non_null(strstr(err.message, "--machine-image"));
    assert_int_equal(read_config(&c, &err, "--state", state, "--machine-image", folder), -1);
    assert_non_null(strstr(err.message, "--libvirt"));
    char text[400];
    snprintf(text, sizeof text,
             "{\"libvirt\":\"qemu:///system\",\"machine_image\":\"%s\",\"templates\":\"%s\","
             "\"vsock\":\"/bin/true\",\"runtime\":\"%s/../%s\"}",
             folder, folder, folder, strrchr(folder, '/') + 1);
    write_file(text);
    err = (struct cvm_error){0};
    if (read_config(&c, &err, "--state", state, "--config", file) < 0)
        fail_msg("%s", err.message);
    assert_string_equal(c.libvirt, "qemu:///system");
    assert_string_equal(c.machine_image, folder);
    assert_string_equal(c.runtime, folder); /* absolute, and no longer than it must be */
    cvm_config_free(&c);
    write_file("{\"libvirt\":\"qemu:///system\",\"machine_image\":\"/no/such/folder\"}");
    assert_int_equal(read_config(&c, &err, "--state", state, "--config", file), -1);
    /* Without any of them there is nothing to bring. */
    assert_int_equal(read_config(&c, &err, "--state", state, NULL, NULL), 0);
    assert_null(c.libvirt);
    assert_null(c.templates);
    cvm_config_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_defaults),
        cmocka_unit_test(options_win_over_the_file),
        cmocka_unit_test(plain_http_stays_on_loopback),
        cmocka_unit_test(wrong_words),
        cmocka_unit_test(wrong_files),
        cmocka_unit_test(machines),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
