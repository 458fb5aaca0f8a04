#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *gate_allocate(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size ? size : 1);
    if (!p)
        exit(gate_end("gate", "not enough memory", 3));
    return p;
}

void text_add(struct text *t, const char *data, size_t len)
{
    if (len > t->room - t->len) {
        size_t room = 2 * (t->len + len) + 64;
        char *more = gate_allocate(room, 1);
        if (t->len)
            memcpy(more, t->data, t->len);
        free(t->data);
        t->data = more;
        t->room = room;
    }
    if (len)
        memcpy(t->data + t->len, data, len);
    t->len += len;
}

void text_word(struct text *t, const char *word)
{
    text_add(t, word, strlen(word));
}

void text_free(struct text *t)
{
    free(t->data);
    *t = (struct text){0};
}

bool text_read(struct text *t, const char *path, size_t max)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return false;
    char piece[4096];
    size_t n;
    while (t->len <= max && (n = fread(piece, 1, sizeof piece, f)) > 0)
        text_add(t, piece, n);
    bool good = !ferror(f) && t->len <= max;
    fclose(f);
    return good;
}

bool text_save(const struct text *t, const char *path)
{
    FILE *f = fopen(path, "wb");
    if (!f)
        return false;
    bool good = fwrite(t->data, 1, t->len, f) == t->len;
    return fclose(f) == 0 && good;
}

int gate_end(const char *name, const char *why, int status)
{
    if (why)
        fprintf(stderr, "%s: %s\n", name, why);
    return status;
}
