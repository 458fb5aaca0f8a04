/* A library that answers by calling on. */
#include "tool-abi.h"

IMPORT(TELL, "tell") void tell(const char *data, uint32_t len, struct text *ret);

static struct text reply;

EXPORT(PASS "#pass") struct text *pass(char *data, uint32_t len)
{
    struct text told;
    tell(data, len, &told);
    reply.len = told.len + 2;
    reply.data = malloc(reply.len);
    reply.data[0] = '[';
    memcpy(reply.data + 1, told.data, told.len);
    reply.data[told.len + 1] = ']';
    free(told.data);
    if (len)
        free(data);
    return &reply;
}

EXPORT("cabi_post_" PASS "#pass") void pass_post(struct text *t)
{
    free(t->data);
}
