#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "core/seal/seed.h"
#include "guest-agent/agent/cell-internal.h"

/* Another channel, or another process for the same channel, reads the same bytes, now or later. */
static bool shared(const struct cvm_manifest *m, const struct cvm_channel *channel)
{
    if (m->components[channel->to_component].instance == CVM_INSTANCE_CALL)
        return true;
    uint32_t readers = 0;
    for (uint32_t i = 0; i < m->n_channels; i++)
        readers += m->channels[i].from_data == channel->from_data;
    return channel->from_data >= 0 && readers > 1;
}

void cvm_descriptors_free(struct cvm_descriptors *d)
{
    for (size_t i = 0; i < d->n_own; i++)
        close(d->own[i]);
}

static void give(struct cvm_descriptors *d, int from, int to)
{
    d->fds[d->n++] = (struct cvm_sandbox_fd){from, to};
}

static int give_own(struct cvm_descriptors *d, int from, int to)
{
    if (from < 0)
        return -1;
    d->own[d->n_own++] = from;
    give(d, from, to);
    return 0;
}

/* A source with one reader is handed over as it is, so that the cell can free its pages while it
 * copies; one with several is sealed, and each reader gets a read-only view. */
static int give_inputs(struct cvm_cell *cell, struct cvm_descriptors *d, struct cvm_error *err)
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

static int give_outputs(struct cvm_cell *cell, struct cvm_descriptors *d, struct cvm_error *err)
{
    const struct cvm_manifest *m = &cell->agent->manifest;
    struct cvm_spec_channels *s = &d->spec;
    s->n_out = cvm_manifest_outbound(m, CVM_CHANNEL_KIND_FILE, (int)cell->component, s->out);
    for (uint32_t i = 0; i < s->n_out; i++) {
        int fd = cvm_memory_file("channel", err);
        CVM_GUARD(fd);
        cell->channels[s->out[i]].fd = fd;
        if (ftruncate(fd, (off_t)m->channels[s->out[i]].max_bytes) < 0 ||
            fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) < 0)
            return cvm_fail_errno(err, "a channel can't be bounded");
        give(d, fd, CVM_FD_CHANNELS + (int)(s->n_in + i));
    }
    return 0;
}

static void region_free(struct cvm_region *r)
{
    if (r->bytes)
        munmap(r->bytes, r->size);
    *r = (struct cvm_region){0};
}

/* Fresh memory for one process, of a size that nobody can change. */
static int region_open(struct cvm_region *r, uint64_t size, struct cvm_error *err)
{
    CVM_AUTO_CLOSE int fd = cvm_memory_file("region", err);
    CVM_GUARD(fd);
    if (ftruncate(fd, (off_t)size) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_GROW | F_SEAL_SHRINK) < 0)
        return cvm_fail_errno(err, "a region can't be bounded");
    void *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (bytes == MAP_FAILED)
        return cvm_fail_errno(err, "a region can't be mapped");
    *r = (struct cvm_region){bytes, size};
    return CVM_TAKE_FD(fd);
}

static int next_number(const struct cvm_spec_channels *s)
{
    return CVM_FD_CHANNELS +
           (int)(s->n_in + s->n_out + s->n_exports + s->n_imports + s->has_stdin + s->has_stdout);
}

/* A process for one call gets the region of that call's channel, and no other caller's. */
static int give_regions(struct cvm_cell *cell, struct cvm_descriptors *d, struct cvm_error *err)
{
    const struct cvm_manifest *m = &cell->agent->manifest;
    struct cvm_spec_channels *s = &d->spec;
    bool one = m->components[cell->component].instance == CVM_INSTANCE_CALL;
    int list[CVM_CHANNELS_MAX];
    uint32_t n = cvm_manifest_inbound(m, CVM_CHANNEL_KIND_CALL, (int)cell->component, list);
    for (uint32_t i = 0; i < n; i++) {
        if (one && list[i] != cell->serving)
            continue;
        int fd =
            region_open(&cell->channels[list[i]].callee, m->channels[list[i]].max_call_bytes, err);
        CVM_GUARD(give_own(d, fd, next_number(s)));
        s->exports[s->n_exports++] = list[i];
    }
    n = cvm_manifest_outbound(m, CVM_CHANNEL_KIND_CALL, (int)cell->component, list);
    for (uint32_t i = 0; i < n; i++) {
        int fd =
            region_open(&cell->channels[list[i]].caller, m->channels[list[i]].max_call_bytes, err);
        CVM_GUARD(give_own(d, fd, next_number(s)));
        s->imports[s->n_imports++] = list[i];
    }
    return 0;
}

