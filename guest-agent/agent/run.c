#include "guest-agent/agent/run.h"

#include <stdlib.h>
#include <string.h>

#include "guest-agent/agent/cell.h"
#include "guest-agent/agent/outputs.h"

#define NONE UINT32_MAX

struct cvm_run {
    struct cvm_agent *agent;
    struct cvm_cell cells[CVM_COMPONENTS_MAX];
    struct cvm_channel_bytes channels[CVM_CHANNELS_MAX];
    uint32_t failed; /* the first component that did not end well, or NONE */
};

static void cell_ended(struct cvm_cell *cell);

/* Everything that feeds the component has ended well. */
static bool ready(const struct cvm_run *run, uint32_t component)
{
    int in[CVM_CHANNELS_MAX];
    const struct cvm_manifest *m = &run->agent->manifest;
    uint32_t n = cvm_manifest_inbound(m, CVM_CHANNEL_KIND_FILE, (int)component, in);
    for (uint32_t i = 0; i < n; i++) {
        int from = m->channels[in[i]].from_component;
        if (from >= 0 && run->cells[from].state != CVM_CELL_STATE_OK)
            return false;
    }
    return true;
}

static bool any(const struct cvm_run *run, enum cvm_cell_state state)
{
    for (uint32_t i = 0; i < run->agent->manifest.n_components; i++)
        if (run->cells[i].state == state)
            return true;
    return false;
}

static int start(struct cvm_run *run, uint32_t component, struct cvm_error *err)
{
    struct cvm_agent *a = run->agent;
    struct cvm_policy_request q = {.kind = CVM_REQUEST_COMPONENT_STARTED, .component = component};
    CVM_GUARD(cvm_agent_step(a, &q, err));
    return cvm_cell_start(&run->cells[component], a, component, run->channels, cell_ended, err);
}

/* False: the session was aborted, and the run is gone. */
static bool start_ready(struct cvm_run *run)
{
    struct cvm_agent *a = run->agent;
    for (uint32_t i = 0; i < a->manifest.n_components; i++) {
        uint32_t c = (uint32_t)a->manifest.order[i];
        struct cvm_error err;
        if (run->cells[c].state != CVM_CELL_STATE_NEW || !ready(run, c))
            continue;
        if (start(run, c, &err) < 0) {
            cvm_agent_fault(a, err.code);
            return false;
        }
    }
    return true;
}

static void ended_well(struct cvm_run *run, uint32_t component)
{
    struct cvm_agent *a = run->agent;
    struct cvm_policy_request q = {
        .kind = CVM_REQUEST_COMPONENT_ENDED, .component = component, .ok = true};
    struct cvm_error err;
    if (cvm_agent_step(a, &q, &err) < 0) {
        cvm_agent_fault(a, err.code);
        return;
    }
    if (a->state.phase == CVM_PHASE_WAITING)
        cvm_outputs_release_when_due(a);
    else if (run->failed == NONE)
        start_ready(run);
}

/* One failure stops the rest; when the last is gone, the run has failed. */
static void cell_ended(struct cvm_cell *cell)
{
    struct cvm_agent *a = cell->agent;
    struct cvm_run *run = a->run;
    uint32_t component = cell->component;
    if (cell->state == CVM_CELL_STATE_OK) {
        ended_well(run, component);
    } else if (run->failed == NONE) {
        run->failed = component;
        for (uint32_t i = 0; i < a->manifest.n_components; i++)
            if (run->cells[i].state == CVM_CELL_STATE_RUNNING)
                cvm_process_kill(&run->cells[i].process, CVM_STOP_CALLER);
    }
    if (a->run != run || run->failed == NONE || any(run, CVM_CELL_STATE_RUNNING))
        return;
    cvm_outputs_release_failed(a, run->failed);
}

void cvm_run_start(struct cvm_agent *a)
{
    struct cvm_run *run = cvm_alloc(sizeof *run);
    run->agent = a;
    run->failed = NONE;
    for (size_t i = 0; i < CVM_CHANNELS_MAX; i++)
        run->channels[i].fd = -1;
    for (size_t i = 0; i < CVM_COMPONENTS_MAX; i++)
        run->cells[i].report = (struct cvm_cell_report){.why = "not-run", .limit = ""};
    a->run = run;
    start_ready(run);
}

void cvm_run_end(struct cvm_agent *a)
{
    struct cvm_run *run = CVM_TAKE(a->run);
    if (!run)
        return;
    for (size_t i = 0; i < CVM_COMPONENTS_MAX; i++)
        cvm_cell_end(&run->cells[i]);
    for (size_t i = 0; i < CVM_CHANNELS_MAX; i++)
        cvm_memory_file_end(&run->channels[i].fd);
    free(run);
}

int cvm_run_channel(const struct cvm_agent *a, uint32_t channel, uint64_t *ret_length)
{
    *ret_length = a->run->channels[channel].length;
    return a->run->channels[channel].fd;
}

const struct cvm_cell_report *cvm_run_report(const struct cvm_agent *a, uint32_t component)
{
    return &a->run->cells[component].report;
}
