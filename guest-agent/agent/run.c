#include "guest-agent/agent/run.h"

#include <stdlib.h>
#include <string.h>

#include "guest-agent/agent/broker.h"
#include "guest-agent/agent/outputs.h"

static void cell_ended(struct cvm_cell *cell);

/* Everything that feeds a member of the group by a file has ended well. */
static bool fed(const struct cvm_run *run, uint32_t group)
{
    const struct cvm_manifest *m = &run->agent->manifest;
    for (uint32_t k = 0; k < m->n_channels; k++) {
        const struct cvm_channel *c = &m->channels[k];
        if (c->kind == CVM_CHANNEL_KIND_FILE && c->from_component >= 0 && c->to_component >= 0 &&
            m->components[c->to_component].group == group &&
            run->cells[c->from_component].state != CVM_CELL_STATE_OK)
            return false;
    }
    return true;
}

/* Every library that the component calls can take calls. */
static bool callees_up(const struct cvm_run *run, uint32_t component)
{
    const struct cvm_manifest *m = &run->agent->manifest;
    for (uint32_t k = 0; k < m->n_channels; k++) {
        const struct cvm_channel *c = &m->channels[k];
        if (c->kind != CVM_CHANNEL_KIND_CALL || c->from_component != (int)component)
            continue;
        const struct cvm_cell *callee = &run->cells[c->to_component];
        bool one = m->components[c->to_component].instance == CVM_INSTANCE_CALL;
        if (callee->state == CVM_CELL_STATE_NEW || (!one && !callee->ready))
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
    if (a->manifest.components[component].instance == CVM_INSTANCE_CALL) {
        run->cells[component].state = CVM_CELL_STATE_IDLE;
        return 0;
    }
    return cvm_cell_start(&run->cells[component], a, component, run->channels, err);
}

/* In an order in which callees come first, so that one round is enough. Where a start fails the
 * session is aborted, and the run is gone. */
void cvm_run_start_ready(struct cvm_run *run)
{
    struct cvm_agent *a = run->agent;
    const struct cvm_manifest *m = &a->manifest;
    for (uint32_t g = 0; g < m->n_groups && run->failed == CVM_RUN_NONE; g++) {
        if (!fed(run, g))
            continue;
        for (uint32_t i = 0; i < m->groups[g].n; i++) {
            uint32_t c = (uint32_t)m->order[m->groups[g].first + i];
            struct cvm_error err;
            if (run->cells[c].state != CVM_CELL_STATE_NEW || !callees_up(run, c))
                continue;
            if (start(run, c, &err) < 0) {
                cvm_agent_fault(a, err.code);
                return;
            }
        }
    }
}

static void end_streams(struct cvm_run *run, uint32_t component)
{
    const struct cvm_manifest *m = &run->agent->manifest;
    int list[CVM_CHANNELS_MAX];
    if (cvm_manifest_outbound(m, CVM_CHANNEL_KIND_STREAM, (int)component, list))
        cvm_stream_writer_ended(&run->channels[list[0]].stream);
    if (cvm_manifest_inbound(m, CVM_CHANNEL_KIND_STREAM, (int)component, list))
        cvm_stream_reader_ended(&run->channels[list[0]].stream);
}

/* False: nothing is left to run, or the run is gone. */
static bool component_over(struct cvm_run *run, uint32_t component)
{
    struct cvm_agent *a = run->agent;
    struct cvm_policy_request q = {
        .kind = CVM_REQUEST_COMPONENT_ENDED, .component = component, .ok = true};
    struct cvm_error err;
    end_streams(run, component);
    if (cvm_agent_step(a, &q, &err) < 0) {
        cvm_agent_fault(a, err.code);
        return false;
    }
    if (a->state.phase == CVM_PHASE_WAITING)
        cvm_outputs_release_when_due(a);
    return a->run == run && a->state.phase == CVM_PHASE_RUNNING;
}

static void ended_well(struct cvm_run *run, uint32_t component)
{
    struct cvm_cell *done;
    if (!component_over(run, component))
        return;
    while (run->failed == CVM_RUN_NONE && (done = cvm_broker_settle(run))) {
        done->state = CVM_CELL_STATE_OK;
        if (!component_over(run, done->component))
            return;
    }
    cvm_run_start_ready(run);
}

static void fail(struct cvm_run *run, uint32_t component)
{
    if (run->failed != CVM_RUN_NONE)
        return;
    run->failed = component;
    for (uint32_t i = 0; i < run->agent->manifest.n_components; i++)
        if (run->cells[i].state == CVM_CELL_STATE_RUNNING)
            cvm_process_kill(&run->cells[i].process, CVM_STOP_CALLER);
}

/* One failure stops the rest; when the last is gone, the run has failed. */
static void cell_ended(struct cvm_cell *cell)
{
    struct cvm_agent *a = cell->agent;
    struct cvm_run *run = a->run;
    uint32_t component = cell->component;
    if (cell->state != CVM_CELL_STATE_OK) {
        fail(run, component);
    } else if (a->manifest.components[component].instance == CVM_INSTANCE_CALL) {
        cell->state = CVM_CELL_STATE_IDLE;
        cvm_broker_next(run, cell);
    } else {
        ended_well(run, component);
    }
    if (a->run != run || run->failed == CVM_RUN_NONE || any(run, CVM_CELL_STATE_RUNNING))
        return;
    cvm_outputs_release_failed(a, run->failed);
}

/* The writer has crossed the channel's budget, or the agent could not go on. */
static void stream_refused(struct cvm_stream *stream, enum cvm_code code)
{
    struct cvm_run *run = stream->owner;
    const struct cvm_channel *c = &run->agent->manifest.channels[stream->channel];
    int cell = c->from_component >= 0 ? c->from_component : c->to_component;
    cvm_cell_stop(&run->cells[cell], "stream", code == CVM_E_CHANNEL_BYTES ? "max_bytes" : "");
}

void cvm_run_start(struct cvm_agent *a)
{
    struct cvm_run *run = cvm_alloc(sizeof *run);
    run->agent = a;
    run->failed = CVM_RUN_NONE;
    for (uint32_t i = 0; i < a->manifest.n_channels; i++) {
        struct cvm_run_channel *c = &run->channels[i];
        c->fd = c->next = -1;
        if (a->manifest.channels[i].kind != CVM_CHANNEL_KIND_STREAM)
            continue;
        cvm_stream_open(&c->stream, a, i);
        c->stream.refused = stream_refused;
        c->stream.owner = run;
    }
    for (uint32_t i = 0; i < a->manifest.n_components; i++)
        run->cells[i] = (struct cvm_cell){
            .agent = a,
            .component = i,
            .report = {.why = "not-run", .limit = ""},
            .leaving = cvm_broker_leaving,
            .ended = cell_ended,
            .rung = cvm_broker_rung,
            .calling = -1,
            .serving = -1,
            .first = -1,
            .last = -1,
        };
    a->run = run;
    cvm_run_start_ready(run);
}

void cvm_run_end(struct cvm_agent *a)
{
    struct cvm_run *run = CVM_TAKE(a->run);
    if (!run)
        return;
    for (size_t i = 0; i < a->manifest.n_components; i++)
        cvm_cell_end(&run->cells[i]);
    for (size_t i = 0; i < a->manifest.n_channels; i++) {
        cvm_memory_file_end(&run->channels[i].fd);
        cvm_stream_close(&run->channels[i].stream);
    }
    free(run);
}

/* The stream of an open input, while the run lasts; NULL otherwise. */
static struct cvm_stream *open_input(const struct cvm_agent *a, uint32_t data)
{
    for (uint32_t k = 0; a->run && k < a->manifest.n_channels; k++)
        if (a->manifest.channels[k].kind == CVM_CHANNEL_KIND_STREAM &&
            a->manifest.channels[k].from_data == (int)data)
            return &a->run->channels[k].stream;
    return NULL;
}

enum cvm_code cvm_run_can_feed(const struct cvm_agent *a, uint32_t data, size_t len)
{
    const struct cvm_stream *s = open_input(a, data);
    return s ? cvm_stream_can_feed(s, len) : CVM_E_WRONG_PHASE;
}

int cvm_run_feed(struct cvm_agent *a, uint32_t data, const void *bytes, size_t len, bool end,
                 struct cvm_error *err)
{
    struct cvm_stream *s = open_input(a, data);
    CVM_ENSURE(s, err, CVM_E_WRONG_PHASE, "the session is `%s`", cvm_phase_word(a->state.phase));
    return cvm_stream_feed(s, bytes, len, end, err);
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
