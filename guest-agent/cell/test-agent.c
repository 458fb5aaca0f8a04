#include "guest-agent/cell/test-agent.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>

const struct testing_grants testing_grants_command = {TESTING_CLI_AND_FILES, "none", "none", 0,
                                                      "command"},
                            testing_grants_library = {"", "none", "none", 0, "library"};

static int compiled(const char *name, const struct testing_grants *g, const char *calls)
{
    struct testing_compiled c;
    testing_compile(testing_component(name), g, calls, 64u << 20, &c);
    if (c.cwasm < 0)
        fail_msg("%s was refused: %u, side %u, interface %u, function %u", name, c.result.end,
                 c.result.side, c.result.interface, c.result.function);
    free(c.texts);
    return c.cwasm;
}

void testing_side(struct testing_cell *c, bool export, unsigned channel, const char *interface)
{
    struct testing_side *s = &c->sides[c->n_sides++];
    *s = (struct testing_side){.export = export, .channel = channel, .interface = interface};
    s->fd = testing_memory("", 0);
    assert_int_equal(ftruncate(s->fd, (off_t)c->region), 0);
    assert_int_equal(fcntl(s->fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK), 0);
    s->at = mmap(NULL, c->region, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
    assert_true(s->at != MAP_FAILED);
}

static void append_sides(const struct testing_cell *c, bool export, char *text, size_t max)
{
    const char *comma = "";
    for (size_t i = 0; i < c->n_sides; i++) {
        if (c->sides[i].export != export)
            continue;
        size_t len = strlen(text);
        (void)snprintf(text + len, max - len,
                       "%s{\"bytes\":%zu,\"channel\":%u,\"fd\":%zu,\"interface\":\"%s\"}", comma,
                       c->region, c->sides[i].channel, 10 + i, c->sides[i].interface);
        comma = ",";
    }
}

void testing_cell_start(struct testing_cell *c)
{
    char text[4096], exports[1024] = "", imports[1024] = "", in[32] = "", out[48] = "";
    struct cvm_sandbox_fd fds[12];
    size_t n = 0;
    int bells[2];
    append_sides(c, true, exports, sizeof exports);
    append_sides(c, false, imports, sizeof imports);
    if (c->in >= 0)
        (void)snprintf(in, sizeof in, ",\"stdin\":{\"fd\":20}");
    if (c->out >= 0)
        (void)snprintf(out, sizeof out, ",\"stdout_stream\":{\"fd\":21}");
    (void)snprintf(
        text, sizeof text,
        "{\"args\":[%s],\"calls\":{\"exports\":[%s],\"imports\":[%s],\"serve\":\"%s\"},"
        "\"clock\":\"none\",\"fuel\":0,\"grants\":[%s],\"id\":\"cell\",\"inputs\":[],"
        "\"memory_bytes\":%u,\"outputs\":[],\"random\":\"none\",\"scratch_bytes\":1048576,"
        "\"seed\":\"\"%s%s}",
        c->args, exports, imports, c->serve, c->grants->list, TESTING_MEMORY, in, out);
    int spec = testing_memory(text, strlen(text));
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, bells), 0);
    fds[n++] = (struct cvm_sandbox_fd){spec, CVM_FD_SPEC};
    fds[n++] = (struct cvm_sandbox_fd){c->cwasm, CVM_FD_CODE};
    fds[n++] = (struct cvm_sandbox_fd){bells[1], CVM_FD_DOORBELL};
    for (size_t i = 0; i < c->n_sides; i++)
        fds[n++] = (struct cvm_sandbox_fd){c->sides[i].fd, 10 + (int)i};
    if (c->in >= 0)
        fds[n++] = (struct cvm_sandbox_fd){c->in, 20};
    if (c->out >= 0)
        fds[n++] = (struct cvm_sandbox_fd){c->out, 21};
    testing_start(CELL, fds, n, TESTING_MEMORY + (64u << 20), &c->child);
    close(spec);
    close(bells[1]);
    c->bell = bells[0];
}

void testing_cell_wait(struct testing_cell *c)
{
    struct cvm_error err = {0};
    if (c->ended)
        return;
    testing_wait(&c->child, &c->end);
    c->ended = true;
    c->recorded = cvm_cell_result_read(c->end.record, c->end.len < 0 ? 0 : (size_t)c->end.len, NULL,
                                       0, &c->result, &err) == 0;
    if (!c->recorded && c->end.len > 0)
        fail_msg("cell: %s", err.message);
}

void testing_cell_release(struct testing_cell *c)
{
    if (!c->ended) {
        assert_int_equal(kill(c->child.child.pid, SIGKILL), 0);
        testing_cell_wait(c);
    }
    close(c->bell);
    close(c->cwasm);
    for (size_t i = 0; i < c->n_sides; i++) {
        munmap(c->sides[i].at, c->region);
        close(c->sides[i].fd);
    }
}

struct testing_cell testing_library(const char *name, const char *calls, const char *serve)
{
    return (struct testing_cell){.cwasm = compiled(name, &testing_grants_library, calls),
                                 .grants = &testing_grants_library,
                                 .args = "",
                                 .serve = serve,
                                 .region = TESTING_REGION,
                                 .in = -1,
                                 .out = -1};
}

