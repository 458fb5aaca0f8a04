/* Takes and gives, and does nothing else that takes time. */
#include "values.h"

#define EXPORT(name) __attribute__((export_name(VALUES "#" name)))

EXPORT("nothing") void nothing(void)
{
}

EXPORT("take-bytes") void take_bytes(uint8_t *data, uint32_t len)
{
    arrived(data, len);
}

EXPORT("take-doubles") void take_doubles(double *data, uint32_t len)
{
    arrived(data, 8 * len);
}

static struct list *give(uint32_t len)
{
    static struct list ret;
    ret = (struct list){ones(), len};
    return &ret;
}

EXPORT("give-bytes") struct list *give_bytes(uint32_t bytes)
{
    return give(bytes);
}

EXPORT("give-doubles") struct list *give_doubles(uint32_t bytes)
{
    return give(bytes / 8);
}
