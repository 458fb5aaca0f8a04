#include "guest-agent/sandbox/spec.h"

#include <errno.h>
#include <unistd.h>

#define SPEC_MAX (1u << 20)

json_t *cvm_spec_load(int fd, struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf text = {0};
    for (;;) {
        uint8_t part[4096];
        ssize_t n = read(fd, part, sizeof part);
        if (n == 0)
            break;
        if (n < 0 || text.len + (size_t)n > SPEC_MAX) {
            (void)cvm_fail(err, CVM_E_IO, "the spec cannot be read");
            return NULL;
        }
        cvm_buf_append(&text, part, (size_t)n);
        cvm_wipe(part, sizeof part); /* a cell's spec holds its seed */
    }
    return cvm_json_parse_canonical(text.data, text.len, err);
}

json_t *cvm_spec_object_opt(struct cvm_json_reader *r, const char *name)
{
    return json_object_get(r->object, name) ? cvm_json_object(r, name) : NULL;
}

unsigned cvm_spec_word(struct cvm_json_reader *r, const char *name, int value)
{
    if (value < 0)
        cvm_json_fail(r, CVM_E_MANIFEST_ENUM, "%s", name);
    return value < 0 ? 0 : (unsigned)value;
}

void cvm_spec_component(struct cvm_json_reader *r, struct cvm_spec_component *ret)
{
    ret->clock =
        (enum cvm_clock)cvm_spec_word(r, "clock", cvm_clock_by_word(cvm_json_string(r, "clock")));
    ret->random = (enum cvm_random)cvm_spec_word(r, "random",
                                                 cvm_random_by_word(cvm_json_string(r, "random")));
    ret->memory_bytes = (uint64_t)cvm_json_int(r, "memory_bytes", 0, CVM_JSON_INT_MAX);
    json_t *grants = cvm_json_array(r, "grants", CVM_GRANT_COUNT);
    for (size_t i = 0; i < json_array_size(grants); i++) {
        const char *word = json_string_value(json_array_get(grants, i));
        ret->grants |= 1u << cvm_spec_word(r, "grants", word ? cvm_grant_by_word(word) : -1);
    }
}
