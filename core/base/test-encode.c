#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/encode.h"

static void hex(void **state)
{
    (void)state;
    uint8_t out[3] = {1, 2, 3};
    struct cvm_error err = {0};
    CVM_AUTO_FREE char *text = cvm_hex("\x00\x7f\xff", 3);
    assert_string_equal(text, "007fff");
    assert_int_equal(cvm_hex_decode("007fff", out, 3, &err), 0);
    assert_memory_equal(out, "\x00\x7f\xff", 3);
    static const char *const bad[] = {"",       "007ff",  "007fff0", "007FFF",
                                      "007ffg", "0x7fff", " 07fff",  "007ff\xff"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        err.code = CVM_OK;
        assert_int_equal(cvm_hex_decode(bad[i], out, 3, &err), -1);
        assert_int_equal(err.code, CVM_E_BAD_ENCODING);
    }
}

static void
b64u(void **state) /* RFC 4648 section 10, in the alphabet of section 5 without padding */
{
    (void)state;
    static const char *const plain[] = {"",     "f",     "fo",     "foo",
                                        "foob", "fooba", "foobar", "\xfb\xff\xbf"};
    static const char *const text[] = {"",       "Zg",      "Zm8",      "Zm9v",
                                       "Zm9vYg", "Zm9vYmE", "Zm9vYmFy", "-_-_"};
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        CVM_AUTO_BUF struct cvm_buf b = {0};
        CVM_AUTO_FREE char *made = cvm_b64u(plain[i], strlen(plain[i]));
        assert_string_equal(made, text[i]);
        assert_int_equal(cvm_b64u_decode(text[i], strlen(text[i]), &b, NULL), 0);
        assert_int_equal(b.len, strlen(plain[i]));
        assert_memory_equal(cvm_buf_cstr(&b), plain[i], b.len + 1);
    }
    static const char *const bad[] = {
        "Z", "Zg==", "Zh", "Zm9", "Zm8=", "Zm9vY", "+/+/", "Zm 9v", "Zm9v\n", "Zm9\xc3"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CVM_AUTO_BUF struct cvm_buf b = {0};
        struct cvm_error err = {0};
        assert_int_equal(cvm_b64u_decode(bad[i], strlen(bad[i]), &b, &err), -1);
        assert_int_equal(err.code, CVM_E_BAD_ENCODING);
        assert_int_equal(b.len, 0);
    }
    uint8_t three[3];
    assert_int_equal(cvm_b64u_decode_exact("Zm9v", three, 3, NULL), 0);
    assert_int_equal(cvm_b64u_decode_exact("Zm8", three, 3, NULL), -1);
    assert_int_equal(cvm_b64u_decode_exact("Zm9vYg", three, 3, NULL), -1);
}

static void digests(void **state)
{
    (void)state;
    char text[CVM_DIGEST_TEXT];
    struct cvm_digest d = cvm_sha256("abc", 3), e = {{0}};
    struct cvm_error err = {0};
    assert_string_equal(cvm_digest_text(&d, text),
                        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(cvm_digest_parse(text, &e, &err), 0);
    assert_memory_equal(&d, &e, sizeof d);
    text[10] = 'A';
    assert_int_equal(cvm_digest_parse(text, &e, &err), -1);
    assert_int_equal(err.code, CVM_E_MANIFEST_DIGEST);
    assert_int_equal(cvm_digest_parse("", &e, &err), -1);
    assert_int_equal(cvm_digest_parse("sha256:", &e, &err), -1);
    assert_int_equal(
        cvm_digest_parse("sha512:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                         &e, &err),
        -1);
    assert_memory_equal(&d, &e, sizeof d); /* untouched on failure */
}

static void ids(void **state)
{
    (void)state;
    char longest[65];
    memset(longest, 'a', 64);
    longest[63] = '\0';
    assert_true(cvm_id_valid(longest));
    longest[63] = 'a';
    longest[64] = '\0';
    assert_false(cvm_id_valid(longest));
    assert_true(cvm_id_valid("a"));
    assert_true(cvm_id_valid("rows-a2"));
    static const char *const bad[] = {"",          "A",   "1a",  "-a",       "a_b", "a.b",
                                      "../keys/x", "a b", "a\n", "\xc3\xa4", "aB"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(cvm_id_valid(bad[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(hex), cmocka_unit_test(b64u),
                                       cmocka_unit_test(digests), cmocka_unit_test(ids)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
