/* Against the digests that sev-snp-measure publishes, and against images that must be refused. */
#include "core/evidence/test-vectors.h"

#include <jansson.h>
#include <unistd.h>

#include "core/base/encode.h"
#include "core/base/json.h"
#include "core/evidence/measure-snp.h"

static const char *text_of(const json_t *o, const char *name)
{
    return json_string_value(json_object_get(o, name));
}

static void test_published(void **state)
{
    (void)state;
    CVM_AUTO_BUF struct cvm_buf file = vector_file("measure/expected.json");
    if (!file.len)
        skip();
    CVM_AUTO_JSON json_t *root = json_loadb((const char *)file.data, file.len, 0, NULL);
    json_t *c;
    size_t i;
    json_array_foreach(json_object_get(root, "cases"), i, c)
    {
        CVM_AUTO_FREE char *name = cvm_printf("measure/%s", text_of(c, "ovmf"));
        CVM_AUTO_BUF struct cvm_buf ovmf = vector_file(name);
        const char *cmdline = text_of(c, "cmdline");
        struct cvm_snp_kernel k = {cvm_sha256("", 0), cvm_sha256("", 0), {{0}}};
        if (cmdline)
            k.cmdline = cvm_snp_cmdline_digest(cmdline);
        const struct cvm_snp_guest g = {
            .firmware = CVM_BYTES(ovmf.data, ovmf.len),
            .kernel = cmdline ? &k : NULL,
            .vcpus = (uint32_t)json_integer_value(json_object_get(c, "vcpus")),
            .vcpu_signature = cvm_snp_vcpu_signature("EPYC-v4"),
            .features = strtoul(text_of(c, "guest_features"), NULL, 16),
        };
        uint8_t d[48];
        struct cvm_error err = {0};
        if (cvm_measure_snp(&g, d, &err) < 0)
            fail_msg("case %zu: %s", i, err.message);
        CVM_AUTO_FREE char *hex = cvm_hex(d, sizeof(d));
        assert_string_equal(hex, text_of(c, "digest"));
    }
    assert_int_equal(i, 10);
}

