#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/json.h"
#include "core/wire/frame.h"

static struct cvm_frame_decoder DECODER;

/* Feeds all bytes in pieces; 1, 0 or the code of the refusal as a negative number. */
static int feed(enum cvm_frame_sender from, const void *data, size_t len, size_t piece)
{
    cvm_frame_decoder_init(&DECODER, from);
    int frames = 0;
    for (size_t at = 0; at < len; at += piece) {
        const uint8_t *p = (const uint8_t *)data + at;
        size_t left = len - at < piece ? len - at : piece;
        for (;;) {
            struct cvm_frame f;
            struct cvm_error err = {0};
            int r = cvm_frame_decode(&DECODER, &p, &left, &f, &err);
            if (r < 0) {
                struct cvm_error again = {0};
                assert_int_equal(cvm_frame_decode(&DECODER, &p, &left, &f, &again), -1);
                return -(int)err.code;
            }
            if (r == 0)
                break;
            frames++;
        }
        assert_int_equal(left, 0);
    }
    return frames;
}

static void round_trips(void **state)
{
    (void)state;
    CVM_AUTO_BUF struct cvm_buf body = {0}, wire = {0};
    uint8_t *p = cvm_buf_extend(&body, 40000);
    for (size_t i = 0; i < body.len; i++)
        p[i] = (uint8_t)(i * 31 + (i >> 8));
    assert_int_equal(cvm_frame_encode(&wire, CVM_FRAME_REQUEST, 7, "{}", 2, NULL), 0);
    assert_int_equal(cvm_frame_encode_data(&wire, 7, body.data, body.len, NULL), 0);
    assert_int_equal(cvm_frame_encode(&wire, CVM_FRAME_END, 7, NULL, 0, NULL), 0);
    assert_int_equal(wire.len, 5 * CVM_FRAME_HEAD + 2 + 40000);
    static const size_t pieces[] = {1, 2, 8, 9, 10, 4096, 16000, 16009, 16010, 100000};
    for (size_t k = 0; k < sizeof pieces / sizeof pieces[0]; k++) {
        CVM_AUTO_BUF struct cvm_buf again = {0};
        unsigned seen[5], n = 0;
        cvm_frame_decoder_init(&DECODER, CVM_FRAME_FROM_HOST);
        for (size_t at = 0; at < wire.len; at += pieces[k]) {
            const uint8_t *w = wire.data + at;
            size_t left = wire.len - at < pieces[k] ? wire.len - at : pieces[k];
            struct cvm_frame f;
            int r;
            while ((r = cvm_frame_decode(&DECODER, &w, &left, &f, NULL)) == 1) {
                assert_true(n < 5);
                assert_int_equal(f.stream, 7);
                seen[n++] = f.type;
                if (f.type == CVM_FRAME_DATA)
                    cvm_buf_append(&again, f.payload, f.len);
            }
            assert_int_equal(r, 0);
        }
        assert_int_equal(n, 5);
        assert_int_equal(seen[0], CVM_FRAME_REQUEST);
        assert_int_equal(seen[4], CVM_FRAME_END);
        assert_int_equal(again.len, body.len);
        assert_memory_equal(again.data, body.data, body.len);
        assert_int_equal(cvm_frame_decoder_end(&DECODER, NULL), 0);
    }
}

