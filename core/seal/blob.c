#include "core/seal/blob.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/cursor.h"
#include "core/base/encode.h"
#include "core/base/descriptor.h"

#define CHUNK (256 * 1024)

static const char *const PADDING_WORDS[] = {"max", "pow2", "none"};

int cvm_padding_parse(const char *word, enum cvm_padding *ret, struct cvm_error *err)
{
    for (size_t i = 0; i < sizeof PADDING_WORDS / sizeof PADDING_WORDS[0]; i++)
        if (strcmp(PADDING_WORDS[i], word) == 0) {
            *ret = (enum cvm_padding)i;
            return 0;
        }
    return cvm_fail_expected(err, CVM_E_MANIFEST_ENUM, "max, pow2 or none", word, "padding");
}

const char *cvm_padding_word(enum cvm_padding padding)
{
    return PADDING_WORDS[padding];
}

uint64_t cvm_padding_size(enum cvm_padding padding, uint64_t length, uint64_t max_bytes)
{
    uint64_t size = 1;
    switch (padding) {
    case CVM_PADDING_NONE:
        return length;
    case CVM_PADDING_POW2:
        while (size < length && size < max_bytes && size <= UINT64_MAX / 2)
            size *= 2;
        return size < max_bytes ? size : max_bytes;
    default:
        return max_bytes;
    }
}

uint64_t cvm_blob_size(enum cvm_padding padding, uint64_t length, uint64_t max_bytes)
{
    return cvm_stream_size(CVM_BLOB_HEAD + cvm_padding_size(padding, length, max_bytes));
}

uint64_t cvm_blob_size_max(uint64_t max_bytes)
{
    return cvm_stream_size(CVM_BLOB_HEAD + max_bytes);
}

void cvm_blob_associated(const char *item_id, struct cvm_buf *out)
{
    struct cvm_bytes field = CVM_STR(item_id);
    cvm_label(out, "2cvm/blob/1", &field, 1);
}

int cvm_sink_fd(void *ctx, const void *data, size_t len, struct cvm_error *err)
{
    return cvm_fd_write(*(const int *)ctx, data, len, err);
}

static void report(const struct cvm_blob_spec *spec, uint64_t done, uint64_t total)
{
    if (spec->progress)
        spec->progress(spec->progress_ctx, done, total);
}

/* Copies the content into the sealer and takes its SHA-256. */
static int seal_content(const struct cvm_blob_spec *spec, struct cvm_stream_sealer *sealer,
                        int in_fd, uint64_t length, uint8_t *chunk, struct cvm_digest *ret,
                        struct cvm_error *err)
{
    struct cvm_hasher hasher;
    uint64_t done = 0;
    size_t n = 0;
    cvm_hasher_start(&hasher);
    while (done < length) {
        size_t want = length - done < CHUNK ? (size_t)(length - done) : CHUNK;
        int r = cvm_fd_read(in_fd, chunk, want, &n, err);
        if (r == 0 && n < want)
            r = cvm_fail(err, CVM_E_IO, "the content became shorter while it was read");
        if (r == 0) {
            cvm_hasher_add(&hasher, chunk, n);
            r = cvm_stream_sealer_update(sealer, chunk, n, err);
        }
        if (r < 0) {
            cvm_hasher_free(&hasher);
            return -1;
        }
        done += n;
        report(spec, done, length);
    }
    cvm_hasher_end(&hasher, ret->b);
    CVM_GUARD(cvm_fd_read(in_fd, chunk, 1, &n, err));
    CVM_ENSURE(n == 0, err, CVM_E_IO, "the content became longer while it was read");
    return 0;
}

static int seal_zeros(struct cvm_stream_sealer *sealer, uint64_t zeros, uint8_t *chunk,
                      struct cvm_error *err)
{
    memset(chunk, 0, CHUNK);
    while (zeros) {
        size_t n = zeros < CHUNK ? (size_t)zeros : CHUNK;
        CVM_GUARD(cvm_stream_sealer_update(sealer, chunk, n, err));
        zeros -= n;
    }
    return 0;
}

static void cleanup_sealer(struct cvm_stream_sealer **s)
{
    cvm_stream_sealer_free(*s);
}

static void cleanup_chunk(uint8_t **chunk)
{
    cvm_wipe(*chunk, CHUNK);
    free(*chunk);
}

