/* Channels, and the rules that only the whole manifest can break. */
#include "core/manifest/parse.h"

#include <string.h>

#define PATH_PARTS_MAX 8
#define PATH_PART_LEN 64
#define STDOUT_PATH "/dev/stdout"

static bool part_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

/* root, then 1 to 7 parts, each of [A-Za-z0-9._-]{1,64} and neither "." nor "..". */
static bool path_valid(const char *path, const char *root)
{
    size_t root_len = strlen(root), parts = 1;
    if (strncmp(path, root, root_len) != 0 || path[root_len] != '/')
        return false;
    for (const char *p = path + root_len; *p;) {
        size_t len = 0;
        for (p++; part_char(p[len]); len++)
            ;
        if (len == 0 || len > PATH_PART_LEN || (p[len] && p[len] != '/') ||
            ++parts > PATH_PARTS_MAX)
            return false;
        if (strncmp(p, "..", len) == 0 && len <= 2)
            return false;
        p += len;
    }
    return true;
}

static const char *read_path(struct cvm_json_reader *r, const char *name, const char *root,
                             bool may_stdout)
{
    const char *path = cvm_json_string(r, name);
    if (!r->failed && !path_valid(path, root) && !(may_stdout && strcmp(path, STDOUT_PATH) == 0))
        cvm_json_fail(r, CVM_E_MANIFEST_PATH, "\"%s\" is \"%.80s\"", name, path);
    return path;
}

static void read_ends(struct cvm_json_reader *r, const struct cvm_manifest *m,
                      struct cvm_channel *c)
{
    const char *from = cvm_json_string(r, "from"), *to = cvm_json_string(r, "to");
    if (r->failed)
        return;
    int from_item = cvm_manifest_item(m, from), to_item = cvm_manifest_item(m, to);
    int n_components = (int)m->n_components;
    c->from_component = from_item < n_components ? from_item : -1;
    c->from_data = from_item >= n_components ? from_item - n_components : -1;
    c->to_component = to_item < n_components ? to_item : -1;
    c->to_output = cvm_manifest_output(m, to);
    if (from_item < 0 && cvm_manifest_output(m, from) < 0)
        cvm_json_fail(r, CVM_E_MANIFEST_UNKNOWN_REF,
                      "\"from\": no component or data item \"%.64s\"", from);
    else if (to_item < 0 && c->to_output < 0)
        cvm_json_fail(r, CVM_E_MANIFEST_UNKNOWN_REF, "\"to\": no component or output \"%.64s\"",
                      to);
    else if (from_item < 0)
        cvm_json_fail(r, CVM_E_MANIFEST_GRAPH, "an output (\"%s\") can feed nothing", from);
    else if (to_item >= n_components)
        cvm_json_fail(r, CVM_E_MANIFEST_GRAPH, "a data item (\"%s\") can take nothing", to);
    else if (c->from_data >= 0 && c->to_output >= 0)
        cvm_json_fail(r, CVM_E_MANIFEST_GRAPH,
                      "data \"%s\" can't become output \"%s\" without a component", from, to);
    else if (c->to_output >= 0 && m->outputs[c->to_output].diagnostics)
        cvm_json_fail(r, CVM_E_MANIFEST_GRAPH, "the diagnostics output \"%s\" takes no channel",
                      to);
    else if (c->to_output >= 0 && m->outputs[c->to_output].channel >= 0)
        cvm_json_fail(r, CVM_E_MANIFEST_GRAPH, "output \"%s\" has a channel already", to);
}

