#include "core/seal/stream.h"
#include "core/seal/test-support.h"

#define FIRST (CVM_STREAM_SEGMENT - 56)
#define NEXT (CVM_STREAM_SEGMENT - 16)

static int collect(void *ctx, const void *data, size_t len, struct cvm_error *err)
{
    (void)err;
    cvm_buf_append(ctx, data, len);
    return 0;
}

static struct cvm_secret key(uint8_t fill)
{
    struct cvm_secret k = {0};
    OK(cvm_secret_new(&k, 32, &err));
    memset(k.data, fill, 32);
    return k;
}

static struct cvm_buf pattern(size_t len)
{
    struct cvm_buf b = {0};
    uint8_t *p = cvm_buf_extend(&b, len);
    for (size_t i = 0; i < len; i++)
        p[i] = (uint8_t)(i * 7 + (i >> 8) * 13 + (i >> 16));
    return b;
}

static struct cvm_buf seal(const struct cvm_secret *k, const char *aad, const struct cvm_buf *plain,
                           size_t piece)
{
    struct cvm_buf out = {0};
    struct cvm_stream_sealer *s;
    OK(cvm_stream_sealer_new(&s, k, CVM_STR(aad), plain->len, collect, &out, &err));
    for (size_t at = 0; at < plain->len; at += piece)
        OK(cvm_stream_sealer_update(s, plain->data + at,
                                    plain->len - at < piece ? plain->len - at : piece, &err));
    OK(cvm_stream_sealer_finish(s, &err));
    cvm_stream_sealer_free(s);
    assert_int_equal(out.len, cvm_stream_size(plain->len));
    return out;
}

static int open_as(const struct cvm_secret *k, const char *aad, const struct cvm_buf *stream,
                   uint64_t announced, size_t piece, struct cvm_buf *out, struct cvm_error *err)
{
    struct cvm_stream_opener *o;
    CVM_GUARD(cvm_stream_opener_new(&o, k, CVM_STR(aad), announced, collect, out, err));
    int r = 0;
    for (size_t at = 0; r == 0 && at < stream->len; at += piece)
        r = cvm_stream_opener_update(o, stream->data + at,
                                     stream->len - at < piece ? stream->len - at : piece, err);
    if (r == 0)
        r = cvm_stream_opener_finish(o, err);
    cvm_stream_opener_free(o);
    return r;
}

static int open_all(const struct cvm_secret *k, const char *aad, const struct cvm_buf *stream,
                    struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf out = {0};
    return open_as(k, aad, stream, stream->len, 65536, &out, err);
}

static void round_trips(void **state)
{
    (void)state;
    static const size_t lengths[] = {0,       1,         16,           40,
                                     65535,   65536,     65537,        FIRST - 1,
                                     FIRST,   FIRST + 1, FIRST + NEXT, FIRST + NEXT + 1,
                                     3u << 20};
    static const size_t pieces[] = {16000, 65536, 1u << 20, 5u << 20};
    CVM_AUTO_SECRET struct cvm_secret k = key(7);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        for (size_t j = 0; j < sizeof pieces / sizeof pieces[0]; j++) {
            CVM_AUTO_BUF struct cvm_buf plain = pattern(lengths[i]), again = {0};
            CVM_AUTO_BUF struct cvm_buf stream = seal(&k, "aad", &plain, pieces[j]);
            uint64_t size;
            OK(cvm_stream_plain_size(stream.len, &size, &err));
            assert_int_equal(size, plain.len);
            OK(open_as(&k, "aad", &stream, stream.len, pieces[(j + 1) % 4], &again, &err));
            assert_int_equal(again.len, plain.len);
            if (plain.len)
                assert_memory_equal(again.data, plain.data, plain.len);
        }
    CVM_AUTO_BUF struct cvm_buf plain = pattern(3000), again = {0};
    CVM_AUTO_BUF struct cvm_buf stream = seal(&k, "", &plain, 1);
    OK(open_as(&k, "", &stream, stream.len, 1, &again, &err));
    assert_memory_equal(again.data, plain.data, plain.len);
}

static void sizes(void **state)
{
    (void)state;
    static const uint64_t bad[] = {0,
                                   1,
                                   55,
                                   CVM_STREAM_SEGMENT + 1,
                                   CVM_STREAM_SEGMENT + 16,
                                   2 * CVM_STREAM_SEGMENT + 16,
                                   1ULL << 62,
                                   UINT64_MAX};
    uint64_t plain;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        REFUSED(CVM_E_STREAM_CORRUPT, cvm_stream_plain_size(bad[i], &plain, &err));
    OK(cvm_stream_plain_size(56, &plain, &err));
    assert_int_equal(plain, 0);
    OK(cvm_stream_plain_size(CVM_STREAM_SEGMENT + 17, &plain, &err));
    assert_int_equal(plain, FIRST + 1);
}

static void changes(void **state)
{
    (void)state;
    CVM_AUTO_SECRET struct cvm_secret k = key(7), other = key(8);
    CVM_AUTO_BUF struct cvm_buf plain = pattern(FIRST + NEXT + 100);
    CVM_AUTO_BUF struct cvm_buf stream = seal(&k, "a", &plain, 1 << 20);
    size_t last = stream.len - 1;
    const size_t at[] = {0,
                         1,
                         32,
                         33,
                         39,
                         40,
                         5000,
                         CVM_STREAM_SEGMENT - 1,
                         CVM_STREAM_SEGMENT,
                         2 * CVM_STREAM_SEGMENT - 1,
                         2 * CVM_STREAM_SEGMENT,
                         last - 16,
                         last};
    OK(open_all(&k, "a", &stream, &err));
    REFUSED(CVM_E_STREAM_CORRUPT, open_all(&other, "a", &stream, &err));
    REFUSED(CVM_E_STREAM_CORRUPT, open_all(&k, "b", &stream, &err));
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        stream.data[at[i]] ^= 0x20;
        REFUSED(CVM_E_STREAM_CORRUPT, open_all(&k, "a", &stream, &err));
        stream.data[at[i]] ^= 0x20;
    }
}

