#include "json.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH = 32 };

struct json_piece {
    struct json_piece *next;
};

struct reader {
    const char *at, *end, *why;
    struct json_document *document;
};

static void *piece(struct reader *r, size_t size)
{
    struct json_piece *p = gate_allocate(1, sizeof *p + size);
    p->next = r->document->pieces;
    r->document->pieces = p;
    return p + 1;
}

void json_free(struct json_document *d)
{
    while (d->pieces) {
        struct json_piece *next = d->pieces->next;
        free(d->pieces);
        d->pieces = next;
    }
    d->root = NULL;
}

static bool refuse(struct reader *r, const char *why)
{
    if (!r->why)
        r->why = why;
    return false;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t skip_blanks(struct reader *r)
{
    const char *from = r->at;
    while (r->at < r->end && is_blank(*r->at))
        r->at++;
    return (size_t)(r->at - from);
}

static bool take(struct reader *r, char c)
{
    if (r->at == r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

static bool take_word(struct reader *r, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(r->end - r->at) < len || memcmp(r->at, word, len) != 0)
        return refuse(r, "no value where one must be");
    r->at += len;
    return true;
}

static size_t digits(struct reader *r)
{
    const char *from = r->at;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9')
        r->at++;
    return (size_t)(r->at - from);
}

static bool read_number(struct reader *r, struct json *v)
{
    const char *from = r->at;
    v->type = JSON_NUMBER;
    (void)take(r, '-');
    bool zero = r->at < r->end && *r->at == '0';
    size_t whole = digits(r);
    bool good = whole == 1 || (whole > 1 && !zero);
    if (good && take(r, '.'))
        good = digits(r) > 0;
    if (good && (take(r, 'e') || take(r, 'E'))) {
        if (!take(r, '-'))
            (void)take(r, '+');
        good = digits(r) > 0;
    }
    if (!good)
        return refuse(r, "a number is badly spelled");
    v->len = (size_t)(r->at - from);
    char *copy = piece(r, v->len);
    memcpy(copy, from, v->len);
    v->text = copy;
    return true;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool read_unit(struct reader *r, uint32_t *ret)
{
    uint32_t unit = 0;
    for (int i = 0; i < 4; i++, r->at++) {
        int digit = r->at < r->end ? hex(*r->at) : -1;
        if (digit < 0)
            return refuse(r, "a \\u escape is not four hex digits");
        unit = unit << 4 | (uint32_t)digit;
    }
    *ret = unit;
    return true;
}

static size_t put(char *to, uint32_t c)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xc0 | c >> 6);
        to[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (char)(0xe0 | c >> 12);
        to[1] = (char)(0x80 | (c >> 6 & 0x3f));
        to[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | c >> 18);
    to[1] = (char)(0x80 | (c >> 12 & 0x3f));
    to[2] = (char)(0x80 | (c >> 6 & 0x3f));
    to[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

/* What stands behind a backslash; 0 bytes: refused. */
static size_t read_escape(struct reader *r, char *to)
{
    static const char from[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
    if (r->at == r->end)
        return refuse(r, "a string does not end");
    char c = *r->at++;
    const char *simple = c ? strchr(from, c) : NULL;
    if (simple) {
        to[0] = means[simple - from];
        return 1;
    }
    uint32_t unit, low;
    if (c != 'u')
        return refuse(r, "an escape is unknown");
    if (!read_unit(r, &unit))
        return 0;
    if (unit < 0xd800 || unit > 0xdfff)
        return put(to, unit);
    if (unit > 0xdbff || !take(r, '\\') || !take(r, 'u') || !read_unit(r, &low) || low < 0xdc00 ||
        low > 0xdfff)
        return refuse(r, "half of a surrogate pair");
    return put(to, 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
}

/* Length of the well-formed UTF-8 sequence here, 0 if there is none. */
static size_t sequence(const char *at, const char *end)
{
    const unsigned char *p = (const unsigned char *)at;
    size_t n = p[0] < 0x80                    ? 1
               : p[0] >= 0xc2 && p[0] <= 0xdf ? 2
               : p[0] >= 0xe0 && p[0] <= 0xef ? 3
               : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4
                                              : 0;
    if (n == 0 || (size_t)(end - at) < n)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
    bool outside = (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf4 && p[1] > 0x8f);
    return overlong || outside ? 0 : n;
}

static bool read_string(struct reader *r, const char **ret, size_t *ret_len)
{
    if (!take(r, '"'))
        return refuse(r, "no string where one must be");
    const char *close = r->at; /* decoded it is never longer than what stands here */
    while (close < r->end && *close != '"')
        close += *close == '\\' ? 2 : 1;
    if (close >= r->end)
        return refuse(r, "a string does not end");
    char *out = piece(r, (size_t)(close - r->at) + 1);
    size_t len = 0;
    while (*r->at != '"') {
        size_t n;
        if (take(r, '\\')) {
            n = read_escape(r, out + len);
            if (n == 0)
                return false;
        } else {
            n = (unsigned char)*r->at < 0x20 ? 0 : sequence(r->at, r->end);
            if (n == 0)
                return refuse(r, "a string holds a control character or no UTF-8");
            memcpy(out + len, r->at, n);
            r->at += n;
        }
        len += n;
        if (r->at >= r->end)
            return refuse(r, "a string does not end");
    }
    r->at++;
    *ret = out;
    *ret_len = len;
    return true;
}

static struct json *read_value(struct reader *r, int depth);

/* The children of an array or object; its opening bracket is taken. */
static bool read_children(struct reader *r, struct json *v, int depth)
{
    bool object = v->type == JSON_OBJECT;
    char close = object ? '}' : ']';
    struct json **last = &v->first;
    const char *from = r->at;
    skip_blanks(r);
    if (take(r, close))
        return true;
    r->at = from; /* blanks before a value belong to it */
    for (;;) {
        const char *name = NULL;
        size_t name_len = 0;
        if (object) {
            skip_blanks(r);
            if (!read_string(r, &name, &name_len))
                return false;
            if (json_member(v, name, name_len))
                return refuse(r, "a name stands twice in an object");
            skip_blanks(r);
            if (!take(r, ':'))
                return refuse(r, "no colon behind a name");
        }
        struct json *child = read_value(r, depth + 1);
        if (!child)
            return false;
        child->name = name;
        child->name_len = name_len;
        *last = child;
        last = &child->next;
        v->n++;
        skip_blanks(r);
        if (take(r, close))
            return true;
        if (!take(r, ','))
            return refuse(r, "neither a comma nor the end of an array or object");
    }
}

static bool read_into(struct reader *r, struct json *v, int depth)
{
    switch (r->at < r->end ? *r->at : 0) {
    case '{':
    case '[':
        v->type = *r->at++ == '{' ? JSON_OBJECT : JSON_ARRAY;
        return depth < DEPTH ? read_children(r, v, depth) : refuse(r, "more than 32 levels");
    case '"':
        v->type = JSON_STRING;
        return read_string(r, &v->text, &v->len);
    case 't':
        v->type = JSON_TRUE;
        return take_word(r, "true");
    case 'f':
        v->type = JSON_FALSE;
        return take_word(r, "false");
    case 'n':
        v->type = JSON_NULL;
        return take_word(r, "null");
    default:
        return read_number(r, v);
    }
}

static struct json *read_value(struct reader *r, int depth)
{
    struct json *v = piece(r, sizeof *v);
    v->blanks = skip_blanks(r);
    return read_into(r, v, depth) ? v : NULL;
}

const char *json_parse(const char *data, size_t len, struct json_document *ret)
{
    *ret = (struct json_document){0};
    struct reader r = {.at = data, .end = data + len, .document = ret};
    ret->root = read_value(&r, 0);
    skip_blanks(&r);
    if (!r.why && r.at != r.end)
        r.why = "something stands behind the document";
    if (r.why)
        json_free(ret);
    return r.why;
}

const struct json *json_member(const struct json *object, const char *name, size_t len)
{
    for (const struct json *m = object->first; m; m = m->next)
        if (m->name && m->name_len == len && memcmp(m->name, name, len) == 0)
            return m;
    return NULL;
}

bool json_is(const struct json *string, const char *word)
{
    return string->type == JSON_STRING && string->len == strlen(word) &&
           memcmp(string->text, word, string->len) == 0;
}

size_t json_characters(const struct json *string)
{
    size_t n = 0;
    for (size_t i = 0; i < string->len; i++)
        n += ((unsigned char)string->text[i] & 0xc0) != 0x80;
    return n;
}

void json_write_string(const char *data, size_t len, struct text *out)
{
    static const char from[] = "\"\\\b\f\n\r\t", means[] = "\"\\bfnrt";
    text_word(out, "\"");
    for (size_t i = 0; i < len; i++) {
        const char *simple = data[i] ? strchr(from, data[i]) : NULL;
        char escape[8];
        if (simple)
            (void)snprintf(escape, sizeof escape, "\\%c", means[simple - from]);
        else if ((unsigned char)data[i] < 0x20)
            (void)snprintf(escape, sizeof escape, "\\u%04x", (unsigned)(unsigned char)data[i]);
        else {
            text_add(out, data + i, 1);
            continue;
        }
        text_word(out, escape);
    }
    text_word(out, "\"");
}

void json_write(const struct json *v, struct text *out)
{
    static const char *const words[] = {"null", "false", "true"};
    if (v->type <= JSON_TRUE) {
        text_word(out, words[v->type]);
        return;
    }
    if (v->type == JSON_NUMBER) {
        text_add(out, v->text, v->len);
        return;
    }
    if (v->type == JSON_STRING) {
        json_write_string(v->text, v->len, out);
        return;
    }
    text_word(out, v->type == JSON_OBJECT ? "{" : "[");
    for (const struct json *child = v->first; child; child = child->next) {
        if (v->type == JSON_OBJECT) {
            json_write_string(child->name, child->name_len, out);
            text_word(out, ":");
        }
        json_write(child, out);
        if (child->next)
            text_word(out, ",");
    }
    text_word(out, v->type == JSON_OBJECT ? "}" : "]");
}
