/* A library that counts its calls: whether it remembers is up to the manifest. */
#include "tool-abi.h"

static uint32_t calls;
static struct text reply;

EXPORT(TELL "#tell") struct text *tell(char *data, uint32_t len)
{
    char number[16], *at = number + sizeof number;
    uint32_t n = ++calls;
    *--at = ':';
    do
        *--at = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    uint32_t digits = (uint32_t)(number + sizeof number - at);
    reply.len = digits + len;
    reply.data = malloc(reply.len);
    memcpy(reply.data, at, digits);
    memcpy(reply.data + digits, data, len);
    if (len)
        free(data);
    return &reply;
}

EXPORT("cabi_post_" TELL "#tell") void tell_post(struct text *t)
{
    free(t->data);
}

EXPORT(TELL "#give") struct text *give(uint32_t n)
{
    reply.len = n;
    reply.data = malloc(n + 1);
    for (uint32_t i = 0; i < n; i++)
        reply.data[i] = (char)(i % 251);
    return &reply;
}

EXPORT("cabi_post_" TELL "#give") void give_post(struct text *t)
{
    free(t->data);
}
