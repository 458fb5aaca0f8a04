/*
 * What differs between two manifests. Both documents are walked in parallel by their JSON: lists of
 * things by id, sets by value, everything else by member; so nothing that differs can be left out.
 * A table says how much a place matters.
 */
#include "core/manifest/explain.h"

#include <string.h>

enum risk { HIGH, MEDIUM, LOW };
static const char *const RISKS[] = {"high", "medium", "low"};

/* First row that fits the section and member; "" fits all. `add`, `remove` and `change` are the
 * risks of what happened. */
static const struct {
    const char *section, *member;
    enum risk add, remove, change;
} RULES[] = {
    {"participants", "name", MEDIUM, MEDIUM, MEDIUM},
    {"participants", "seed", LOW, LOW, LOW}, /* anew in every manifest */
    {"participants", "", HIGH, HIGH, HIGH},
    {"isolate", "waive", HIGH, LOW, HIGH},
    {"isolate", "memory_mib", LOW, LOW, LOW},
    {"isolate", "vcpus", MEDIUM, MEDIUM, MEDIUM},
    {"isolate", "measurements", HIGH, MEDIUM, HIGH},
    {"isolate", "platforms", HIGH, MEDIUM, HIGH},
    {"isolate", "chips", HIGH, MEDIUM, HIGH},
    {"isolate", "", HIGH, HIGH, HIGH},
    {"components", "limits", LOW, LOW, LOW},
    {"components", "max_bytes", LOW, LOW, LOW},
    {"components", "padding", MEDIUM, MEDIUM, MEDIUM},
    {"components", "grants", HIGH, LOW, HIGH},
    {"components", "gate", MEDIUM, HIGH, HIGH}, /* without its gate an output comes out as it is */
    {"components", "instance", HIGH, HIGH, HIGH}, /* absent is "run": either way it may be joined */
    {"components", "", HIGH, MEDIUM, HIGH},
    {"data", "owner", HIGH, HIGH, HIGH},
    {"data", "open", HIGH, MEDIUM, HIGH},
    {"data", "max_items", LOW, LOW, LOW},
    {"data", "max_bytes", LOW, LOW, LOW},
    {"data", "", MEDIUM, MEDIUM, MEDIUM},
    {"channels", "max_bytes", LOW, LOW, LOW},
    {"channels", "max_calls", LOW, LOW, LOW},
    {"channels", "max_call_bytes", LOW, LOW, LOW},
    {"channels", "", HIGH, MEDIUM, HIGH},
    {"outputs", "max_bytes", MEDIUM, MEDIUM, MEDIUM},
    {"outputs", "padding", MEDIUM, MEDIUM, MEDIUM},
    {"outputs", "recipients", HIGH, MEDIUM, HIGH},
    {"outputs", "release", MEDIUM, HIGH, HIGH},
    {"outputs", "", HIGH, MEDIUM, HIGH},
    {"not_after", "", MEDIUM, MEDIUM, MEDIUM},
    {"", "", LOW, LOW, LOW},
};

enum what { ADDED, REMOVED, CHANGED };

struct diff {
    json_t *by_risk[3];
    const char *section;
    const char *member; /* of the section's entry; "" for the entry itself */
};

static enum risk risk_of(const struct diff *d, enum what what)
{
    size_t i = 0;
    while ((RULES[i].section[0] && strcmp(RULES[i].section, d->section) != 0) ||
           (RULES[i].member[0] && strcmp(RULES[i].member, d->member) != 0))
        i++;
    return what == ADDED ? RULES[i].add : what == REMOVED ? RULES[i].remove : RULES[i].change;
}

static char *value_text(const json_t *v)
{
    CVM_AUTO_BUF struct cvm_buf b = {0};
    if (cvm_json_write(v, &b, NULL) < 0)
        return cvm_strdup("?");
    bool cut = b.len > 160;
    return cvm_printf("%.*s%s", (int)(cut ? 157 : b.len), cvm_buf_cstr(&b), cut ? "..." : "");
}

static void note(struct diff *d, enum what what, const char *place, const json_t *from,
                 const json_t *to)
{
    CVM_AUTO_FREE char *was = from ? value_text(from) : NULL, *is = to ? value_text(to) : NULL;
    CVM_AUTO_FREE char *text = what == ADDED     ? cvm_printf("added: %s", is)
                               : what == REMOVED ? cvm_printf("removed: %s", was)
                                                 : cvm_printf("was %s, is %s", was, is);
    enum risk risk = risk_of(d, what);
    json_t *o = json_object();
    json_object_set_new(o, "risk", json_string(RISKS[risk]));
    json_object_set_new(o, "place", json_string(place));
    json_object_set_new(o, "text", json_string(text));
    json_array_append_new(d->by_risk[risk], o);
}

