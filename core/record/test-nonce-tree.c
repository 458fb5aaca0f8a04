#include "core/record/nonce-tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/encode.h"
#include "core/record/report-data.h"

/* The tree of the Certificate Transparency project's own tests (RFC 6962, unchanged in RFC 9162).
 */
static const struct cvm_bytes LEAVES[8] = {
    {"", 0},
    {"\x00", 1},
    {"\x10", 1},
    {"\x20\x21", 2},
    {"\x30\x31", 2},
    {"\x40\x41\x42\x43", 4},
    {"\x50\x51\x52\x53\x54\x55\x56\x57", 8},
    {"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f", 16},
};
static const char *const ROOTS[9] = {
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
};

static void test_known_roots(void **state)
{
    (void)state;
    for (size_t n = 0; n <= 8; n++) {
        struct cvm_digest root = cvm_nonce_tree_root(LEAVES, n);
        CVM_AUTO_FREE char *hex = cvm_hex(root.b, sizeof root.b);
        assert_string_equal(hex, ROOTS[n]);
    }
}

static void test_every_path(void **state)
{
    (void)state;
    uint8_t bytes[70][16] = {{0}};
    struct cvm_bytes nonces[70];
    for (size_t i = 0; i < 70; i++) {
        bytes[i][0] = (uint8_t)i;
        nonces[i] = CVM_BYTES(bytes[i], 16);
    }
    for (size_t n = 1; n <= 70; n++) {
        struct cvm_digest root = cvm_nonce_tree_root(nonces, n), got;
        for (size_t i = 0; i < n; i++) {
            struct cvm_nonce_path path = cvm_nonce_tree_path(nonces, n, i);
            assert_int_equal(cvm_nonce_path_root(&path, nonces[i], &got, NULL), 0);
            assert_memory_equal(got.b, root.b, sizeof root.b);
            if (cvm_nonce_path_root(&path, nonces[(i + 1) % 70], &got, NULL) ==
                0) /* another's nonce */
                assert_memory_not_equal(got.b, root.b, sizeof root.b);
        }
    }
}

static void test_refuses_paths(void **state)
{
    (void)state;
    struct cvm_digest root = cvm_nonce_tree_root(LEAVES, 8), got;
    struct cvm_nonce_path good = cvm_nonce_tree_path(LEAVES, 8, 5), p;
    struct cvm_error err = {0};
    struct {
        uint32_t index, size, n;
    } bad[] = {{8, 8, 3},  {5, 0, 3},    {5, 8, 2}, {5, 8, 4}, {5, 8, 0},
               {5, 8, 11}, {5, 1025, 3}, {5, 9, 3}, {5, 6, 3}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        p = good;
        p.index = bad[i].index;
        p.size = bad[i].size;
        p.n = bad[i].n;
        int r = cvm_nonce_path_root(&p, LEAVES[5], &got, &err);
        assert_true(r < 0 || memcmp(got.b, root.b, sizeof got.b) != 0);
        if (r < 0)
            assert_int_equal(err.code, CVM_E_EVIDENCE_REFUSED);
    }
    for (uint32_t k = 0; k < good.n; k++) {
        p = good;
        p.hashes[k].b[7] ^= 1;
        assert_int_equal(cvm_nonce_path_root(&p, LEAVES[5], &got, NULL), 0);
        assert_memory_not_equal(got.b, root.b, sizeof root.b);
    }
    p = good;
    p.index = 4;
    assert_int_equal(cvm_nonce_path_root(&p, LEAVES[5], &got, NULL), 0);
    assert_memory_not_equal(got.b, root.b, sizeof root.b);
}

static void test_report_data_binds_all(void **state)
{
    (void)state;
    struct cvm_report_data d = {.sign = {{1}},
                                .seal = {{2}},
                                .manifest = {{3}},
                                .transcript_head = {{4}},
                                .nonce_root = {{5}}};
    uint8_t base[CVM_REPORT_DATA_LEN], other[CVM_REPORT_DATA_LEN];
    cvm_report_data(&d, base);
    for (size_t i = 0; i < sizeof d; i++) {
        ((uint8_t *)&d)[i] ^= 0x80;
        cvm_report_data(&d, other);
        ((uint8_t *)&d)[i] ^= 0x80;
        assert_memory_not_equal(base, other, sizeof base);
    }
    /* The same by hand: u32be length before each part. */
    CVM_AUTO_BUF struct cvm_buf b = {0};
    cvm_buf_append(&b,
                   "\0\0\0\x12"
                   "2cvm/report-data/1",
                   22);
    for (size_t i = 0; i < 5; i++) {
        cvm_buf_append(&b, "\0\0\0\x20", 4);
        cvm_buf_append(&b, (uint8_t *)&d + 32 * i, 32);
    }
    cvm_sha512(b.data, b.len, other);
    assert_memory_equal(base, other, sizeof base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_roots),
        cmocka_unit_test(test_every_path),
        cmocka_unit_test(test_refuses_paths),
        cmocka_unit_test(test_report_data_binds_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
