/*
 * Messages of the doorbell in any order, from every cell of a run at once, as cells that were taken
 * over would send them. The processes are not there: cell.c's three functions are replaced here by
 * what they do to a cell's state and regions, which have exactly their size, so that a byte copied
 * beyond one is seen. Whatever comes, a call that is open is waited for by its caller alone, and no
 * channel carries more than its budget.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/manifest/test-fixture.h"
#include "core/policy/policy-rules.h"
#include "guest-agent/agent/broker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUNCTIONS 3

static struct cvm_agent agent;
static struct cvm_run run;
static int theirs[CVM_COMPONENTS_MAX]; /* the cells' ends of the doorbells */

static void check(bool holds)
{
    if (!holds)
        abort();
}

static bool is_call(uint32_t channel)
{
    return agent.manifest.channels[channel].kind == CVM_CHANNEL_KIND_CALL;
}

static void region(struct cvm_region *r, uint64_t size)
{
    check(!r->bytes);
    *r = (struct cvm_region){cvm_alloc(size), size};
}

static void forget(struct cvm_region *r)
{
    free(r->bytes);
    *r = (struct cvm_region){0};
}

static void forget_regions(uint32_t component)
{
    for (uint32_t k = 0; k < agent.manifest.n_channels; k++) {
        if (agent.manifest.channels[k].from_component == (int)component)
            forget(&run.channels[k].caller);
        if (agent.manifest.channels[k].to_component == (int)component)
            forget(&run.channels[k].callee);
    }
}

int cvm_cell_start(struct cvm_cell *cell, struct cvm_agent *a, uint32_t component,
                   struct cvm_run_channel *channels, struct cvm_error *err)
{
    (void)err;
    (void)channels;
    const struct cvm_manifest *m = &a->manifest;
    bool one = m->components[component].instance == CVM_INSTANCE_CALL;
    check(cell->state == (one ? CVM_CELL_STATE_IDLE : CVM_CELL_STATE_NEW));
    for (uint32_t k = 0; k < m->n_channels; k++) {
        if (!is_call(k))
            continue;
        if (m->channels[k].from_component == (int)component)
            region(&run.channels[k].caller, m->channels[k].max_call_bytes);
        if (m->channels[k].to_component == (int)component && (!one || (int)k == cell->serving))
            region(&run.channels[k].callee, m->channels[k].max_call_bytes);
    }
    cell->state = CVM_CELL_STATE_RUNNING;
    cell->ready = cell->told_end = false;
    return 0;
}

void cvm_cell_stop(struct cvm_cell *cell, const char *why, const char *limit)
{
    check(cell->state == CVM_CELL_STATE_RUNNING && !cell->why);
    cell->why = why;
    cell->limit = limit;
}

void cvm_cell_end(struct cvm_cell *cell)
{
    (void)cell;
}

static void open_once(void)
{
    struct cvm_error err;
    CVM_AUTO_JSON json_t *document = fixture_together();
    /* One that calls two, and one process a call with two callers. */
    json_array_append_new(json_object_get(document, "channels"),
                          fixture_json("{\"kind\":\"call\",\"from\":\"ask\",\"to\":\"score\","
                                       "\"interface\":\"study:score/one\",\"max_calls\":9,"
                                       "\"max_bytes\":10000}"));
    check(fixture_parse(document, &agent.manifest, &err) == 0);
    for (uint32_t k = 0; k < agent.manifest.n_channels; k++)
        if (is_call(k)) {
            agent.manifest.channels[k].max_call_bytes = 512;
            agent.types[k].n = FUNCTIONS;
            agent.types[k].callee = cvm_alloc(FUNCTIONS * sizeof(uint32_t));
            for (uint32_t i = 0; i < FUNCTIONS; i++)
                agent.types[k].callee[i] = FUNCTIONS - i;
        }
    cvm_policy_compile(&agent.manifest, &agent.rules);
}

