/*
 * A strict reader of JSON (RFC 8259) for gates, and a writer with one spelling for each value.
 *
 * Stricter than the RFC where two readers could see different things: no name twice in an object,
 * valid UTF-8 only, no escape of a lone surrogate, at most 32 levels. Written out again, a document
 * never gets longer: no blanks, the shortest escapes, numbers as they were spelled.
 */
#ifndef GATES_JSON_H
#define GATES_JSON_H

#include "text.h"

enum json_type {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json {
    enum json_type type;
    const char *name; /* of a member, decoded; else NULL */
    size_t name_len;
    const char *text; /* a string, decoded; a number, as spelled */
    size_t len;
    size_t blanks; /* before a number: how much room it has to grow */
    size_t n;      /* children */
    struct json *first, *next;
};

struct json_document {
    struct json *root;
    struct json_piece *pieces; /* the memory of all of it */
};

/* NULL, or why the text is refused. The text itself may go afterwards. */
const char *json_parse(const char *data, size_t len, struct json_document *ret);
void json_free(struct json_document *d);

const struct json *json_member(const struct json *object, const char *name, size_t len);
bool json_is(const struct json *string, const char *word);
size_t json_characters(const struct json *string); /* code points */

void json_write(const struct json *value, struct text *out);
void json_write_string(const char *data, size_t len, struct text *out);

#endif
