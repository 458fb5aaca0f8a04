#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "orchestrator/process/ask.h"

static void test_program(void **state)
{
    (void)state;
    CVM_AUTO_BUF struct cvm_buf out = {0};
    struct cvm_error err = {0};
    const char *const cat[] = {"/bin/cat", NULL}, *const none[] = {"/bin/no-such-program", NULL},
                      *const yes[] = {"/usr/bin/yes", NULL},
                      *const killed[] = {"/bin/sh", "-c", "kill -KILL $$", NULL},
                      *const env[] = {"/usr/bin/env", NULL};
    assert_int_equal(cvm_ask_program(cat, CVM_STR("in and out"), &out, &err), 0);
    assert_string_equal(cvm_buf_cstr(&out), "in and out");
    assert_int_equal(cvm_ask_program(none, CVM_STR(""), &out, &err), -1);
    assert_int_equal(err.code, CVM_E_PLATFORM);
    assert_int_equal(cvm_ask_program(killed, CVM_STR(""), &out, &err), -1);
    assert_int_equal(err.code, CVM_E_PLATFORM);
    out.len = 0;
    assert_int_equal(cvm_ask_program(yes, CVM_STR(""), &out, &err), -1);
    assert_int_equal(err.code, CVM_E_TIMEOUT);
    out.len = 0;
    assert_int_equal(cvm_ask_program(env, CVM_STR(""), &out, &err), 0);
    assert_int_equal(out.len, 0);
    static const char LONG[4097];
    assert_int_equal(cvm_ask_program(cat, CVM_BYTES(LONG, sizeof LONG), &out, &err), -1);
    assert_int_equal(err.code, CVM_E_USAGE);
    assert_int_equal(cvm_ask_program(cat, CVM_BYTES(LONG, sizeof LONG - 1), &out, &err), 0);
    assert_int_equal(out.len, sizeof LONG - 1);
}

/* An agent that prints this, in an image of its own. */
static json_t *printed(const char *text, struct cvm_error *err)
{
    char folder[] = "/tmp/2cvm-ask-XXXXXX";
    assert_non_null(mkdtemp(folder));
    CVM_AUTO_FREE char *path = cvm_printf("%s/2cvm-agent", folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fprintf(f, "#!/bin/sh\n[ \"$1\" = --probe ] && echo '%s'\n", text) > 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, 0755), 0);
    json_t *list = cvm_ask_protections(folder, err);
    assert_int_equal(remove(path), 0);
    assert_int_equal(remove(folder), 0);
    return list;
}

static void test_protections(void **state)
{
    (void)state;
    struct cvm_error err = {0};
    CVM_AUTO_JSON json_t *none = printed("[]", &err), *two = printed("[\"cgroup\",\"pids\"]", &err);
    assert_int_equal(json_array_size(none), 0);
    assert_true(json_is_array(none));
    assert_int_equal(json_array_size(two), 2);
    static const char *const BAD[] = {"", "{}", "[", "[\"cgroup\"] and more"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        err = (struct cvm_error){0};
        assert_null(printed(BAD[i], &err));
        assert_int_equal(err.code, CVM_E_PLATFORM);
    }
    assert_null(cvm_ask_protections("/nowhere-at-all", &err));
    assert_int_equal(err.code, CVM_E_PLATFORM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_program),
        cmocka_unit_test(test_protections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
