/*
 * Reading foreign bytes: a window that only moves forward and never past its end. Every parser of
 * binary input uses it. After the first failure every further read fails too, so that a parser may
 * check once at the end.
 */
#ifndef CVM_BASE_CURSOR_H
#define CVM_BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cvm_cursor {
    const uint8_t *data;
    size_t len, at;
    bool failed;
};

static inline struct cvm_cursor cvm_cursor(const void *data, size_t len)
{
    return (struct cvm_cursor){.data = data, .len = len};
}

static inline size_t cvm_cursor_left(const struct cvm_cursor *c)
{
    return c->failed ? 0 : c->len - c->at;
}

/* The next n bytes, or NULL (and the cursor fails). The pointer is into the input. */
static inline const uint8_t *cvm_cursor_take(struct cvm_cursor *c, size_t n)
{
    if (c->failed || c->len - c->at < n) {
        c->failed = true;
        return NULL;
    }
    const uint8_t *p = c->data + c->at;
    c->at += n;
    return p;
}

static inline uint64_t cvm_cursor_uint(struct cvm_cursor *c, size_t bytes, bool big)
{
    const uint8_t *p = cvm_cursor_take(c, bytes);
    uint64_t v = 0;
    for (size_t i = 0; p && i < bytes; i++)
        v |= (uint64_t)p[i] << (8 * (big ? bytes - 1 - i : i));
    return v;
}

static inline uint8_t cvm_cursor_u8(struct cvm_cursor *c)
{
    return (uint8_t)cvm_cursor_uint(c, 1, true);
}
static inline uint16_t cvm_cursor_u16le(struct cvm_cursor *c)
{
    return (uint16_t)cvm_cursor_uint(c, 2, false);
}
static inline uint32_t cvm_cursor_u32be(struct cvm_cursor *c)
{
    return (uint32_t)cvm_cursor_uint(c, 4, true);
}
static inline uint32_t cvm_cursor_u32le(struct cvm_cursor *c)
{
    return (uint32_t)cvm_cursor_uint(c, 4, false);
}
static inline uint64_t cvm_cursor_u64be(struct cvm_cursor *c)
{
    return cvm_cursor_uint(c, 8, true);
}
static inline uint64_t cvm_cursor_u64le(struct cvm_cursor *c)
{
    return cvm_cursor_uint(c, 8, false);
}

/* All read, and nothing failed. */
static inline bool cvm_cursor_done(const struct cvm_cursor *c)
{
    return !c->failed && c->at == c->len;
}

#endif
