/*
 * Errors: one code of the table errors.def, one sentence, and what was expected and what came.
 *
 * Convention of the whole tree: a function that can fail returns int, 0 or a count on success and
 * -1 on failure, and takes `struct cvm_error *err` last. On success *err is untouched; on failure
 * it is filled. `err` may be NULL. Library code never logs.
 *
 * Security: an error holds names, offsets, sizes and digests, never content and never a secret.
 * Text that a participant or a component chose must go through the printing functions here, which
 * replace control and non-ASCII bytes.
 */
#ifndef CVM_BASE_ERROR_H
#define CVM_BASE_ERROR_H

#include <stdbool.h>
#include <stddef.h>

enum cvm_code {
    CVM_OK = 0,
#define X(name, number, code, http, text, remedy) CVM_E_##name = number,
#include "core/base/errors.def"
#undef X
};

struct cvm_error {
    enum cvm_code code;
    char message[384];  /* a sentence without a full stop, outermost context first */
    char expected[160]; /* may be empty */
    char got[160];      /* may be empty */
};

#define CVM_MUST_USE __attribute__((warn_unused_result))
#define CVM_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* Row of the table. Unknown numbers give the row of CVM_E_INTERNAL; cvm_code_by_name() gives
 * CVM_E_INTERNAL for unknown names. */
struct cvm_code_info {
    enum cvm_code code;
    const char *name; /* the stable code, e.g. "manifest-expired" */
    int http;
    const char *text;
    const char *remedy;
};
const struct cvm_code_info *cvm_code_info(enum cvm_code code);
enum cvm_code cvm_code_by_name(const char *name);
size_t cvm_code_count(void);
const struct cvm_code_info *cvm_code_at(size_t i);

/* Fill *err and return -1, so that `return cvm_fail(err, …)` reads well. */
int cvm_fail(struct cvm_error *err, enum cvm_code code, const char *fmt, ...) CVM_PRINTF(3, 4);

/* The same with expected and got (each may be NULL); set them after cvm_fail() or use this form. */
int cvm_fail_expected(struct cvm_error *err, enum cvm_code code, const char *expected,
                      const char *got, const char *fmt, ...) CVM_PRINTF(5, 6);

/* Puts context before the message of an error that is on its way up; returns -1. */
int cvm_error_wrap(struct cvm_error *err, const char *fmt, ...) CVM_PRINTF(2, 3);

/* One line for people: "manifest-expired: TEXT: message (expected …, got …)". Returns `out`. */
char *cvm_error_line(const struct cvm_error *err, char *out, size_t size);

/* CVM_E_IO with strerror(errno) at the end. */
int cvm_fail_errno(struct cvm_error *err, const char *fmt, ...) CVM_PRINTF(2, 3);

#define CVM_GUARD(x)                                                                               \
    do {                                                                                           \
        if ((x) < 0)                                                                               \
            return -1;                                                                             \
    } while (0)

#define CVM_ENSURE(cond, err, ...)                                                                 \
    do {                                                                                           \
        if (!(cond))                                                                               \
            return cvm_fail(err, __VA_ARGS__);                                                     \
    } while (0)

#endif