int cvm_blob_seal(const struct cvm_blob_spec *spec, const uint8_t salt[CVM_SALT_LEN], int in_fd,
                  uint64_t length, cvm_sink sink, void *sink_ctx, struct cvm_digest *ret_content,
                  struct cvm_error *err)
{
    CVM_ENSURE(length <= spec->max_bytes, err, CVM_E_CONTENT_TOO_LARGE, "above %llu bytes",
               (unsigned long long)spec->max_bytes);
    CVM_CLEANUP(cleanup_sealer) struct cvm_stream_sealer *sealer = NULL;
    CVM_CLEANUP(cleanup_chunk) uint8_t *chunk = cvm_alloc(CHUNK);
    CVM_AUTO_BUF struct cvm_buf head = {0};
    struct cvm_digest bytes;
    uint64_t padded = cvm_padding_size(spec->padding, length, spec->max_bytes);
    CVM_GUARD(cvm_stream_sealer_new(&sealer, spec->key, spec->associated, CVM_BLOB_HEAD + padded,
                                    sink, sink_ctx, err));
    cvm_buf_append(&head, salt, CVM_SALT_LEN);
    cvm_buf_append_u64be(&head, length);
    CVM_GUARD(cvm_stream_sealer_update(sealer, head.data, head.len, err));
    CVM_GUARD(seal_content(spec, sealer, in_fd, length, chunk, &bytes, err));
    CVM_GUARD(seal_zeros(sealer, padded - length, chunk, err));
    CVM_GUARD(cvm_stream_sealer_finish(sealer, err));
    *ret_content = cvm_content_digest(salt, &bytes);
    return 0;
}

int cvm_blob_seal_fd(const struct cvm_blob_spec *spec, const uint8_t salt[CVM_SALT_LEN], int in_fd,
                     uint64_t length, int out_fd, struct cvm_digest *ret_content,
                     struct cvm_error *err)
{
    return cvm_blob_seal(spec, salt, in_fd, length, cvm_sink_fd, &out_fd, ret_content, err);
}

struct cvm_blob_opener {
    struct cvm_stream_opener *stream;
    struct cvm_hasher hasher;
    enum cvm_padding padding;
    uint64_t max_bytes, plain_len; /* plain_len: head, content and zeros */
    uint8_t head[CVM_BLOB_HEAD];
    size_t head_len;
    uint64_t length, content_left;
    int out_fd;
};

static int read_head(struct cvm_blob_opener *o, struct cvm_error *err)
{
    struct cvm_cursor c = cvm_cursor(o->head, sizeof o->head);
    cvm_cursor_take(&c, CVM_SALT_LEN);
    uint64_t length = cvm_cursor_u64be(&c);
    /* the numbers themselves stay unsaid: the padding is there to hide the length from whoever
     * reads a refusal */
    CVM_ENSURE(length <= o->max_bytes, err, CVM_E_CONTENT_TOO_LARGE, "above %llu bytes",
               (unsigned long long)o->max_bytes);
    CVM_ENSURE(CVM_BLOB_HEAD + cvm_padding_size(o->padding, length, o->max_bytes) == o->plain_len,
               err, CVM_E_PADDING, "not padded as \"%s\" of %llu bytes",
               cvm_padding_word(o->padding), (unsigned long long)o->max_bytes);
    o->length = o->content_left = length;
    return 0;
}

/* The sink of the stream: verified plain bytes, in order. */
static int take_plain(void *ctx, const void *data, size_t len, struct cvm_error *err)
{
    struct cvm_blob_opener *o = ctx;
    const uint8_t *p = data;
    if (o->head_len < CVM_BLOB_HEAD) {
        size_t n = CVM_BLOB_HEAD - o->head_len < len ? CVM_BLOB_HEAD - o->head_len : len;
        memcpy(o->head + o->head_len, p, n);
        o->head_len += n;
        p += n;
        len -= n;
        if (o->head_len < CVM_BLOB_HEAD)
            return 0;
        CVM_GUARD(read_head(o, err));
    }
    size_t n = o->content_left < len ? (size_t)o->content_left : len;
    cvm_hasher_add(&o->hasher, p, n);
    CVM_GUARD(cvm_fd_write(o->out_fd, p, n, err));
    o->content_left -= n;
    p += n;
    len -= n;
    bool zero = !len || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
    CVM_ENSURE(zero, err, CVM_E_PADDING, "not zero");
    return 0;
}

