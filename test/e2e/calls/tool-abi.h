/* What the canonical ABI makes of wit/together.wit. */
#ifndef TOOL_ABI_H
#define TOOL_ABI_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text {
    char *data;
    uint32_t len;
};

#define TELL "test:together/tell@1.0.0"
#define PASS "test:together/pass@1.0.0"
#define EXPORT(name) __attribute__((export_name(name)))
#define IMPORT(interface, name) __attribute__((import_module(interface), import_name(name)))

EXPORT("cabi_realloc") void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size);
void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size)
{
    (void)old_size;
    if (size == 0)
        return (void *)align;
    void *p = realloc(old, size);
    if (!p)
        abort();
    return p;
}

#endif
