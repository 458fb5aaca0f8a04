#include "guest-agent/agent/broker.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static const struct cvm_channel *facts(const struct cvm_run *run, int channel)
{
    return &run->agent->manifest.channels[channel];
}

static const struct cvm_component *component(const struct cvm_cell *cell)
{
    return &cell->agent->manifest.components[cell->component];
}

static bool one_a_call(const struct cvm_cell *cell)
{
    return component(cell)->instance == CVM_INSTANCE_CALL;
}

/* A protocol that both keep has at most one message under way to a cell: a full socket means that
 * the cell does not read. One that is gone will be found by its end. */
static void ring(struct cvm_cell *cell, const struct cvm_bell *message)
{
    ssize_t n = send(cell->bell_fd, message, sizeof *message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == ENOBUFS))
        cvm_cell_stop(cell, "message", "");
}

static enum cvm_code ask(struct cvm_run *run, enum cvm_policy_kind kind, int channel,
                         uint64_t bytes)
{
    struct cvm_policy_request q = {.kind = kind, .channel = (uint32_t)channel, .bytes = bytes};
    return cvm_policy_step(&run->agent->rules, &run->agent->state, &q);
}

/* From the end to the start: who reads next begins with what the core's cache holds best. This
 * saves some 5 % of a call whose value is larger than that cache. */
static void copy_value(uint8_t *to, const uint8_t *from, size_t bytes)
{
    enum { BLOCK = 16384 };
    while (bytes > 0) {
        size_t n = bytes % BLOCK ? bytes % BLOCK : BLOCK;
        bytes -= n;
        memcpy(to + bytes, from + bytes, n);
    }
}

static void deliver(struct cvm_run *run, struct cvm_cell *callee, int channel)
{
    struct cvm_run_channel *c = &run->channels[channel];
    copy_value(c->callee.bytes, c->caller.bytes, c->bytes);
    callee->serving = channel;
    ring(callee, &(struct cvm_bell){.kind = CVM_BELL_CALL,
                                    .channel = (uint16_t)channel,
                                    .function = c->callee_function,
                                    .bytes = c->bytes});
}

static void hand_back(struct cvm_run *run, struct cvm_cell *callee)
{
    int channel = callee->serving;
    struct cvm_run_channel *c = &run->channels[channel];
    struct cvm_cell *caller = &run->cells[facts(run, channel)->from_component];
    callee->serving = -1;
    if (caller->state != CVM_CELL_STATE_RUNNING)
        return;
    copy_value(c->caller.bytes, c->callee.bytes, c->bytes);
    caller->calling = -1;
    ring(caller, &(struct cvm_bell){.kind = CVM_BELL_REPLY,
                                    .channel = (uint16_t)channel,
                                    .function = c->caller_function,
                                    .bytes = c->bytes});
}

static void wait_in_line(struct cvm_run *run, struct cvm_cell *callee, int channel)
{
    run->channels[channel].next = -1;
    if (callee->first < 0)
        callee->first = channel;
    else
        run->channels[callee->last].next = channel;
    callee->last = channel;
}

void cvm_broker_next(struct cvm_run *run, struct cvm_cell *callee)
{
    int channel = callee->first;
    struct cvm_error err;
    if (channel < 0 || callee->serving >= 0 || run->failed != CVM_RUN_NONE)
        return;
    if (!one_a_call(callee)) {
        if (callee->state != CVM_CELL_STATE_RUNNING || !callee->ready)
            return;
        callee->first = run->channels[channel].next;
        deliver(run, callee, channel);
        return;
    }
    if (callee->state != CVM_CELL_STATE_IDLE)
        return;
    callee->first = run->channels[channel].next;
    callee->serving = channel;
    if (cvm_cell_start(callee, run->agent, callee->component, run->channels, &err) < 0)
        cvm_agent_fault(run->agent, err.code);
}

/* A library calls on only while it works on a call. */
static bool may_call(const struct cvm_run *run, const struct cvm_cell *cell,
                     const struct cvm_bell *m)
{
    const struct cvm_agent *a = run->agent;
    if (m->channel >= a->manifest.n_channels || cell->calling >= 0)
        return false;
    const struct cvm_channel *c = facts(run, m->channel);
    bool library = component(cell)->kind == CVM_COMPONENT_KIND_LIBRARY;
    return c->kind == CVM_CHANNEL_KIND_CALL && c->from_component == (int)cell->component &&
           m->function < a->types[m->channel].n &&
           (!library || (cell->ready && cell->serving >= 0 && !cell->told_end));
}

