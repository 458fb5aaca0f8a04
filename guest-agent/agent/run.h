/* The run: groups of components in the order of their files, independent ones side by side; inside
 * a group callees before their callers. */
#ifndef CVM_AGENT_RUN_H
#define CVM_AGENT_RUN_H

#include "guest-agent/agent/agent.h"

/* How a component's cell ended: for the diagnostics output and nothing else. */
struct cvm_cell_report {
    const char *why;   /* a word of doc/PROTOCOL.md section 6.4 */
    const char *limit; /* the manifest's name of the limit that stopped it, or "" */
    uint64_t cpu_ms, wall_ms, memory_bytes, fuel, stdout_bytes, stderr_bytes;
    uint32_t exit;
};

/* After the policy has allowed it: starts what can start. What happens then is told by moves. */
void cvm_run_start(struct cvm_agent *a);
/* Kills every cell and frees the run. Fine when there is none. */
void cvm_run_end(struct cvm_agent *a);

/*
 * Open inputs (the act that fills one has been accepted and spent): `bytes` follow what was fed
 * before, all or nothing; `end`: nothing will follow. `data` is an index in manifest.data. Asked
 * first: CVM_OK, CVM_E_WRONG_PHASE (no run), CVM_E_INPUT_ENDED (nobody reads it any more),
 * CVM_E_STREAM_FULL (its reader has not taken what came before).
 */
int cvm_run_feed(struct cvm_agent *a, uint32_t data, const void *bytes, size_t len, bool end,
                 struct cvm_error *err) CVM_MUST_USE;
enum cvm_code cvm_run_can_feed(const struct cvm_agent *a, uint32_t data, size_t len);

/* For outputs.c, once no cell is left: what a component's channel has left in memory. */
int cvm_run_channel(const struct cvm_agent *a, uint32_t channel, uint64_t *ret_length);
const struct cvm_cell_report *cvm_run_report(const struct cvm_agent *a, uint32_t component);

#endif
