/* Helpers over cvm_json_reader that every section of the manifest needs. */
#include "core/manifest/parse.h"

#include <string.h>

void cvm_read_id(struct cvm_json_reader *r, char ret[CVM_ID_MAX + 1])
{
    const char *id = cvm_json_string(r, "id");
    if (r->failed)
        return;
    if (!cvm_id_valid(id)) {
        cvm_json_fail(r, CVM_E_MANIFEST_ID, "\"id\" \"%.64s\"", id);
        return;
    }
    if (strcmp(id, "seed") == 0) {
        cvm_json_fail(r, CVM_E_MANIFEST_ID, "\"seed\" is reserved");
        return;
    }
    memcpy(ret, id, strlen(id) + 1);
}

/*
 * One code point of UTF-8 that jansson has checked; returns its length. Controls (C0, DEL, C1),
 * line and paragraph separators, and everything that turns or hides text on a screen are not fit to
 * be shown in `explain`.
 */
static size_t next_code_point(const unsigned char *p, uint32_t *ret)
{
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    uint32_t v = n == 1 ? p[0] : p[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++)
        v = v << 6 | (p[i] & 0x3f);
    *ret = v;
    return n;
}

static bool fit_to_show(uint32_t c)
{
    if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c)
        return false;
    if ((c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
        (c >= 0x2060 && c <= 0x206f))
        return false;
    return c != 0xfeff && !(c >= 0xe0000 && c <= 0xe0fff) && (c & 0xfffe) != 0xfffe;
}

void cvm_read_check_text(struct cvm_json_reader *r, const char *name, const char *text, size_t min,
                         size_t max)
{
    if (r->failed)
        return;
    size_t len = strlen(text);
    if (len < min || len > max) {
        cvm_json_fail(r, CVM_E_MANIFEST_TEXT, "\"%s\" has %zu bytes, allowed are %zu to %zu", name,
                      len, min, max);
        return;
    }
    uint32_t c;
    for (size_t i = 0; i < len; i += next_code_point((const unsigned char *)text + i, &c)) {
        next_code_point((const unsigned char *)text + i, &c);
        if (!fit_to_show(c)) {
            cvm_json_fail(r, CVM_E_MANIFEST_TEXT, "\"%s\" holds U+%04X at byte %zu", name,
                          (unsigned)c, i);
            return;
        }
    }
}

const char *cvm_read_text(struct cvm_json_reader *r, const char *name, size_t max)
{
    const char *text = cvm_json_string(r, name);
    cvm_read_check_text(r, name, text, 1, max);
    return text;
}

int cvm_read_word(struct cvm_json_reader *r, const char *name, int (*by_word)(const char *))
{
    const char *word = cvm_json_string(r, name);
    int v = r->failed ? 0 : by_word(word);
    if (v < 0)
        cvm_json_fail(r, CVM_E_MANIFEST_ENUM, "\"%s\" is \"%.40s\"", name, word);
    return v < 0 ? 0 : v;
}

unsigned cvm_read_words(struct cvm_json_reader *r, const char *name, int (*by_word)(const char *))
{
    json_t *list = cvm_json_array(r, name, 32), *item;
    unsigned bits = 0;
    size_t i;
    json_array_foreach(list, i, item)
    {
        const char *word = json_string_value(item);
        if (!word) {
            cvm_json_fail(r, CVM_E_JSON_TYPE, "\"%s\" must hold strings", name);
            return 0;
        }
        int v = by_word(word);
        if (v < 0) {
            cvm_json_fail(r, CVM_E_MANIFEST_ENUM, "\"%s\" holds \"%.40s\"", name, word);
            return 0;
        }
        if (bits >> v & 1) {
            cvm_json_fail(r, CVM_E_MANIFEST_DUPLICATE_ID, "\"%s\" holds \"%s\" twice", name, word);
            return 0;
        }
        bits |= 1u << v;
    }
    return bits;
}

int cvm_read_participant(struct cvm_json_reader *r, const struct cvm_manifest *m, const char *name)
{
    const char *id = cvm_json_string(r, name);
    int i = r->failed ? 0 : cvm_manifest_participant(m, id);
    if (i < 0)
        cvm_json_fail(r, CVM_E_MANIFEST_UNKNOWN_REF, "\"%s\": no participant \"%.64s\"", name, id);
    return i < 0 ? 0 : i;
}

uint32_t cvm_read_participants(struct cvm_json_reader *r, const struct cvm_manifest *m,
                               const char *name)
{
    json_t *list = cvm_json_array(r, name, CVM_PARTICIPANTS_MAX), *item;
    uint32_t set = 0;
    size_t i;
    if (list && json_array_size(list) == 0)
        cvm_json_fail(r, CVM_E_MANIFEST_RANGE, "\"%s\" is empty", name);
    json_array_foreach(list, i, item)
    {
        const char *id = json_string_value(item);
        if (!id) {
            cvm_json_fail(r, CVM_E_JSON_TYPE, "\"%s\" must hold strings", name);
            return 0;
        }
        int p = cvm_manifest_participant(m, id);
        if (p < 0) {
            cvm_json_fail(r, CVM_E_MANIFEST_UNKNOWN_REF, "\"%s\": no participant \"%.64s\"", name,
                          id);
            return 0;
        }
        if (set >> p & 1) {
            cvm_json_fail(r, CVM_E_MANIFEST_DUPLICATE_ID, "\"%s\" holds \"%s\" twice", name, id);
            return 0;
        }
        set |= UINT32_C(1) << p;
    }
    return set;
}

bool cvm_read_bool(struct cvm_json_reader *r, const char *name)
{
    json_t *v = cvm_json_any(r, name);
    if (v && !json_is_boolean(v))
        cvm_json_fail(r, CVM_E_JSON_TYPE, "\"%s\" must be true or false", name);
    return json_is_true(v);
}