/* Our end never blocks: no cell can make the agent wait. */
static int give_doorbell(struct cvm_cell *cell, struct cvm_descriptors *d, struct cvm_error *err)
{
    if (d->spec.n_exports + d->spec.n_imports == 0)
        return 0;
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return cvm_fail_errno(err, "no doorbell");
    cell->bell_fd = ends[0];
    CVM_GUARD(give_own(d, ends[1], CVM_FD_DOORBELL));
    if (fcntl(cell->bell_fd, F_SETFL, O_NONBLOCK) < 0)
        return cvm_fail_errno(err, "no doorbell");
    return cvm_loop_add(&cell->agent->loop, &cell->bell, cell->bell_fd, EPOLLIN, err);
}

static int give_streams(struct cvm_cell *cell, struct cvm_descriptors *d, struct cvm_error *err)
{
    const struct cvm_manifest *m = &cell->agent->manifest;
    struct cvm_spec_channels *s = &d->spec;
    int list[CVM_CHANNELS_MAX];
    if (cvm_manifest_inbound(m, CVM_CHANNEL_KIND_STREAM, (int)cell->component, list)) {
        int fd = cvm_stream_reader(&cell->channels[list[0]].stream, err);
        CVM_GUARD(give_own(d, fd, next_number(s)));
        s->has_stdin = 1;
    }
    if (cvm_manifest_outbound(m, CVM_CHANNEL_KIND_STREAM, (int)cell->component, list)) {
        int fd = cvm_stream_writer(&cell->channels[list[0]].stream, err);
        CVM_GUARD(give_own(d, fd, next_number(s)));
        s->has_stdout = 1;
    }
    return 0;
}

void cvm_cell_forget_calls(struct cvm_cell *cell)
{
    const struct cvm_manifest *m = &cell->agent->manifest;
    cvm_loop_remove(&cell->agent->loop, &cell->bell);
    if (cell->bell_fd >= 0)
        close(cell->bell_fd);
    cell->bell_fd = -1;
    for (uint32_t k = 0; k < m->n_channels; k++) {
        if (m->channels[k].from_component == (int)cell->component)
            region_free(&cell->channels[k].caller);
        if (m->channels[k].to_component == (int)cell->component)
            region_free(&cell->channels[k].callee);
    }
}

static int make_seed(const struct cvm_agent *a, const struct cvm_component *c,
                     struct cvm_secret *ret, struct cvm_error *err)
{
    if (c->random != CVM_RANDOM_SEEDED)
        return 0;
    return cvm_seed_derive(a->shares, a->manifest.n_participants, &a->manifest.digest, c->id, ret,
                           err);
}

int cvm_cell_give(struct cvm_cell *cell, struct cvm_descriptors *d, struct cvm_error *err)
{
    struct cvm_agent *a = cell->agent;
    const struct cvm_component *c = &a->manifest.components[cell->component];
    d->spec.manifest = &a->manifest;
    CVM_GUARD(give_inputs(cell, d, err));
    CVM_GUARD(give_outputs(cell, d, err));
    CVM_GUARD(give_regions(cell, d, err));
    CVM_GUARD(give_doorbell(cell, d, err));
    CVM_GUARD(give_streams(cell, d, err));
    CVM_AUTO_SECRET struct cvm_secret seed = {0};
    CVM_GUARD(make_seed(a, c, &seed, err));
    CVM_GUARD(give_own(d, cvm_spec_cell(c, &d->spec, &seed, err), CVM_FD_SPEC));
    CVM_GUARD(give_own(d, cvm_spec_result_pipe(&cell->result_fd, err), CVM_FD_RESULT));
    CVM_GUARD(give_own(d, cvm_spec_null(err), CVM_FD_NULL));
    lseek(a->items[cell->component].fd, 0, SEEK_SET);
    give(d, a->items[cell->component].fd, CVM_FD_CODE);
    return 0;
}
