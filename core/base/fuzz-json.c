/* JSON of strangers: what is accepted is canonical, survives a round trip, and has one spelling. */
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cvm_error err = {0};
    CVM_AUTO_JSON json_t *v = cvm_json_parse(data, size, &err);
    CVM_AUTO_JSON json_t *canonical = cvm_json_parse_canonical(data, size, &err);
    if (!v) {
        if (canonical || err.code == CVM_OK)
            abort();
        return 0;
    }
    CVM_AUTO_BUF struct cvm_buf text = {0}, again = {0};
    if (cvm_json_write(v, &text, &err) < 0)
        abort();
    if ((canonical != NULL) != (text.len == size && memcmp(text.data, data, size) == 0))
        abort();
    CVM_AUTO_JSON json_t *w = cvm_json_parse_canonical(text.data, text.len, &err);
    if (!w || !json_equal(v, w) || cvm_json_write(w, &again, &err) < 0)
        abort();
    return again.len == text.len && memcmp(again.data, text.data, text.len) == 0 ? 0 : (abort(), 0);
}
