/* A JWS of a stranger: it parses or is refused, and no made-up one verifies under a key that signed
 * nothing. */
#include <stdlib.h>
#include <string.h>

#include "core/seal/jws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cvm_key key;
    static const uint8_t secret[32] = {0x5a, 0xa5, 1, 2, 3};
    if (!key.secret.data && cvm_key_from_secret(&key, CVM_ED25519, secret, NULL) < 0)
        abort();
    CVM_AUTO_JWS struct cvm_jws jws = {0};
    struct cvm_error err = {0};
    if (cvm_jws_parse(data, size, &jws, &err) < 0) {
        if (err.code != CVM_E_JWS_FORMAT)
            abort();
        return 0;
    }
    if (memchr(jws.kid, '\0', sizeof jws.kid) == NULL ||
        memchr(jws.typ, '\0', sizeof jws.typ) == NULL)
        abort();
    if (cvm_jws_verify(&jws, jws.typ, &key.pub, &err) == 0 ||
        cvm_jws_verify_detached(&jws, jws.typ, &key.pub, "{}", 2, &err) == 0)
        abort();
    /* one spelling: header and payload encode to what came */
    CVM_AUTO_FREE char *payload = cvm_b64u(jws.payload.data, jws.payload.len);
    const char *dot = memchr(data, '.', size);
    if (memcmp(dot + 1, payload, strlen(payload)) != 0)
        abort();
    return 0;
}
