/* Channels; graph.c and order.c have the rules that only all of them can break. */
#include "core/manifest/parse.h"

#include <string.h>

#define PATH_PARTS_MAX 8
#define PATH_PART_LEN 64
#define BYTES_LIMIT (INT64_C(1) << 40)

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
    if (!r->failed && !path_valid(path, root) &&
        !(may_stdout && strcmp(path, CVM_STDOUT_PATH) == 0))
        cvm_json_fail(r, CVM_E_MANIFEST_PATH, "\"%s\" is \"%.80s\"", name, path);
    return path;
}

/* "study:model/infer@1.0.0": words of lower-case letters, digits and '-', then a version. */
static bool name_word(const char **at, char end)
{
    const char *p = *at;
    bool fresh = true; /* a letter must come */
    for (; *p && *p != end; p++) {
        bool letter = *p >= 'a' && *p <= 'z', digit = *p >= '0' && *p <= '9';
        if (fresh ? !letter : !letter && !digit && *p != '-')
            return false;
        fresh = *p == '-';
    }
    if (fresh || *p != end)
        return false;
    *at = end ? p + 1 : p;
    return true;
}

static bool version_valid(const char *p)
{
    size_t len = 0, dots = 0;
    for (; p[len]; len++) {
        bool letter = (p[len] >= 'a' && p[len] <= 'z') || (p[len] >= 'A' && p[len] <= 'Z');
        bool digit = p[len] >= '0' && p[len] <= '9';
        if (!letter && !digit && p[len] != '.' && p[len] != '-' && p[len] != '+')
            return false;
        dots += p[len] == '.';
    }
    return dots >= 2 && p[0] >= '0' && p[0] <= '9';
}

/* WASI is not called through a channel: the grants say what of it there is. */
static bool interface_valid(const char *name)
{
    const char *p = name;
    return strlen(name) <= CVM_INTERFACE_MAX && strncmp(name, "wasi:", 5) != 0 &&
           name_word(&p, ':') && name_word(&p, '/') &&
           (strchr(p, '@') ? name_word(&p, '@') && version_valid(p) : name_word(&p, '\0'));
}

static void read_refs(struct cvm_json_reader *r, const struct cvm_manifest *m,
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
}

static void read_file(struct cvm_json_reader *r, const struct cvm_manifest *m,
                      struct cvm_channel *c)
{
    const struct cvm_data *data = c->from_data >= 0 ? &m->data[c->from_data] : NULL;
    const struct cvm_output *output = c->to_output >= 0 ? &m->outputs[c->to_output] : NULL;
    if (data && output)
        cvm_json_fail(r, CVM_E_MANIFEST_GRAPH,
                      "data \"%s\" can't become output \"%s\" without a component", data->id,
                      output->id);
    else if (data && data->open)
        cvm_json_fail(r, CVM_E_MANIFEST_GRAPH, "the open input \"%s\" is read as a stream",
                      data->id);
    else if (output && output->diagnostics)
        cvm_json_fail(r, CVM_E_MANIFEST_GRAPH, "the diagnostics output \"%s\" takes no channel",
                      output->id);
    else if (output && output->channel >= 0)
        cvm_json_fail(r, CVM_E_MANIFEST_GRAPH, "output \"%s\" has a channel already", output->id);
    if (c->from_component >= 0)
        c->from_path = read_path(r, "from_path", "out", true);
    if (c->to_component >= 0)
        c->to_path = read_path(r, "to_path", "in", false);
    if (c->from_component >= 0 && c->to_component >= 0)
        c->max_bytes =
            (uint64_t)cvm_json_int_opt(r, "max_bytes", 1, BYTES_LIMIT, CVM_CHANNEL_BYTES_DEFAULT);
}