static void begin(void)
{
    const struct cvm_manifest *m = &agent.manifest;
    struct cvm_error err;
    agent.state = (struct cvm_policy_state){
        .phase = CVM_PHASE_RUNNING, .run = true, .started = (1ull << m->n_components) - 1};
    run = (struct cvm_run){.agent = &agent, .failed = CVM_RUN_NONE};
    agent.run = &run;
    for (uint32_t i = 0; i < m->n_components; i++) {
        int ends[2];
        check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
        theirs[i] = ends[1];
        run.cells[i] = (struct cvm_cell){.agent = &agent,
                                         .component = i,
                                         .bell_fd = ends[0],
                                         .calling = -1,
                                         .serving = -1,
                                         .first = -1,
                                         .last = -1};
        if (m->components[i].instance == CVM_INSTANCE_CALL)
            run.cells[i].state = CVM_CELL_STATE_IDLE;
        else
            check(cvm_cell_start(&run.cells[i], &agent, i, run.channels, &err) == 0);
    }
}

static void end(void)
{
    for (uint32_t i = 0; i < agent.manifest.n_components; i++) {
        forget_regions(i);
        close(run.cells[i].bell_fd);
        close(theirs[i]);
    }
    agent.run = NULL;
}

static void check_run(void)
{
    const struct cvm_manifest *m = &agent.manifest;
    for (uint32_t i = 0; i < m->n_components; i++) {
        const struct cvm_cell *c = &run.cells[i];
        check(c->calling < 0 || m->channels[c->calling].from_component == (int)i);
        check(c->serving < 0 || m->channels[c->serving].to_component == (int)i);
        check(c->serving < 0 ||
              run.cells[m->channels[c->serving].from_component].calling == c->serving);
    }
    for (uint32_t k = 0; k < m->n_channels; k++) {
        if (!is_call(k))
            continue;
        const struct cvm_policy_spent *s = &agent.state.spent[k];
        check(s->calls <= m->channels[k].max_calls && s->bytes <= m->channels[k].max_bytes);
        check(run.channels[k].bytes <= m->channels[k].max_call_bytes);
        check(!s->open || run.cells[m->channels[k].from_component].calling == (int)k);
    }
}

/* What the agent told this cell. */
static void read_bells(uint32_t component)
{
    struct cvm_bell b;
    while (read(theirs[component], &b, sizeof b) == sizeof b) {
        check(b.kind == CVM_BELL_CALL || b.kind == CVM_BELL_REPLY || b.kind == CVM_BELL_END);
        if (b.kind == CVM_BELL_END)
            continue;
        const struct cvm_channel *c = &agent.manifest.channels[b.channel];
        check((b.kind == CVM_BELL_CALL ? c->to_component : c->from_component) == (int)component);
        check(b.bytes <= c->max_call_bytes && b.function <= FUNCTIONS);
    }
}

/* The process of one call ends well, when it was told to. */
static void end_process(struct cvm_cell *cell)
{
    if (agent.manifest.components[cell->component].instance != CVM_INSTANCE_CALL ||
        cell->state != CVM_CELL_STATE_RUNNING || !cell->told_end || cell->calling >= 0)
        return;
    cell->state = CVM_CELL_STATE_OK;
    cvm_broker_leaving(cell);
    forget_regions(cell->component);
    cell->state = CVM_CELL_STATE_IDLE;
    cvm_broker_next(&run, cell);
}

/* Five bytes a step: the cell and what it does, then the numbers of its message. */
static void step(const uint8_t *p)
{
    struct cvm_cell *cell = &run.cells[(p[0] & 7) % agent.manifest.n_components];
    struct cvm_bell b = {.kind = p[1] & 7,
                         .channel = p[2] & 0x80 ? UINT16_MAX : p[2] & 15,
                         .function = p[3] & 0x80 ? UINT32_MAX : p[3] & 3,
                         .bytes = p[4] == 255   ? UINT64_MAX
                                  : p[4] == 254 ? 513
                                                : p[4] * 2u};
    if (b.kind == CVM_BELL_READY || b.kind == CVM_BELL_END)
        b.channel = 0;
    if (b.kind == 6)
        read_bells(cell->component);
    else if (b.kind == 7)
        end_process(cell);
    else if (cell->state == CVM_CELL_STATE_RUNNING) /* as cell.c, which asks it first */
        cvm_broker_rung(cell, &b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool opened;
    if (!opened)
        open_once();
    opened = true;
    begin();
    bool stopped = false;
    for (size_t at = 0; at + 5 <= size && at < 5000 && !stopped; at += 5) {
        step(data + at);
        check_run();
        for (uint32_t i = 0; i < agent.manifest.n_components; i++)
            stopped |= run.cells[i].why != NULL;
    }
    end();
    return 0;
}
