/*
 * The data owner's program: asks the model for each of its images, one call each.
 *
 *   classify in/images.csv       writes out/labels.csv: digit,margin for each image, in their order
 *
 * The model is somebody else's component in a process of its own: it sees one image a call, and
 * this program sees an answer and nothing of the model.
 */
#include "model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LINE = 1024 };

#ifdef __wasm__
__attribute__((import_module(INFER), import_name("infer")))
#endif
void infer(const uint8_t *pixels, uint32_t n, struct reply *ret);

#ifdef __wasm__
__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, size_t was, size_t align,
                                                                size_t size);

void *cabi_realloc(void *old, size_t was, size_t align, size_t size)
{
    (void)was;
    void *p = size ? realloc(old, size) : (void *)align;
    if (!p)
        __builtin_trap();
    return p;
}
#endif

static void __attribute__((noreturn)) stop(const char *what, const char *why)
{
    fprintf(stderr, "classify: %s: %s\n", what, why);
    exit(1);
}

/* Number of pixels in a line; the model says whether it likes them. */
static uint32_t read_image(char *line, uint8_t pixels[MAX_LINE])
{
    uint32_t n = 0;
    for (char *p = line, *end; *p; p = *end ? end + 1 : end) {
        unsigned long v = strtoul(p, &end, 10);
        if (end == p || v > UINT8_MAX || (*end && *end != ','))
            stop("image", "not numbers parted by commas");
        pixels[n++] = (uint8_t)v;
    }
    return n;
}

int main(int argc, char **argv)
{
    char line[MAX_LINE];
    uint8_t pixels[MAX_LINE];
    FILE *in = argc == 2 ? fopen(argv[1], "r") : NULL, *out = fopen("out/labels.csv", "w");
    if (!in || !out)
        stop("files", strerror(errno));
    fprintf(out, "digit,margin\n");
    while (fgets(line, sizeof line, in)) {
        struct reply reply;
        size_t len = strcspn(line, "\r\n");
        if (!line[len] && !feof(in))
            stop("image", "a line is too long");
        line[len] = 0;
        infer(pixels, read_image(line, pixels), &reply);
        if (reply.failed)
            stop("model", "it refused an image");
        fprintf(out, "%u,%lld\n", reply.guess.digit, (long long)reply.guess.margin);
    }
    if (ferror(in) || fclose(out) != 0)
        stop("out/labels.csv", "writing failed");
    return 0;
}
