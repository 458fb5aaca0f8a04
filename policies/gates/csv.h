/* Tables in the plainest CSV: lines end with \n, fields are parted by commas, nothing is quoted. */
#ifndef GATES_CSV_H
#define GATES_CSV_H

#include "text.h"

#define CSV_FIELDS 256

struct csv_line {
    const char *field[CSV_FIELDS];
    size_t len[CSV_FIELDS];
    size_t n;
    const char *begin;
    size_t bytes; /* with its newline, if there is one */
};

/* The next line from *at on. 1: a line; 0: the end; -1: refused, *why says why. Printable ASCII
 * only; no empty line. */
int csv_next(const char **at, const char *end, struct csv_line *ret, const char **why);

/* Index of a column in the header; -1: there is none, or two. */
int csv_column(const struct csv_line *header, const char *name, size_t len);

#endif