static void put(const char *folder, const char *name, const void *data, size_t len)
{
    CVM_AUTO_FREE char *path = cvm_printf("%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

/* A folder gives what its files give; a missing or wrong one gives nothing. */
static void test_folder(void **state)
{
    (void)state;
    CVM_AUTO_BUF struct cvm_buf ovmf = vector_file("measure/ovmf_AmdSev_suffix.bin");
    if (!ovmf.len)
        skip();
    char folder[] = "/tmp/2cvm-measure-XXXXXX";
    assert_non_null(mkdtemp(folder));
    uint8_t d[48], want[48];
    struct cvm_error err = {0};
    assert_int_equal(cvm_measure_snp_folder(folder, 2, d, &err), -1);
    put(folder, "firmware", ovmf.data, ovmf.len);
    put(folder, "kernel", "kernel", 6);
    put(folder, "initramfs", "initramfs", 9);
    put(folder, "cmdline", "console=ttyS0\n", 14);
    const struct cvm_snp_kernel k = {cvm_sha256("kernel", 6), cvm_sha256("initramfs", 9),
                                     cvm_snp_cmdline_digest("console=ttyS0")};
    struct cvm_snp_guest g = {.firmware = CVM_BYTES(ovmf.data, ovmf.len),
                              .kernel = &k,
                              .vcpus = 2,
                              .vcpu_signature = cvm_snp_vcpu_signature("EPYC-v4"),
                              .features = 1};
    assert_int_equal(cvm_measure_snp(&g, want, NULL), 0);
    assert_int_equal(cvm_measure_snp_folder(folder, 2, d, NULL), 0);
    assert_memory_equal(d, want, 48);
    put(folder, "cpu", "EPYC-Milan\n", 11);
    g.vcpu_signature = cvm_snp_vcpu_signature("EPYC-Milan");
    assert_int_equal(cvm_measure_snp(&g, want, NULL), 0);
    assert_int_equal(cvm_measure_snp_folder(folder, 2, d, NULL), 0);
    assert_memory_equal(d, want, 48);
    put(folder, "cpu", "host\n", 5);
    assert_int_equal(cvm_measure_snp_folder(folder, 2, d, &err), -1);
    put(folder, "cmdline", "a\0b", 3);
    assert_int_equal(cvm_measure_snp_folder(folder, 2, d, &err), -1);
    const char *const names[] = {"firmware", "kernel", "initramfs", "cmdline", "cpu"};
    for (size_t i = 0; i < 5; i++) {
        CVM_AUTO_FREE char *path = cvm_printf("%s/%s", folder, names[i]);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(folder), 0);
}

static void test_id_block(void **state)
{
    (void)state;
    CVM_AUTO_BUF struct cvm_buf file = vector_file("measure/expected.json");
    if (!file.len)
        skip();
    CVM_AUTO_JSON json_t *root = json_loadb((const char *)file.data, file.len, 0, NULL);
    const char *want = text_of(json_object_get(root, "id_block"), "id_block_b64");
    CVM_AUTO_BUF struct cvm_buf block = {0};
    CVM_AUTO_FREE char *url = cvm_strdup(want);
    for (char *p = url; *p; p++)
        *p = *p == '+' ? '-' : *p == '/' ? '_' : *p;
    assert_int_equal(cvm_b64u_decode(url, strlen(url), &block, NULL), 0);
    assert_int_equal(block.len, CVM_SNP_ID_BLOCK_LEN);
    uint8_t got[CVM_SNP_ID_BLOCK_LEN];
    cvm_snp_id_block(block.data, 0, 0x30000, got);
    assert_memory_equal(got, block.data, sizeof(got));
}

/* AMD's structure written out by hand, and the digests that another program made of two keys. */
static void test_key_digest(void **state)
{
    (void)state;
    uint8_t point[97] = {4}, s[0x404] = {0}, want[48], got[48];
    for (size_t i = 1; i < 97; i++)
        point[i] = (uint8_t)i;
    s[0] = 2;
    for (size_t i = 0; i < 48; i++) {
        s[4 + i] = (uint8_t)(48 - i);
        s[4 + 72 + i] = (uint8_t)(96 - i);
    }
    cvm_sha384(s, sizeof(s), want);
    cvm_snp_key_digest(point, got);
    assert_memory_equal(got, want, 48);
}

static void refused(struct cvm_bytes image, const struct cvm_snp_kernel *k, const char *what)
{
    const struct cvm_snp_guest g = {
        .firmware = image, .kernel = k, .vcpus = 1, .vcpu_signature = 0x800f12, .features = 1};
    uint8_t d[48];
    struct cvm_error err = {0};
    if (cvm_measure_snp(&g, d, &err) == 0)
        fail_msg("%s is measured", what);
    assert_int_equal(err.code, CVM_E_MEASURE_IMAGE);
}

static void test_refusals(void **state)
{
    (void)state;
    static uint8_t zeros[8192];
    refused(CVM_BYTES(zeros, 0), NULL, "nothing");
    refused(CVM_BYTES(zeros, 4095), NULL, "no whole page");
    refused(CVM_BYTES(zeros, sizeof(zeros)), NULL, "zeros");
    CVM_AUTO_BUF struct cvm_buf plain = vector_file("measure/ovmf_OvmfX64_suffix.bin");
    CVM_AUTO_BUF struct cvm_buf sev = vector_file("measure/ovmf_AmdSev_suffix.bin");
    if (!plain.len)
        skip();
    struct cvm_snp_kernel k = {cvm_sha256("", 0), cvm_sha256("", 0), cvm_snp_cmdline_digest("")};
    refused(CVM_BYTES(plain.data, plain.len), &k, "a kernel that would not be measured");
    /* Any other byte of the image leads to another digest, or to a refusal. */
    const struct cvm_snp_guest g = {.firmware = CVM_BYTES(sev.data, sev.len),
                                    .kernel = &k,
                                    .vcpus = 1,
                                    .vcpu_signature = 0x800f12,
                                    .features = 1};
    uint8_t first[48], d[48];
    assert_int_equal(cvm_measure_snp(&g, first, NULL), 0);
    for (size_t i = 0; i < sev.len; i += 7) {
        sev.data[i] ^= 0x10;
        if (cvm_measure_snp(&g, d, NULL) == 0)
            assert_memory_not_equal(d, first, 48);
        sev.data[i] ^= 0x10;
    }
    struct cvm_snp_guest other = g;
    struct cvm_error err = {0};
    other.vcpus = 0;
    assert_int_equal(cvm_measure_snp(&other, d, &err), -1);
    other.vcpus = 1;
    other.features = 0x20;
    assert_int_equal(cvm_measure_snp(&other, d, &err), -1);
    assert_int_equal(cvm_snp_vcpu_signature("host"), 0);
    assert_int_equal(cvm_snp_vcpu_signature("EPYC-Genoa"), 0xa10f10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published), cmocka_unit_test(test_folder),
        cmocka_unit_test(test_id_block),  cmocka_unit_test(test_key_digest),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
