/*
 * Hashes, and the labelled hash L of doc/PROTOCOL.md section 1: every digest, `info` and `aad` of
 * ours is over L(label, f1 … fn) = len32be(label) label len32be(f1) f1 … len32be(fn) fn, so that no
 * two different inputs ever meet. Digests are raw bytes here; in JSON they are "sha256:" +
 * lower-case hex (encode.h).
 */
#ifndef CVM_BASE_HASH_H
#define CVM_BASE_HASH_H

#include "core/base/memory.h"

#define CVM_SHA256_LEN 32
#define CVM_SHA384_LEN 48
#define CVM_SHA512_LEN 64

struct cvm_digest { /* SHA-256 */
    uint8_t b[CVM_SHA256_LEN];
};

struct cvm_bytes { /* borrowed */
    const void *data;
    size_t len;
};
#define CVM_BYTES(p, n) ((struct cvm_bytes){(p), (n)})
#define CVM_STR(s) ((struct cvm_bytes){(s), strlen(s)})
#define CVM_DIGEST_BYTES(d) ((struct cvm_bytes){(d)->b, CVM_SHA256_LEN})

/* These abort if the crypto library cannot hash at all. */
struct cvm_digest cvm_sha256(const void *data, size_t len);
void cvm_sha384(const void *data, size_t len, uint8_t out[CVM_SHA384_LEN]);
void cvm_sha512(const void *data, size_t len, uint8_t out[CVM_SHA512_LEN]);

/* Appends L(label, fields[0] … fields[n-1]). */
void cvm_label(struct cvm_buf *out, const char *label, const struct cvm_bytes *fields, size_t n);
struct cvm_digest cvm_label_sha256(const char *label, const struct cvm_bytes *fields, size_t n);
void cvm_label_sha512(const char *label, const struct cvm_bytes *fields, size_t n,
                      uint8_t out[CVM_SHA512_LEN]);

/* Incremental SHA-256/384 for streams. */
struct cvm_hasher {
    void *ctx;
};
void cvm_hasher_start(struct cvm_hasher *h);    /* SHA-256 */
void cvm_hasher_start384(struct cvm_hasher *h); /* SHA-384 */
void cvm_hasher_add(struct cvm_hasher *h, const void *data, size_t len);
void cvm_hasher_end(struct cvm_hasher *h, uint8_t *out); /* 32 or 48 bytes; frees */
void cvm_hasher_free(struct cvm_hasher *h);              /* after an early end; fine when ended */

/* HKDF (RFC 5869) with SHA-256, extract and expand; out_len at most 8160. */
void cvm_hkdf_sha256(struct cvm_bytes salt, struct cvm_bytes ikm, struct cvm_bytes info,
                     uint8_t *out, size_t out_len);

#endif
