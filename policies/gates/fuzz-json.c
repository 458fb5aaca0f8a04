/* Foreign bytes through the reader of JSON: written again they are never longer and mean the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_document d, again;
    struct text once = {0}, twice = {0};
    if (json_parse((const char *)data, size, &d))
        return 0;
    json_write(d.root, &once);
    if (once.len > size || json_parse(once.data, once.len, &again))
        abort();
    json_write(again.root, &twice);
    if (twice.len != once.len || memcmp(once.data, twice.data, once.len) != 0)
        abort();
    json_free(&d);
    json_free(&again);
    text_free(&once);
    text_free(&twice);
    return 0;
}
