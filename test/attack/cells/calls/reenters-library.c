/* Calls on when it may not: told "arguments", while room is made for those of the next call; told
 * "given-back", out of the function that takes its result back. */
#define REALLOC_OF_OWN
#include "abi.h"

IMPORT(THINGS, "count") void count(struct counts *ret);

static int in_arguments, in_given_back;
static struct counts counts;

static int is(const uint8_t *data, uint32_t len, const char *word)
{
    return len == strlen(word) && !memcmp(data, word, len);
}

void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size)
{
    (void)old_size;
    if (in_arguments)
        count(&counts);
    return room_for(old, align, size);
}

EXPORT(CHAIN "#pass") struct bytes *pass(uint8_t *data, uint32_t len)
{
    static struct bytes ret;
    ret = (struct bytes){data, len};
    count(&counts); /* here it may */
    in_given_back = is(data, len, "given-back");
    in_arguments = is(data, len, "arguments");
    return &ret;
}

EXPORT("cabi_post_" CHAIN "#pass") void pass_post(struct bytes *ret)
{
    if (in_given_back)
        count(&counts);
    if (ret->len)
        free(ret->data);
}
