/* The life of a software PSP: it answers the agent's requests for reports until the agent ends. */
#ifndef CVM_PSP_SERVE_H
#define CVM_PSP_SERVE_H

#include <stdio.h>

#include "core/evidence/sim-device.h"
#include "orchestrator/psp/issuer.h"

/* What is fixed at launch and never changes. */
struct cvm_psp {
    struct cvm_issuer issuer;
    uint8_t measurement[CVM_MEASUREMENT_LEN];
    uint8_t host_data[CVM_HOST_DATA_LEN];
    FILE *log;
};

/* One request packet to one response packet; a bad request gets a refusal, never a report. */
void cvm_psp_answer(const struct cvm_psp *p, const void *request, size_t len,
                    struct cvm_buf *response);

/* One line with the time in UTC. */
void cvm_psp_log(const struct cvm_psp *p, const char *fmt, ...) CVM_PRINTF(2, 3);

/* A descriptor that is readable when TERM, INT or HUP came; they are blocked. Owned by the caller.
 */
int cvm_psp_signals(struct cvm_error *err) CVM_MUST_USE;

/*
 * Serves `device` until `pidfd` says that the agent ended, or one of the (blocked) signals TERM,
 * INT, HUP came: then the agent is killed first. Reaps it. -1 only when waiting itself fails; the
 * agent is killed then, too.
 */
int cvm_psp_serve(const struct cvm_psp *p, int device, int pidfd,
                  struct cvm_error *err) CVM_MUST_USE;

#endif
