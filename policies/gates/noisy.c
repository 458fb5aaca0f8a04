#include "noisy.h"

#include <stdio.h>
#include <string.h>

#include "csv.h"
#include "decimal.h"
#include "json.h"

/* The largest number of units that a field holds; of the negative ones with a sign. */
static int64_t most(const struct noisy_rule *rule, bool minus)
{
    int digits = rule->width - minus - (rule->decimals > 0);
    return digits < 1 || digits > 18 ? -1 : decimal_power(digits) - 1;
}

bool noisy_rule_fits(const struct noisy_rule *rule)
{
    bool point = rule->decimals > 0;
    return rule->decimals >= 0 && rule->decimals <= DECIMAL_PLACES &&
           rule->width >= rule->decimals + point + 2 &&
           rule->width <= DECIMAL_WHOLE + rule->decimals + point && rule->low <= rule->high &&
           rule->high <= most(rule, false) && -most(rule, true) <= rule->low;
}

static int64_t within(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

/* One number of the input, blanks already taken off, to a field of the output. */
static const char *add_noise(const char *text, size_t len, const struct noisy_rule *rule,
                             struct text *out)
{
    int64_t units;
    char number[32], field[64];
    if (!decimal_read(text, len, rule->decimals, true, &units))
        return "a number is not in plain decimals";
    units = within(units, rule->low, rule->high);
    int64_t room = most(rule, false), depth = most(rule, true);
    int64_t noise = noise_laplace(&rule->source, rule->scale_top, rule->scale_bottom);
    /* Both are bounded by the field first, so that the sum can't overflow. */
    noise = within(noise, -2 * room - 1, 2 * room + 1);
    units = within(units + noise, -depth, room);
    (void)snprintf(field, sizeof field, "%*s", rule->width,
                   decimal_write(units, rule->decimals, true, number));
    text_word(out, field);
    return NULL;
}

static bool is_named(const char *names, const char *name, size_t len)
{
    for (const char *at = names;;) {
        size_t n = strcspn(at, ",");
        if (n == len && memcmp(at, name, n) == 0)
            return true;
        if (!at[n])
            return false;
        at += n + 1;
    }
}

static const char *find_columns(const struct csv_line *header, const char *names,
                                bool noisy[CSV_FIELDS])
{
    for (const char *at = names;;) {
        size_t n = strcspn(at, ",");
        int column = csv_column(header, at, n);
        if (column < 0)
            return "the header names a column for noise not once";
        noisy[column] = true;
        if (!at[n])
            return NULL;
        at += n + 1;
    }
}

static const char *noisy_row(const struct csv_line *row, const bool noisy[CSV_FIELDS],
                             const struct noisy_rule *rule, struct text *out)
{
    for (size_t i = 0; i < row->n; i++) {
        const char *field = row->field[i], *why = NULL;
        size_t len = row->len[i], blanks = 0;
        if (i > 0)
            text_word(out, ",");
        if (!noisy[i]) {
            text_add(out, field, len);
            continue;
        }
        if (len != (size_t)rule->width)
            return "a field for noise has another width than agreed";
        while (blanks < len && field[blanks] == ' ')
            blanks++;
        why = add_noise(field + blanks, len - blanks, rule, out);
        if (why)
            return why;
    }
    const char *last = row->field[row->n - 1] + row->len[row->n - 1];
    text_add(out, last, (size_t)(row->begin + row->bytes - last)); /* its newline, if it has one */
    return NULL;
}

const char *noisy_csv(const struct text *in, const struct noisy_rule *rule, struct text *out)
{
    const char *at = in->data, *end = in->data + in->len, *why = NULL;
    bool noisy[CSV_FIELDS] = {false};
    struct csv_line header, row;
    int got = csv_next(&at, end, &header, &why);
    if (got <= 0)
        return why ? why : "the table has no header";
    why = find_columns(&header, rule->names, noisy);
    if (why)
        return why;
    text_add(out, header.begin, header.bytes);
    while ((got = csv_next(&at, end, &row, &why)) > 0) {
        why = row.n == header.n ? noisy_row(&row, noisy, rule, out)
                                : "a row has not as many fields as the header";
        if (why)
            return why;
    }
    return got < 0 ? why : NULL;
}

static const char *noisy_value(const struct json *v, bool named, const struct noisy_rule *rule,
                               struct text *out)
{
    const char *why = NULL;
    if (v->type == JSON_NUMBER) {
        if (!named)
            return "a number that is to get no noise";
        if (v->blanks + v->len < (size_t)rule->width)
            return "a number for noise has less room than agreed";
        return add_noise(v->text, v->len, rule, out);
    }
    if (v->type != JSON_ARRAY && v->type != JSON_OBJECT) {
        json_write(v, out);
        return NULL;
    }
    bool object = v->type == JSON_OBJECT;
    text_word(out, object ? "{" : "[");
    for (const struct json *child = v->first; child && !why; child = child->next) {
        if (object) {
            json_write_string(child->name, child->name_len, out);
            text_word(out, ":");
        }
        why = noisy_value(
            child, object ? is_named(rule->names, child->name, child->name_len) : named, rule, out);
        if (child->next)
            text_word(out, ",");
    }
    text_word(out, object ? "}" : "]");
    return why;
}

const char *noisy_json(const struct text *in, const struct noisy_rule *rule, struct text *out)
{
    struct json_document d;
    const char *why = json_parse(in->data, in->len, &d);
    if (!why)
        why = noisy_value(d.root, false, rule, out);
    json_free(&d);
    return why;
}
