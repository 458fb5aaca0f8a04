/* Text forms of bytes: what decodes encodes to the same text, so each value has one spelling. */
#include <stdlib.h>
#include <string.h>

#include "core/base/encode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CVM_AUTO_BUF struct cvm_buf text = {0}, raw = {0};
    cvm_buf_append(&text, data, size);
    const char *s = cvm_buf_cstr(&text);
    if (cvm_b64u_decode((const char *)data, size, &raw, NULL) == 0) {
        CVM_AUTO_FREE char *again = cvm_b64u(raw.data, raw.len);
        if (strlen(again) != size || memcmp(again, data, size) != 0)
            abort();
    }
    uint8_t four[4];
    if (cvm_hex_decode(s, four, sizeof four, NULL) == 0) {
        CVM_AUTO_FREE char *again = cvm_hex(four, sizeof four);
        if (strcmp(again, s) != 0)
            abort();
    }
    struct cvm_digest d;
    char digest[CVM_DIGEST_TEXT];
    if (cvm_digest_parse(s, &d, NULL) == 0 && strcmp(cvm_digest_text(&d, digest), s) != 0)
        abort();
    if (cvm_id_valid(s) && (strchr(s, '/') || strchr(s, '.') || strlen(s) > CVM_ID_MAX))
        abort();
    return 0;
}
