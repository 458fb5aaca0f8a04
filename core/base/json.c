#include "core/base/json.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Where jansson accepts more than the restricted kind. */
static int check_value(const json_t *v, unsigned depth, struct cvm_error *err)
{
    CVM_ENSURE(depth <= CVM_JSON_DEPTH, err, CVM_E_JSON_SYNTAX, "nested deeper than %d",
               CVM_JSON_DEPTH);
    switch (json_typeof(v)) {
    case JSON_OBJECT: {
        const char *name;
        json_t *member;
        json_object_foreach((json_t *)v, name, member)
        {
            for (const char *p = name; *p; p++)
                CVM_ENSURE((unsigned char)*p >= 0x20 && (unsigned char)*p < 0x7f, err,
                           CVM_E_JSON_SYNTAX, "a member name that is not printable ASCII");
            CVM_GUARD(check_value(member, depth + 1, err));
        }
        return 0;
    }
    case JSON_ARRAY: {
        size_t i;
        json_t *item;
        json_array_foreach((json_t *)v, i, item) CVM_GUARD(check_value(item, depth + 1, err));
        return 0;
    }
    case JSON_INTEGER:
        CVM_ENSURE(json_integer_value(v) <= CVM_JSON_INT_MAX &&
                       json_integer_value(v) >= -CVM_JSON_INT_MAX,
                   err, CVM_E_JSON_NUMBER, "an integer beyond 2^53-1");
        return 0;
    case JSON_REAL:
        return cvm_fail(err, CVM_E_JSON_NUMBER, "a number with a fraction or an exponent");
    case JSON_NULL:
        return cvm_fail(err, CVM_E_JSON_TYPE, "null is not used in this format");
    default:
        return 0;
    }
}

json_t *cvm_json_parse(const void *data, size_t len, struct cvm_error *err)
{
    json_error_t je;
    json_t *v = json_loadb(data, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &je);
    if (!v) {
        enum json_error_code why = json_error_code(&je);
        enum cvm_code code = why == json_error_duplicate_key      ? CVM_E_JSON_DUPLICATE
                             : why == json_error_numeric_overflow ? CVM_E_JSON_NUMBER
                                                                  : CVM_E_JSON_SYNTAX;
        cvm_fail(err, code, "at offset %d: %s", je.position, je.text);
        return NULL;
    }
    if (check_value(v, 0, err) < 0) {
        json_decref(v);
        return NULL;
    }
    return v;
}

/* A few characters from `at` on; a byte that no terminal shows is named. */
static void show_piece(const uint8_t *data, size_t len, size_t at, char out[40])
{
    if (at >= len)
        snprintf(out, 40, "the end");
    else if (data[at] < 0x20 || data[at] > 0x7e)
        snprintf(out, 40, "byte 0x%02x", data[at]);
    else
        snprintf(out, 40, "%.*s", (int)(len - at < 16 ? len - at : 16), (const char *)data + at);
}

json_t *cvm_json_parse_canonical(const void *data, size_t len, struct cvm_error *err)
{
    CVM_AUTO_JSON json_t *v = cvm_json_parse(data, len, err);
    if (!v)
        return NULL;
    CVM_AUTO_BUF struct cvm_buf canon = {0};
    if (cvm_json_write(v, &canon, err) < 0)
        return NULL;
    size_t n = len < canon.len ? len : canon.len, at = 0;
    while (at < n && canon.data[at] == ((const uint8_t *)data)[at])
        at++;
    if (at != len || at != canon.len) {
        char expected[40], got[40];
        show_piece(canon.data, canon.len, at, expected);
        show_piece(data, len, at, got);
        cvm_fail_expected(err, CVM_E_JSON_NOT_CANONICAL, expected, got,
                          "first differing offset %zu", at);
        return NULL;
    }
    return CVM_TAKE(v);
}