int cvm_blob_opener_new(struct cvm_blob_opener **ret, const struct cvm_blob_spec *spec,
                        uint64_t blob_len, int out_fd, struct cvm_error *err)
{
    CVM_ENSURE(blob_len <= cvm_blob_size_max(spec->max_bytes), err, CVM_E_CONTENT_TOO_LARGE,
               "a blob of %llu bytes for at most %llu of content", (unsigned long long)blob_len,
               (unsigned long long)spec->max_bytes);
    uint64_t plain_len;
    CVM_GUARD(cvm_stream_plain_size(blob_len, &plain_len, err));
    CVM_ENSURE(plain_len >= CVM_BLOB_HEAD, err, CVM_E_STREAM_CORRUPT, "too short for a blob");
    struct cvm_blob_opener *o = cvm_alloc(sizeof *o);
    *o = (struct cvm_blob_opener){.padding = spec->padding,
                                  .max_bytes = spec->max_bytes,
                                  .plain_len = plain_len,
                                  .out_fd = out_fd};
    if (cvm_stream_opener_new(&o->stream, spec->key, spec->associated, blob_len, take_plain, o,
                              err) < 0) {
        free(o);
        return -1;
    }
    cvm_hasher_start(&o->hasher);
    *ret = o;
    return 0;
}

int cvm_blob_opener_update(struct cvm_blob_opener *o, const void *data, size_t len,
                           struct cvm_error *err)
{
    return cvm_stream_opener_update(o->stream, data, len, err);
}

int cvm_blob_opener_finish(struct cvm_blob_opener *o, const struct cvm_digest *expected,
                           struct cvm_digest *ret_content, uint64_t *ret_length,
                           struct cvm_error *err)
{
    struct cvm_digest bytes, content;
    CVM_GUARD(cvm_stream_opener_finish(o->stream, err));
    CVM_ENSURE(o->head_len == CVM_BLOB_HEAD && o->content_left == 0 && o->hasher.ctx, err,
               CVM_E_STREAM_CORRUPT, "it ends too early");
    cvm_hasher_end(&o->hasher, bytes.b);
    content = cvm_content_digest(o->head, &bytes);
    if (expected && !cvm_equal(expected->b, content.b, sizeof content.b)) {
        char text[CVM_DIGEST_TEXT]; /* what came stays unsaid: with a salt of zeros it would tell
                                       about the content */
        return cvm_fail_expected(err, CVM_E_DIGEST_MISMATCH, cvm_digest_text(expected, text),
                                 "another", "these are not the bytes that the manifest fixed");
    }
    if (ret_content)
        *ret_content = content;
    if (ret_length)
        *ret_length = o->length;
    return 0;
}

void cvm_blob_opener_free(struct cvm_blob_opener *o)
{
    if (!o)
        return;
    cvm_stream_opener_free(o->stream);
    cvm_hasher_free(&o->hasher);
    cvm_wipe(o, sizeof *o);
    free(o);
}

static void cleanup_opener(struct cvm_blob_opener **o)
{
    cvm_blob_opener_free(*o);
}

int cvm_blob_open_fd(const struct cvm_blob_spec *spec, int in_fd, int out_fd,
                     const struct cvm_digest *expected, struct cvm_digest *ret_content,
                     uint64_t *ret_length, struct cvm_error *err)
{
    CVM_CLEANUP(cleanup_opener) struct cvm_blob_opener *o = NULL;
    CVM_CLEANUP(cleanup_chunk) uint8_t *chunk = cvm_alloc(CHUNK);
    uint64_t total, done = 0;
    CVM_GUARD(cvm_fd_left(in_fd, &total, err));
    CVM_GUARD(cvm_blob_opener_new(&o, spec, total, out_fd, err));
    for (;;) {
        size_t n = 0;
        CVM_GUARD(cvm_fd_read(in_fd, chunk, CHUNK, &n, err));
        if (n == 0)
            break;
        CVM_GUARD(cvm_blob_opener_update(o, chunk, n, err));
        done += n;
        report(spec, done, total);
    }
    return cvm_blob_opener_finish(o, expected, ret_content, ret_length, err);
}
