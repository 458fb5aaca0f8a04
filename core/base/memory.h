/*
 * Owned bytes, scoped clean-up, and the one type for secrets.
 *
 * Allocation of bookkeeping sizes aborts when memory is out (a half-done broker is worse than none,
 * and every size here is bounded by a checked limit first). Large content goes through files and
 * memfds, not through these.
 */
#ifndef CVM_BASE_MEMORY_H
#define CVM_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "core/base/error.h"

void *cvm_alloc(size_t size);            /* zeroed; aborts when memory is out; free() it */
void *cvm_realloc(void *p, size_t size); /* aborts when memory is out */
char *cvm_strdup(const char *s);         /* NULL gives NULL */
char *cvm_printf(const char *fmt, ...) CVM_PRINTF(1, 2); /* owned string */

/* A growing byte buffer. Zero-initialise (`struct cvm_buf b = {0}`), end with cvm_buf_free(). */
struct cvm_buf {
    uint8_t *data;
    size_t len, cap;
};
void cvm_buf_append(struct cvm_buf *b, const void *data, size_t len);
void cvm_buf_append_str(struct cvm_buf *b, const char *s); /* without its NUL */
void cvm_buf_append_u8(struct cvm_buf *b, uint8_t v);
void cvm_buf_append_u32be(struct cvm_buf *b, uint32_t v);
void cvm_buf_append_u64be(struct cvm_buf *b, uint64_t v);
uint8_t *
cvm_buf_extend(struct cvm_buf *b,
               size_t len); /* len zeroed bytes at the end; pointer valid until the next change */
char *cvm_buf_cstr(struct cvm_buf *b); /* NUL after the end (not counted), then the data */
void cvm_buf_free(struct cvm_buf *b);  /* wipes, frees, zeroes; fine on a zeroed buffer */

/*
 * A secret: up to CVM_SECRET_MAX bytes in memory of its own that is locked (mlock, best effort),
 * left out of dumps, wiped when freed. Never printed: there is no function that formats one. Copies
 * of it are made only into another secret.
 */
#define CVM_SECRET_MAX 32768
struct cvm_secret {
    uint8_t *data; /* NULL when empty */
    size_t len;
};
int cvm_secret_new(struct cvm_secret *ret, size_t len,
                   struct cvm_error *err) CVM_MUST_USE; /* zeroed bytes */
int cvm_secret_random(struct cvm_secret *ret, size_t len, struct cvm_error *err) CVM_MUST_USE;
int cvm_secret_copy(struct cvm_secret *ret, const void *data, size_t len,
                    struct cvm_error *err) CVM_MUST_USE;
void cvm_secret_free(struct cvm_secret *s); /* wipes; fine on a zeroed secret */

int cvm_random(void *out, size_t len, struct cvm_error *err) CVM_MUST_USE; /* kernel randomness */
void cvm_wipe(void *p, size_t len);                                        /* not optimised away */
bool cvm_equal(const void *a, const void *b, size_t len);                  /* constant time */

static inline void cvm_cleanup_free(void *p)
{
    void **pp = p;
    if (*pp)
        __builtin_free(*pp);
}
static inline void cvm_cleanup_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
static inline void cvm_cleanup_fclose(FILE **f)
{
    if (*f)
        fclose(*f);
}
#define CVM_CLEANUP(f) __attribute__((cleanup(f)))
#define CVM_AUTO_FREE CVM_CLEANUP(cvm_cleanup_free)
#define CVM_AUTO_CLOSE CVM_CLEANUP(cvm_cleanup_close)
#define CVM_AUTO_FCLOSE CVM_CLEANUP(cvm_cleanup_fclose)
#define CVM_AUTO_BUF CVM_CLEANUP(cvm_buf_free)
#define CVM_AUTO_SECRET CVM_CLEANUP(cvm_secret_free)

/* Hands a pointer over: the variable is NULL afterwards. For file descriptors, CVM_TAKE_FD leaves
 * -1. */
#define CVM_TAKE(p)                                                                                \
    ({                                                                                             \
        __typeof__(p) taken_ = (p);                                                                \
        (p) = NULL;                                                                                \
        taken_;                                                                                    \
    })
#define CVM_TAKE_FD(fd)                                                                            \
    ({                                                                                             \
        int taken_ = (fd);                                                                         \
        (fd) = -1;                                                                                 \
        taken_;                                                                                    \
    })

#endif