static void write_string(const char *s, size_t len, struct cvm_buf *out)
{
    cvm_buf_append_u8(out, '"');
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        static const char SHORT[] = "\b\t\n\f\r\"\\", NAME[] = "btnfr\"\\";
        const char *p = c ? strchr(SHORT, c) : NULL;
        if (p) {
            cvm_buf_append_u8(out, '\\');
            cvm_buf_append_u8(out, (uint8_t)NAME[p - SHORT]);
        } else if (c < 0x20) {
            char u[8];
            snprintf(u, sizeof u, "\\u%04x", c);
            cvm_buf_append_str(out, u);
        } else {
            cvm_buf_append_u8(out, c);
        }
    }
    cvm_buf_append_u8(out, '"');
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int write_object(const json_t *value, struct cvm_buf *out, struct cvm_error *err)
{
    size_t n = json_object_size(value), i = 0;
    CVM_AUTO_FREE const char **names = cvm_alloc(n * sizeof *names);
    const char *name;
    json_t *member;
    json_object_foreach((json_t *)value, name, member) names[i++] = name;
    qsort(names, n, sizeof *names,
          compare_names); /* ASCII names: byte order is RFC 8785's UTF-16 order */
    cvm_buf_append_u8(out, '{');
    for (i = 0; i < n; i++) {
        if (i)
            cvm_buf_append_u8(out, ',');
        write_string(names[i], strlen(names[i]), out);
        cvm_buf_append_u8(out, ':');
        CVM_GUARD(cvm_json_write(json_object_get(value, names[i]), out, err));
    }
    cvm_buf_append_u8(out, '}');
    return 0;
}

int cvm_json_write(const json_t *value, struct cvm_buf *out, struct cvm_error *err)
{
    char number[32];
    size_t i;
    json_t *item;
    switch (value ? (int)json_typeof(value) : -1) {
    case JSON_OBJECT:
        return write_object(value, out, err);
    case JSON_ARRAY:
        cvm_buf_append_u8(out, '[');
        json_array_foreach((json_t *)value, i, item)
        {
            if (i)
                cvm_buf_append_u8(out, ',');
            CVM_GUARD(cvm_json_write(item, out, err));
        }
        cvm_buf_append_u8(out, ']');
        return 0;
    case JSON_STRING:
        write_string(json_string_value(value), json_string_length(value), out);
        return 0;
    case JSON_INTEGER:
        CVM_GUARD(check_value(value, 0, err));
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
        cvm_buf_append_str(out, number);
        return 0;
    case JSON_TRUE:
        cvm_buf_append_str(out, "true");
        return 0;
    case JSON_FALSE:
        cvm_buf_append_str(out, "false");
        return 0;
    default:
        return cvm_fail(err, CVM_E_JSON_TYPE, "a value that canonical JSON of ours does not have");
    }
}

void cvm_json_begin(struct cvm_json_reader *r, json_t *object, const char *path,
                    struct cvm_error *err)
{
    *r = (struct cvm_json_reader){.object = object, .path = path, .err = err};
    if (!json_is_object(object))
        cvm_json_fail(r, CVM_E_JSON_TYPE, "an object is needed");
}

