/* The rules that only the whole manifest can break; order.c has those of the groups. */
#include "core/manifest/parse.h"

#include <string.h>

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
            if (a->from_path && b->from_path && a->from_component == b->from_component)
                CVM_ENSURE(!paths_meet(a->from_path, b->from_path), err, CVM_E_MANIFEST_PATH,
                           "channels[%u] and channels[%u]: \"%s\" and \"%s\" of component \"%s\"",
                           k, i, a->from_path, b->from_path, m->components[a->from_component].id);
            if (a->to_path && b->to_path && a->to_component == b->to_component)
                CVM_ENSURE(!paths_meet(a->to_path, b->to_path), err, CVM_E_MANIFEST_PATH,
                           "channels[%u] and channels[%u]: \"%s\" and \"%s\" of component \"%s\"",
                           k, i, a->to_path, b->to_path, m->components[a->to_component].id);
        }
    }
    return 0;
}

/* A path of a component that may not open files, or standard input and output of one that has none,
 * is a mistake. */
static int check_grant(const struct cvm_manifest *m, uint32_t channel, int component,
                       const char *path, struct cvm_error *err)
{
    if (!path)
        return 0;
    bool standard = path[0] == '/';
    const struct cvm_component *c = &m->components[component];
    CVM_ENSURE(c->grants >> (standard ? CVM_GRANT_CLI : CVM_GRANT_FILESYSTEM) & 1, err,
               CVM_E_MANIFEST_GRAPH, "channels[%u]: component \"%s\" has no grant %s", channel,
               c->id, standard ? "wasi:cli" : "wasi:filesystem");
    return 0;
}

static int check_grants(const struct cvm_manifest *m, struct cvm_error *err)
{
    for (uint32_t i = 0; i < m->n_channels; i++) {
        const struct cvm_channel *c = &m->channels[i];
        CVM_GUARD(check_grant(m, i, c->from_component, c->from_path, err));
        CVM_GUARD(check_grant(m, i, c->to_component, c->to_path, err));
    }
    return 0;
}

/* How many channels of a kind lead into and out of a component. */
struct ends {
    uint32_t in[CVM_CHANNEL_KIND_COUNT], out[CVM_CHANNEL_KIND_COUNT];
};

static struct ends ends_of(const struct cvm_manifest *m, int component)
{
    struct ends e = {{0}, {0}};
    for (uint32_t k = 0; k < m->n_channels; k++) {
        e.in[m->channels[k].kind] += m->channels[k].to_component == component;
        e.out[m->channels[k].kind] += m->channels[k].from_component == component;
    }
    return e;
}

static uint32_t number_of(const struct ends *e)
{
    uint32_t n = 0;
    for (int k = 0; k < CVM_CHANNEL_KIND_COUNT; k++)
        n += e->in[k] + e->out[k];
    return n;
}

/* What lives for one call can neither take from a stream that goes on nor leave anything. */
static int check_component(const struct cvm_manifest *m, int component, struct cvm_error *err)
{
    const struct cvm_component *c = &m->components[component];
    struct ends e = ends_of(m, component);
    CVM_ENSURE(c->kind != CVM_COMPONENT_KIND_LIBRARY || e.in[CVM_CHANNEL_KIND_CALL], err,
               CVM_E_MANIFEST_UNUSED, "library \"%s\" is reached by no call channel", c->id);
    CVM_ENSURE(number_of(&e) > 0, err, CVM_E_MANIFEST_UNUSED, "component \"%s\"", c->id);
    CVM_ENSURE(number_of(&e) <= CVM_COMPONENT_CHANNELS_MAX, err, CVM_E_MANIFEST_RANGE,
               "component \"%s\" has %u channels, at most %d are allowed", c->id, number_of(&e),
               CVM_COMPONENT_CHANNELS_MAX);
    CVM_ENSURE(c->instance != CVM_INSTANCE_CALL || e.out[CVM_CHANNEL_KIND_FILE] +
                                                           e.out[CVM_CHANNEL_KIND_STREAM] +
                                                           e.in[CVM_CHANNEL_KIND_STREAM] ==
                                                       0,
               err, CVM_E_MANIFEST_GRAPH,
               "library \"%s\" lives for one call: it has no stream and no file comes out of it",
               c->id);
    return 0;
}

