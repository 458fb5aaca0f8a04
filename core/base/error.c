#include "core/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct cvm_code_info TABLE[] = {
#define X(name, number, code, http, text, remedy) {CVM_E_##name, code, http, text, remedy},
#include "core/base/errors.def"
#undef X
};

size_t cvm_code_count(void)
{
    return sizeof TABLE / sizeof TABLE[0];
}

const struct cvm_code_info *cvm_code_at(size_t i)
{
    return i < cvm_code_count() ? &TABLE[i] : &TABLE[0];
}

const struct cvm_code_info *cvm_code_info(enum cvm_code code)
{
    for (size_t i = 0; i < cvm_code_count(); i++)
        if (TABLE[i].code == code)
            return &TABLE[i];
    return &TABLE[0];
}

enum cvm_code cvm_code_by_name(const char *name)
{
    for (size_t i = 0; name && i < cvm_code_count(); i++)
        if (strcmp(TABLE[i].name, name) == 0)
            return TABLE[i].code;
    return CVM_E_INTERNAL;
}

/* Errors are shown on terminals and in logs: nothing but printable ASCII gets there. */
static void make_printable(char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || (unsigned char)*s > 0x7e)
            *s = '?';
}

static void set_text(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text ? text : "");
    make_printable(out);
}

static int fail_v(struct cvm_error *err, enum cvm_code code, const char *expected, const char *got,
                  const char *fmt, va_list ap)
{
    if (!err)
        return -1;
    err->code = code;
    vsnprintf(err->message, sizeof err->message, fmt, ap);
    make_printable(err->message);
    set_text(err->expected, sizeof err->expected, expected);
    set_text(err->got, sizeof err->got, got);
    return -1;
}

int cvm_fail(struct cvm_error *err, enum cvm_code code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fail_v(err, code, NULL, NULL, fmt, ap);
    va_end(ap);
    return -1;
}

int cvm_fail_expected(struct cvm_error *err, enum cvm_code code, const char *expected,
                      const char *got, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fail_v(err, code, expected, got, fmt, ap);
    va_end(ap);
    return -1;
}

int cvm_fail_errno(struct cvm_error *err, const char *fmt, ...)
{
    int saved = errno;
    char what[300];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return cvm_fail(err, saved == ENOMEM ? CVM_E_NO_MEMORY : CVM_E_IO, "%s: %s", what,
                    strerror(saved));
}

int cvm_error_wrap(struct cvm_error *err, const char *fmt, ...)
{
    if (!err)
        return -1;
    char context[sizeof err->message], inner[sizeof err->message];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(context, sizeof context, fmt, ap);
    va_end(ap);
    memcpy(inner, err->message, sizeof inner);
    int n = snprintf(err->message, sizeof err->message, "%s: %s", context, inner);
    if (n < 0)
        err->message[0] = '\0';
    make_printable(err->message);
    return -1;
}

char *cvm_error_line(const struct cvm_error *err, char *out, size_t size)
{
    const struct cvm_code_info *info = cvm_code_info(err->code);
    int n = snprintf(out, size, "%s: %s: %s", info->name, info->text, err->message);
    if (n > 0 && (size_t)n < size && (err->expected[0] || err->got[0]))
        snprintf(out + n, size - (size_t)n, " (expected %s, got %s)",
                 err->expected[0] ? err->expected : "-", err->got[0] ? err->got : "-");
    return out;
}