struct testing_cell testing_command(const char *name, const char *calls, const char *args)
{
    return (struct testing_cell){.cwasm = compiled(name, &testing_grants_command, calls),
                                 .grants = &testing_grants_command,
                                 .args = args,
                                 .serve = "none",
                                 .region = TESTING_REGION,
                                 .in = -1,
                                 .out = -1};
}

struct cvm_bell testing_hear(const struct testing_cell *c)
{
    struct cvm_bell bell = {0};
    struct pollfd p = {.fd = c->bell, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 3000), 1);
    ssize_t n = read(c->bell, &bell, sizeof bell);
    if (n != sizeof bell)
        return (struct cvm_bell){0}; /* it has ended */
    return bell;
}

void testing_ring(const struct testing_cell *c, struct cvm_bell bell)
{
    assert_int_equal(write(c->bell, &bell, sizeof bell), sizeof bell);
}

void testing_wire(struct testing_agent *a, unsigned channel, struct testing_cell *from,
                  struct testing_cell *to, const char *interface)
{
    testing_side(from, false, channel, interface);
    testing_side(to, true, channel, interface);
    a->channels[channel].from = from;
    a->channels[channel].to = to;
    a->channels[channel].from_at = from->sides[from->n_sides - 1].at;
    a->channels[channel].to_at = to->sides[to->n_sides - 1].at;
}

static void pass_on(struct testing_agent *a, struct testing_cell *c)
{
    struct cvm_bell bell = testing_hear(c);
    if (bell.kind == 0)
        return;
    assert_true(bell.kind == CVM_BELL_CALL || bell.kind == CVM_BELL_REPLY);
    assert_true(bell.channel < TESTING_CHANNELS_MAX && bell.bytes <= TESTING_REGION);
    bool forth = bell.kind == CVM_BELL_CALL;
    assert_ptr_equal(forth ? a->channels[bell.channel].from : a->channels[bell.channel].to, c);
    uint8_t *from = a->channels[bell.channel].from_at, *to = a->channels[bell.channel].to_at;
    struct testing_cell *other =
        forth ? a->channels[bell.channel].to : a->channels[bell.channel].from;
    if (!forth)
        from = to, to = a->channels[bell.channel].from_at;
    memcpy(to, from, bell.bytes);
    /* Each side counts the functions of its own text. */
    if (forth)
        bell.function += a->channels[bell.channel].first;
    else
        bell.function -= a->channels[bell.channel].first;
    if (a->meddle)
        a->meddle(&bell, to);
    a->calls += forth;
    testing_ring(other, bell);
}

void testing_run(struct testing_agent *a)
{
    for (size_t i = a->n_cells; i-- > 0;) {
        testing_cell_start(a->cells[i]);
        if (strcmp(a->cells[i]->serve, "none") != 0)
            assert_int_equal(testing_hear(a->cells[i]).kind, CVM_BELL_READY);
    }
    for (bool ended = false; !ended;) {
        struct pollfd p[2 * TESTING_CELLS_MAX];
        for (size_t i = 0; i < a->n_cells; i++) {
            p[2 * i] = (struct pollfd){.fd = a->cells[i]->bell, .events = POLLIN};
            p[2 * i + 1] = (struct pollfd){.fd = a->cells[i]->child.child.pidfd, .events = POLLIN};
        }
        if (poll(p, 2 * a->n_cells, 5000) == 0)
            return; /* nobody says anything: the test looks who is to blame */
        for (size_t i = 0; i < a->n_cells; i++) {
            if (p[2 * i].revents & POLLIN)
                pass_on(a, a->cells[i]);
            if (p[2 * i + 1].revents) {
                testing_cell_wait(a->cells[i]);
                ended = true;
            }
        }
    }
}

void testing_end_libraries(struct testing_agent *a)
{
    for (size_t i = 1; i < a->n_cells; i++) {
        testing_ring(a->cells[i], (struct cvm_bell){.kind = CVM_BELL_END});
        testing_cell_wait(a->cells[i]);
    }
}

void testing_run_two(struct testing_agent *a, struct testing_cell *caller,
                     struct testing_cell *things, const char *args)
{
    *caller = testing_command("caller", TESTING_IMPORTS_THINGS, args);
    *things = testing_library("things", TESTING_EXPORTS_THINGS, "run");
    a->cells[0] = caller;
    a->cells[1] = things;
    a->n_cells = 2;
    testing_wire(a, 0, caller, things, TESTING_THINGS);
    testing_run(a);
}

void testing_ended_well(const struct testing_cell *c)
{
    if (!c->ended || !c->recorded)
        fail_msg("no record, status %x", c->end.status);
    if (c->result.end != CVM_CELL_OK)
        fail_msg("ended %u, exit %u, internal %u", c->result.end, c->result.exit_code,
                 c->result.internal);
}

void testing_ended(const struct testing_cell *c, enum cvm_cell_end end)
{
    if (!c->ended || !c->recorded || c->result.end != end)
        fail_msg("ended %u (status %x), expected %u", c->result.end, c->end.status, end);
}
