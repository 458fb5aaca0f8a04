/*
 * Calls between cells: the agent counts, bounds and copies wire values from one cell's region to
 * the other's, and rings. It parses nothing of a value, starts no thread and waits for no cell.
 *
 * Security: a message is sixteen bytes that a cell's own machine code may have made up. Each of its
 * numbers is checked against the channel and against who is calling and serving; what is out of
 * place stops that cell, and with it the run. The policy spends a call and its bytes before they
 * are copied. Bytes are copied once: what a cell changes in its own region afterwards, or
 * meanwhile, harms only what it passes itself.
 */
#ifndef CVM_AGENT_BROKER_H
#define CVM_AGENT_BROKER_H

#include "guest-agent/agent/cell.h"

/* The run as a whole, shared by run.c and broker.c. */
struct cvm_run {
    struct cvm_agent *agent;
    struct cvm_cell cells[CVM_COMPONENTS_MAX];
    struct cvm_run_channel channels[CVM_CHANNELS_MAX];
    uint32_t failed; /* the first component that did not end well, or CVM_RUN_NONE */
};
#define CVM_RUN_NONE UINT32_MAX

/* A message came from the cell. May start a process, and so end the run when that fails. */
void cvm_broker_rung(struct cvm_cell *cell, const struct cvm_bell *message);
/* The process of one call has ended well: its caller gets the reply. */
void cvm_broker_leaving(struct cvm_cell *cell);
/* Its component takes the next call, if one waits. May start a process, as above. */
void cvm_broker_next(struct cvm_run *run, struct cvm_cell *callee);
/* Libraries whose callers have all ended are told so; returns one of one process a call that is
 * thereby done (it has no process to tell), or NULL. */
struct cvm_cell *cvm_broker_settle(struct cvm_run *run);

/* run.c: a library is ready, or an idle one can take calls now: its callers may start. */
void cvm_run_start_ready(struct cvm_run *run);

#endif
