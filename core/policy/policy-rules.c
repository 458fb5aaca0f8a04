#include "core/policy/policy-rules.h"

#include <string.h>

_Static_assert(CVM_POLICY_PARTICIPANTS == CVM_PARTICIPANTS_MAX, "bounds of manifest and policy");
_Static_assert(CVM_POLICY_COMPONENTS == CVM_COMPONENTS_MAX, "bounds of manifest and policy");
_Static_assert(CVM_POLICY_ITEMS == CVM_ITEMS_MAX, "bounds of manifest and policy");
_Static_assert(CVM_POLICY_CHANNELS == CVM_CHANNELS_MAX, "bounds of manifest and policy");
_Static_assert(CVM_POLICY_OUTPUTS == CVM_OUTPUTS_MAX, "bounds of manifest and policy");
_Static_assert(CVM_POLICY_CONDITIONS == CVM_OUTPUTS_MAX * CVM_CONDITIONS_MAX,
               "bounds of manifest and policy");

static struct cvm_policy_channel channel_rule(const struct cvm_manifest *m,
                                              const struct cvm_channel *c)
{
    if (c->kind == CVM_CHANNEL_KIND_FILE)
        return (struct cvm_policy_channel){.carries = CVM_CARRIES_FILE};
    if (c->from_data >= 0)
        return (struct cvm_policy_channel){.carries = CVM_CARRIES_ITEMS,
                                           .from =
                                               (uint8_t)(m->n_components + (uint32_t)c->from_data),
                                           .to = (uint8_t)c->to_component,
                                           .max_calls = m->data[c->from_data].max_items,
                                           .max_call_bytes = c->max_bytes,
                                           .max_bytes = c->max_bytes};
    return (struct cvm_policy_channel){
        .carries = c->kind == CVM_CHANNEL_KIND_CALL ? CVM_CARRIES_CALLS : CVM_CARRIES_STREAM,
        .from = (uint8_t)c->from_component,
        .to = (uint8_t)c->to_component,
        .max_calls = c->max_calls,
        .max_call_bytes = c->max_call_bytes,
        .max_bytes = c->max_bytes};
}

void cvm_policy_compile(const struct cvm_manifest *m, struct cvm_policy_rules *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->n_participants = m->n_participants;
    ret->n_components = m->n_components;
    ret->n_items = cvm_manifest_items(m);
    ret->n_outputs = m->n_outputs;
    ret->not_after = m->not_after;
    for (uint32_t i = 0; i < ret->n_items; i++) {
        struct cvm_item item = cvm_manifest_item_at(m, i);
        ret->owner[i] = (uint8_t)item.owner;
        ret->open[i / 64] |= (uint64_t)item.open << i % 64;
    }
    ret->n_channels = m->n_channels;
    for (uint32_t i = 0; i < m->n_channels; i++)
        ret->channels[i] = channel_rule(m, &m->channels[i]);
    for (uint32_t o = 0; o < m->n_outputs; o++) {
        for (uint32_t i = 0; i < m->outputs[o].n_release; i++) {
            const struct cvm_condition_rule *c = &m->outputs[o].release[i];
            ret->conditions[ret->n_conditions++] =
                (struct cvm_policy_condition){.output = (uint8_t)o,
                                              .approved = c->when == CVM_CONDITION_APPROVED,
                                              .by = c->by,
                                              .time = c->time};
        }
    }
}
