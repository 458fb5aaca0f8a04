#include "guest-agent/agent/cell.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "core/seal/seed.h"
#include "guest-agent/agent/spec.h"

/* Private memory of a cell beside the component's own: the engine, its stack, the code. */
#define CELL_DATA_BYTES (64ULL << 20)

static const char *cgroup_name(uint32_t component, char out[32])
{
    snprintf(out, 32, "cell-%u", component);
    return out;
}

/* Another channel reads the same data item, now or later. */
static bool shared(const struct cvm_manifest *m, const struct cvm_channel *channel)
{
    uint32_t readers = 0;
    for (uint32_t i = 0; i < m->n_channels; i++)
        readers += m->channels[i].from_data == channel->from_data;
    return channel->from_data >= 0 && readers > 1;
}

struct descriptors {
    struct cvm_spec_channels spec;
    struct cvm_sandbox_fd fds[4 + CVM_CHANNELS_MAX];
    size_t n;
    int own[4 + CVM_CHANNELS_MAX]; /* closed when the cell was started */
    size_t n_own;
};

static void descriptors_free(struct descriptors *d)
{
    for (size_t i = 0; i < d->n_own; i++)
        close(d->own[i]);
}

static void give(struct descriptors *d, int from, int to)
{
    d->fds[d->n++] = (struct cvm_sandbox_fd){from, to};
}

static int give_own(struct descriptors *d, int from, int to)
{
    if (from < 0)
        return -1;
    d->own[d->n_own++] = from;
    give(d, from, to);
    return 0;
}

/* A source with one reader is handed over as it is, so that the cell can free its pages while it
 * copies; one with several is sealed, and each reader gets a read-only view. */
static int give_inputs(struct cvm_cell *cell, struct descriptors *d, struct cvm_error *err)
{
    struct cvm_agent *a = cell->agent;
    const struct cvm_manifest *m = &a->manifest;
    struct cvm_spec_channels *s = &d->spec;
    s->n_in = cvm_manifest_inbound(m, CVM_CHANNEL_KIND_FILE, (int)cell->component, s->in);
    for (uint32_t i = 0; i < s->n_in; i++) {
        const struct cvm_channel *channel = &m->channels[s->in[i]];
        int to = CVM_FD_CHANNELS + (int)i;
        int fd = channel->from_data >= 0
                     ? a->items[m->n_components + (uint32_t)channel->from_data].fd
                     : cell->channels[s->in[i]].fd;
        CVM_ENSURE(fd >= 0, err, CVM_E_INTERNAL, "an input is not there");
        s->last[i] = !shared(m, channel);
        if (s->last[i]) {
            lseek(fd, 0, SEEK_SET);
            give(d, fd, to);
            continue;
        }
        int seals = fcntl(fd, F_GET_SEALS);
        if (!(seals & F_SEAL_WRITE))
            CVM_GUARD(cvm_memory_file_seal(fd, err));
        CVM_GUARD(give_own(d, cvm_memory_file_view(fd, err), to));
    }
    return 0;
}

static int give_outputs(struct cvm_cell *cell, struct descriptors *d, struct cvm_error *err)
{
    const struct cvm_manifest *m = &cell->agent->manifest;
    struct cvm_spec_channels *s = &d->spec;
    s->n_out = cvm_manifest_outbound(m, CVM_CHANNEL_KIND_FILE, (int)cell->component, s->out);
    for (uint32_t i = 0; i < s->n_out; i++) {
        int fd = cvm_memory_file("channel", err);
        CVM_GUARD(fd);
        cell->channels[s->out[i]] = (struct cvm_channel_bytes){.fd = fd};
        if (ftruncate(fd, (off_t)m->channels[s->out[i]].max_bytes) < 0 ||
            fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) < 0)
            return cvm_fail_errno(err, "a channel can't be bounded");
        give(d, fd, CVM_FD_CHANNELS + (int)(s->n_in + i));
    }
    return 0;
}

static int make_seed(const struct cvm_agent *a, const struct cvm_component *c,
                     struct cvm_secret *ret, struct cvm_error *err)
{
    if (c->random != CVM_RANDOM_SEEDED)
        return 0;
    return cvm_seed_derive(a->shares, a->manifest.n_participants, &a->manifest.digest, c->id, ret,
                           err);
}

