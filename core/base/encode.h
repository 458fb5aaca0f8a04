/* Text forms of bytes: lower-case hex, base64url without padding (RFC 4648 section 5), and digests
 * as they stand in JSON. */
#ifndef CVM_BASE_ENCODE_H
#define CVM_BASE_ENCODE_H

#include "core/base/hash.h"

char *cvm_hex(const void *data, size_t len); /* owned, lower case */
/* Exactly len bytes of lower-case hex; refuses anything else (CVM_E_BAD_ENCODING). */
int cvm_hex_decode(const char *text, uint8_t *out, size_t len, struct cvm_error *err) CVM_MUST_USE;

char *cvm_b64u(const void *data, size_t len); /* owned */
/* Strict: no padding, no white space, no non-zero trailing bits. Appends to `ret`. */
int cvm_b64u_decode(const char *text, size_t text_len, struct cvm_buf *ret,
                    struct cvm_error *err) CVM_MUST_USE;
/* The same into exactly len bytes. */
int cvm_b64u_decode_exact(const char *text, uint8_t *out, size_t len,
                          struct cvm_error *err) CVM_MUST_USE;

#define CVM_DIGEST_TEXT 72 /* "sha256:" + 64 + NUL */
char *cvm_digest_text(const struct cvm_digest *d, char out[CVM_DIGEST_TEXT]); /* returns out */
int cvm_digest_parse(const char *text, struct cvm_digest *ret, struct cvm_error *err) CVM_MUST_USE;

/* An id of the manifest: [a-z][a-z0-9-]{0,62}. */
#define CVM_ID_MAX 63
bool cvm_id_valid(const char *id);

#endif
