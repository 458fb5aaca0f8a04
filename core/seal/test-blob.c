#include "core/seal/blob.h"
#include "core/seal/test-support.h"

static struct cvm_secret KEY;
static const uint8_t SALT[CVM_SALT_LEN] = {9, 9, 9};
#define ASSOCIATED CVM_STR("associated")

static int make_key(void **state)
{
    (void)state;
    return cvm_secret_random(&KEY, 32, NULL);
}

static int free_key(void **state)
{
    (void)state;
    cvm_secret_free(&KEY);
    return 0;
}

static struct cvm_blob_spec spec_of(enum cvm_padding padding, uint64_t max_bytes)
{
    return (struct cvm_blob_spec){
        .key = &KEY, .associated = ASSOCIATED, .padding = padding, .max_bytes = max_bytes};
}

static struct cvm_buf seal(enum cvm_padding padding, uint64_t max_bytes, const void *data,
                           size_t len, struct cvm_digest *digest)
{
    struct cvm_blob_spec spec = spec_of(padding, max_bytes);
    CVM_AUTO_CLOSE int in = file_of(data, len);
    int out = file_of("", 0);
    OK(cvm_blob_seal_fd(&spec, SALT, in, len, out, digest, &err));
    struct cvm_buf blob = contents(out);
    assert_int_equal(blob.len, cvm_blob_size(padding, len, max_bytes));
    return blob;
}

static int open_blob(enum cvm_padding padding, uint64_t max_bytes, const struct cvm_buf *blob,
                     const struct cvm_digest *expected, struct cvm_buf *plain,
                     struct cvm_error *err)
{
    struct cvm_blob_spec spec = spec_of(padding, max_bytes);
    CVM_AUTO_CLOSE int in = file_of(blob->data, blob->len);
    int out = file_of("", 0);
    uint64_t length = 0;
    struct cvm_digest digest;
    int r = cvm_blob_open_fd(&spec, in, out, expected, &digest, &length, err);
    *plain = contents(out);
    if (r == 0)
        assert_int_equal(plain->len, length);
    return r;
}

static void round_trips(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 2, 1000, 70000, 1048576, 1500000};
    for (int p = CVM_PADDING_MAX; p <= CVM_PADDING_NONE; p++)
        for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
            CVM_AUTO_BUF struct cvm_buf data = {0}, plain = {0};
            struct cvm_digest digest, sha;
            OK(cvm_random(cvm_buf_extend(&data, lengths[i]), lengths[i], &err));
            CVM_AUTO_BUF struct cvm_buf blob =
                seal((enum cvm_padding)p, 1500000, data.data, data.len, &digest);
            sha = cvm_sha256(data.data, data.len);
            sha = cvm_content_digest(SALT, &sha);
            assert_memory_equal(&sha, &digest, sizeof sha);
            OK(open_blob((enum cvm_padding)p, 1500000, &blob, &digest, &plain, &err));
            assert_int_equal(plain.len, data.len);
            if (data.len)
                assert_memory_equal(plain.data, data.data, data.len);
        }
}

static void paddings(void **state)
{
    (void)state;
    static const struct {
        enum cvm_padding padding;
        uint64_t length, max_bytes, size;
    } rows[] = {
        {CVM_PADDING_MAX, 0, 10, 10},
        {CVM_PADDING_MAX, 10, 10, 10},
        {CVM_PADDING_NONE, 0, 10, 0},
        {CVM_PADDING_NONE, 7, 10, 7},
        {CVM_PADDING_POW2, 0, 10, 1},
        {CVM_PADDING_POW2, 1, 10, 1},
        {CVM_PADDING_POW2, 3, 10, 4},
        {CVM_PADDING_POW2, 4, 10, 4},
        {CVM_PADDING_POW2, 9, 10, 10},
        {CVM_PADDING_POW2, 0, 0, 0},
        {CVM_PADDING_POW2, 1ULL << 45, 1ULL << 53, 1ULL << 45},
    };
    enum cvm_padding p;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(cvm_padding_size(rows[i].padding, rows[i].length, rows[i].max_bytes),
                         rows[i].size);
    OK(cvm_padding_parse("pow2", &p, &err));
    assert_int_equal(p, CVM_PADDING_POW2);
    assert_string_equal(cvm_padding_word(CVM_PADDING_NONE), "none");
    REFUSED(CVM_E_MANIFEST_ENUM, cvm_padding_parse("Max", &p, &err));
    REFUSED(CVM_E_MANIFEST_ENUM, cvm_padding_parse("", &p, &err));
}