void cvm_json_fail(struct cvm_json_reader *r, enum cvm_code code, const char *fmt, ...)
{
    if (r->failed)
        return;
    char what[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    r->failed = true;
    cvm_fail(r->err, code, "%s%s%s", r->path, r->path[0] ? ": " : "", what);
}

static json_t *get(struct cvm_json_reader *r, const char *name, bool required)
{
    if (r->failed)
        return NULL;
    json_t *v = json_object_get(r->object, name);
    if (v) {
        if (r->asked == sizeof r->names / sizeof r->names[0])
            abort();
        r->names[r->asked++] = name;
    } else if (required) {
        cvm_json_fail(r, CVM_E_JSON_MISSING, "\"%s\"", name);
    }
    return v;
}

static json_t *get_typed(struct cvm_json_reader *r, const char *name, bool required, json_type type,
                         const char *word)
{
    json_t *v = get(r, name, required);
    if (v && json_typeof(v) != type) {
        cvm_json_fail(r, CVM_E_JSON_TYPE, "\"%s\" must be %s", name, word);
        return NULL;
    }
    return v;
}

const char *cvm_json_string_opt(struct cvm_json_reader *r, const char *name)
{
    json_t *v = get_typed(r, name, false, JSON_STRING, "a string");
    return v ? json_string_value(v) : NULL;
}

const char *cvm_json_string(struct cvm_json_reader *r, const char *name)
{
    json_t *v = get_typed(r, name, true, JSON_STRING, "a string");
    return v ? json_string_value(v) : "";
}

static int64_t int_value(struct cvm_json_reader *r, const char *name, json_t *v, int64_t min,
                         int64_t max)
{
    int64_t n = json_integer_value(v);
    if (n < min || n > max) {
        cvm_json_fail(r, CVM_E_MANIFEST_RANGE, "\"%s\" is %lld, allowed are %lld to %lld", name,
                      (long long)n, (long long)min, (long long)max);
        return min;
    }
    return n;
}

int64_t cvm_json_int(struct cvm_json_reader *r, const char *name, int64_t min, int64_t max)
{
    json_t *v = get_typed(r, name, true, JSON_INTEGER, "an integer");
    return v ? int_value(r, name, v, min, max) : min;
}

int64_t cvm_json_int_opt(struct cvm_json_reader *r, const char *name, int64_t min, int64_t max,
                         int64_t absent)
{
    json_t *v = get_typed(r, name, false, JSON_INTEGER, "an integer");
    return v ? int_value(r, name, v, min, max) : absent;
}

bool cvm_json_bool_opt(struct cvm_json_reader *r, const char *name, bool absent)
{
    json_t *v = get(r, name, false);
    if (v && !json_is_boolean(v))
        cvm_json_fail(r, CVM_E_JSON_TYPE, "\"%s\" must be true or false", name);
    return v && !r->failed ? json_is_true(v) : absent;
}

static json_t *check_array(struct cvm_json_reader *r, const char *name, json_t *v, size_t max)
{
    if (v && json_array_size(v) > max) {
        cvm_json_fail(r, CVM_E_MANIFEST_RANGE, "\"%s\" has %zu entries, at most %zu are allowed",
                      name, json_array_size(v), max);
        return NULL;
    }
    return v;
}

json_t *cvm_json_array(struct cvm_json_reader *r, const char *name, size_t max)
{
    return check_array(r, name, get_typed(r, name, true, JSON_ARRAY, "an array"), max);
}

json_t *cvm_json_array_opt(struct cvm_json_reader *r, const char *name, size_t max)
{
    return check_array(r, name, get_typed(r, name, false, JSON_ARRAY, "an array"), max);
}

json_t *cvm_json_object(struct cvm_json_reader *r, const char *name)
{
    return get_typed(r, name, true, JSON_OBJECT, "an object");
}

json_t *cvm_json_any(struct cvm_json_reader *r, const char *name)
{
    return get(r, name, true);
}

json_t *cvm_json_of_digest(const struct cvm_digest *d)
{
    char text[CVM_DIGEST_TEXT];
    return json_string(cvm_digest_text(d, text));
}

struct cvm_digest cvm_json_digest(struct cvm_json_reader *r, const char *name)
{
    struct cvm_digest d = {0};
    const char *text = cvm_json_string(r, name);
    struct cvm_error e;
    if (!r->failed && cvm_digest_parse(text, &d, &e) < 0)
        cvm_json_fail(r, CVM_E_MANIFEST_DIGEST, "\"%s\"", name);
    return d;
}

int cvm_json_end(struct cvm_json_reader *r)
{
    if (!r->failed && r->asked != json_object_size(r->object)) {
        const char *name;
        json_t *member;
        json_object_foreach(r->object, name, member)
        {
            bool known = false;
            for (size_t i = 0; i < r->asked; i++)
                known |= strcmp(r->names[i], name) == 0;
            if (!known) {
                cvm_json_fail(r, CVM_E_JSON_UNKNOWN, "\"%s\"", name);
                break;
            }
        }
    }
    return r->failed ? -1 : 0;
}
