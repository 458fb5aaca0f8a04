/*
 * Blobs: how components, data items and outputs lie and travel encrypted. A Tink stream (stream.h)
 * over `salt32 u64be(length) bytes zeros`; the zeros hide the length as far as the padding says.
 *
 * All work is incremental: a blob of any size takes about 2 MiB of memory.
 */
#ifndef CVM_SEAL_BLOB_H
#define CVM_SEAL_BLOB_H

#include "core/seal/content.h"
#include "core/seal/stream.h"

enum cvm_padding {
    CVM_PADDING_MAX,  /* zeros up to max_bytes */
    CVM_PADDING_POW2, /* up to the next power of two (of at least 1), not above max_bytes; outputs
                         only */
    CVM_PADDING_NONE,
};

#define CVM_BLOB_HEAD 40 /* salt and length */

/* "max", "pow2", "none"; CVM_E_MANIFEST_ENUM for others. */
int cvm_padding_parse(const char *word, enum cvm_padding *ret, struct cvm_error *err) CVM_MUST_USE;
const char *cvm_padding_word(enum cvm_padding padding);
/* Content bytes plus zeros, for length <= max_bytes. */
uint64_t cvm_padding_size(enum cvm_padding padding, uint64_t length, uint64_t max_bytes);
/* Bytes of the whole blob. */
uint64_t cvm_blob_size(enum cvm_padding padding, uint64_t length, uint64_t max_bytes);
/* Bytes of the largest blob that an item of max_bytes may have: refuse an upload above it at once.
 */
uint64_t cvm_blob_size_max(uint64_t max_bytes);

/* Appends L("2cvm/blob/1", item id), the associated data of an input's blob. */
void cvm_blob_associated(const char *item_id, struct cvm_buf *out);

/* Called now and then with plain bytes done and to do; may be NULL. */
typedef void (*cvm_progress)(void *ctx, uint64_t done, uint64_t total);

struct cvm_blob_spec {
    const struct cvm_secret *key; /* 32 bytes */
    struct cvm_bytes associated;
    enum cvm_padding padding;
    uint64_t max_bytes;
    cvm_progress progress; /* used by the _fd functions */
    void *progress_ctx;
};

/*
 * Reads exactly `length` bytes from in_fd at its offset (CVM_E_IO when there are fewer or more),
 * hands the blob to the sink. CVM_E_CONTENT_TOO_LARGE when length is above max_bytes. Gives the
 * content digest.
 */
int cvm_blob_seal(const struct cvm_blob_spec *spec, const uint8_t salt[CVM_SALT_LEN], int in_fd,
                  uint64_t length, cvm_sink sink, void *sink_ctx, struct cvm_digest *ret_content,
                  struct cvm_error *err) CVM_MUST_USE;
int cvm_blob_seal_fd(const struct cvm_blob_spec *spec, const uint8_t salt[CVM_SALT_LEN], int in_fd,
                     uint64_t length, int out_fd, struct cvm_digest *ret_content,
                     struct cvm_error *err) CVM_MUST_USE;

/*
 * Opens a blob of blob_len bytes (as announced; it is checked) given in pieces of any size, and
 * writes the content to out_fd at its offset. Codes: CVM_E_STREAM_CORRUPT, CVM_E_CONTENT_TOO_LARGE,
 * CVM_E_PADDING (not zero, or not of the declared size), CVM_E_DIGEST_MISMATCH (at the end). out_fd
 * stays the caller's.
 *
 * Security: what lies in out_fd may be used only after _finish() succeeded; on failure the caller
 * throws it away.
 */
struct cvm_blob_opener;
int cvm_blob_opener_new(struct cvm_blob_opener **ret, const struct cvm_blob_spec *spec,
                        uint64_t blob_len, int out_fd, struct cvm_error *err) CVM_MUST_USE;
int cvm_blob_opener_update(struct cvm_blob_opener *o, const void *data, size_t len,
                           struct cvm_error *err) CVM_MUST_USE;
/* `expected` may be NULL (outputs have no digest beforehand); `ret_content` and `ret_length` may be
 * NULL. */
int cvm_blob_opener_finish(struct cvm_blob_opener *o, const struct cvm_digest *expected,
                           struct cvm_digest *ret_content, uint64_t *ret_length,
                           struct cvm_error *err) CVM_MUST_USE;
void cvm_blob_opener_free(struct cvm_blob_opener *o); /* NULL is fine */

/* The same from a descriptor, from its offset to its end; blob_len is what is left in it (a regular
 * file or memfd). */
int cvm_blob_open_fd(const struct cvm_blob_spec *spec, int in_fd, int out_fd,
                     const struct cvm_digest *expected, struct cvm_digest *ret_content,
                     uint64_t *ret_length, struct cvm_error *err) CVM_MUST_USE;

/* A cvm_sink whose ctx is an `int *`: writes all to that descriptor. */
int cvm_sink_fd(void *ctx, const void *data, size_t len, struct cvm_error *err);

#endif
