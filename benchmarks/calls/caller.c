/* Calls what it is told to, so many times. */
#include "values.h"

#define IMPORT(name) __attribute__((import_module(VALUES), import_name(name)))

IMPORT("nothing") void call_nothing(void);
IMPORT("take-bytes") void call_take_bytes(const uint8_t *data, uint32_t len);
IMPORT("take-doubles") void call_take_doubles(const double *data, uint32_t len);
IMPORT("give-bytes") void call_give_bytes(uint32_t bytes, struct list *ret);
IMPORT("give-doubles") void call_give_doubles(uint32_t bytes, struct list *ret);

static void look(const struct list *got, uint32_t len, uint32_t size)
{
    if (got->len != len)
        __builtin_trap();
    arrived(got->data, len * size);
}

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
            call_take_bytes(ones(), bytes);
            break;
        case 2:
            call_take_doubles(ones(), bytes / 8);
            break;
        case 3:
            call_give_bytes(bytes, &got);
            look(&got, bytes, 1);
            break;
        default:
            call_give_doubles(bytes, &got);
            look(&got, bytes / 8, 8);
        }
}