/* The length shows in nothing but the blob's size, and there only as the padding lets it. */
static void hides(void **state)
{
    (void)state;
    struct cvm_digest a, b;
    CVM_AUTO_BUF struct cvm_buf x = seal(CVM_PADDING_MAX, 5000, "", 0, &a);
    CVM_AUTO_BUF struct cvm_buf y = seal(CVM_PADDING_MAX, 5000, "0123456789", 10, &b);
    assert_int_equal(x.len, y.len);
    assert_memory_not_equal(&a, &b, sizeof a);
}

static void refusals(void **state)
{
    (void)state;
    struct cvm_digest digest, other = {0};
    struct cvm_blob_spec spec = spec_of(CVM_PADDING_MAX, 4);
    CVM_AUTO_CLOSE int five = file_of("12345", 5);
    CVM_AUTO_CLOSE int out = file_of("", 0);
    REFUSED(CVM_E_CONTENT_TOO_LARGE, cvm_blob_seal_fd(&spec, SALT, five, 5, out, &digest, &err));
    spec.max_bytes = 100;
    REFUSED(CVM_E_IO, cvm_blob_seal_fd(&spec, SALT, five, 4, out, &digest, &err));
    lseek(five, 0, SEEK_SET);
    REFUSED(CVM_E_IO, cvm_blob_seal_fd(&spec, SALT, five, 6, out, &digest, &err));

    CVM_AUTO_BUF struct cvm_buf blob = seal(CVM_PADDING_MAX, 100, "12345", 5, &digest), p = {0},
                                q = {0}, r = {0}, s = {0}, t = {0}, u = {0}, v = {0}, w = {0};
    REFUSED(CVM_E_DIGEST_MISMATCH, open_blob(CVM_PADDING_MAX, 100, &blob, &other, &p, &err));
    REFUSED(CVM_E_PADDING, open_blob(CVM_PADDING_NONE, 100, &blob, &digest, &q, &err));
    REFUSED(CVM_E_PADDING, open_blob(CVM_PADDING_POW2, 100, &blob, &digest, &r, &err));
    REFUSED(CVM_E_PADDING, open_blob(CVM_PADDING_MAX, 101, &blob, &digest, &s, &err));
    REFUSED(CVM_E_CONTENT_TOO_LARGE, open_blob(CVM_PADDING_MAX, 99, &blob, &digest, &t, &err));
    blob.data[60] ^= 1;
    REFUSED(CVM_E_STREAM_CORRUPT, open_blob(CVM_PADDING_MAX, 100, &blob, &digest, &u, &err));
    blob.data[60] ^= 1;
    blob.len--;
    REFUSED(CVM_E_STREAM_CORRUPT, open_blob(CVM_PADDING_MAX, 100, &blob, &digest, &v, &err));
    blob.len = 56 + 39; /* too short for salt and length */
    REFUSED(CVM_E_STREAM_CORRUPT, open_blob(CVM_PADDING_MAX, 100, &blob, &digest, &w, &err));
}

