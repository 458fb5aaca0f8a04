#include "core/manifest/parse.h"

#include <stdlib.h>
#include <string.h>

static void read_uuid(struct cvm_json_reader *r, char ret[37])
{
    const char *text = cvm_json_string(r, "collaboration");
    if (r->failed)
        return;
    size_t len = strlen(text);
    bool ok = len == 36;
    for (size_t i = 0; ok && i < len; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool hex = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
        ok = dash ? text[i] == '-' : hex;
    }
    if (!ok) {
        cvm_json_fail(r, CVM_E_BAD_ENCODING, "\"collaboration\" is no UUID in lower case");
        return;
    }
    memcpy(ret, text, 37);
}

/* The members of the document itself; the sections are borrowed from it. */
struct sections {
    json_t *participants, *isolate, *components, *data, *channels, *outputs;
};

static int read_top(struct cvm_manifest *m, struct sections *s, struct cvm_error *err)
{
    struct cvm_json_reader r;
    cvm_json_begin(&r, m->document, "", err);
    int64_t version = cvm_json_int(&r, "version", -CVM_JSON_INT_MAX, CVM_JSON_INT_MAX);
    if (!r.failed && version != 1)
        cvm_json_fail(&r, CVM_E_MANIFEST_VERSION, "version %lld", (long long)version);
    read_uuid(&r, m->collaboration);
    m->title = cvm_read_text(&r, "title", 200);
    m->not_after = cvm_json_int(&r, "not_after", 1, 253402300799); /* the last second of 9999 */
    s->participants = cvm_json_array(&r, "participants", CVM_PARTICIPANTS_MAX);
    s->isolate = cvm_json_object(&r, "isolate");
    s->components = cvm_json_array(&r, "components", CVM_COMPONENTS_MAX);
    s->data = cvm_json_array(&r, "data", CVM_DATA_MAX);
    s->channels = cvm_json_array(&r, "channels", CVM_CHANNELS_MAX);
    s->outputs = cvm_json_array(&r, "outputs", CVM_OUTPUTS_MAX);
    return cvm_json_end(&r);
}

static int read_document(struct cvm_manifest *m, struct cvm_error *err)
{
    struct sections s;
    CVM_GUARD(read_top(m, &s, err));
    CVM_GUARD(cvm_manifest_read_participants(m, s.participants, err));
    CVM_GUARD(cvm_manifest_read_isolate(m, s.isolate, err));
    CVM_GUARD(cvm_manifest_read_components(m, s.components, err));
    CVM_GUARD(cvm_manifest_read_data(m, s.data, err));
    CVM_GUARD(cvm_manifest_read_outputs(m, s.outputs, err));
    CVM_GUARD(cvm_manifest_read_channels(m, s.channels, err));
    return cvm_manifest_check_graph(m, err);
}

static void free_heap(struct cvm_manifest **m)
{
    if (*m)
        cvm_manifest_free(*m);
    free(*m);
}

int cvm_manifest_parse(const void *bytes, size_t len, struct cvm_manifest *ret,
                       struct cvm_error *err)
{
    CVM_ENSURE(len <= CVM_MANIFEST_MAX, err, CVM_E_MANIFEST_TOO_LARGE, "%zu bytes", len);
    CVM_CLEANUP(free_heap) struct cvm_manifest *m = cvm_alloc(sizeof *m);
    m->document = cvm_json_parse_canonical(bytes, len, err);
    if (!m->document)
        return -1;
    m->bytes = cvm_alloc(len);
    memcpy(m->bytes, bytes, len);
    m->len = len;
    m->digest = cvm_sha256(bytes, len);
    CVM_GUARD(read_document(m, err));
    *ret = *m;
    free(CVM_TAKE(m)); /* its parts belong to *ret now */
    return 0;
}

void cvm_manifest_free(struct cvm_manifest *m)
{
    free(CVM_TAKE(m->bytes));
    json_decref(CVM_TAKE(m->document));
}

int cvm_manifest_participant(const struct cvm_manifest *m, const char *id)
{
    for (uint32_t i = 0; i < m->n_participants; i++)
        if (strcmp(m->participants[i].id, id) == 0)
            return (int)i;
    return -1;
}

