#include "core/seal/item.h"
#include "core/seal/test-support.h"

static struct cvm_key session;
static struct cvm_digest manifest, thumb;

static int prepare(void **state)
{
    (void)state;
    manifest = cvm_sha256("m", 1);
    thumb = cvm_sha256("s", 1);
    return cvm_key_generate(&session, CVM_X25519, NULL);
}

static int forget(void **state)
{
    (void)state;
    cvm_key_free(&session);
    return 0;
}

static int open_as(const char *id, uint64_t n, const uint8_t enc[32], const struct cvm_buf *ct,
                   struct cvm_buf *ret, struct cvm_error *err)
{
    CVM_AUTO_SECRET struct cvm_secret plain = {0};
    struct cvm_bytes content;
    if (cvm_item_open(&session, &manifest, &thumb, id, n, enc, CVM_BYTES(ct->data, ct->len), &plain,
                      &content, err) < 0)
        return -1;
    cvm_buf_append(ret, content.data, content.len);
    return 0;
}

static void every_size_comes_back(void **state)
{
    (void)state;
    static uint8_t content[CVM_ITEM_BYTES_MAX + 1];
    static const size_t sizes[][2] = {{0, 256},   {1, 256},   {252, 256},
                                      {253, 512}, {508, 512}, {CVM_ITEM_BYTES_MAX, 32768}};
    memset(content, 0x5a, sizeof content);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        CVM_AUTO_BUF struct cvm_buf ct = {0}, back = {0};
        uint8_t enc[32];
        OK(cvm_item_seal(&session.pub, &manifest, &thumb, "rows", 1,
                         CVM_BYTES(content, sizes[i][0]), enc, &ct, &err));
        assert_int_equal(ct.len, sizes[i][1] + CVM_HPKE_TAG_LEN);
        OK(open_as("rows", 1, enc, &ct, &back, &err));
        assert_int_equal(back.len, sizes[i][0]);
        assert_true(!back.len || memcmp(back.data, content, back.len) == 0);
    }
    CVM_AUTO_BUF struct cvm_buf ct = {0};
    uint8_t enc[32];
    REFUSED(CVM_E_TOO_LARGE, cvm_item_seal(&session.pub, &manifest, &thumb, "rows", 1,
                                           CVM_BYTES(content, sizeof content), enc, &ct, &err));
}

static void only_in_its_place(void **state)
{
    (void)state;
    CVM_AUTO_BUF struct cvm_buf ct = {0}, back = {0};
    uint8_t enc[32];
    OK(cvm_item_seal(&session.pub, &manifest, &thumb, "rows", 7, CVM_STR("a"), enc, &ct, &err));
    REFUSED(CVM_E_HPKE_OPEN, open_as("rows", 8, enc, &ct, &back, &err));
    REFUSED(CVM_E_HPKE_OPEN, open_as("other", 7, enc, &ct, &back, &err));
    manifest.b[0] ^= 1;
    REFUSED(CVM_E_HPKE_OPEN, open_as("rows", 7, enc, &ct, &back, &err));
    manifest.b[0] ^= 1;
    thumb.b[31] ^= 1;
    REFUSED(CVM_E_HPKE_OPEN, open_as("rows", 7, enc, &ct, &back, &err));
    thumb.b[31] ^= 1;
    ct.data[0] ^= 1;
    REFUSED(CVM_E_HPKE_OPEN, open_as("rows", 7, enc, &ct, &back, &err));
    ct.data[0] ^= 1;
    OK(open_as("rows", 7, enc, &ct, &back, &err));
}

/* A participant may be hostile: what it seals need not be of the form. */
static void other_forms_are_refused(void **state)
{
    (void)state;
    uint8_t number[8] = {0, 0, 0, 0, 0, 0, 0, 1}, plain[600] = {0};
    struct cvm_bytes fields[] = {CVM_DIGEST_BYTES(&manifest), CVM_DIGEST_BYTES(&thumb),
                                 CVM_STR("rows"), CVM_BYTES(number, sizeof number)};
    CVM_AUTO_BUF struct cvm_buf info = {0}, aad = {0};
    cvm_label(&info, "2cvm/item/1", NULL, 0);
    cvm_label(&aad, "2cvm/item/1", fields, 4);
    static const struct {
        size_t size, length;
        int at; /* a byte that is not zero, or -1 */
        bool good;
    } cases[] = {{256, 3, -1, true},   {256, 3, 6, true},     {256, 3, 7, false},
                 {256, 3, 255, false}, {256, 253, -1, false}, {512, 3, -1, false},
                 {600, 3, -1, false},  {3, 0, -1, false},     {256, 0xffffffff, -1, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CVM_AUTO_BUF struct cvm_buf ct = {0}, back = {0};
        uint8_t enc[32];
        memset(plain, 0, sizeof plain);
        for (int b = 0; b < 4; b++)
            plain[b] = (uint8_t)(cases[i].length >> (24 - 8 * b));
        if (cases[i].at >= 0)
            plain[cases[i].at] = 1;
        OK(cvm_hpke_seal(&session.pub, CVM_BYTES(info.data, info.len), CVM_BYTES(aad.data, aad.len),
                         CVM_BYTES(plain, cases[i].size), enc, &ct, &err));
        if (cases[i].good)
            OK(open_as("rows", 1, enc, &ct, &back, &err));
        else
            REFUSED(CVM_E_PADDING, open_as("rows", 1, enc, &ct, &back, &err));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_comes_back),
        cmocka_unit_test(only_in_its_place),
        cmocka_unit_test(other_forms_are_refused),
    };
    return cmocka_run_group_tests(tests, prepare, forget);
}
