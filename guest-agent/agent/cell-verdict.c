#include <signal.h>
#include <sys/wait.h>

#include "guest-agent/agent/cell-internal.h"

/* The record, if it is one and keeps to every limit; the limits are the agent's, not the cell's. */
static int read_record(const struct cvm_cell *cell, struct cvm_cell_result *ret,
                       struct cvm_error *err)
{
    const struct cvm_manifest *m = &cell->agent->manifest;
    int out[CVM_CHANNELS_MAX];
    uint64_t max[CVM_CHANNELS_MAX];
    uint32_t n = cvm_manifest_outbound(m, CVM_CHANNEL_KIND_FILE, (int)cell->component, out);
    for (uint32_t i = 0; i < n; i++)
        max[i] = m->channels[out[i]].max_bytes;
    struct cvm_cell_result raw;
    if (cvm_spec_read_result(cell->result_fd, &raw, sizeof raw) < 0)
        return cvm_fail(err, CVM_E_CELL_FAILED, "the cell ended without a record");
    return cvm_cell_result_read(&raw, sizeof raw, max, n, ret, err);
}

static void judge_record(struct cvm_cell *cell, const struct cvm_cell_result *result)
{
    const struct cvm_component *c = &cell->agent->manifest.components[cell->component];
    struct cvm_cell_report *r = &cell->report;
    r->why = cvm_cell_end_word(result->end);
    r->exit = result->exit_code;
    r->fuel = result->fuel;
    r->memory_bytes = result->memory_bytes;
    r->stdout_bytes = result->stdout_bytes;
    r->stderr_bytes = result->stderr_bytes;
    if (result->end == CVM_CELL_MEMORY)
        r->limit = "memory_bytes";
    if (result->end == CVM_CELL_FUEL || (c->fuel && result->fuel > c->fuel))
        r->limit = "fuel";
    if (result->end == CVM_CELL_OUTPUT && result->too_large)
        r->limit = "max_bytes";
}

/* A caller that did not wait for its reply, or a library that was not told that it may end: neither
 * is what a cell of ours does. */
static bool left_early(const struct cvm_cell *cell)
{
    const struct cvm_component *c = &cell->agent->manifest.components[cell->component];
    bool library = c->kind == CVM_COMPONENT_KIND_LIBRARY;
    return cell->calling >= 0 || (library && !cell->told_end);
}

/* What stopped it, from what the kernel and our own timers say; the record only adds to that. */
static bool judge(struct cvm_cell *cell, struct cvm_cell_result *result)
{
    const struct cvm_component *c = &cell->agent->manifest.components[cell->component];
    const struct cvm_process *p = &cell->process;
    struct cvm_cell_report *r = &cell->report;
    struct cvm_error err;
    *r = (struct cvm_cell_report){
        .why = "signal", .limit = "", .cpu_ms = p->cpu_ms, .wall_ms = p->wall_ms};
    bool recorded = read_record(cell, result, &err) == 0;
    if (recorded)
        judge_record(cell, result);
    if (cell->why) {
        r->why = cell->why;
        r->limit = cell->limit;
        return false;
    }
    bool xcpu = WIFSIGNALED(p->status) && WTERMSIG(p->status) == SIGXCPU;
    if (p->stop == CVM_STOP_CPU || xcpu || p->cpu_ms > c->cpu_ms) {
        r->why = "cpu";
        r->limit = "cpu_ms";
        return false;
    }
    if (p->stop == CVM_STOP_WALL) {
        r->why = "wall";
        r->limit = "wall_ms";
        return false;
    }
    bool clean = p->stop == CVM_STOP_NONE && WIFEXITED(p->status) && WEXITSTATUS(p->status) == 0;
    if (recorded && clean && !*r->limit && result->end == CVM_CELL_OK) {
        if (!left_early(cell))
            return true;
        r->why = "message";
        return false;
    }
    if (!recorded || result->end == CVM_CELL_OK)
        r->why = *r->limit ? r->limit : "signal";
    return false;
}

/* Cuts each channel to what was written; nobody writes to it from here on. One that holds less, as
 * its cell has cut it, can't grow. */
static bool keep_outputs(struct cvm_cell *cell, const struct cvm_cell_result *result)
{
    int out[CVM_CHANNELS_MAX];
    uint32_t n = cvm_manifest_outbound(&cell->agent->manifest, CVM_CHANNEL_KIND_FILE,
                                       (int)cell->component, out);
    for (uint32_t i = 0; i < n; i++) {
        struct cvm_run_channel *bytes = &cell->channels[out[i]];
        bytes->length = result->output_bytes[i];
        if (ftruncate(bytes->fd, (off_t)bytes->length) == 0)
            continue;
        cell->report.why = "output";
        return false;
    }
    return true;
}

/* A gate lets through or shortens. */
static bool gate_holds(struct cvm_cell *cell)
{
    const struct cvm_manifest *m = &cell->agent->manifest;
    int in[CVM_CHANNELS_MAX], out[CVM_CHANNELS_MAX];
    if (!m->components[cell->component].gate)
        return true;
    cvm_manifest_inbound(m, CVM_CHANNEL_KIND_FILE, (int)cell->component, in);
    cvm_manifest_outbound(m, CVM_CHANNEL_KIND_FILE, (int)cell->component, out);
    if (cell->channels[out[0]].length <= cell->channels[in[0]].length)
        return true;
    cell->report.why = "gate";
    return false;
}

/* Never beyond what the diagnostics can say: a cell's own counts may be lies. */
static void add(uint64_t *sum, uint64_t more)
{
    *sum = *sum < CVM_CELL_COUNT_MAX - more ? *sum + more : CVM_CELL_COUNT_MAX;
}

/* Of several processes, one a call: what they used together, and the most memory of one. */
static void add_up(struct cvm_cell_report *r, const struct cvm_cell_report *before)
{
    add(&r->cpu_ms, before->cpu_ms);
    add(&r->wall_ms, before->wall_ms);
    add(&r->fuel, before->fuel);
    add(&r->stdout_bytes, before->stdout_bytes);
    add(&r->stderr_bytes, before->stderr_bytes);
    if (before->memory_bytes > r->memory_bytes)
        r->memory_bytes = before->memory_bytes;
}

bool cvm_cell_judge(struct cvm_cell *cell)
{
    struct cvm_cell_result result;
    struct cvm_cell_report before = cell->report;
    bool ok = judge(cell, &result);
    add_up(&cell->report, &before);
    return ok && keep_outputs(cell, &result) && gate_holds(cell);
}
