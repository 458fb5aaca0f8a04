#include "core/base/memory.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

void *cvm_alloc(size_t size)
{
    void *p = calloc(1, size ? size : 1);
    if (!p)
        abort();
    return p;
}

void *cvm_realloc(void *p, size_t size)
{
    void *q = realloc(p, size ? size : 1);
    if (!q)
        abort();
    return q;
}

char *cvm_strdup(const char *s)
{
    if (!s)
        return NULL;
    size_t n = strlen(s) + 1;
    return memcpy(cvm_alloc(n), s, n);
}

char *cvm_printf(const char *fmt, ...)
{
    char *s = NULL;
    va_list ap;
    va_start(ap, fmt);
    int n = vasprintf(&s, fmt, ap);
    va_end(ap);
    if (n < 0)
        abort();
    return s;
}

static void buf_reserve(struct cvm_buf *b, size_t more)
{
    size_t need;
    if (__builtin_add_overflow(b->len, more, &need) || __builtin_add_overflow(need, 1, &need))
        abort();
    if (need <= b->cap)
        return;
    size_t cap = b->cap ? b->cap : 64;
    while (cap < need)
        if (__builtin_mul_overflow(cap, 2, &cap))
            abort();
    /* realloc would leave an unwiped copy behind */
    uint8_t *data = cvm_alloc(cap);
    if (b->len)
        memcpy(data, b->data, b->len);
    if (b->data) {
        cvm_wipe(b->data, b->cap);
        free(b->data);
    }
    b->data = data;
    b->cap = cap;
}

void cvm_buf_append(struct cvm_buf *b, const void *data, size_t len)
{
    buf_reserve(b, len);
    if (len)
        memcpy(b->data + b->len, data, len);
    b->len += len;
}

void cvm_buf_append_str(struct cvm_buf *b, const char *s)
{
    cvm_buf_append(b, s, strlen(s));
}

void cvm_buf_append_u8(struct cvm_buf *b, uint8_t v)
{
    cvm_buf_append(b, &v, 1);
}

void cvm_buf_append_u32be(struct cvm_buf *b, uint32_t v)
{
    uint8_t x[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
    cvm_buf_append(b, x, sizeof x);
}

void cvm_buf_append_u64be(struct cvm_buf *b, uint64_t v)
{
    cvm_buf_append_u32be(b, (uint32_t)(v >> 32));
    cvm_buf_append_u32be(b, (uint32_t)v);
}

uint8_t *cvm_buf_extend(struct cvm_buf *b, size_t len)
{
    buf_reserve(b, len);
    uint8_t *p = b->data + b->len;
    memset(p, 0, len);
    b->len += len;
    return p;
}

char *cvm_buf_cstr(struct cvm_buf *b)
{
    buf_reserve(b, 0);
    b->data[b->len] = '\0';
    return (char *)b->data;
}

void cvm_buf_free(struct cvm_buf *b)
{
    if (b->data) {
        cvm_wipe(b->data, b->cap);
        free(b->data);
    }
    *b = (struct cvm_buf){0};
}

static size_t page_round(size_t len)
{
    return (len + 4095) & ~(size_t)4095;
}

int cvm_secret_new(struct cvm_secret *ret, size_t len, struct cvm_error *err)
{
    CVM_ENSURE(len > 0 && len <= CVM_SECRET_MAX, err, CVM_E_INTERNAL, "a secret of %zu bytes", len);
    void *p =
        mmap(NULL, page_round(len), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return cvm_fail_errno(err, "memory for a secret");
    (void)mlock(
        p, page_round(
               len)); /* RLIMIT_MEMLOCK may be small: then it is only kept out of dumps and wiped */
    (void)madvise(p, page_round(len), MADV_DONTDUMP);
    ret->data = p;
    ret->len = len;
    return 0;
}

int cvm_secret_random(struct cvm_secret *ret, size_t len, struct cvm_error *err)
{
    CVM_GUARD(cvm_secret_new(ret, len, err));
    if (cvm_random(ret->data, len, err) < 0) {
        cvm_secret_free(ret);
        return -1;
    }
    return 0;
}

int cvm_secret_copy(struct cvm_secret *ret, const void *data, size_t len, struct cvm_error *err)
{
    CVM_GUARD(cvm_secret_new(ret, len, err));
    memcpy(ret->data, data, len);
    return 0;
}

void cvm_secret_free(struct cvm_secret *s)
{
    if (s->data) {
        cvm_wipe(s->data, s->len);
        munmap(s->data, page_round(s->len));
    }
    *s = (struct cvm_secret){0};
}

int cvm_random(void *out, size_t len, struct cvm_error *err)
{
    uint8_t *p = out;
    while (len) {
        ssize_t n = getrandom(p, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        CVM_ENSURE(n > 0, err, CVM_E_NO_ENTROPY, "getrandom: %s", strerror(errno));
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

void cvm_wipe(void *p, size_t len)
{
    if (len)
        explicit_bzero(p, len);
}

bool cvm_equal(const void *a, const void *b, size_t len)
{
    const volatile uint8_t *x = a, *y = b;
    uint8_t d = 0;
    for (size_t i = 0; i < len; i++)
        d |= x[i] ^ y[i];
    return d == 0;
}
