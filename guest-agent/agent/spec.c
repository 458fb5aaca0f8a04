#include "guest-agent/agent/spec.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest-agent/agent/agent.h"
#include "guest-agent/sandbox/results.h"

#define CVM_CELL_SCRATCH_BYTES (1 << 20) /* of a cell's file system, beside its channels */

static json_t *grants(const struct cvm_component *c)
{
    json_t *list = json_array();
    for (int g = 0; g < CVM_GRANT_COUNT; g++)
        if (c->grants >> g & 1)
            json_array_append_new(list, json_string(cvm_grant_word((enum cvm_grant)g)));
    return list;
}

static int to_file(const struct cvm_buf *text, struct cvm_error *err)
{
    CVM_AUTO_CLOSE int fd = cvm_memory_file("spec", err);
    CVM_GUARD(fd);
    if (write(fd, text->data, text->len) != (ssize_t)text->len || lseek(fd, 0, SEEK_SET) < 0)
        return cvm_fail_errno(err, "a spec can't be written");
    CVM_GUARD(cvm_memory_file_seal(fd, err));
    return CVM_TAKE_FD(fd);
}

static json_t *names(const char *const *list, uint32_t n)
{
    json_t *to = json_array();
    for (uint32_t i = 0; i < n; i++)
        json_array_append_new(to, json_string(list[i]));
    return to;
}

int cvm_spec_compiler(const struct cvm_component *c, const struct cvm_interfaces *interfaces,
                      uint64_t max_cwasm_bytes, struct cvm_error *err)
{
    CVM_AUTO_JSON json_t *spec =
        json_pack("{s:s, s:i, s:o, s:s, s:I, s:I, s:s}", "clock", cvm_clock_word(c->clock), "fuel",
                  c->fuel ? 1 : 0, "grants", grants(c), "kind", cvm_component_kind_word(c->kind),
                  "max_cwasm_bytes", (json_int_t)max_cwasm_bytes, "memory_bytes",
                  (json_int_t)c->memory_bytes, "random", cvm_random_word(c->random));
    if (interfaces->n_exports + interfaces->n_imports)
        json_object_set_new(spec, "calls",
                            json_pack("{s:o, s:o}", "exports",
                                      names(interfaces->exports, interfaces->n_exports), "imports",
                                      names(interfaces->imports, interfaces->n_imports)));
    CVM_AUTO_BUF struct cvm_buf text = {0};
    CVM_GUARD(cvm_json_write(spec, &text, err));
    return to_file(&text, err);
}

static json_t *inputs(const struct cvm_spec_channels *ch)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < ch->n_in; i++) {
        json_t *one = json_pack("{s:i, s:s}", "fd", CVM_FD_CHANNELS + (int)i, "path",
                                ch->manifest->channels[ch->in[i]].to_path);
        if (ch->last[i])
            json_object_set_new(one, "last", json_true());
        json_array_append_new(list, one);
    }
    return list;
}

static json_t *outputs(const struct cvm_spec_channels *ch)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < ch->n_out; i++) {
        const struct cvm_channel *channel = &ch->manifest->channels[ch->out[i]];
        json_array_append_new(list, json_pack("{s:i, s:I, s:s}", "fd",
                                              CVM_FD_CHANNELS + (int)(ch->n_in + i), "max_bytes",
                                              (json_int_t)channel->max_bytes, "path",
                                              channel->from_path));
    }
    return list;
}

static json_t *regions(const struct cvm_spec_channels *ch, const int *list, uint32_t n, int fd)
{
    json_t *to = json_array();
    for (uint32_t i = 0; i < n; i++) {
        const struct cvm_channel *c = &ch->manifest->channels[list[i]];
        json_array_append_new(to, json_pack("{s:I, s:i, s:i, s:s}", "bytes",
                                            (json_int_t)c->max_call_bytes, "channel", list[i], "fd",
                                            fd + (int)i, "interface", c->interface));
    }
    return to;
}