static int read_channel(struct cvm_manifest *m, size_t i, json_t *entry, struct cvm_error *err)
{
    char place[CVM_PLACE_MAX];
    snprintf(place, sizeof place, "channels[%zu]", i);
    struct cvm_channel *c = &m->channels[i];
    *c = (struct cvm_channel){-1, -1, -1, -1, NULL, NULL, 0};
    struct cvm_json_reader r;
    cvm_json_begin(&r, entry, place, err);
    const char *kind = cvm_json_string(&r, "kind");
    if (!r.failed && (strcmp(kind, "call") == 0 || strcmp(kind, "stream") == 0))
        cvm_json_fail(&r, CVM_E_CHANNEL_KIND, "\"kind\" is \"%s\"", kind);
    if (!r.failed && strcmp(kind, "file") != 0)
        cvm_json_fail(&r, CVM_E_MANIFEST_ENUM, "\"kind\" is \"%.40s\"", kind);
    read_ends(&r, m, c);
    if (c->from_component >= 0)
        c->from_path = read_path(&r, "from_path", "out", true);
    if (c->to_component >= 0)
        c->to_path = read_path(&r, "to_path", "in", false);
    if (c->from_component >= 0 && c->to_component >= 0)
        c->max_bytes = (uint64_t)cvm_json_int_opt(&r, "max_bytes", 1, INT64_C(1) << 40,
                                                  CVM_CHANNEL_BYTES_DEFAULT);
    CVM_GUARD(cvm_json_end(&r));
    if (c->from_data >= 0)
        c->max_bytes = m->data[c->from_data].max_bytes;
    if (c->to_output >= 0) {
        c->max_bytes = m->outputs[c->to_output].max_bytes;
        m->outputs[c->to_output].channel = (int)i;
    }
    m->n_channels++;
    return 0;
}

int cvm_manifest_read_channels(struct cvm_manifest *m, json_t *list, struct cvm_error *err)
{
    size_t i;
    json_t *entry;
    json_array_foreach(list, i, entry) CVM_GUARD(read_channel(m, i, entry, err));
    return 0;
}

/* Equal, or one a folder of the other. */
static bool paths_meet(const char *a, const char *b)
{
    size_t i = 0;
    while (a[i] && a[i] == b[i])
        i++;
    return (!a[i] && !b[i]) || (!a[i] && b[i] == '/') || (!b[i] && a[i] == '/');
}

static int check_paths(const struct cvm_manifest *m, struct cvm_error *err)
{
    for (uint32_t i = 0; i < m->n_channels; i++) {
        for (uint32_t k = 0; k < i; k++) {
            const struct cvm_channel *a = &m->channels[k], *b = &m->channels[i];
            if (a->from_component >= 0 && a->from_component == b->from_component)
                CVM_ENSURE(!paths_meet(a->from_path, b->from_path), err, CVM_E_MANIFEST_PATH,
                           "channels[%u] and channels[%u]: \"%s\" and \"%s\" of component \"%s\"",
                           k, i, a->from_path, b->from_path, m->components[a->from_component].id);
            if (a->to_component >= 0 && a->to_component == b->to_component)
                CVM_ENSURE(!paths_meet(a->to_path, b->to_path), err, CVM_E_MANIFEST_PATH,
                           "channels[%u] and channels[%u]: \"%s\" and \"%s\" of component \"%s\"",
                           k, i, a->to_path, b->to_path, m->components[a->to_component].id);
        }
    }
    return 0;
}

/* A path of a component that may not open files, or output of one that may not print, is a mistake.
 */
static int check_grants(const struct cvm_manifest *m, struct cvm_error *err)
{
    for (uint32_t i = 0; i < m->n_channels; i++) {
        const struct cvm_channel *c = &m->channels[i];
        bool prints = c->from_path && strcmp(c->from_path, STDOUT_PATH) == 0;
        int from = c->from_component, to = c->to_component;
        CVM_ENSURE(!prints || m->components[from].grants >> CVM_GRANT_CLI & 1, err,
                   CVM_E_MANIFEST_GRAPH, "channels[%u]: component \"%s\" has no grant wasi:cli", i,
                   m->components[from].id);
        CVM_ENSURE(
            !c->from_path || prints || m->components[from].grants >> CVM_GRANT_FILESYSTEM & 1, err,
            CVM_E_MANIFEST_GRAPH, "channels[%u]: component \"%s\" has no grant wasi:filesystem", i,
            m->components[from].id);
        CVM_ENSURE(!c->to_path || m->components[to].grants >> CVM_GRANT_FILESYSTEM & 1, err,
                   CVM_E_MANIFEST_GRAPH,
                   "channels[%u]: component \"%s\" has no grant wasi:filesystem", i,
                   m->components[to].id);
    }
    return 0;
}