int cvm_manifest_participant_by_thumb(const struct cvm_manifest *m, const struct cvm_digest *thumb)
{
    for (uint32_t i = 0; i < m->n_participants; i++)
        if (memcmp(m->participants[i].sign_thumb.b, thumb->b, sizeof thumb->b) == 0)
            return (int)i;
    return -1;
}

int cvm_manifest_item(const struct cvm_manifest *m, const char *id)
{
    for (uint32_t i = 0; i < m->n_components; i++)
        if (strcmp(m->components[i].id, id) == 0)
            return (int)i;
    for (uint32_t i = 0; i < m->n_data; i++)
        if (strcmp(m->data[i].id, id) == 0)
            return (int)(m->n_components + i);
    return -1;
}

int cvm_manifest_output(const struct cvm_manifest *m, const char *id)
{
    for (uint32_t i = 0; i < m->n_outputs; i++)
        if (strcmp(m->outputs[i].id, id) == 0)
            return (int)i;
    return -1;
}

uint32_t cvm_manifest_items(const struct cvm_manifest *m)
{
    return m->n_components + m->n_data;
}

struct cvm_item cvm_manifest_item_at(const struct cvm_manifest *m, uint32_t item)
{
    if (item >= cvm_manifest_items(m))
        abort();
    if (item < m->n_components) {
        const struct cvm_component *c = &m->components[item];
        return (struct cvm_item){.id = c->id,
                                 .owner = c->owner,
                                 .digest = &c->digest,
                                 .max_bytes = c->max_bytes,
                                 .padding = c->padding,
                                 .component = (int)item,
                                 .data = -1};
    }
    const struct cvm_data *d = &m->data[item - m->n_components];
    return (struct cvm_item){.id = d->id,
                             .owner = d->owner,
                             .digest = &d->digest,
                             .max_bytes = d->max_bytes,
                             .padding = d->padding,
                             .open = d->open,
                             .component = -1,
                             .data = (int)(item - m->n_components)};
}

uint32_t cvm_manifest_inbound(const struct cvm_manifest *m, enum cvm_channel_kind kind,
                              int component, int ret[CVM_CHANNELS_MAX])
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->n_channels; i++)
        if (m->channels[i].kind == kind && m->channels[i].to_component == component)
            ret[n++] = (int)i;
    return n;
}

uint32_t cvm_manifest_outbound(const struct cvm_manifest *m, enum cvm_channel_kind kind,
                               int component, int ret[CVM_CHANNELS_MAX])
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->n_channels; i++)
        if (m->channels[i].kind == kind && m->channels[i].from_component == component)
            ret[n++] = (int)i;
    return n;
}

/* Each addend is at most 2^40 and there are fewer than 2^10 of them: the sum does not overflow. */
uint64_t cvm_manifest_memory_needed(const struct cvm_manifest *m)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < m->n_components; i++)
        bytes += m->components[i].max_bytes + m->components[i].memory_bytes;
    for (uint32_t i = 0; i < m->n_data; i++)
        bytes += m->data[i].max_bytes;
    for (uint32_t i = 0; i < m->n_outputs; i++)
        bytes += m->outputs[i].max_bytes;
    for (uint32_t i = 0; i < m->n_channels; i++) {
        const struct cvm_channel *c = &m->channels[i];
        if (c->kind == CVM_CHANNEL_KIND_CALL)
            bytes += 2 * c->max_call_bytes; /* a region on each side */
        else if (c->kind == CVM_CHANNEL_KIND_FILE && c->from_component >= 0 && c->to_component >= 0)
            bytes += c->max_bytes;
    }
    return (bytes + (1 << 20) - 1) / (1 << 20) + CVM_MEMORY_RESERVE_MIB;
}

bool cvm_manifest_has_platform(const struct cvm_manifest *m, enum cvm_platform p)
{
    return (unsigned)p < CVM_PLATFORM_COUNT && (m->isolate.platforms >> p & 1);
}

bool cvm_platform_simulated(enum cvm_platform p)
{
    return p != CVM_PLATFORM_SEV_SNP;
}