static int give_all(struct cvm_cell *cell, struct descriptors *d, struct cvm_error *err)
{
    struct cvm_agent *a = cell->agent;
    const struct cvm_component *c = &a->manifest.components[cell->component];
    d->spec.manifest = &a->manifest;
    CVM_GUARD(give_inputs(cell, d, err));
    CVM_GUARD(give_outputs(cell, d, err));
    CVM_AUTO_SECRET struct cvm_secret seed = {0};
    CVM_GUARD(make_seed(a, c, &seed, err));
    CVM_GUARD(give_own(d, cvm_spec_cell(c, &d->spec, &seed, err), CVM_FD_SPEC));
    CVM_GUARD(give_own(d, cvm_spec_result_pipe(&cell->result_fd, err), CVM_FD_RESULT));
    CVM_GUARD(give_own(d, cvm_spec_null(err), CVM_FD_NULL));
    lseek(a->items[cell->component].fd, 0, SEEK_SET);
    give(d, a->items[cell->component].fd, CVM_FD_CODE);
    return 0;
}

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
    if (recorded && clean && !*r->limit && result->end == CVM_CELL_OK)
        return true;
    if (!recorded || result->end == CVM_CELL_OK)
        r->why = *r->limit ? r->limit : "signal";
    return false;
}

/* Cuts each channel to what was written; nobody writes to it from here on. */
static bool keep_outputs(struct cvm_cell *cell, const struct cvm_cell_result *result)
{
    int out[CVM_CHANNELS_MAX];
    uint32_t n = cvm_manifest_outbound(&cell->agent->manifest, CVM_CHANNEL_KIND_FILE,
                                       (int)cell->component, out);
    for (uint32_t i = 0; i < n; i++) {
        struct cvm_channel_bytes *bytes = &cell->channels[out[i]];
        bytes->length = result->output_bytes[i];
        if (ftruncate(bytes->fd, (off_t)bytes->length) < 0)
            return false;
    }
    return true;
}

static void drop(struct cvm_cell *cell)
{
    char name[32];
    cvm_memory_file_end(&cell->result_fd);
    if (cell->cgroup >= 0) {
        cvm_cgroup_remove(cell->agent->cgroup, cgroup_name(cell->component, name), cell->cgroup);
        cell->cgroup = -1;
    }
}

static void process_ended(struct cvm_process *p)
{
    struct cvm_cell *cell = p->owner;
    struct cvm_cell_result result;
    bool ok = judge(cell, &result) && keep_outputs(cell, &result);
    cell->state = ok ? CVM_CELL_STATE_OK : CVM_CELL_STATE_FAILED;
    drop(cell);
    cell->ended(cell);
}

/* Its tmpfs holds a copy of each input and each output. */
static uint64_t files_bytes(const struct cvm_manifest *m, uint32_t component)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < m->n_channels; i++)
        if (m->channels[i].from_component == (int)component ||
            m->channels[i].to_component == (int)component)
            sum += m->channels[i].max_bytes;
    return sum;
}

static int spawn(struct cvm_cell *cell, const struct descriptors *d, struct cvm_error *err)
{
    struct cvm_agent *a = cell->agent;
    uint32_t component = cell->component;
    const struct cvm_component *c = &a->manifest.components[component];
    char name[32];
    uint64_t data = c->memory_bytes + CELL_DATA_BYTES + 2 * a->items[component].length;
    if (a->cgroup >= 0)
        CVM_GUARD(cvm_cgroup_create(a->cgroup, cgroup_name(cell->component, name),
                                    data + files_bytes(&a->manifest, component), 1, &cell->cgroup,
                                    err));
    struct cvm_sandbox_spawn how = {
        .program = a->setup.cell_fd,
        .name = "2cvm-cell",
        .have = a->protections,
        .fds = d->fds,
        .n_fds = d->n,
        .data_bytes = data,
        .cpu_seconds = c->cpu_ms / 1000 + 2,
        .cgroup = cell->cgroup,
        .proc = -1,
    };
    struct cvm_sandbox_child child;
    CVM_GUARD(cvm_sandbox_spawn(&how, &child, err));
    return cvm_process_watch(&cell->process, &a->loop, child.pid, child.pidfd, c->cpu_ms,
                             c->wall_ms, err);
}

int cvm_cell_start(struct cvm_cell *cell, struct cvm_agent *a, uint32_t component,
                   struct cvm_channel_bytes *channels, void (*ended)(struct cvm_cell *cell),
                   struct cvm_error *err)
{
    cell->agent = a;
    cell->component = component;
    cell->channels = channels;
    cell->ended = ended;
    cell->result_fd = cell->cgroup = -1;
    cell->process = (struct cvm_process){.ended = process_ended, .owner = cell};
    CVM_CLEANUP(descriptors_free) struct descriptors d = {0};
    if (give_all(cell, &d, err) < 0 || spawn(cell, &d, err) < 0) {
        drop(cell);
        return -1;
    }
    cell->state = CVM_CELL_STATE_RUNNING;
    return 0;
}

void cvm_cell_end(struct cvm_cell *cell)
{
    if (cell->state != CVM_CELL_STATE_RUNNING)
        return;
    cell->state = CVM_CELL_STATE_FAILED;
    cvm_process_end(&cell->process);
    drop(cell);
}
