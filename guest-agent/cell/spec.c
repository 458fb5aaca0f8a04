#include "guest-agent/sandbox/spec.h"

#include <string.h>

#include "guest-agent/cell/cell.h"

_Static_assert(CVM_ENGINE_GRANT_CLI == 1 << CVM_GRANT_CLI &&
                   CVM_ENGINE_GRANT_FILESYSTEM == 1 << CVM_GRANT_FILESYSTEM &&
                   CVM_ENGINE_GRANT_SOCKETS_DENIED == 1 << CVM_GRANT_SOCKETS_DENIED &&
                   CVM_ENGINE_CLOCK_FIXED == (int)CVM_CLOCK_FIXED &&
                   CVM_ENGINE_CLOCK_HOST == (int)CVM_CLOCK_HOST &&
                   CVM_ENGINE_RANDOM_SEEDED == (int)CVM_RANDOM_SEEDED &&
                   CVM_ENGINE_RANDOM_REAL == (int)CVM_RANDOM_REAL &&
                   CVM_ENGINE_KIND_COMMAND == (int)CVM_COMPONENT_KIND_COMMAND &&
                   CVM_ENGINE_KIND_LIBRARY == (int)CVM_COMPONENT_KIND_LIBRARY,
               "the engine's numbers are the manifest's");

#define FD_MAX (CVM_FD_CHANNELS + CVM_CELL_CHANNELS_MAX + CVM_CELL_CALLS_MAX + 2)
#define REGION_MAX (1LL << 30)

static void read_inputs(struct cvm_json_reader *r, struct cvm_cell_spec *spec)
{
    json_t *list = cvm_json_array(r, "inputs", CVM_CELL_CHANNELS_MAX);
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct cvm_json_reader one;
        struct cvm_cell_input *in = &spec->inputs[spec->n_inputs++];
        cvm_json_begin(&one, json_array_get(list, i), "inputs", r->err);
        in->fd = (int)cvm_json_int(&one, "fd", CVM_FD_CHANNELS, FD_MAX);
        in->path = cvm_json_string(&one, "path");
        in->last = cvm_json_bool_opt(&one, "last", false);
        if (cvm_json_end(&one) < 0)
            r->failed = true;
    }
}

static void read_outputs(struct cvm_json_reader *r, struct cvm_cell_spec *spec)
{
    json_t *list = cvm_json_array(r, "outputs", CVM_CELL_CHANNELS_MAX);
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct cvm_json_reader one;
        struct cvm_cell_output *out = &spec->outputs[spec->n_outputs++];
        cvm_json_begin(&one, json_array_get(list, i), "outputs", r->err);
        out->fd = (int)cvm_json_int(&one, "fd", CVM_FD_CHANNELS, FD_MAX);
        out->max_bytes = (uint64_t)cvm_json_int(&one, "max_bytes", 0, CVM_JSON_INT_MAX);
        out->path = cvm_json_string(&one, "path");
        if (cvm_json_end(&one) < 0)
            r->failed = true;
    }
}

static void read_args(struct cvm_json_reader *r, struct cvm_cell_spec *spec)
{
    spec->args[spec->n_args++] = cvm_json_string(r, "id");
    json_t *list = cvm_json_array(r, "args", CVM_ARGS_MAX);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *arg = json_string_value(json_array_get(list, i));
        if (!arg)
            cvm_json_fail(r, CVM_E_JSON_TYPE, "args");
        spec->args[spec->n_args++] = arg ? arg : "";
    }
}

static size_t read_channels(struct cvm_json_reader *r, const char *name, struct cvm_cell_spec *spec)
{
    size_t before = spec->n_exports + spec->n_imports;
    json_t *list = cvm_json_array(r, name, CVM_CELL_CALLS_MAX - before);
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct cvm_json_reader one;
        struct cvm_cell_call *call = &spec->calls[before + i];
        cvm_json_begin(&one, json_array_get(list, i), name, r->err);
        call->channel = (uint32_t)cvm_json_int(&one, "channel", 0, UINT16_MAX);
        call->fd = (int)cvm_json_int(&one, "fd", CVM_FD_CHANNELS, FD_MAX);
        call->bytes = (uint64_t)cvm_json_int(&one, "bytes", 1, REGION_MAX);
        call->interface = cvm_json_string(&one, "interface");
        if (cvm_json_end(&one) < 0)
            r->failed = true;
    }
    return json_array_size(list);
}

static enum cvm_cell_serve serve_by_word(struct cvm_json_reader *r)
{
    static const char *const words[] = {
        [CVM_CELL_SERVE_NONE] = "none", [CVM_CELL_SERVE_RUN] = "run", [CVM_CELL_SERVE_ONE] = "one"};
    const char *word = cvm_json_string(r, "serve");
    for (int i = 0; word && i < (int)(sizeof words / sizeof words[0]); i++)
        if (!strcmp(word, words[i]))
            return (enum cvm_cell_serve)i;
    return (enum cvm_cell_serve)cvm_spec_word(r, "serve", -1);
}

static void read_calls(struct cvm_json_reader *r, struct cvm_cell_spec *spec)
{
    json_t *calls = cvm_spec_object_opt(r, "calls");
    if (!calls)
        return;
    struct cvm_json_reader c;
    cvm_json_begin(&c, calls, "calls", r->err);
    spec->n_exports = read_channels(&c, "exports", spec);
    spec->n_imports = read_channels(&c, "imports", spec);
    spec->serve = serve_by_word(&c);
    if (cvm_json_end(&c) < 0)
        r->failed = true;
}

/* A pipe's descriptor; -1 when there is none. */
static int read_pipe(struct cvm_json_reader *r, const char *name)
{
    json_t *pipe = cvm_spec_object_opt(r, name);
    if (!pipe)
        return -1;
    struct cvm_json_reader p;
    cvm_json_begin(&p, pipe, name, r->err);
    int fd = (int)cvm_json_int(&p, "fd", CVM_FD_CHANNELS, FD_MAX);
    if (cvm_json_end(&p) < 0)
        r->failed = true;
    return fd;
}

int cvm_cell_spec_read(struct cvm_cell_spec *ret, struct cvm_error *err)
{
    ret->json = cvm_spec_load(CVM_FD_SPEC, err);
    if (!ret->json)
        return -1;
    struct cvm_json_reader r;
    cvm_json_begin(&r, ret->json, "spec", err);
    struct cvm_spec_component c = {0};
    cvm_spec_component(&r, &c);
    ret->options = (struct cvm_engine_options){
        .grants = c.grants, .clock = c.clock, .random = c.random, .memory_bytes = c.memory_bytes};
    ret->fuel = (uint64_t)cvm_json_int(&r, "fuel", 0, CVM_JSON_INT_MAX);
    ret->options.count_fuel = ret->fuel > 0;
    read_args(&r, ret);
    read_inputs(&r, ret);
    read_outputs(&r, ret);
    read_calls(&r, ret);
    ret->stdin_fd = read_pipe(&r, "stdin");
    ret->stdout_fd = read_pipe(&r, "stdout_stream");
    ret->scratch_bytes = (uint64_t)cvm_json_int(&r, "scratch_bytes", 0, CVM_JSON_INT_MAX);
    const char *seed = cvm_json_string(&r, "seed");
    CVM_GUARD(cvm_json_end(&r));
    if (ret->options.random == CVM_ENGINE_RANDOM_SEEDED || *seed)
        CVM_GUARD(cvm_hex_decode(seed, ret->seed, sizeof ret->seed, err));
    return 0;
}