/* Nothing of a segment that does not verify reaches the sink. */
static void only_verified(void **state)
{
    (void)state;
    CVM_AUTO_SECRET struct cvm_secret k = key(7);
    CVM_AUTO_BUF struct cvm_buf plain = pattern(FIRST + 1000), out = {0};
    CVM_AUTO_BUF struct cvm_buf stream = seal(&k, "a", &plain, 1 << 20);
    stream.data[stream.len - 1] ^= 1;
    REFUSED(CVM_E_STREAM_CORRUPT, open_as(&k, "a", &stream, stream.len, 16000, &out, &err));
    assert_int_equal(out.len, FIRST);
}

static void cut_and_extended(void **state)
{
    (void)state;
    CVM_AUTO_SECRET struct cvm_secret k = key(7);
    CVM_AUTO_BUF struct cvm_buf plain = pattern(FIRST + NEXT + 100), none = {0};
    CVM_AUTO_BUF struct cvm_buf stream = seal(&k, "a", &plain, 1 << 20);
    const size_t cuts[] = {1, 16, 100, 116, 117, CVM_STREAM_SEGMENT, CVM_STREAM_SEGMENT + 116};
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        struct cvm_buf cut = {.data = stream.data, .len = stream.len - cuts[i]};
        REFUSED(CVM_E_STREAM_CORRUPT, open_all(&k, "a", &cut, &err));
        REFUSED(CVM_E_STREAM_CORRUPT, open_as(&k, "a", &cut, stream.len, 65536, &none, &err));
    }
    cvm_buf_append_u8(&stream, 0);
    REFUSED(CVM_E_STREAM_CORRUPT, open_all(&k, "a", &stream, &err));
    REFUSED(CVM_E_STREAM_CORRUPT, open_as(&k, "a", &stream, stream.len - 1, 65536, &none, &err));
    REFUSED(CVM_E_STREAM_CORRUPT, open_as(&k, "a", &none, 56, 65536, &none, &err));
}

/* Segments of equal size in another order, and a stream put together from two under one key. */
static void reordered(void **state)
{
    (void)state;
    CVM_AUTO_SECRET struct cvm_secret k = key(7);
    CVM_AUTO_BUF struct cvm_buf plain = pattern(FIRST + 2 * NEXT + 5);
    CVM_AUTO_BUF struct cvm_buf a = seal(&k, "a", &plain, 1 << 20),
                                b = seal(&k, "a", &plain, 1 << 20);
    uint8_t *second = a.data + CVM_STREAM_SEGMENT, *third = second + CVM_STREAM_SEGMENT;
    CVM_AUTO_BUF struct cvm_buf keep = {0};
    cvm_buf_append(&keep, second, CVM_STREAM_SEGMENT);
    memcpy(second, third, CVM_STREAM_SEGMENT);
    REFUSED(CVM_E_STREAM_CORRUPT, open_all(&k, "a", &a, &err));
    memcpy(third, keep.data, CVM_STREAM_SEGMENT);
    REFUSED(CVM_E_STREAM_CORRUPT, open_all(&k, "a", &a, &err));
    memcpy(second, b.data + CVM_STREAM_SEGMENT, 2 * CVM_STREAM_SEGMENT);
    REFUSED(CVM_E_STREAM_CORRUPT, open_all(&k, "a", &a, &err));
}

static int refuse(void *ctx, const void *data, size_t len, struct cvm_error *err)
{
    (void)ctx;
    (void)data;
    return cvm_fail(err, CVM_E_IO, "no room for %zu bytes", len);
}

static void misuse(void **state)
{
    (void)state;
    CVM_AUTO_SECRET struct cvm_secret k = key(7);
    CVM_AUTO_BUF struct cvm_buf out = {0};
    struct cvm_stream_sealer *s;
    OK(cvm_stream_sealer_new(&s, &k, CVM_STR(""), 10, collect, &out, &err));
    OK(cvm_stream_sealer_update(s, "12345", 5, &err));
    REFUSED(CVM_E_INTERNAL, cvm_stream_sealer_finish(s, &err));
    REFUSED(CVM_E_INTERNAL, cvm_stream_sealer_update(s, "123456", 6, &err));
    REFUSED(CVM_E_INTERNAL, cvm_stream_sealer_update(s, "12345", 5, &err));
    cvm_stream_sealer_free(s);
    OK(cvm_stream_sealer_new(&s, &k, CVM_STR(""), 10, refuse, NULL, &err));
    REFUSED(CVM_E_IO, cvm_stream_sealer_update(s, "1234567890", 10, &err));
    REFUSED(CVM_E_INTERNAL, cvm_stream_sealer_finish(s, &err));
    cvm_stream_sealer_free(s);
    k.len = 16;
    REFUSED(CVM_E_INTERNAL, cvm_stream_sealer_new(&s, &k, CVM_STR(""), 10, collect, &out, &err));
    k.len = 32;
    cvm_stream_sealer_free(NULL);
    cvm_stream_opener_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),      cmocka_unit_test(sizes),
        cmocka_unit_test(changes),          cmocka_unit_test(only_verified),
        cmocka_unit_test(cut_and_extended), cmocka_unit_test(reordered),
        cmocka_unit_test(misuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
