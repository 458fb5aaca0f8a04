/* A library whose functions do nothing but take and give: what is left is the call. */
#include <stddef.h>
#include <stdint.h>

#define EXPORT(name) __attribute__((export_name("bench:calls/work@1.0.0#" name)))

static _Alignas(16) uint8_t room[1 << 20];
static struct {
    uint32_t at, length;
} answer;

/* Each call brings at most one list, and nothing is kept. */
__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, size_t old_size,
                                                                size_t align, size_t size);
void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size)
{
    (void)old;
    (void)old_size;
    (void)align;
    if (size > sizeof room)
        __builtin_trap();
    return room;
}

EXPORT("empty") void work_empty(void);
EXPORT("take-bytes") uint32_t work_take_bytes(const uint8_t *x, uint32_t n);
EXPORT("give-bytes") uint32_t work_give_bytes(uint32_t n);
EXPORT("take-numbers") uint32_t work_take_numbers(const double *x, uint32_t n);
EXPORT("give-numbers") uint32_t work_give_numbers(uint32_t n);

void work_empty(void)
{
}

uint32_t work_take_bytes(const uint8_t *x, uint32_t n)
{
    return n ? x[n - 1] : 0;
}

uint32_t work_give_bytes(uint32_t n)
{
    answer.at = (uint32_t)(uintptr_t)room;
    answer.length = n;
    return (uint32_t)(uintptr_t)&answer;
}

uint32_t work_take_numbers(const double *x, uint32_t n)
{
    return n ? (uint32_t)x[n - 1] : 0;
}

uint32_t work_give_numbers(uint32_t n)
{
    return work_give_bytes(n);
}
