/* The component of bench-calls: both sides of calls.wit. Its allocator has one block for each
 * direction. */
#include <stddef.h>
#include <stdint.h>

#define VALUES "bench:calls/values@1.0.0"
#define DRIVER "bench:calls/driver@1.0.0"
#define BLOCK (2u << 20)

struct list {
    void *data;
    uint32_t len;
};

static _Alignas(16) uint8_t in[BLOCK], out[BLOCK];

__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, size_t had, size_t align,
                                                                size_t size)
{
    (void)old, (void)had, (void)align;
    if (size > BLOCK)
        __builtin_trap();
    return in;
}

#define EXPORT(name) __attribute__((export_name(VALUES "#" name)))
#define IMPORT(name) __attribute__((import_module(VALUES), import_name(name)))

EXPORT("nothing") void nothing(void)
{
}

EXPORT("take-bytes") void take_bytes(uint8_t *data, uint32_t len)
{
    (void)data, (void)len;
}

EXPORT("take-doubles") void take_doubles(double *data, uint32_t len)
{
    (void)data, (void)len;
}

EXPORT("give-bytes") struct list *give_bytes(uint32_t bytes)
{
    static struct list ret;
    ret = (struct list){out, bytes};
    return &ret;
}

EXPORT("give-doubles") struct list *give_doubles(uint32_t bytes)
{
    static struct list ret;
    ret = (struct list){out, bytes / 8};
    return &ret;
}

IMPORT("nothing") void call_nothing(void);
IMPORT("take-bytes") void call_take_bytes(const uint8_t *data, uint32_t len);
IMPORT("take-doubles") void call_take_doubles(const double *data, uint32_t len);
IMPORT("give-bytes") void call_give_bytes(uint32_t bytes, struct list *ret);
IMPORT("give-doubles") void call_give_doubles(uint32_t bytes, struct list *ret);

__attribute__((export_name(DRIVER "#drive"))) void drive(uint32_t function, uint32_t times,
                                                         uint32_t bytes)
{
    struct list got;
    for (; times; times--)
        switch (function) {
        case 0:
            call_nothing();
            break;
        case 1:
            call_take_bytes(out, bytes);
            break;
        case 2:
            call_take_doubles((const double *)out, bytes / 8);
            break;
        case 3:
            call_give_bytes(bytes, &got);
            break;
        default:
            call_give_doubles(bytes, &got);
        }
}
