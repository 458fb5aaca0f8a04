#include "guest-agent/agent/texts.h"

#include <stdlib.h>
#include <string.h>

static void add_once(const char **list, uint32_t *n, const char *name)
{
    for (uint32_t i = 0; i < *n; i++)
        if (strcmp(list[i], name) == 0)
            return;
    list[(*n)++] = name;
}

void cvm_interfaces_of(const struct cvm_manifest *m, uint32_t component, struct cvm_interfaces *ret)
{
    ret->n_exports = ret->n_imports = 0;
    for (uint32_t k = 0; k < m->n_channels; k++) {
        const struct cvm_channel *c = &m->channels[k];
        if (c->kind != CVM_CHANNEL_KIND_CALL)
            continue;
        if (c->to_component == (int)component)
            add_once(ret->exports, &ret->n_exports, c->interface);
        if (c->from_component == (int)component)
            add_once(ret->imports, &ret->n_imports, c->interface);
    }
}

/* Of a line "name(param: type, …) -> type". */
static size_t name_length(const char *line)
{
    return strcspn(line, "(");
}

static int compare_names(const char *a, const char *b)
{
    size_t a_len = name_length(a), b_len = name_length(b);
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return order ? order : (a_len > b_len) - (a_len < b_len);
}

static bool functions_valid(const json_t *list)
{
    const char *before = NULL;
    size_t i;
    json_t *line;
    if (!json_is_array(list) || json_array_size(list) > CVM_FUNCTIONS_MAX)
        return false;
    json_array_foreach(list, i, line)
    {
        const char *text = json_string_value(line);
        if (!text || name_length(text) == 0 || !text[name_length(text)] ||
            (before && compare_names(before, text) >= 0))
            return false;
        before = text;
    }
    return true;
}

static bool side_valid(const json_t *side, const char *const *wanted, uint32_t n)
{
    if (!json_is_object(side) || json_object_size(side) != n)
        return false;
    for (uint32_t i = 0; i < n; i++)
        if (!functions_valid(json_object_get(side, wanted[i])))
            return false;
    return true;
}

json_t *cvm_texts_parse(const void *data, size_t len, const struct cvm_interfaces *wanted,
                        struct cvm_error *err)
{
    CVM_AUTO_JSON json_t *o = cvm_json_parse_canonical(data, len, NULL);
    bool fine = json_is_object(o) && json_object_size(o) == 2 &&
                side_valid(json_object_get(o, "exports"), wanted->exports, wanted->n_exports) &&
                side_valid(json_object_get(o, "imports"), wanted->imports, wanted->n_imports);
    if (fine)
        return CVM_TAKE(o);
    (void)cvm_fail(err, CVM_E_COMPILE_LIMIT, "the compiler left no text of the interfaces");
    return NULL;
}

void cvm_call_types_free(struct cvm_call_types *t)
{
    free(t->callee);
    *t = (struct cvm_call_types){0};
}

/* The number of a line equal to `line` in the sorted list, from *at on; or -1. */
static int64_t find_line(const json_t *list, size_t *at, const char *line)
{
    for (; *at < json_array_size(list); ++*at) {
        const char *other = json_string_value(json_array_get(list, *at));
        int order = compare_names(other, line);
        if (order == 0)
            return strcmp(other, line) == 0 ? (int64_t)*at : -1;
        if (order > 0)
            return -1;
    }
    return -1;
}

int cvm_texts_compare(const struct cvm_manifest *m, uint32_t channel, const json_t *caller,
                      const json_t *callee, struct cvm_call_types *ret, struct cvm_error *err)
{
    const char *name = m->channels[channel].interface;
    const json_t *mine = json_object_get(json_object_get(caller, "imports"), name);
    const json_t *its = json_object_get(json_object_get(callee, "exports"), name);
    struct cvm_call_types types = {.n = (uint32_t)json_array_size(mine)};
    types.callee = cvm_alloc((types.n + 1) * sizeof *types.callee);
    size_t i, at = 0;
    json_t *line;
    json_array_foreach(mine, i, line)
    {
        int64_t found = find_line(its, &at, json_string_value(line));
        if (found < 0) {
            cvm_call_types_free(&types);
            return cvm_fail(err, CVM_E_CALL_TYPES,
                            "channels[%u]: function %zu of the caller, in the order of names",
                            channel, i);
        }
        types.callee[i] = (uint32_t)found;
    }
    *ret = types;
    return 0;
}
