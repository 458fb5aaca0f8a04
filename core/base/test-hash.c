#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/encode.h"

#define SAME(hex, data, len)                                                                       \
    do {                                                                                           \
        CVM_AUTO_FREE char *text_ = cvm_hex(data, len);                                            \
        assert_string_equal(text_, hex);                                                           \
    } while (0)

static void sha(void **state) /* FIPS 180-2, "abc" */
{
    (void)state;
    uint8_t out[64];
    struct cvm_digest d = cvm_sha256("abc", 3);
    SAME("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", d.b, 32);
    d = cvm_sha256("", 0);
    SAME("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", d.b, 32);
    cvm_sha384("abc", 3, out);
    SAME("cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca13"
         "4c825a7",
         out, 48);
    cvm_sha512("abc", 3, out);
    SAME("ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a"
         "3feebbd454d4423643ce80e"
         "2a9ac94fa54ca49f",
         out, 64);
}

static void incremental(void **state)
{
    (void)state;
    struct cvm_hasher h;
    struct cvm_digest d, one = cvm_sha256("abc", 3);
    uint8_t out[48], direct[48];
    cvm_hasher_start(&h);
    cvm_hasher_add(&h, "a", 1);
    cvm_hasher_add(&h, "", 0);
    cvm_hasher_add(&h, "bc", 2);
    cvm_hasher_end(&h, d.b);
    assert_memory_equal(&d, &one, sizeof d);
    cvm_hasher_free(&h); /* fine when ended */
    cvm_hasher_start384(&h);
    cvm_hasher_add(&h, "abc", 3);
    cvm_hasher_end(&h, out);
    cvm_sha384("abc", 3, direct);
    assert_memory_equal(out, direct, 48);
    cvm_hasher_start(&h);
    cvm_hasher_free(&h);
    assert_null(h.ctx);
}

static void labels(void **state)
{
    (void)state;
    CVM_AUTO_BUF struct cvm_buf a = {0}, b = {0}, c = {0}, d = {0};
    struct cvm_bytes two[] = {CVM_STR("x"), CVM_STR("yz")}, moved[] = {CVM_STR("xy"), CVM_STR("z")};
    cvm_label(&a, "ab", two, 2);
    SAME("000000026162"
         "0000000178"
         "00000002797a",
         a.data, a.len);
    cvm_label(&b, "ab", moved, 2);
    assert_true(a.len == b.len && memcmp(a.data, b.data, a.len) != 0);
    cvm_label(&c, "ab", NULL, 0);
    SAME("000000026162", c.data, c.len);
    struct cvm_bytes empty = CVM_BYTES("", 0);
    cvm_label(&d, "ab", &empty, 1);
    SAME("00000002616200000000", d.data, d.len);
    struct cvm_digest direct = cvm_sha256(a.data, a.len), labelled = cvm_label_sha256("ab", two, 2);
    assert_memory_equal(&direct, &labelled, sizeof direct);
    uint8_t x[64], y[64];
    cvm_sha512(a.data, a.len, x);
    cvm_label_sha512("ab", two, 2, y);
    assert_memory_equal(x, y, 64);
}

static void hkdf(void **state) /* RFC 5869, test cases 1 and 3 */
{
    (void)state;
    uint8_t ikm[22], salt[13], info[10], out[42];
    memset(ikm, 0x0b, sizeof ikm);
    for (size_t i = 0; i < sizeof salt; i++)
        salt[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof info; i++)
        info[i] = (uint8_t)(0xf0 + i);
    cvm_hkdf_sha256(CVM_BYTES(salt, 13), CVM_BYTES(ikm, 22), CVM_BYTES(info, 10), out, sizeof out);
    SAME("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
         out, sizeof out);
    cvm_hkdf_sha256(CVM_BYTES("", 0), CVM_BYTES(ikm, 22), CVM_BYTES("", 0), out, sizeof out);
    SAME("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
         out, sizeof out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sha), cmocka_unit_test(incremental),
                                       cmocka_unit_test(labels), cmocka_unit_test(hkdf)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
