/*
 * The model owner's library: one function, no WASI. The model is compiled into it (model.csv, as
 * train.c wrote it): integers, so that every machine answers alike.
 */
#include "model.h"

#include <stdlib.h>
#include <string.h>

static const int32_t MODEL[NUMBERS] = {
#include "model.csv"
};

static void refuse(const char *text, struct reply *ret)
{
    ret->failed = 1;
    ret->why.text = text;
    ret->why.len = (uint32_t)strlen(text);
}

void infer(const uint8_t *pixels, uint32_t n, struct reply *ret);

void infer(const uint8_t *pixels, uint32_t n, struct reply *ret)
{
    int64_t best = INT64_MIN, second = INT64_MIN;
    memset(ret, 0, sizeof *ret);
    if (n != PIXELS) {
        refuse("an image has 64 pixels", ret);
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (pixels[i] > INK) {
            refuse("a pixel is 0 to 16", ret);
            return;
        }
    }
    int64_t hidden[HIDDEN];
    for (uint32_t h = 0; h < HIDDEN; h++) {
        const int32_t *w = MODEL + h * FIRST;
        hidden[h] = w[PIXELS];
        for (uint32_t i = 0; i < PIXELS; i++)
            hidden[h] += (int64_t)w[i] * pixels[i];
        if (hidden[h] < 0)
            hidden[h] = 0;
    }
    for (uint8_t digit = 0; digit < DIGITS; digit++) {
        const int32_t *w = MODEL + HIDDEN * FIRST + digit * SECOND;
        int64_t score = (int64_t)w[HIDDEN] * INK * SCALE;
        for (uint32_t h = 0; h < HIDDEN; h++)
            score += w[h] * hidden[h];
        if (score > best) {
            second = best;
            best = score;
            ret->guess.digit = digit;
        } else if (score > second) {
            second = score;
        }
    }
    ret->guess.margin = best - second;
}

#ifdef __wasm__
__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, size_t was, size_t align,
                                                                size_t size);

void *cabi_realloc(void *old, size_t was, size_t align, size_t size)
{
    (void)was;
    if (size == 0)
        return (void *)align;
    void *p = realloc(old, size);
    if (!p)
        __builtin_trap();
    return p;
}

__attribute__((export_name(INFER "#infer"))) struct reply *infer_called(uint8_t *pixels,
                                                                        uint32_t n);

struct reply *infer_called(uint8_t *pixels, uint32_t n)
{
    static struct reply ret;
    infer(pixels, n, &ret);
    if (n)
        free(pixels);
    return &ret;
}
#endif
