/* The operations of doc/PROTOCOL.md section 7: what the host may ask. */
#ifndef CVM_AGENT_REQUESTS_H
#define CVM_AGENT_REQUESTS_H

#include "guest-agent/agent/agent.h"

/* One row of the table. `start` sees the control message and answers, or waits for the body;
 * `body` takes a piece of it, `end` its end. A function that fails has its error sent as the
 * refusal. */
struct cvm_agent_op {
    const char *name;
    bool has_body;
    int (*start)(struct cvm_agent *a, json_t *control, uint64_t bytes, struct cvm_error *err);
    int (*body)(struct cvm_agent *a, const uint8_t *data, size_t len, struct cvm_error *err);
    int (*end)(struct cvm_agent *a, struct cvm_error *err);
};

extern const struct cvm_connection_calls cvm_request_calls;

/* Drops what the open request has gathered. */
void cvm_request_forget(struct cvm_agent *a);

/* Parts of the table that live elsewhere. */
int cvm_act_start(struct cvm_agent *a, json_t *control, uint64_t bytes, struct cvm_error *err);
int cvm_act_end(struct cvm_agent *a, struct cvm_error *err);
int cvm_item_start(struct cvm_agent *a, json_t *control, uint64_t bytes, struct cvm_error *err);
int cvm_item_body(struct cvm_agent *a, const uint8_t *data, size_t len, struct cvm_error *err);
int cvm_item_end(struct cvm_agent *a, struct cvm_error *err);

#endif
