/* Answers calls by calling on. */
#include "abi.h"

IMPORT(THINGS, "echo") void echo(const uint8_t *data, uint32_t len, struct bytes *ret);

EXPORT(CHAIN "#pass") struct bytes *pass(uint8_t *data, uint32_t len)
{
    static struct bytes ret;
    echo(data, len, &ret);
    return &ret;
}

EXPORT("cabi_post_" CHAIN "#pass") void pass_post(struct bytes *ret)
{
    if (ret->len)
        free(ret->data);
}
