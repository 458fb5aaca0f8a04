#include "group.h"

#include <string.h>

#include "csv.h"
#include "decimal.h"
#include "json.h"

static const char BAD_COUNT[] = "a group's count is no whole number of zero or more";

/* Whether a group may pass; -1: its count is none. */
static int large_enough(const char *text, size_t len, const struct group_rule *rule)
{
    int64_t count;
    if (memchr(text, '.', len) || !decimal_read(text, len, 0, false, &count) || text[0] == '-')
        return -1;
    return count >= rule->k;
}

const char *group_csv(const struct text *in, const struct group_rule *rule, struct text *out)
{
    const char *at = in->data, *end = in->data + in->len, *why = NULL;
    struct csv_line header, row;
    int got = csv_next(&at, end, &header, &why);
    if (got <= 0)
        return why ? why : "the table has no header";
    int column = csv_column(&header, rule->count, strlen(rule->count));
    if (column < 0)
        return "the header names the column of counts not once";
    text_add(out, header.begin, header.bytes);
    while ((got = csv_next(&at, end, &row, &why)) > 0) {
        if (row.n != header.n)
            return "a row has not as many fields as the header";
        int good = large_enough(row.field[column], row.len[column], rule);
        if (good < 0)
            return BAD_COUNT;
        if (good)
            text_add(out, row.begin, row.bytes);
        else if (rule->refuse)
            return "a group is too small";
    }
    return got < 0 ? why : NULL;
}

static const char *group_rows(const struct json *table, const struct group_rule *rule,
                              struct text *out)
{
    if (table->type != JSON_ARRAY)
        return "the table is no array";
    size_t kept = 0;
    text_word(out, "[");
    for (const struct json *row = table->first; row; row = row->next) {
        const struct json *count =
            row->type == JSON_OBJECT ? json_member(row, rule->count, strlen(rule->count)) : NULL;
        if (!count || count->type != JSON_NUMBER)
            return "a group is no object with a count";
        int good = large_enough(count->text, count->len, rule);
        if (good < 0)
            return BAD_COUNT;
        if (!good && rule->refuse)
            return "a group is too small";
        if (!good)
            continue;
        if (kept++)
            text_word(out, ",");
        json_write(row, out);
    }
    text_word(out, "]");
    return NULL;
}

const char *group_json(const struct text *in, const struct group_rule *rule, struct text *out)
{
    struct json_document d;
    const char *why = json_parse(in->data, in->len, &d);
    if (!why)
        why = group_rows(d.root, rule, out);
    json_free(&d);
    return why;
}
