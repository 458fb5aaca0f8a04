/* Lock, keys, nonces and evidence of the session. */
#ifndef CVM_AGENT_SESSION_H
#define CVM_AGENT_SESSION_H

#include "guest-agent/agent/agent.h"

/* Checks everything that `empty -> locked` demands and makes the session's keys. `body` holds the
 * manifest, then the commitments in the order of the list. */
int cvm_agent_lock(struct cvm_agent *a, const json_t *control, const struct cvm_buf *body,
                   struct cvm_error *err) CVM_MUST_USE;
/* The sizes that a `lock` request announces; also refuses what can't be a lock. */
int cvm_agent_lock_check(struct cvm_agent *a, json_t *control, uint64_t body_bytes,
                         struct cvm_error *err) CVM_MUST_USE;

/* One report for all nonces; appends the bundles to `ret`, their sizes to the array `sizes`. */
int cvm_agent_challenge(struct cvm_agent *a, json_t *nonces, struct cvm_buf *ret, json_t *sizes,
                        struct cvm_error *err) CVM_MUST_USE;
/* Whether a report of this session covered the nonce and no release spent it. */
struct cvm_nonce *cvm_session_nonce(struct cvm_session *s, const uint8_t *nonce, size_t len);
/* The report over the final head, into a->last_evidence. */
int cvm_agent_last_evidence(struct cvm_agent *a, struct cvm_error *err) CVM_MUST_USE;

#endif