static void refusals(void **state)
{
    (void)state;
    static const struct {
        enum cvm_frame_sender from;
        enum cvm_code code;
        const char *bytes;
        size_t len;
    } rows[] = {
        {CVM_FRAME_FROM_HOST, CVM_E_FRAME_FORMAT, "\0\0\0\0", 4},
        {CVM_FRAME_FROM_HOST, CVM_E_FRAME_FORMAT, "\0\0\0\4", 4},
        {CVM_FRAME_FROM_HOST, CVM_E_FRAME_TOO_LARGE, "\xff\xff\xff\xff", 4},
        {CVM_FRAME_FROM_HOST, CVM_E_FRAME_TOO_LARGE, "\0\0\x3e\x86", 4}, /* 16006 = 5 + 16001 */
        {CVM_FRAME_FROM_HOST, CVM_E_FRAME_FORMAT, "\0\0\0\5\0\0\0\0\1", 9},
        {CVM_FRAME_FROM_HOST, CVM_E_FRAME_FORMAT, "\0\0\0\5\6\0\0\0\1", 9},
        {CVM_FRAME_FROM_HOST, CVM_E_FRAME_FORMAT, "\0\0\0\5\xff\0\0\0\1", 9},
        {CVM_FRAME_FROM_HOST, CVM_E_FRAME_STREAM, "\0\0\0\5\1\0\0\0\0", 9},
        {CVM_FRAME_FROM_AGENT, CVM_E_FRAME_STREAM, "\0\0\0\5\5\0\0\0\1", 9},
        {CVM_FRAME_FROM_HOST, CVM_E_FRAME_FORMAT, "\0\0\0\6\4\0\0\0\1x", 10},
        {CVM_FRAME_FROM_AGENT, CVM_E_FRAME_ORDER, "\0\0\0\5\1\0\0\0\1", 9},
        {CVM_FRAME_FROM_HOST, CVM_E_FRAME_ORDER, "\0\0\0\5\2\0\0\0\1", 9},
        {CVM_FRAME_FROM_HOST, CVM_E_FRAME_ORDER, "\0\0\0\5\5\0\0\0\0", 9},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (size_t piece = 1; piece <= 10; piece += 9)
            assert_int_equal(feed(rows[i].from, rows[i].bytes, rows[i].len, piece),
                             -(int)rows[i].code);
    assert_int_equal(feed(CVM_FRAME_FROM_HOST, "\0\0\0\5\3\0\0\0\1", 9, 9), 1);
    assert_int_equal(feed(CVM_FRAME_FROM_AGENT, "\0\0\0\5\5\0\0\0\0", 9, 9), 1);
}

static void ends(void **state)
{
    (void)state;
    struct cvm_error err = {0};
    for (size_t len = 1; len < 12; len++) {
        assert_int_equal(feed(CVM_FRAME_FROM_HOST, "\0\0\0\x8\3\0\0\0\1abc", len, 12), 0);
        assert_int_equal(cvm_frame_decoder_end(&DECODER, &err), -1);
        assert_int_equal(err.code, CVM_E_FRAME_FORMAT);
    }
}

static void encoder(void **state)
{
    (void)state;
    static const uint8_t big[CVM_FRAME_PAYLOAD_MAX + 1];
    CVM_AUTO_BUF struct cvm_buf out = {0};
    struct cvm_error err = {0};
    assert_int_equal(cvm_frame_encode(&out, CVM_FRAME_DATA, 1, big, sizeof big, &err), -1);
    assert_int_equal(err.code, CVM_E_FRAME_TOO_LARGE);
    assert_int_equal(cvm_frame_encode(&out, CVM_FRAME_DATA, 0, big, 1, &err), -1);
    assert_int_equal(err.code, CVM_E_FRAME_STREAM);
    assert_int_equal(cvm_frame_encode(&out, CVM_FRAME_EVENT, 1, big, 1, &err), -1);
    assert_int_equal(err.code, CVM_E_FRAME_STREAM);
    assert_int_equal(cvm_frame_encode(&out, CVM_FRAME_END, 1, big, 1, &err), -1);
    assert_int_equal(err.code, CVM_E_FRAME_FORMAT);
    assert_int_equal(cvm_frame_encode(&out, (enum cvm_frame_type)9, 1, big, 1, &err), -1);
    assert_int_equal(err.code, CVM_E_FRAME_FORMAT);
    assert_int_equal(out.len, 0);
    assert_int_equal(cvm_frame_encode(&out, CVM_FRAME_DATA, 1, big, CVM_FRAME_PAYLOAD_MAX, NULL),
                     0);
    assert_true(out.len <= 16384);
    assert_string_equal(cvm_frame_name(CVM_FRAME_EVENT), "event");
    assert_string_equal(cvm_frame_name(77), "unknown");
}

/* The frames of test/vectors/seal.json. */
static void vectors(void **state)
{
    (void)state;
    size_t i;
    json_t *row;
    CVM_AUTO_JSON json_t *all = json_load_file(CVM_SOURCE_DIR "/test/vectors/seal.json", 0, NULL);
    json_array_foreach(json_object_get(all, "frames"), i, row)
    {
        uint8_t payload[32];
        const char *hex = json_string_value(json_object_get(row, "payload"));
        CVM_AUTO_BUF struct cvm_buf out = {0};
        size_t len = strlen(hex) / 2;
        assert_true(len <= sizeof payload);
        assert_int_equal(cvm_hex_decode(hex, payload, len, NULL), 0);
        int type = (int)json_integer_value(json_object_get(row, "type"));
        uint32_t stream = (uint32_t)json_integer_value(json_object_get(row, "stream"));
        assert_int_equal(
            cvm_frame_encode(&out, (enum cvm_frame_type)type, stream, payload, len, NULL), 0);
        CVM_AUTO_FREE char *made = cvm_hex(out.data, out.len);
        assert_string_equal(made, json_string_value(json_object_get(row, "bytes")));
        assert_int_equal(feed(CVM_FRAME_FROM_HOST, out.data, out.len, 3), 1);
    }
    assert_int_equal(i, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(vectors), cmocka_unit_test(round_trips),
                                       cmocka_unit_test(refusals), cmocka_unit_test(ends),
                                       cmocka_unit_test(encoder)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
