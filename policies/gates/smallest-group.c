/*
 * The gate "smallest group":
 *
 *   smallest-group IN OUT csv|json COUNT K drop|refuse
 *
 * IN is a table with one row a group; COUNT names the column (CSV) or the member (JSON, an array of
 * objects) that holds how many persons the group has. Groups of fewer than K are dropped, or the
 * whole table is refused. Everything else passes as it came; JSON is written without blanks.
 */
#include <string.h>

#include "decimal.h"
#include "group.h"

static const char NAME[] = "smallest-group";

int main(int argc, char **argv)
{
    int64_t k;
    if (argc != 7 || !decimal_read(argv[5], strlen(argv[5]), 0, false, &k) || k < 1)
        return gate_end(NAME, "IN OUT csv|json COUNT K drop|refuse", 2);
    bool csv = strcmp(argv[3], "csv") == 0, json = strcmp(argv[3], "json") == 0;
    struct group_rule rule = {.count = argv[4], .k = k, .refuse = strcmp(argv[6], "refuse") == 0};
    if ((!csv && !json) || (!rule.refuse && strcmp(argv[6], "drop") != 0))
        return gate_end(NAME, "csv or json, drop or refuse", 2);
    struct text in = {0}, out = {0};
    if (!text_read(&in, argv[1], GATE_INPUT_MAX))
        return gate_end(NAME, "the table can't be read", 1);
    const char *why = csv ? group_csv(&in, &rule, &out) : group_json(&in, &rule, &out);
    if (why)
        return gate_end(NAME, why, 1);
    return text_save(&out, argv[2]) ? 0 : gate_end(NAME, "the result can't be written", 1);
}
