/*
 * Bytes that grow, and whole files in and out: what all gates need. Memory that runs out ends the
 * program (status 3): a gate that can't finish lets nothing through.
 */
#ifndef GATES_TEXT_H
#define GATES_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct text {
    char *data;
    size_t len, room;
};

void *gate_allocate(size_t n, size_t size); /* zeroed; never NULL */
void text_add(struct text *t, const char *data, size_t len);
void text_word(struct text *t, const char *word);
void text_free(struct text *t);

/* False: it can't be read, or is larger than `max` bytes. */
bool text_read(struct text *t, const char *path, size_t max);
bool text_save(const struct text *t, const char *path);

#define GATE_INPUT_MAX (16u << 20) /* bytes that a gate reads */

/* What every gate's main() ends with: 0 let through, 1 refused, 2 used wrongly. `why` goes to
 * standard error, which a cell counts and drops. */
int gate_end(const char *name, const char *why, int status);

#endif
