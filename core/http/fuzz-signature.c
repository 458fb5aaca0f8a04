/* The headers of a request: Signature-Input, Signature and Content-Digest, one a line. */
#include <stdlib.h>
#include <string.h>

#include "core/http/signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cvm_key key;
    static const uint8_t secret[32] = {0x5a, 0xa5, 1, 2, 3};
    if (!key.secret.data && cvm_key_from_secret(&key, CVM_ED25519, secret, NULL) < 0)
        abort();
    CVM_AUTO_BUF struct cvm_buf text = {0};
    cvm_buf_append(&text, data, size);
    char *input = cvm_buf_cstr(&text), *signature = strchr(input, '\n'), *digest;
    if (!signature)
        return 0;
    *signature++ = '\0';
    digest = strchr(signature, '\n');
    if (digest)
        *digest++ = '\0';
    struct cvm_http_signature s;
    struct cvm_digest d;
    char again[CVM_HTTP_CONTENT_DIGEST];
    if (digest && cvm_http_content_digest_parse(digest, &d, NULL) == 0 &&
        strcmp(cvm_http_content_digest(&d, again), digest) != 0)
        abort();
    if (cvm_http_signature_parse(input, signature, &s, NULL) < 0)
        return 0;
    struct cvm_http_request r = {.method = "PUT",
                                 .authority = "a",
                                 .path = "/",
                                 .content_digest = digest,
                                 .content_length = digest ? "1" : NULL};
    if (cvm_http_signature_verify(&s, &r, &key.pub, s.created, NULL) == 0)
        abort();
    return 0;
}
