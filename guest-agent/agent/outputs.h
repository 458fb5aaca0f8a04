/* Outputs leave padded and sealed, all or none, with the signed receipt. */
#ifndef CVM_AGENT_OUTPUTS_H
#define CVM_AGENT_OUTPUTS_H

#include "guest-agent/agent/agent.h"

/* In `waiting`: when every release rule holds, seals everything and moves to `releasing`. */
void cvm_outputs_release_when_due(struct cvm_agent *a);
/* A component did not end well: seals the diagnostics outputs, records the end of `component`,
 * which moves to `releasing`, and makes the receipt. */
void cvm_outputs_release_failed(struct cvm_agent *a, uint32_t component);

#endif
