/* A manifest of a stranger: whatever is accepted keeps every promise that later code relies on. */
#include <stdlib.h>
#include <string.h>

#include "core/manifest/explain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_order(const struct cvm_manifest *m)
{
    bool placed[CVM_COMPONENTS_MAX] = {false};
    check(m->n_groups >= 1 && m->n_groups <= m->n_components);
    for (uint32_t g = 0, n = 0; g < m->n_groups; g++) {
        check(m->groups[g].first == n && m->groups[g].n > 0);
        for (; n < m->groups[g].first + m->groups[g].n; n++) {
            int c = m->order[n];
            check(c >= 0 && (uint32_t)c < m->n_components && !placed[c]);
            check(m->components[c].group == g);
            placed[c] = true;
        }
    }
    for (uint32_t i = 0; i < m->n_channels; i++) {
        const struct cvm_channel *c = &m->channels[i];
        if (c->from_component < 0 || c->to_component < 0)
            continue;
        uint32_t from = m->components[c->from_component].group,
                 to = m->components[c->to_component].group;
        check(c->kind == CVM_CHANNEL_KIND_FILE ? from < to : from == to);
    }
}

static void check_channel(const struct cvm_manifest *m, const struct cvm_channel *c)
{
    check((c->from_component >= 0) + (c->from_data >= 0) == 1);
    check((c->to_component >= 0) + (c->to_output >= 0) == 1);
    check(c->kind == CVM_CHANNEL_KIND_FILE || c->to_component >= 0);
    check(!c->interface == (c->kind != CVM_CHANNEL_KIND_CALL));
    if (c->interface)
        check(c->from_component >= 0 && c->max_calls > 0 && c->max_call_bytes > 0 &&
              m->components[c->to_component].kind == CVM_COMPONENT_KIND_LIBRARY);
    check(!c->from_path || strncmp(c->from_path, "out/", 4) == 0 ||
          strcmp(c->from_path, CVM_STDOUT_PATH) == 0);
    check(!c->from_path || !strstr(c->from_path, "/../"));
    check(!c->to_path || (strncmp(c->to_path, "in/", 3) == 0 && !strstr(c->to_path, "/../")) ||
          (c->kind == CVM_CHANNEL_KIND_STREAM && strcmp(c->to_path, CVM_STDIN_PATH) == 0));
}

static void check_promises(const struct cvm_manifest *m)
{
    check(m->n_participants >= 1 && m->n_participants <= CVM_PARTICIPANTS_MAX);
    check(m->n_components >= 1 && m->n_components <= CVM_COMPONENTS_MAX && m->n_outputs >= 1);
    check_order(m);
    for (uint32_t i = 0; i < cvm_manifest_items(m); i++) {
        struct cvm_item item = cvm_manifest_item_at(m, i);
        check(cvm_id_valid(item.id) && cvm_manifest_item(m, item.id) == (int)i);
        check(cvm_manifest_output(m, item.id) < 0 && (uint32_t)item.owner < m->n_participants);
    }
    for (uint32_t i = 0; i < m->n_channels; i++)
        check_channel(m, &m->channels[i]);
    check(cvm_manifest_memory_needed(m) <= m->isolate.memory_mib);
}

static void parse(const void *data, size_t size)
{
    CVM_AUTO_MANIFEST struct cvm_manifest m = {0};
    struct cvm_error err = {0};
    if (cvm_manifest_parse(data, size, &m, &err) < 0) {
        check(err.code != CVM_OK && err.message[0] && !m.bytes);
        return;
    }
    check_promises(&m);
    CVM_AUTO_JSON json_t *words = cvm_manifest_explain(&m), *same = cvm_manifest_diff(&m, &m);
    check(json_array_size(words) > 4 && json_array_size(same) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    parse(data, size);
    /* mutated JSON is hardly ever canonical: make it so, to get behind that door */
    CVM_AUTO_JSON json_t *v = cvm_json_parse(data, size, NULL);
    CVM_AUTO_BUF struct cvm_buf canonical = {0};
    if (v && cvm_json_write(v, &canonical, NULL) == 0)
        parse(canonical.data, canonical.len);
    return 0;
}
