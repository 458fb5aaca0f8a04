/* One component's cell: its descriptors, its limits, its end. */
#ifndef CVM_AGENT_CELL_H
#define CVM_AGENT_CELL_H

#include "guest-agent/agent/run.h"
#include "guest-agent/agent/stream.h"
#include "guest-agent/sandbox/bell.h"

/* A call channel's memory on one side: of that side's cell and the agent, of nobody else. */
struct cvm_region {
    uint8_t *bytes; /* NULL: none */
    size_t size;
};

/* A channel while the run lasts; each kind uses its own members. */
struct cvm_run_channel {
    /* file: what a component left for it */
    int fd; /* -1 until the cell that fills it is started */
    uint64_t length;
    /* call */
    struct cvm_region caller, callee;
    uint32_t caller_function, callee_function; /* of the call that is open: each side's number */
    uint64_t bytes;                            /* of what waits to be copied */
    int next; /* the channel behind it in the callee's queue, or -1 */
    /* stream */
    struct cvm_stream stream;
};

enum cvm_cell_state {
    CVM_CELL_STATE_NEW,
    CVM_CELL_STATE_IDLE, /* a library of one process a call: there is none at the moment */
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
    struct cvm_run_channel *channels; /* of the whole run, by channel */
    int result_fd, cgroup;
    /* Its process has ended well, and its regions are still there. */
    void (*leaving)(struct cvm_cell *cell);
    /* Its process has ended, well or not. May end the run and so free the cell. */
    void (*ended)(struct cvm_cell *cell);

    /* Calls (broker.c). */
    int bell_fd; /* our end of its doorbell, -1: none */
    struct cvm_source bell;
    void (*rung)(struct cvm_cell *cell, const struct cvm_bell *message);
    bool ready;              /* a library that waits for calls */
    bool told_end;           /* … and was told that no more will come */
    int calling;             /* channel of the call that it waits for, or -1 */
    int serving;             /* channel of the call that it works on, or -1 */
    int first, last;         /* channels whose calls wait for it, or -1 */
    const char *why, *limit; /* what the agent stopped it for; NULL: for nothing of its own */
};

/* `channels` outlives the cell. The cell's `serving` says for which call a process is started,
 * where its component has one process a call. */
int cvm_cell_start(struct cvm_cell *cell, struct cvm_agent *a, uint32_t component,
                   struct cvm_run_channel *channels, struct cvm_error *err) CVM_MUST_USE;
/* The agent's verdict, with words of doc/PROTOCOL.md section 6.4: the cell is killed, and ends as
 * failed. Fine when it has ended. */
void cvm_cell_stop(struct cvm_cell *cell, const char *why, const char *limit);
/* Kills it if it runs, without a word; fine when it was never started. */
void cvm_cell_end(struct cvm_cell *cell);

#endif