static int check_used(const struct cvm_manifest *m, struct cvm_error *err)
{
    for (uint32_t i = 0; i < m->n_components; i++) {
        bool used = false;
        for (uint32_t k = 0; k < m->n_channels; k++)
            used |=
                m->channels[k].from_component == (int)i || m->channels[k].to_component == (int)i;
        CVM_ENSURE(m->components[i].kind != CVM_COMPONENT_KIND_LIBRARY, err, CVM_E_MANIFEST_UNUSED,
                   "library \"%s\" is reached by no call channel", m->components[i].id);
        CVM_ENSURE(used, err, CVM_E_MANIFEST_UNUSED, "component \"%s\"", m->components[i].id);
    }
    for (uint32_t i = 0; i < m->n_data; i++) {
        bool used = false;
        for (uint32_t k = 0; k < m->n_channels; k++)
            used |= m->channels[k].from_data == (int)i;
        CVM_ENSURE(used, err, CVM_E_MANIFEST_UNUSED, "data item \"%s\"", m->data[i].id);
    }
    for (uint32_t i = 0; i < m->n_outputs; i++)
        CVM_ENSURE(m->outputs[i].diagnostics || m->outputs[i].channel >= 0, err,
                   CVM_E_MANIFEST_GRAPH, "no channel leads to output \"%s\"", m->outputs[i].id);
    return 0;
}

/* Some channel leads from an unplaced component to this one; returns that component, or -1. */
static int unplaced_feeder(const struct cvm_manifest *m, int component, const bool *placed)
{
    for (uint32_t k = 0; k < m->n_channels; k++) {
        const struct cvm_channel *c = &m->channels[k];
        if (c->to_component == component && c->from_component >= 0 && !placed[c->from_component])
            return c->from_component;
    }
    return -1;
}

/* Every unplaced component has an unplaced feeder, so walking back must come round. */
static int fail_cycle(const struct cvm_manifest *m, const bool *placed, int start,
                      struct cvm_error *err)
{
    bool seen[CVM_COMPONENTS_MAX] = {false};
    int at = start;
    while (!seen[at]) {
        seen[at] = true;
        at = unplaced_feeder(m, at, placed);
    }
    char text[160] = "";
    int first = at, feeder = unplaced_feeder(m, at, placed);
    size_t len = (size_t)snprintf(text, sizeof text, "%s", m->components[first].id);
    while (feeder != first && len < sizeof text) {
        len += (size_t)snprintf(text + len, sizeof text - len, " <- %s", m->components[feeder].id);
        feeder = unplaced_feeder(m, feeder, placed);
    }
    if (len < sizeof text)
        snprintf(text + len, sizeof text - len, " <- %s", m->components[first].id);
    return cvm_fail_expected(err, CVM_E_MANIFEST_CYCLE, NULL, text, "through component \"%s\"",
                             m->components[first].id);
}

static int order_components(struct cvm_manifest *m, struct cvm_error *err)
{
    bool placed[CVM_COMPONENTS_MAX] = {false};
    for (uint32_t n = 0; n < m->n_components; n++) {
        int next = -1, stuck = -1;
        for (int i = (int)m->n_components - 1; i >= 0; i--) {
            if (placed[i])
                continue;
            stuck = i;
            if (unplaced_feeder(m, i, placed) < 0)
                next = i;
        }
        if (next < 0)
            return fail_cycle(m, placed, stuck, err);
        placed[next] = true;
        m->order[n] = next;
    }
    return 0;
}

int cvm_manifest_check_graph(struct cvm_manifest *m, struct cvm_error *err)
{
    CVM_GUARD(check_used(m, err));
    CVM_GUARD(order_components(m, err));
    CVM_GUARD(check_paths(m, err));
    CVM_GUARD(check_grants(m, err));
    uint64_t needed = cvm_manifest_memory_needed(m);
    char expected[40], got[40];
    snprintf(expected, sizeof expected, "at least %llu", (unsigned long long)needed);
    snprintf(got, sizeof got, "%llu", (unsigned long long)m->isolate.memory_mib);
    if (m->isolate.memory_mib < needed)
        return cvm_fail_expected(err, CVM_E_MANIFEST_MEMORY, expected, got, "isolate.memory_mib");
    return 0;
}
