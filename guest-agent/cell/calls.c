/*
 * Calls as the cell sees them: values lie in regions that it shares with the agent, and the
 * doorbell (guest-agent/sandbox/bell.h) says when. A message that may not come now, or whose
 * numbers do not fit, ends the cell: the agent does not send such.
 */
#include "guest-agent/sandbox/bell.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "guest-agent/cell/cell.h"

static int ring(struct cvm_bell bell)
{
    ssize_t n;
    do
        n = write(CVM_FD_DOORBELL, &bell, sizeof bell);
    while (n < 0 && errno == EINTR);
    return n == sizeof bell ? 0 : -1;
}

static int listen_for(struct cvm_bell *ret)
{
    ssize_t n;
    do
        n = read(CVM_FD_DOORBELL, ret, sizeof *ret);
    while (n < 0 && errno == EINTR);
    return n == sizeof *ret ? 0 : -1;
}

static const struct cvm_engine_channel *find(const struct cvm_engine_channel *list, size_t n,
                                             uint32_t channel)
{
    for (size_t i = 0; i < n; i++)
        if (list[i].channel == channel)
            return &list[i];
    return NULL;
}

static int call(void *context, uint32_t channel, uint32_t function, size_t bytes, size_t *ret_bytes)
{
    const struct cvm_cell_calls *c = context;
    const struct cvm_engine_channel *to = find(c->engine.imports, c->engine.n_imports, channel);
    struct cvm_bell bell = {CVM_BELL_CALL, (uint16_t)channel, function, bytes};
    if (!to || ring(bell) < 0 || listen_for(&bell) < 0)
        return -1;
    if (bell.kind != CVM_BELL_REPLY || bell.channel != channel || bell.function != function ||
        bell.bytes > to->bytes)
        return -1;
    *ret_bytes = (size_t)bell.bytes;
    return 0;
}

static int ready(void *context)
{
    (void)context;
    return ring((struct cvm_bell){.kind = CVM_BELL_READY});
}

static int next(void *context, uint32_t *ret_channel, uint32_t *ret_function, size_t *ret_bytes)
{
    struct cvm_cell_calls *c = context;
    struct cvm_bell bell;
    if (listen_for(&bell) < 0)
        return -1;
    if (bell.kind == CVM_BELL_END)
        return bell.channel || bell.function || bell.bytes ? -1 : 0;
    const struct cvm_engine_channel *at =
        find(c->engine.exports, c->engine.n_exports, bell.channel);
    if (bell.kind != CVM_BELL_CALL || !at || bell.bytes > at->bytes || c->answered)
        return -1;
    c->answered = c->serve == CVM_CELL_SERVE_ONE;
    *ret_channel = bell.channel;
    *ret_function = bell.function;
    *ret_bytes = (size_t)bell.bytes;
    return 1;
}

static int reply(void *context, uint32_t channel, uint32_t function, size_t bytes)
{
    (void)context;
    return ring((struct cvm_bell){CVM_BELL_REPLY, (uint16_t)channel, function, bytes});
}

static int map(const struct cvm_cell_call *from, struct cvm_engine_channel *ret,
               struct cvm_error *err)
{
    struct stat st;
    if (fstat(from->fd, &st) < 0)
        return cvm_fail_errno(err, "a region");
    CVM_ENSURE(st.st_size > 0 && (uint64_t)st.st_size == from->bytes, err, CVM_E_INTERNAL,
               "a region has another size");
    void *at = mmap(NULL, (size_t)from->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, from->fd, 0);
    if (at == MAP_FAILED)
        return cvm_fail_errno(err, "a region");
    close(from->fd);
    *ret = (struct cvm_engine_channel){.interface = from->interface,
                                       .region = at,
                                       .bytes = (size_t)from->bytes,
                                       .channel = from->channel};
    return 0;
}

int cvm_cell_calls_open(const struct cvm_cell_spec *spec, struct cvm_cell_calls *ret,
                        struct cvm_error *err)
{
    for (size_t i = 0; i < spec->n_exports + spec->n_imports; i++)
        CVM_GUARD(map(&spec->calls[i], &ret->channels[i], err));
    ret->serve = spec->serve;
    ret->engine = (struct cvm_engine_calls){
        .exports = ret->channels,
        .n_exports = spec->n_exports,
        .imports = ret->channels + spec->n_exports,
        .n_imports = spec->n_imports,
        .serve = spec->serve != CVM_CELL_SERVE_NONE,
        .call = call,
        .ready = ready,
        .next = next,
        .reply = reply,
        .context = ret,
    };
    return 0;
}
