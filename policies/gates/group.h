/* Smallest group: rows whose count is below k are dropped, or the whole table is refused. */
#ifndef GATES_GROUP_H
#define GATES_GROUP_H

#include "text.h"

struct group_rule {
    const char *count; /* the column, or the member of each object, that holds the group's size */
    long long k;
    bool refuse; /* the whole table, where one group is too small; else drop that group */
};

/* NULL and what may pass, or why nothing may. CSV: a header, then rows of as many fields; no
 * quotes. JSON: an array of objects. Never longer than the input. */
const char *group_csv(const struct text *in, const struct group_rule *rule, struct text *out);
const char *group_json(const struct text *in, const struct group_rule *rule, struct text *out);

#endif