static bool is_named(const json_t *e)
{
    return json_object_get(e, "id") || json_object_get(e, "from");
}

/* What names an entry of a list: its id, a channel's ends, or the value itself. */
static char *entry_key(const json_t *e)
{
    const char *id = json_string_value(json_object_get(e, "id"));
    const char *from = json_string_value(json_object_get(e, "from"));
    if (id)
        return cvm_strdup(id);
    if (from) {
        const char *from_path = json_string_value(json_object_get(e, "from_path"));
        const char *to = json_string_value(json_object_get(e, "to"));
        const char *to_path = json_string_value(json_object_get(e, "to_path"));
        const char *interface = json_string_value(json_object_get(e, "interface"));
        return cvm_printf("%s%s%s -> %s%s%s%s%s", from, from_path ? ":" : "", from_path ?: "",
                          to ?: "", to_path ? ":" : "", to_path ?: "", interface ? " " : "",
                          interface ?: "");
    }
    return value_text(e);
}

static json_t *find_entry(const json_t *list, const char *key)
{
    size_t i;
    json_t *e;
    json_array_foreach(list, i, e)
    {
        CVM_AUTO_FREE char *k = entry_key(e);
        if (strcmp(k, key) == 0)
            return e;
    }
    return NULL;
}

static void compare(struct diff *d, const char *place, const json_t *from, const json_t *to);

/* args are a sequence, all other lists are sets. */
static void compare_lists(struct diff *d, const char *place, const json_t *from, const json_t *to)
{
    if (strcmp(d->member, "args") == 0) {
        note(d, CHANGED, place, from, to);
        return;
    }
    size_t i;
    json_t *e;
    json_array_foreach(to, i, e)
    {
        CVM_AUTO_FREE char *key = entry_key(e);
        CVM_AUTO_FREE char *inner = cvm_printf("%s[%s]", place, key);
        json_t *old = find_entry(from, key);
        if (!old)
            note(d, ADDED, is_named(e) ? inner : place, NULL, e);
        else if (!json_equal(old, e))
            compare(d, inner, old, e);
    }
    json_array_foreach(from, i, e)
    {
        CVM_AUTO_FREE char *key = entry_key(e);
        CVM_AUTO_FREE char *inner = cvm_printf("%s[%s]", place, key);
        if (!find_entry(to, key))
            note(d, REMOVED, is_named(e) ? inner : place, e, NULL);
    }
}

static void compare_objects(struct diff *d, const char *place, const json_t *from, const json_t *to)
{
    const char *name;
    json_t *v;
    bool top = d->section[0] == '\0';
    bool set_member = !top && d->member[0] == '\0';
    CVM_AUTO_JSON json_t *names = json_object();
    json_object_update(names, (json_t *)from);
    json_object_update(names, (json_t *)to);
    json_object_foreach(names, name, v)
    {
        const json_t *a = json_object_get(from, name), *b = json_object_get(to, name);
        CVM_AUTO_FREE char *inner = cvm_printf("%s%s%s", place, place[0] ? "." : "", name);
        if (top)
            d->section = name;
        if (set_member)
            d->member = name;
        if (!a || !b)
            note(d, a ? REMOVED : ADDED, inner, a, b);
        else if (!json_equal(a, b))
            compare(d, inner, a, b);
        if (top)
            d->section = "";
        if (set_member)
            d->member = "";
    }
}

static void compare(struct diff *d, const char *place, const json_t *from, const json_t *to)
{
    if (json_is_object(from) && json_is_object(to))
        compare_objects(d, place, from, to);
    else if (json_is_array(from) && json_is_array(to))
        compare_lists(d, place, from, to);
    else
        note(d, CHANGED, place, from, to);
}

json_t *cvm_manifest_diff(const struct cvm_manifest *from, const struct cvm_manifest *to)
{
    struct diff d = {{json_array(), json_array(), json_array()}, "", ""};
    compare(&d, "", from->document, to->document);
    json_array_extend(d.by_risk[HIGH], d.by_risk[MEDIUM]);
    json_array_extend(d.by_risk[HIGH], d.by_risk[LOW]);
    json_decref(d.by_risk[MEDIUM]);
    json_decref(d.by_risk[LOW]);
    if (json_array_size(d.by_risk[HIGH]) == 0 &&
        !cvm_equal(from->digest.b, to->digest.b, sizeof to->digest.b)) {
        json_t *o = json_object(); /* only the order of some list can differ now */
        json_object_set_new(o, "risk", json_string(RISKS[LOW]));
        json_object_set_new(o, "place", json_string(""));
        json_object_set_new(o, "text", json_string("the same things stand in another order"));
        json_array_append_new(d.by_risk[HIGH], o);
    }
    return d.by_risk[HIGH];
}
