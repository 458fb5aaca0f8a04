/* Keys of strangers: public JWKs and private key files. */
#include <stdlib.h>
#include <string.h>

#include "core/seal/jwk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CVM_AUTO_JSON json_t *v = cvm_json_parse(data, size, NULL);
    for (int c = CVM_ED25519; c <= CVM_X25519; c++) {
        enum cvm_curve curve = (enum cvm_curve)c;
        CVM_AUTO_KEY struct cvm_key key = {0};
        struct cvm_public_key pub;
        if (v && cvm_jwk_parse(v, curve, &pub, NULL) == 0) {
            CVM_AUTO_JSON json_t *again = cvm_jwk(&pub, curve);
            if (!json_equal(v, again))
                abort();
        }
        if (cvm_jwk_read_private(data, size, curve, &key, NULL) == 0) {
            CVM_AUTO_BUF struct cvm_buf again = {0};
            cvm_jwk_write_private(&key, &again);
            if (again.len > size || memcmp(again.data, data, again.len) != 0)
                abort();
        }
    }
    return 0;
}