/* What only some cells have: calls, and the ends of streams. */
static void add_joints(json_t *spec, const struct cvm_component *c,
                       const struct cvm_spec_channels *ch)
{
    const char *serve = c->kind != CVM_COMPONENT_KIND_LIBRARY ? "none"
                        : c->instance == CVM_INSTANCE_CALL    ? "one"
                                                              : "run";
    int exports = CVM_FD_CHANNELS + (int)(ch->n_in + ch->n_out),
        imports = exports + (int)ch->n_exports, next = imports + (int)ch->n_imports;
    if (ch->n_exports + ch->n_imports)
        json_object_set_new(spec, "calls",
                            json_pack("{s:o, s:o, s:s}", "exports",
                                      regions(ch, ch->exports, ch->n_exports, exports), "imports",
                                      regions(ch, ch->imports, ch->n_imports, imports), "serve",
                                      serve));
    if (ch->has_stdin)
        json_object_set_new(spec, "stdin", json_pack("{s:i}", "fd", next++));
    if (ch->has_stdout)
        json_object_set_new(spec, "stdout_stream", json_pack("{s:i}", "fd", next));
}

/* The seed is put into the text behind the JSON library's back: it leaves no copies there. */
static void put_seed(struct cvm_buf *text, const struct cvm_secret *seed)
{
    static const char hex[] = "0123456789abcdef";
    static const char mark[] = "\"seed\":\"";
    uint8_t *at = memmem(text->data, text->len, mark, sizeof mark - 1);
    for (size_t i = 0; at && i < seed->len; i++) {
        at[sizeof mark - 1 + 2 * i] = (uint8_t)hex[seed->data[i] >> 4];
        at[sizeof mark + 2 * i] = (uint8_t)hex[seed->data[i] & 15];
    }
}

int cvm_spec_cell(const struct cvm_component *c, const struct cvm_spec_channels *ch,
                  const struct cvm_secret *seed, struct cvm_error *err)
{
    char zeros[2 * 32 + 1];
    memset(zeros, '0', sizeof zeros);
    CVM_ENSURE(seed->len == 0 || seed->len == 32, err, CVM_E_INTERNAL, "a seed has 32 bytes");
    zeros[2 * seed->len] = 0;
    json_t *args = json_array();
    for (uint32_t i = 0; i < c->n_args; i++)
        json_array_append_new(args, json_string(c->args[i]));
    CVM_AUTO_JSON json_t *spec =
        json_pack("{s:o, s:s, s:I, s:o, s:s, s:o, s:I, s:o, s:s, s:I, s:s}", "args", args, "clock",
                  cvm_clock_word(c->clock), "fuel", (json_int_t)c->fuel, "grants", grants(c), "id",
                  c->id, "inputs", inputs(ch), "memory_bytes", (json_int_t)c->memory_bytes,
                  "outputs", outputs(ch), "random", cvm_random_word(c->random), "scratch_bytes",
                  (json_int_t)CVM_CELL_SCRATCH_BYTES, "seed", zeros);
    add_joints(spec, c, ch);
    CVM_AUTO_BUF struct cvm_buf text = {0};
    CVM_GUARD(cvm_json_write(spec, &text, err));
    put_seed(&text, seed);
    return to_file(&text, err);
}

int cvm_spec_null(struct cvm_error *err)
{
    CVM_AUTO_CLOSE int fd = cvm_memory_file("null", err);
    CVM_GUARD(fd);
    CVM_GUARD(cvm_memory_file_seal(fd, err));
    return CVM_TAKE_FD(fd);
}

int cvm_spec_result_pipe(int *ret_read, struct cvm_error *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return cvm_fail_errno(err, "no pipe for a result");
    *ret_read = ends[0];
    return ends[1];
}

int cvm_spec_read_result(int fd, void *ret, size_t len)
{
    uint8_t bytes[8192];
    ssize_t got = read(fd, bytes, sizeof bytes);
    if (got < 0 || (size_t)got != len || len > sizeof bytes)
        return -1;
    memcpy(ret, bytes, len);
    cvm_wipe(bytes, sizeof bytes);
    return 0;
}
