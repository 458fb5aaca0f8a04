/* Shared by the files of a cell: cell.c, cell-descriptors.c, cell-verdict.c. */
#ifndef CVM_AGENT_CELL_INTERNAL_H
#define CVM_AGENT_CELL_INTERNAL_H

#include "guest-agent/agent/cell.h"
#include "guest-agent/agent/spec.h"

/* Spec, record, null, code and doorbell, beside those of channels. */
#define CELL_DESCRIPTORS_MAX (5 + CVM_COMPONENT_CHANNELS_MAX)

/* What a cell gets. */
struct cvm_descriptors {
    struct cvm_spec_channels spec;
    struct cvm_sandbox_fd fds[CELL_DESCRIPTORS_MAX];
    size_t n;
    int own[CELL_DESCRIPTORS_MAX]; /* closed when the cell was started */
    size_t n_own;
};
void cvm_descriptors_free(struct cvm_descriptors *d);

/* Fills *d, and in the cell what stays here: outputs, regions, ends of pipes and the doorbell. */
int cvm_cell_give(struct cvm_cell *cell, struct cvm_descriptors *d,
                  struct cvm_error *err) CVM_MUST_USE;
/* Takes back the regions and the doorbell. */
void cvm_cell_forget_calls(struct cvm_cell *cell);

/* How it ended: into the cell's report; true when well, and then its outputs are kept. */
bool cvm_cell_judge(struct cvm_cell *cell);

#endif
