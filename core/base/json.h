/*
 * JSON as 2cVM signs it: RFC 8785 restricted to objects, arrays, strings, booleans and integers
 * within +-2^53-1, ASCII member names. jansson parses, the canonical writer is ours (jansson's own
 * differs from RFC 8785 in several places).
 *
 * Security: cvm_json_parse_canonical() accepts exactly one spelling of each document; what was
 * signed is what was received.
 */
#ifndef CVM_BASE_JSON_H
#define CVM_BASE_JSON_H

#include <jansson.h>

#include "core/base/encode.h"

#define CVM_JSON_INT_MAX 9007199254740991LL
#define CVM_JSON_DEPTH 32

/* Parses strictly (no duplicate members, no reals, no null, integers in range, ASCII names, depth).
 * Caller owns the result: json_decref(). */
json_t *cvm_json_parse(const void *data, size_t len, struct cvm_error *err) CVM_MUST_USE;

/* The same, and refuses bytes that differ from their canonical form, naming the first differing
 * offset. */
json_t *cvm_json_parse_canonical(const void *data, size_t len, struct cvm_error *err) CVM_MUST_USE;

/* Appends the canonical form. The value must be of the restricted kind (else CVM_E_JSON_TYPE or
 * CVM_E_JSON_NUMBER). */
int cvm_json_write(const json_t *value, struct cvm_buf *out, struct cvm_error *err) CVM_MUST_USE;

json_t *cvm_json_of_digest(const struct cvm_digest *d); /* an owned string, "sha256:" + hex */

/*
 * Reading an object by its declared members. `path` is for messages ("data[2]"). A reader remembers
 * which members were asked for, and cvm_json_end() refuses the rest: unknown members are never
 * ignored. The first error sticks: later calls do nothing and return their default, so that a
 * parser reads like the format's table and checks cvm_json_end() once.
 */
struct cvm_json_reader {
    json_t *object;
    const char *path;
    struct cvm_error *err;
    bool failed;
    size_t asked;          /* members found so far */
    const char *names[40]; /* their names */
};
void cvm_json_begin(struct cvm_json_reader *r, json_t *object, const char *path,
                    struct cvm_error *err);
const char *cvm_json_string(struct cvm_json_reader *r,
                            const char *name); /* required; borrowed; "" on failure */
const char *cvm_json_string_opt(struct cvm_json_reader *r, const char *name); /* NULL when absent */
int64_t cvm_json_int(struct cvm_json_reader *r, const char *name, int64_t min, int64_t max);
int64_t cvm_json_int_opt(struct cvm_json_reader *r, const char *name, int64_t min, int64_t max,
                         int64_t absent);
bool cvm_json_bool_opt(struct cvm_json_reader *r, const char *name, bool absent);
json_t *cvm_json_array(struct cvm_json_reader *r, const char *name,
                       size_t max); /* required; borrowed; NULL on failure */
json_t *cvm_json_array_opt(struct cvm_json_reader *r, const char *name, size_t max);
json_t *cvm_json_object(struct cvm_json_reader *r,
                        const char *name); /* required; borrowed; NULL on failure */
json_t *cvm_json_any(struct cvm_json_reader *r,
                     const char *name); /* required; borrowed; NULL on failure */
struct cvm_digest cvm_json_digest(struct cvm_json_reader *r,
                                  const char *name); /* required; zeros on failure */
void cvm_json_fail(struct cvm_json_reader *r, enum cvm_code code, const char *fmt, ...)
    CVM_PRINTF(3, 4);
int cvm_json_end(struct cvm_json_reader *r) CVM_MUST_USE; /* unknown members, and the first error */

static inline void cvm_cleanup_json(json_t **j)
{
    json_decref(*j);
}
#define CVM_AUTO_JSON CVM_CLEANUP(cvm_cleanup_json)

#endif
