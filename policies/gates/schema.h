/*
 * A small subset of JSON Schema (2020-12), with nothing left open. A schema is an object with
 * "type" and, by type, exactly these members:
 *
 *   object    "properties", and if wanted "required" (names of properties); no other members pass
 *   array     "items", "maxItems", and if wanted "minItems"
 *   string    "enum" (strings), or "maxLength" and if wanted "minLength" (in code points)
 *   integer   "minimum", "maximum"
 *   number    "minimum", "maximum", "multipleOf" (one of 1, 0.1 … 0.000001: how exact it may be)
 *   boolean   nothing
 *
 * Bounds are demanded where the standard lets them be absent: what has no bound is a channel.
 */
#ifndef GATES_SCHEMA_H
#define GATES_SCHEMA_H

#include "json.h"

/* NULL, or what is wrong with the schema itself. */
const char *schema_check(const struct json *schema);

/* NULL and the document in its one spelling (members in the schema's order, no blanks, no zeros at
 * the end of a fraction), or why it does not fit. The schema must be a checked one. */
const char *schema_pass(const struct json *schema, const struct json *value, struct text *out);

#endif
