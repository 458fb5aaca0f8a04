#include "core/policy/policy-rules.h"

#include <string.h>

_Static_assert(CVM_POLICY_PARTICIPANTS == CVM_PARTICIPANTS_MAX, "bounds of manifest and policy");
_Static_assert(CVM_POLICY_COMPONENTS == CVM_COMPONENTS_MAX, "bounds of manifest and policy");
_Static_assert(CVM_POLICY_ITEMS == CVM_ITEMS_MAX, "bounds of manifest and policy");
_Static_assert(CVM_POLICY_OUTPUTS == CVM_OUTPUTS_MAX, "bounds of manifest and policy");
_Static_assert(CVM_POLICY_CONDITIONS == CVM_OUTPUTS_MAX * CVM_CONDITIONS_MAX,
               "bounds of manifest and policy");

void cvm_policy_compile(const struct cvm_manifest *m, struct cvm_policy_rules *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->n_participants = m->n_participants;
    ret->n_components = m->n_components;
    ret->n_items = cvm_manifest_items(m);
    ret->n_outputs = m->n_outputs;
    ret->not_after = m->not_after;
    for (uint32_t i = 0; i < ret->n_items; i++)
        ret->owner[i] = (uint8_t)cvm_manifest_item_at(m, i).owner;
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
