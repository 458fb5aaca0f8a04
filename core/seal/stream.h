/*
 * Tink's streaming AEAD, AES256_GCM_HKDF_1MB: constant memory at any size, authenticated 1 MiB
 * segments, no reorder, cut or extension goes unseen.
 *
 *   stream  = 0x28 salt[32] prefix[7] segment …            (40 bytes of header count towards the
 * first 1 MiB segment) key     = HKDF-SHA256(ikm = key, salt, info = associated data, 32 bytes)
 *   segment = AES-256-GCM(key, nonce = prefix u32be(number) u8(last), plain bytes)
 *
 * Both sides are told the whole length first: it says which segment is the last, so that bytes are
 * encrypted where they lie, without a copy. A wrong length is found out as any other change is.
 *
 * Security: the opener hands on only bytes whose segment verified. What the sink got before a later
 * segment fails is authentic but incomplete: no one may use it before _finish() succeeded.
 */
#ifndef CVM_SEAL_STREAM_H
#define CVM_SEAL_STREAM_H

#include "core/base/hash.h"

#define CVM_STREAM_SEGMENT (1024 * 1024)
#define CVM_STREAM_HEADER 40
#define CVM_STREAM_TAG 16
#define CVM_STREAM_PLAIN_MAX                                                                       \
    (1ULL << 46) /* 64 TiB: far below the 2^32 segments that the nonce can count */

/* Takes the next bytes of the result, in order; -1 ends the work with its error. */
typedef int (*cvm_sink)(void *ctx, const void *data, size_t len, struct cvm_error *err);

/* Bytes of the stream that carries plain_len bytes. */
uint64_t cvm_stream_size(uint64_t plain_len);
/* The inverse; CVM_E_STREAM_CORRUPT when no plain length gives a stream of that size. */
int cvm_stream_plain_size(uint64_t stream_len, uint64_t *ret, struct cvm_error *err) CVM_MUST_USE;

/* Seals exactly plain_len bytes, given in pieces of any size. `key` is 32 bytes and copied;
 * associated at most 900 bytes. */
struct cvm_stream_sealer;
int cvm_stream_sealer_new(struct cvm_stream_sealer **ret, const struct cvm_secret *key,
                          struct cvm_bytes associated, uint64_t plain_len, cvm_sink sink,
                          void *sink_ctx, struct cvm_error *err) CVM_MUST_USE;
int cvm_stream_sealer_update(struct cvm_stream_sealer *s, const void *data, size_t len,
                             struct cvm_error *err) CVM_MUST_USE;
int cvm_stream_sealer_finish(struct cvm_stream_sealer *s, struct cvm_error *err) CVM_MUST_USE;
void cvm_stream_sealer_free(struct cvm_stream_sealer *s); /* NULL is fine */

/* Opens a stream of exactly stream_len bytes. CVM_E_STREAM_CORRUPT for whatever is wrong with it.
 */
struct cvm_stream_opener;
int cvm_stream_opener_new(struct cvm_stream_opener **ret, const struct cvm_secret *key,
                          struct cvm_bytes associated, uint64_t stream_len, cvm_sink sink,
                          void *sink_ctx, struct cvm_error *err) CVM_MUST_USE;
int cvm_stream_opener_update(struct cvm_stream_opener *o, const void *data, size_t len,
                             struct cvm_error *err) CVM_MUST_USE;
int cvm_stream_opener_finish(struct cvm_stream_opener *o, struct cvm_error *err) CVM_MUST_USE;
void cvm_stream_opener_free(struct cvm_stream_opener *o); /* NULL is fine */

#endif
