/* What every component of the tests that calls or is called needs of the canonical ABI. */
#ifndef COMPONENT_ABI_H
#define COMPONENT_ABI_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT(name) __attribute__((export_name(name)))
#define IMPORT(interface, name) __attribute__((import_module(interface), import_name(name)))

static inline void *room_for(void *old, size_t align, size_t size)
{
    if (size == 0)
        return (void *)align;
    void *p = realloc(old, size);
    if (!p)
        abort();
    return p;
}

EXPORT("cabi_realloc") void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size);
#ifndef REALLOC_OF_OWN /* a component that gives memory in a way of its own */
void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size)
{
    (void)old_size;
    return room_for(old, align, size);
}
#endif

#endif
