#include "guest-agent/agent/cell-internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Private memory of a cell beside the component's own: the engine, its stack, the code. */
#define CELL_DATA_BYTES (64ULL << 20)
#define STREAM_BYTES 65536 /* of a pipe */

static const char *cgroup_name(uint32_t component, char out[32])
{
    snprintf(out, 32, "cell-%u", component);
    return out;
}

static void drop(struct cvm_cell *cell)
{
    char name[32];
    cvm_memory_file_end(&cell->result_fd);
    cvm_cell_forget_calls(cell);
    if (cell->cgroup >= 0) {
        cvm_cgroup_remove(cell->agent->cgroup, cgroup_name(cell->component, name), cell->cgroup);
        cell->cgroup = -1;
    }
}

static void process_ended(struct cvm_process *p)
{
    struct cvm_cell *cell = p->owner;
    cell->state = cvm_cell_judge(cell) ? CVM_CELL_STATE_OK : CVM_CELL_STATE_FAILED;
    if (cell->state == CVM_CELL_STATE_OK)
        cell->leaving(cell);
    drop(cell);
    cell->ended(cell); /* may free it */
}

/* Its tmpfs holds a copy of each input and each output; regions and pipes count, too. */
static uint64_t channels_bytes(const struct cvm_manifest *m, uint32_t component)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < m->n_channels; i++) {
        const struct cvm_channel *c = &m->channels[i];
        if (c->from_component != (int)component && c->to_component != (int)component)
            continue;
        sum += c->kind == CVM_CHANNEL_KIND_FILE   ? c->max_bytes
               : c->kind == CVM_CHANNEL_KIND_CALL ? c->max_call_bytes
                                                  : STREAM_BYTES;
    }
    return sum;
}

static int spawn(struct cvm_cell *cell, const struct cvm_descriptors *d, struct cvm_error *err)
{
    struct cvm_agent *a = cell->agent;
    uint32_t component = cell->component;
    const struct cvm_component *c = &a->manifest.components[component];
    char name[32];
    uint64_t data = c->memory_bytes + CELL_DATA_BYTES + 2 * a->items[component].length;
    if (a->cgroup >= 0)
        CVM_GUARD(cvm_cgroup_create(a->cgroup, cgroup_name(cell->component, name),
                                    data + channels_bytes(&a->manifest, component), 1,
                                    &cell->cgroup, err));
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

/* Exactly one message; a longer one, or none, is no message. An end that is closed says nothing:
 * the process's own end tells. */
static void bell_ready(struct cvm_source *source, uint32_t events)
{
    (void)events;
    struct cvm_cell *cell = source->owner;
    uint8_t raw[sizeof(struct cvm_bell) + 1];
    struct cvm_bell message;
    ssize_t n = read(cell->bell_fd, raw, sizeof raw);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        cvm_loop_remove(&cell->agent->loop, source);
        return;
    }
    memcpy(&message, raw, sizeof message);
    if (n != (ssize_t)sizeof message)
        cvm_cell_stop(cell, "message", "");
    else if (!cell->why)
        cell->rung(cell, &message);
}

int cvm_cell_start(struct cvm_cell *cell, struct cvm_agent *a, uint32_t component,
                   struct cvm_run_channel *channels, struct cvm_error *err)
{
    cell->agent = a;
    cell->component = component;
    cell->channels = channels;
    cell->result_fd = cell->cgroup = cell->bell_fd = -1;
    cell->process = (struct cvm_process){.ended = process_ended, .owner = cell};
    cell->bell = (struct cvm_source){.fd = -1, .ready = bell_ready, .owner = cell};
    cell->ready = cell->told_end = false;
    CVM_CLEANUP(cvm_descriptors_free) struct cvm_descriptors d = {0};
    if (cvm_cell_give(cell, &d, err) < 0 || spawn(cell, &d, err) < 0) {
        drop(cell);
        return -1;
    }
    cell->state = CVM_CELL_STATE_RUNNING;
    return 0;
}

void cvm_cell_stop(struct cvm_cell *cell, const char *why, const char *limit)
{
    if (cell->state != CVM_CELL_STATE_RUNNING || cell->why)
        return;
    cell->why = why;
    cell->limit = limit;
    cvm_process_kill(&cell->process, CVM_STOP_CALLER);
}

void cvm_cell_end(struct cvm_cell *cell)
{
    if (cell->state != CVM_CELL_STATE_RUNNING)
        return;
    cell->state = CVM_CELL_STATE_FAILED;
    cvm_process_end(&cell->process);
    drop(cell);
}
