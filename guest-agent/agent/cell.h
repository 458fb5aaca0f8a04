/* One component's cell: its descriptors, its limits, its end. */
#ifndef CVM_AGENT_CELL_H
#define CVM_AGENT_CELL_H

#include "guest-agent/agent/run.h"

/* What a component left for one of its channels. */
struct cvm_channel_bytes {
    int fd; /* -1 until the cell that fills it is started */
    uint64_t length;
};

enum cvm_cell_state {
    CVM_CELL_STATE_NEW,
    CVM_CELL_STATE_RUNNING,
    CVM_CELL_STATE_OK,
    CVM_CELL_STATE_FAILED,
};

struct cvm_cell {
    struct cvm_agent *agent;
    uint32_t component;
    enum cvm_cell_state state;
    struct cvm_process process;
    struct cvm_cell_report report;
    struct cvm_channel_bytes *channels; /* of the whole run, by channel */
    int result_fd, cgroup;
    /* Called once, when it has ended. May end the run and so free the cell. */
    void (*ended)(struct cvm_cell *cell);
};

/* `channels` outlives the cell. */
int cvm_cell_start(struct cvm_cell *cell, struct cvm_agent *a, uint32_t component,
                   struct cvm_channel_bytes *channels, void (*ended)(struct cvm_cell *cell),
                   struct cvm_error *err) CVM_MUST_USE;
/* Kills it if it runs, without a word; fine when it was never started. */
void cvm_cell_end(struct cvm_cell *cell);

#endif