static bool owns_data(const struct cvm_manifest *m, int participant)
{
    for (uint32_t i = 0; i < m->n_data; i++)
        if (m->data[i].owner == participant)
            return true;
    return false;
}

/* A gate sees one thing, hands on one thing, and belongs to someone whose data could leak. */
static int check_gate(const struct cvm_manifest *m, int component, struct cvm_error *err)
{
    const struct cvm_component *c = &m->components[component];
    struct ends e = ends_of(m, component);
    const uint32_t *in = e.in, *out = e.out;
    CVM_ENSURE(in[CVM_CHANNEL_KIND_FILE] == 1 && out[CVM_CHANNEL_KIND_FILE] == 1 &&
                   in[CVM_CHANNEL_KIND_CALL] + out[CVM_CHANNEL_KIND_CALL] +
                           in[CVM_CHANNEL_KIND_STREAM] + out[CVM_CHANNEL_KIND_STREAM] ==
                       0,
               err, CVM_E_MANIFEST_GRAPH,
               "gate \"%s\" has not exactly one file channel in and one out, and no other", c->id);
    for (uint32_t k = 0; k < m->n_channels; k++) {
        const struct cvm_channel *ch = &m->channels[k];
        CVM_ENSURE(ch->to_component != component || ch->from_component >= 0, err,
                   CVM_E_MANIFEST_GRAPH, "gate \"%s\" is not fed by a component", c->id);
        CVM_ENSURE(ch->from_component != component || ch->to_output >= 0 ||
                       m->components[ch->to_component].gate,
                   err, CVM_E_MANIFEST_GRAPH, "gate \"%s\" leads to no output and no gate", c->id);
    }
    CVM_ENSURE(owns_data(m, c->owner), err, CVM_E_MANIFEST_GRAPH,
               "gate \"%s\" belongs to \"%s\", who owns no data item", c->id,
               m->participants[c->owner].id);
    return 0;
}

static int check_components(const struct cvm_manifest *m, struct cvm_error *err)
{
    for (int i = 0; i < (int)m->n_components; i++) {
        CVM_GUARD(check_component(m, i, err));
        if (m->components[i].gate)
            CVM_GUARD(check_gate(m, i, err));
    }
    return 0;
}

static int check_data(const struct cvm_manifest *m, struct cvm_error *err)
{
    for (uint32_t i = 0; i < m->n_data; i++) {
        uint32_t n = 0;
        for (uint32_t k = 0; k < m->n_channels; k++)
            n += m->channels[k].from_data == (int)i;
        CVM_ENSURE(n > 0, err, CVM_E_MANIFEST_UNUSED, "data item \"%s\"", m->data[i].id);
        CVM_ENSURE(n == 1 || !m->data[i].open, err, CVM_E_MANIFEST_GRAPH,
                   "the open input \"%s\" has %u channels, not one", m->data[i].id, n);
    }
    return 0;
}

static int check_outputs(const struct cvm_manifest *m, struct cvm_error *err)
{
    for (uint32_t i = 0; i < m->n_outputs; i++)
        CVM_ENSURE(m->outputs[i].diagnostics || m->outputs[i].channel >= 0, err,
                   CVM_E_MANIFEST_GRAPH, "no channel leads to output \"%s\"", m->outputs[i].id);
    return 0;
}

int cvm_manifest_check_graph(struct cvm_manifest *m, struct cvm_error *err)
{
    CVM_GUARD(check_components(m, err));
    CVM_GUARD(check_data(m, err));
    CVM_GUARD(check_outputs(m, err));
    CVM_GUARD(cvm_manifest_order(m, err));
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