static enum cvm_code take_call(struct cvm_run *run, struct cvm_cell *cell, const struct cvm_bell *m)
{
    if (!may_call(run, cell, m))
        return CVM_E_CELL_MESSAGE;
    enum cvm_code code = ask(run, CVM_REQUEST_CALL, m->channel, m->bytes);
    if (code != CVM_OK)
        return code;
    struct cvm_run_channel *c = &run->channels[m->channel];
    c->caller_function = m->function;
    c->callee_function = run->agent->types[m->channel].callee[m->function];
    c->bytes = m->bytes; /* not above the region: the policy knows max_call_bytes */
    cell->calling = m->channel;
    struct cvm_cell *callee = &run->cells[facts(run, m->channel)->to_component];
    wait_in_line(run, callee, m->channel);
    cvm_broker_next(run, callee);
    return CVM_OK;
}

static enum cvm_code take_reply(struct cvm_run *run, struct cvm_cell *cell,
                                const struct cvm_bell *m)
{
    bool expected = cell->serving >= 0 && m->channel == cell->serving && cell->ready &&
                    cell->calling < 0 && !cell->told_end &&
                    m->function == run->channels[cell->serving].callee_function;
    if (!expected)
        return CVM_E_CELL_MESSAGE;
    enum cvm_code code = ask(run, CVM_REQUEST_CALL_REPLY, m->channel, m->bytes);
    if (code != CVM_OK)
        return code;
    run->channels[m->channel].bytes = m->bytes;
    if (one_a_call(cell)) { /* handed back when its process has ended well */
        cell->told_end = true;
        ring(cell, &(struct cvm_bell){.kind = CVM_BELL_END});
        return CVM_OK;
    }
    hand_back(run, cell);
    cvm_broker_next(run, cell);
    return CVM_OK;
}

static enum cvm_code take_ready(struct cvm_run *run, struct cvm_cell *cell,
                                const struct cvm_bell *m)
{
    if (component(cell)->kind != CVM_COMPONENT_KIND_LIBRARY || cell->ready || m->channel ||
        m->function || m->bytes)
        return CVM_E_CELL_MESSAGE;
    cell->ready = true;
    if (one_a_call(cell))
        deliver(run, cell, cell->serving);
    else
        cvm_run_start_ready(run);
    return CVM_OK;
}

/* Which limit a refusal of the policy is about; "" for a message out of place. */
static const char *limit_of(enum cvm_code code)
{
    switch (code) {
    case CVM_E_CHANNEL_CALLS:
        return "max_calls";
    case CVM_E_CHANNEL_BYTES:
        return "max_bytes";
    case CVM_E_CALL_BYTES:
        return "max_call_bytes";
    default:
        return "";
    }
}

void cvm_broker_rung(struct cvm_cell *cell, const struct cvm_bell *message)
{
    struct cvm_run *run = cell->agent->run;
    enum cvm_code code = CVM_E_CELL_MESSAGE;
    if (run->failed != CVM_RUN_NONE) /* the other end, and its region, may be gone */
        return;
    if (message->kind == CVM_BELL_CALL)
        code = take_call(run, cell, message);
    else if (message->kind == CVM_BELL_REPLY)
        code = take_reply(run, cell, message);
    else if (message->kind == CVM_BELL_READY)
        code = take_ready(run, cell, message);
    if (code != CVM_OK) /* then nothing was started, and the cell is still there */
        cvm_cell_stop(cell, *limit_of(code) ? "call" : "message", limit_of(code));
}

void cvm_broker_leaving(struct cvm_cell *cell)
{
    if (one_a_call(cell))
        hand_back(cell->agent->run, cell);
}

static bool callers_ended(const struct cvm_run *run, uint32_t library)
{
    const struct cvm_manifest *m = &run->agent->manifest;
    for (uint32_t k = 0; k < m->n_channels; k++)
        if (m->channels[k].kind == CVM_CHANNEL_KIND_CALL &&
            m->channels[k].to_component == (int)library &&
            run->cells[m->channels[k].from_component].state != CVM_CELL_STATE_OK)
            return false;
    return true;
}

struct cvm_cell *cvm_broker_settle(struct cvm_run *run)
{
    const struct cvm_manifest *m = &run->agent->manifest;
    for (uint32_t i = 0; i < m->n_components; i++) {
        struct cvm_cell *cell = &run->cells[i];
        if (m->components[i].kind != CVM_COMPONENT_KIND_LIBRARY || !callers_ended(run, i))
            continue;
        if (cell->state == CVM_CELL_STATE_IDLE)
            return cell;
        if (cell->state != CVM_CELL_STATE_RUNNING || !cell->ready || cell->told_end)
            continue;
        cell->told_end = true;
        ring(cell, &(struct cvm_bell){.kind = CVM_BELL_END});
    }
    return NULL;
}
