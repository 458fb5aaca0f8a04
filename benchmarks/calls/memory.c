/* Where what comes in lies: every value on the one before, so that a call costs no allocation. */
#include "values.h"

static _Alignas(16) uint8_t in[BLOCK];

__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, size_t had, size_t align,
                                                                size_t size)
{
    (void)old, (void)had, (void)align;
    if (size > BLOCK)
        __builtin_trap();
    return in;
}
