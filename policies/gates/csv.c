#include "csv.h"

#include <string.h>

static int refuse(const char **why, const char *text)
{
    *why = text;
    return -1;
}

int csv_next(const char **at, const char *end, struct csv_line *ret, const char **why)
{
    if (*at == end)
        return 0;
    const char *newline = memchr(*at, '\n', (size_t)(end - *at));
    const char *stop = newline ? newline : end;
    *ret = (struct csv_line){.begin = *at};
    if (stop == *at)
        return refuse(why, "a line is empty");
    for (const char *p = *at, *from = p;; p++) {
        if (p == stop || *p == ',') {
            if (ret->n == CSV_FIELDS)
                return refuse(why, "a line has too many fields");
            ret->field[ret->n] = from;
            ret->len[ret->n++] = (size_t)(p - from);
            from = p + 1;
        } else if (*p < ' ' || *p > '~' || *p == '"') {
            return refuse(why, "a quote, or a character that is not printable ASCII");
        }
        if (p == stop)
            break;
    }
    *at = newline ? newline + 1 : end;
    ret->bytes = (size_t)(*at - ret->begin);
    return 1;
}

int csv_column(const struct csv_line *header, const char *name, size_t len)
{
    int found = -1;
    for (size_t i = 0; i < header->n; i++) {
        if (header->len[i] != len || memcmp(header->field[i], name, len) != 0)
            continue;
        if (found >= 0)
            return -1;
        found = (int)i;
    }
    return found;
}
