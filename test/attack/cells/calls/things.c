/* The library of wit/calls.wit, and one that says wrong things about its results: see `turn` of a
 * polygon named "lie". */
#include "abi.h"

static uint32_t asked, freed;

static void give_back(void *data, uint32_t len)
{
    if (len)
        free(data);
}

EXPORT(THINGS "#echo") struct bytes *echo(uint8_t *data, uint32_t len)
{
    static struct bytes ret;
    asked++;
    ret = (struct bytes){data, len};
    return &ret;
}

EXPORT("cabi_post_" THINGS "#echo") void echo_post(struct bytes *ret)
{
    freed++;
    give_back(ret->data, ret->len);
}

EXPORT(THINGS "#join") struct joined *join(struct bytes *texts, uint32_t n, uint32_t colour)
{
    static struct joined ret;
    static const char *const colours[] = {"red", "green", "blue"};
    asked++;
    size_t len = strlen(colours[colour]);
    for (uint32_t i = 0; i < n; i++) {
        if (texts[i].len == 0) {
            ret.failed = 1;
            ret.which = i;
            return &ret;
        }
        len += texts[i].len;
    }
    uint8_t *all = malloc(len), *at = all;
    for (uint32_t i = 0; i < n; at += texts[i++].len)
        memcpy(at, texts[i].data, texts[i].len);
    memcpy(at, colours[colour], strlen(colours[colour]));
    ret.failed = 0;
    ret.text = (struct bytes){all, len};
    return &ret;
}

EXPORT(THINGS "#move")
struct point *move(double x, int32_t y, uint8_t *name, uint32_t len, double dx, double dy,
                   uint32_t marks)
{
    static struct point ret;
    asked++;
    for (uint32_t i = 0; i < len; i++)
        if (name[i] >= 'a' && name[i] <= 'z')
            name[i] -= 32;
    ret = (struct point){x + dx, (int16_t)(y + (int)dy + (marks == 5 ? 1000 : 0)), {name, len}};
    return &ret;
}

EXPORT(THINGS "#turn") struct shape *turn(uint32_t tag, uint32_t bits, uint32_t len)
{
    static struct shape ret;
    asked++;
    memset(&ret, 0, sizeof ret);
    if (tag == 0) {
        ret.tag = 1;
        ret.radius = 2.5f;
    }
    if (tag != 2)
        return &ret;
    ret.tag = 2;
    ret.points.data = (struct point *)bits;
    ret.points.len = len;
    if (len == 1 && ret.points.data[0].name.len == 3 &&
        !memcmp(ret.points.data[0].name.data, "lie", 3))
        ret.points.len = UINT32_MAX;
    return &ret;
}

EXPORT(THINGS "#largest") struct maybe *largest(double *numbers, uint32_t n)
{
    static struct maybe ret;
    asked++;
    ret = (struct maybe){n > 0, n ? numbers[0] : 0};
    for (uint32_t i = 1; i < n; i++)
        if (numbers[i] > ret.value)
            ret.value = numbers[i];
    give_back(numbers, n);
    return &ret;
}

EXPORT(THINGS "#count") struct counts *count(void)
{
    static struct counts ret;
    ret = (struct counts){++asked, freed};
    return &ret;
}

EXPORT(THINGS "#trap") void trap(void)
{
    __builtin_trap();
}

EXPORT(THINGS "#spin") void spin(void)
{
    for (volatile int i = 0;; i++)
        ;
}