/* What a dishonest owner, who has the key, could make: the plain form itself is wrong. */
static struct cvm_buf forge(uint64_t length, const void *rest, size_t rest_len)
{
    CVM_AUTO_BUF struct cvm_buf plain = {0};
    struct cvm_stream_sealer *s;
    int fd = file_of("", 0);
    cvm_buf_append(&plain, SALT, sizeof SALT);
    cvm_buf_append_u64be(&plain, length);
    cvm_buf_append(&plain, rest, rest_len);
    OK(cvm_stream_sealer_new(&s, &KEY, ASSOCIATED, plain.len, cvm_sink_fd, &fd, &err));
    OK(cvm_stream_sealer_update(s, plain.data, plain.len, &err));
    OK(cvm_stream_sealer_finish(s, &err));
    cvm_stream_sealer_free(s);
    return contents(fd);
}

static void forged(void **state)
{
    (void)state;
    static const struct {
        enum cvm_code code;
        enum cvm_padding padding;
        uint64_t length;
        const char *rest;
        size_t rest_len;
    } rows[] = {
        {CVM_E_PADDING, CVM_PADDING_MAX, 3, "abc\0\0\0\0x", 8},
        {CVM_E_PADDING, CVM_PADDING_MAX, 3, "abcx\0\0\0\0", 8},
        {CVM_E_PADDING, CVM_PADDING_MAX, 3, "abc", 3},
        {CVM_E_PADDING, CVM_PADDING_NONE, 2, "abc", 3},
        {CVM_E_PADDING, CVM_PADDING_NONE, 4, "abc", 3},
        {CVM_E_CONTENT_TOO_LARGE, CVM_PADDING_NONE, 9, "abcdefgh", 8},
        {CVM_E_CONTENT_TOO_LARGE, CVM_PADDING_MAX, UINT64_MAX, "abcdefgh", 8},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CVM_AUTO_BUF struct cvm_buf blob = forge(rows[i].length, rows[i].rest, rows[i].rest_len),
                                    plain = {0};
        REFUSED(rows[i].code, open_blob(rows[i].padding, 8, &blob, NULL, &plain, &err));
    }
    CVM_AUTO_BUF struct cvm_buf good = forge(3, "abc\0\0\0\0\0", 8), plain = {0};
    OK(open_blob(CVM_PADDING_MAX, 8, &good, NULL, &plain, &err));
    assert_int_equal(plain.len, 3);
}

static void finish_early(void **state)
{
    (void)state;
    struct cvm_digest digest;
    struct cvm_blob_spec spec = spec_of(CVM_PADDING_NONE, 100);
    CVM_AUTO_BUF struct cvm_buf blob = seal(CVM_PADDING_NONE, 100, "12345", 5, &digest);
    CVM_AUTO_CLOSE int out = file_of("", 0);
    struct cvm_blob_opener *o;
    OK(cvm_blob_opener_new(&o, &spec, blob.len, out, &err));
    OK(cvm_blob_opener_update(o, blob.data, blob.len - 1, &err));
    REFUSED(CVM_E_STREAM_CORRUPT, cvm_blob_opener_finish(o, NULL, NULL, NULL, &err));
    REFUSED(CVM_E_STREAM_CORRUPT, cvm_blob_opener_update(o, blob.data, 1, &err));
    cvm_blob_opener_free(o);
    cvm_blob_opener_free(NULL);
    OK(cvm_blob_opener_new(&o, &spec, blob.len, out, &err));
    OK(cvm_blob_opener_update(o, blob.data, blob.len, &err));
    REFUSED(CVM_E_STREAM_CORRUPT, cvm_blob_opener_update(o, "x", 1, &err));
    REFUSED(CVM_E_STREAM_CORRUPT, cvm_blob_opener_finish(o, NULL, NULL, NULL, &err));
    cvm_blob_opener_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips), cmocka_unit_test(paddings), cmocka_unit_test(hides),
        cmocka_unit_test(refusals),    cmocka_unit_test(forged),   cmocka_unit_test(finish_early),
    };
    return cmocka_run_group_tests(tests, make_key, free_key);
}
