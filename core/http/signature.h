/*
 * Signed requests of the REST interface: HTTP message signatures (RFC 9421), Ed25519, and
 * Content-Digest (RFC 9530). Independent of the HTTP library: all parts of a request come as
 * strings.
 *
 *   Signature-Input: cvm=("@method" "@authority" "@path" "@query" ["content-digest"
 * "content-length"]); created=N;expires=N;nonce="…";keyid="…";alg="ed25519";tag="2cvm-rest"
 *   Signature:       cvm=:<base64>:
 *
 * Exactly this spelling and order is made and accepted (no line break); the two content fields are
 * covered whenever the request has a body.
 *
 * Security: these signatures protect the daemon only. The caller keeps the nonces that it saw until
 * they expire, and checks that the body fits Content-Digest.
 */
#ifndef CVM_HTTP_SIGNATURE_H
#define CVM_HTTP_SIGNATURE_H

#include "core/seal/sign.h"

#define CVM_HTTP_NONCE_LEN 16
#define CVM_HTTP_LIFETIME_MAX 300 /* seconds from created to expires */
#define CVM_HTTP_CLOCK_SKEW 30    /* seconds that `created` may lie ahead */

struct cvm_http_request {  /* borrowed; control characters and non-ASCII are refused in each */
    const char *method;    /* "PUT" */
    const char *authority; /* Host header; compared in lower case, default ports are the client's to
                              leave out */
    const char *path;      /* "/v1/…", as sent; "/" when empty */
    const char *query;     /* without its '?'; NULL or "" when there is none (signed as "?") */
    const char *content_digest; /* header value, NULL without a body */
    const char *content_length; /* header value; must be there when content_digest is; "0" or NULL
                                   without a body */
};

struct cvm_http_signature {
    int64_t created, expires; /* seconds since 1970 */
    uint8_t nonce[CVM_HTTP_NONCE_LEN];
    char kid[CVM_KID_TEXT];
    bool body; /* the content fields are covered */
    uint8_t signature[CVM_SIGNATURE_LEN];
};

/* Makes the values of the two headers, with a fresh nonce. Owned by the caller. */
int cvm_http_sign(const struct cvm_http_request *request, const struct cvm_key *key,
                  int64_t created, int64_t expires, char **ret_signature_input,
                  char **ret_signature, struct cvm_error *err) CVM_MUST_USE;

/* Foreign header values -> who claims to have signed, so that the key can be looked up.
 * CVM_E_HTTP_SIGNATURE. */
int cvm_http_signature_parse(const char *signature_input, const char *signature,
                             struct cvm_http_signature *ret, struct cvm_error *err) CVM_MUST_USE;

/* Checks lifetime, key, coverage and signature. CVM_E_HTTP_SIGNATURE. */
int cvm_http_signature_verify(const struct cvm_http_signature *signature,
                              const struct cvm_http_request *request,
                              const struct cvm_public_key *key, int64_t now,
                              struct cvm_error *err) CVM_MUST_USE;

/* The signature base (RFC 9421 section 2.5) of any list of components. `params` is all of
 * @signature-params' value. */
struct cvm_http_component {
    const char *name, *value;
};
void cvm_http_signature_base(const struct cvm_http_component *components, size_t n,
                             const char *params, struct cvm_buf *out);

/* `sha-256=:<base64>:`, one algorithm only. CVM_E_CONTENT_DIGEST for anything else. */
#define CVM_HTTP_CONTENT_DIGEST 56
char *cvm_http_content_digest(const struct cvm_digest *digest, char out[CVM_HTTP_CONTENT_DIGEST]);
int cvm_http_content_digest_parse(const char *value, struct cvm_digest *ret,
                                  struct cvm_error *err) CVM_MUST_USE;

#endif
