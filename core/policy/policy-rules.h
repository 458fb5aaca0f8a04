/* From a manifest to the rules of core/policy/policy.h. */
#ifndef CVM_POLICY_POLICY_RULES_H
#define CVM_POLICY_POLICY_RULES_H

#include "core/manifest/manifest.h"
#include "core/policy/policy.h"

void cvm_policy_compile(const struct cvm_manifest *m, struct cvm_policy_rules *ret);

#endif