static void read_call(struct cvm_json_reader *r, const struct cvm_manifest *m,
                      struct cvm_channel *c)
{
    if (!r->failed && (c->from_component < 0 || c->to_component < 0))
        cvm_json_fail(r, CVM_E_MANIFEST_GRAPH, "a call goes from a component to a component");
    if (!r->failed && m->components[c->to_component].kind != CVM_COMPONENT_KIND_LIBRARY)
        cvm_json_fail(r, CVM_E_MANIFEST_GRAPH, "\"%s\" is called, but is no library",
                      m->components[c->to_component].id);
    c->interface = cvm_json_string(r, "interface");
    if (!r->failed && !interface_valid(c->interface))
        cvm_json_fail(r, CVM_E_MANIFEST_INTERFACE, "\"interface\" is \"%.80s\"", c->interface);
    for (uint32_t k = 0; !r->failed && k < m->n_channels; k++)
        if (m->channels[k].kind == CVM_CHANNEL_KIND_CALL &&
            m->channels[k].from_component == c->from_component &&
            strcmp(m->channels[k].interface, c->interface) == 0)
            cvm_json_fail(r, CVM_E_MANIFEST_DUPLICATE_ID,
                          "\"%s\" calls \"%s\" by channels[%u] already",
                          m->components[c->from_component].id, c->interface, k);
    c->max_calls = (uint64_t)cvm_json_int(r, "max_calls", 1, BYTES_LIMIT);
    c->max_bytes = (uint64_t)cvm_json_int(r, "max_bytes", 1, BYTES_LIMIT);
    c->max_call_bytes = (uint64_t)cvm_json_int_opt(r, "max_call_bytes", 1, CVM_CALL_BYTES_MAX,
                                                   CVM_CALL_BYTES_DEFAULT);
}

static const char *read_standard(struct cvm_json_reader *r, const char *name, const char *path)
{
    const char *got = cvm_json_string(r, name);
    if (!r->failed && strcmp(got, path) != 0)
        cvm_json_fail(r, CVM_E_MANIFEST_PATH, "\"%s\" of a stream is \"%.80s\", not \"%s\"", name,
                      got, path);
    return path;
}

static void read_stream(struct cvm_json_reader *r, const struct cvm_manifest *m,
                        struct cvm_channel *c)
{
    if (!r->failed && c->to_component < 0)
        cvm_json_fail(r, CVM_E_MANIFEST_GRAPH, "a stream leads to a component");
    if (!r->failed && c->from_data >= 0 && !m->data[c->from_data].open)
        cvm_json_fail(r, CVM_E_MANIFEST_GRAPH,
                      "the data item \"%s\" is there as a whole: it is read as a file",
                      m->data[c->from_data].id);
    c->to_path = read_standard(r, "to_path", CVM_STDIN_PATH);
    if (c->from_component < 0)
        return;
    c->from_path = read_standard(r, "from_path", CVM_STDOUT_PATH);
    c->max_bytes = (uint64_t)cvm_json_int(r, "max_bytes", 1, BYTES_LIMIT);
}

static int read_channel(struct cvm_manifest *m, size_t i, json_t *entry, struct cvm_error *err)
{
    static void (*const READERS[CVM_CHANNEL_KIND_COUNT])(
        struct cvm_json_reader *, const struct cvm_manifest *, struct cvm_channel *) = {
        [CVM_CHANNEL_KIND_FILE] = read_file,
        [CVM_CHANNEL_KIND_CALL] = read_call,
        [CVM_CHANNEL_KIND_STREAM] = read_stream,
    };
    char place[CVM_PLACE_MAX];
    snprintf(place, sizeof place, "channels[%zu]", i);
    struct cvm_channel *c = &m->channels[i];
    *c = (struct cvm_channel){
        .from_component = -1, .from_data = -1, .to_component = -1, .to_output = -1};
    struct cvm_json_reader r;
    cvm_json_begin(&r, entry, place, err);
    c->kind = (enum cvm_channel_kind)cvm_read_word(&r, "kind", cvm_channel_kind_by_word);
    read_refs(&r, m, c);
    READERS[c->kind](&r, m, c);
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
