#include "schema.h"

#include <string.h>

#include "decimal.h"

static const struct json *get(const struct json *object, const char *name)
{
    return json_member(object, name, strlen(name));
}

static bool is_number(const struct json *v, int64_t *ret)
{
    return v && v->type == JSON_NUMBER && decimal_read(v->text, v->len, DECIMAL_PLACES, false, ret);
}

static bool is_count(const struct json *v, int64_t *ret)
{
    return v && v->type == JSON_NUMBER && !memchr(v->text, '.', v->len) &&
           decimal_read(v->text, v->len, 0, false, ret) && *ret >= 0;
}

/* ------------------------------------------------------------------------- the schema itself */

static bool only(const struct json *schema, const char *const *names, size_t n)
{
    for (const struct json *m = schema->first; m; m = m->next) {
        bool known = m->name_len == 4 && memcmp(m->name, "type", 4) == 0;
        for (size_t i = 0; !known && i < n; i++)
            known = m->name_len == strlen(names[i]) && memcmp(m->name, names[i], m->name_len) == 0;
        if (!known)
            return false;
    }
    return true;
}
#define ONLY(schema, ...)                                                                          \
    only(schema, (const char *const[]){__VA_ARGS__},                                               \
         sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static const char *check_object(const struct json *s)
{
    const struct json *properties = get(s, "properties"), *required = get(s, "required");
    if (!ONLY(s, "properties", "required") || !properties || properties->type != JSON_OBJECT ||
        (required && required->type != JSON_ARRAY))
        return "an object has \"properties\" and perhaps \"required\"";
    for (const struct json *r = required ? required->first : NULL; r; r = r->next)
        if (r->type != JSON_STRING || !json_member(properties, r->text, r->len))
            return "\"required\" names what is no property";
    for (const struct json *p = properties->first; p; p = p->next) {
        const char *why = schema_check(p);
        if (why)
            return why;
    }
    return NULL;
}

static const char *check_array(const struct json *s)
{
    const struct json *items = get(s, "items"), *min = get(s, "minItems");
    int64_t most, least = 0;
    if (!ONLY(s, "items", "minItems", "maxItems") || !items ||
        !is_count(get(s, "maxItems"), &most) || (min && !is_count(min, &least)) || least > most)
        return "an array has \"items\", \"maxItems\" and perhaps \"minItems\"";
    return schema_check(items);
}

static const char *check_string(const struct json *s)
{
    const struct json *list = get(s, "enum"), *min = get(s, "minLength");
    int64_t most, least = 0;
    if (!list) {
        bool good = ONLY(s, "minLength", "maxLength") && is_count(get(s, "maxLength"), &most) &&
                    (!min || is_count(min, &least)) && least <= most;
        return good ? NULL : "a string has \"enum\", or \"maxLength\" and perhaps \"minLength\"";
    }
    bool good = ONLY(s, "enum") && list->type == JSON_ARRAY && list->n > 0;
    for (const struct json *e = list->first; good && e; e = e->next)
        good = e->type == JSON_STRING;
    return good ? NULL : "\"enum\" is a list of strings and stands alone";
}

static bool is_step(int64_t step)
{
    for (int64_t power = 1; power <= decimal_power(DECIMAL_PLACES); power *= 10)
        if (step == power)
            return true;
    return false;
}

static const char *check_number(const struct json *s, bool whole)
{
    int64_t low, high, step = 1;
    bool good =
        is_number(get(s, "minimum"), &low) && is_number(get(s, "maximum"), &high) && low <= high;
    if (whole)
        return good && ONLY(s, "minimum", "maximum") ? NULL
                                                     : "an integer has \"minimum\" and \"maximum\"";
    good = good && ONLY(s, "minimum", "maximum", "multipleOf") &&
           is_number(get(s, "multipleOf"), &step) && is_step(step);
    return good ? NULL : "a number has \"minimum\", \"maximum\" and \"multipleOf\" a power of ten";
}

const char *schema_check(const struct json *s)
{
    const struct json *type = s->type == JSON_OBJECT ? get(s, "type") : NULL;
    if (!type)
        return "a schema is an object with a \"type\"";
    if (json_is(type, "object"))
        return check_object(s);
    if (json_is(type, "array"))
        return check_array(s);
    if (json_is(type, "string"))
        return check_string(s);
    if (json_is(type, "integer") || json_is(type, "number"))
        return check_number(s, json_is(type, "integer"));
    if (json_is(type, "boolean") && s->n == 1)
        return NULL;
    return "an unknown type, or a boolean with more than its type";
}

/* ------------------------------------------------------------------------------ the document */

static const char *pass_object(const struct json *s, const struct json *v, struct text *out)
{
    const struct json *properties = get(s, "properties"), *required = get(s, "required");
    size_t seen = 0;
    if (v->type != JSON_OBJECT)
        return "no object where one must be";
    for (const struct json *r = required ? required->first : NULL; r; r = r->next)
        if (!json_member(v, r->text, r->len))
            return "a required member is missing";
    text_word(out, "{");
    for (const struct json *p = properties->first; p; p = p->next) {
        const struct json *member = json_member(v, p->name, p->name_len);
        if (!member)
            continue;
        if (seen++)
            text_word(out, ",");
        json_write_string(p->name, p->name_len, out);
        text_word(out, ":");
        const char *why = schema_pass(p, member, out);
        if (why)
            return why;
    }
    text_word(out, "}");
    return seen == v->n ? NULL : "an object has a member that the schema does not name";
}

static const char *pass_array(const struct json *s, const struct json *v, struct text *out)
{
    int64_t most = 0, least = 0;
    (void)is_count(get(s, "maxItems"), &most);
    (void)is_count(get(s, "minItems"), &least);
    if (v->type != JSON_ARRAY || v->n > (uint64_t)most || v->n < (uint64_t)least)
        return "no array of as many entries as allowed";
    text_word(out, "[");
    for (const struct json *e = v->first; e; e = e->next) {
        const char *why = schema_pass(get(s, "items"), e, out);
        if (why)
            return why;
        if (e->next)
            text_word(out, ",");
    }
    text_word(out, "]");
    return NULL;
}

static const char *pass_string(const struct json *s, const struct json *v, struct text *out)
{
    const struct json *list = get(s, "enum");
    if (v->type != JSON_STRING)
        return "no string where one must be";
    bool good = false;
    for (const struct json *e = list ? list->first : NULL; e && !good; e = e->next)
        good = e->len == v->len && memcmp(e->text, v->text, v->len) == 0;
    if (!list) {
        int64_t most = 0, least = 0, n = (int64_t)json_characters(v);
        (void)is_count(get(s, "maxLength"), &most);
        (void)is_count(get(s, "minLength"), &least);
        good = n >= least && n <= most;
    }
    if (!good)
        return "a string is none of those allowed";
    json_write_string(v->text, v->len, out);
    return NULL;
}

static const char *pass_number(const struct json *s, const struct json *v, bool whole,
                               struct text *out)
{
    int64_t number, low = 0, high = 0, step = decimal_power(DECIMAL_PLACES);
    char spelled[32];
    if (!is_number(v, &number))
        return "no number in plain decimals where one must be";
    (void)is_number(get(s, "minimum"), &low);
    (void)is_number(get(s, "maximum"), &high);
    if (!whole)
        (void)is_number(get(s, "multipleOf"), &step);
    if (number < low || number > high || number % step != 0)
        return "a number is out of range or more exact than allowed";
    text_word(out, decimal_write(number, DECIMAL_PLACES, false, spelled));
    return NULL;
}

const char *schema_pass(const struct json *s, const struct json *v, struct text *out)
{
    const struct json *type = get(s, "type");
    if (json_is(type, "object"))
        return pass_object(s, v, out);
    if (json_is(type, "array"))
        return pass_array(s, v, out);
    if (json_is(type, "string"))
        return pass_string(s, v, out);
    if (!json_is(type, "boolean"))
        return pass_number(s, v, json_is(type, "integer"), out);
    if (v->type != JSON_TRUE && v->type != JSON_FALSE)
        return "no boolean where one must be";
    json_write(v, out);
    return NULL;
}
