#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/cursor.h"
#include "core/base/memory.h"

static void buffers(void **state)
{
    (void)state;
    CVM_AUTO_BUF struct cvm_buf b = {0};
    assert_string_equal(cvm_buf_cstr(&b), "");
    for (int i = 0; i < 1000; i++)
        cvm_buf_append_u8(&b, (uint8_t)i);
    cvm_buf_append_u32be(&b, 0x01020304);
    cvm_buf_append_u64be(&b, 0x0102030405060708);
    cvm_buf_append(&b, NULL, 0);
    assert_int_equal(b.len, 1012);
    assert_int_equal(b.data[999], 999 & 255);
    assert_memory_equal(b.data + 1000, "\1\2\3\4\1\2\3\4\5\6\7\10", 12);
    memset(cvm_buf_extend(&b, 5), 1, 5);
    static const uint8_t zero[7];
    assert_memory_equal(cvm_buf_extend(&b, 7), zero, 7);
    cvm_buf_free(&b);
    assert_null(b.data);
    cvm_buf_free(&b);
}

static void secrets(void **state)
{
    (void)state;
    CVM_AUTO_SECRET struct cvm_secret a = {0}, b = {0}, c = {0};
    struct cvm_error err = {0};
    assert_int_equal(cvm_secret_random(&a, 32, &err), 0);
    assert_int_equal(cvm_secret_random(&b, 32, &err), 0);
    assert_memory_not_equal(a.data, b.data, 32);
    assert_int_equal(cvm_secret_copy(&c, a.data, a.len, &err), 0);
    assert_true(cvm_equal(a.data, c.data, 32));
    c.data[31] ^= 1;
    assert_false(cvm_equal(a.data, c.data, 32));
    assert_true(cvm_equal(a.data, b.data, 0));
    struct cvm_secret none = {0};
    assert_int_equal(cvm_secret_new(&none, 0, &err), -1);
    assert_int_equal(cvm_secret_new(&none, CVM_SECRET_MAX + 1, &err), -1);
    assert_null(none.data);
    cvm_secret_free(&a);
    assert_null(a.data);
    cvm_secret_free(&a);
    uint8_t stack[16] = "0123456789abcde", zero[16] = {0};
    cvm_wipe(stack, sizeof stack);
    assert_memory_equal(stack, zero, sizeof stack);
}

static void clean_up(void **state)
{
    (void)state;
    int kept = -1, number;
    {
        CVM_AUTO_CLOSE int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        CVM_AUTO_CLOSE int handed = open("/dev/null", O_RDONLY | O_CLOEXEC);
        CVM_AUTO_FREE char *text = cvm_printf("%d", 5);
        char *taken = CVM_TAKE(text);
        assert_null(text);
        assert_string_equal(taken, "5");
        free(taken);
        number = fd;
        kept = CVM_TAKE_FD(handed);
        assert_int_equal(handed, -1);
    }
    assert_int_equal(fcntl(number, F_GETFD), -1);
    assert_true(fcntl(kept, F_GETFD) >= 0);
    close(kept);
    assert_null(cvm_strdup(NULL));
}

static void cursors(void **state)
{
    (void)state;
    struct cvm_cursor c = cvm_cursor("\1\2\3\4\5\6\7\10\11\12\13\14\15\16", 14);
    assert_int_equal(cvm_cursor_u8(&c), 1);
    assert_int_equal(cvm_cursor_u16le(&c), 0x0302);
    assert_int_equal(cvm_cursor_u32be(&c), 0x04050607);
    assert_int_equal(cvm_cursor_u32le(&c), 0x0b0a0908);
    assert_false(cvm_cursor_done(&c));
    assert_int_equal(cvm_cursor_left(&c), 3);
    assert_int_equal(cvm_cursor_u32be(&c), 0); /* one byte too many */
    assert_true(c.failed);
    assert_int_equal(cvm_cursor_u8(&c), 0); /* and nothing after it */
    assert_null(cvm_cursor_take(&c, 0));
    assert_int_equal(cvm_cursor_left(&c), 0);
    assert_false(cvm_cursor_done(&c));
    c = cvm_cursor("\1\2\3\4\5\6\7\10", 8);
    assert_true(cvm_cursor_u64be(&c) == 0x0102030405060708);
    assert_true(cvm_cursor_done(&c));
    c = cvm_cursor("\1\2\3\4\5\6\7\10", 8);
    assert_true(cvm_cursor_u64le(&c) == 0x0807060504030201);
    c = cvm_cursor("", 0);
    assert_null(cvm_cursor_take(&c, SIZE_MAX));
}

static void errors(void **state)
{
    (void)state;
    struct cvm_error err = {0};
    char line[512];
    assert_int_equal(
        cvm_fail_expected(&err, CVM_E_DIGEST_MISMATCH, "a\x1b[31m", NULL, "item \n%s", "\xc3\xa4"),
        -1);
    assert_string_equal(err.message, "item ???");
    assert_string_equal(err.expected, "a?[31m");
    assert_int_equal(cvm_error_wrap(&err, "blob of %s", "x"), -1);
    assert_string_equal(err.message, "blob of x: item ???");
    assert_string_equal(
        cvm_error_line(&err, line, sizeof line),
        "content-digest-mismatch: the content is not what the manifest fixed: blob of x: item ??? "
        "(expected a?[31m, got -)");
    assert_int_equal(cvm_fail(NULL, CVM_E_IO, "no place to say it"), -1);
    /* numbers and codes of the table are unique, and texts are there */
    for (size_t i = 0; i < cvm_code_count(); i++) {
        const struct cvm_code_info *a = cvm_code_at(i);
        assert_ptr_equal(cvm_code_info(a->code), a);
        assert_int_equal(cvm_code_by_name(a->name), a->code);
        assert_true(a->http >= 400 && a->http < 600 && a->text[0] && a->remedy[0]);
    }
    assert_int_equal(cvm_code_by_name("no-such-code"), CVM_E_INTERNAL);
    assert_int_equal(cvm_code_by_name(NULL), CVM_E_INTERNAL);
    assert_int_equal(cvm_code_info((enum cvm_code)99999)->code, CVM_E_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(buffers), cmocka_unit_test(secrets),
                                       cmocka_unit_test(clean_up), cmocka_unit_test(cursors),
                                       cmocka_unit_test(errors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
