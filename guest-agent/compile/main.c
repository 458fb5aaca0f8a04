/*
 * 2cvm-compile: admits one component and compiles it to a .cwasm, behind walls of its own, then
 * ends. Its descriptors and its record: guest-agent/sandbox/results.h and doc/PROTOCOL.md
 * section 9. The exit status is always 0 once a record is written; the record says how it went.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "guest-agent/engine/cvm-engine.h"
#include "guest-agent/sandbox/results.h"
#include "guest-agent/sandbox/sandbox.h"
#include "guest-agent/sandbox/spec.h"

_Static_assert(CVM_COMPILE_INVALID == (int)CVM_ENGINE_INVALID &&
                   CVM_COMPILE_IMPORT == (int)CVM_ENGINE_IMPORT &&
                   CVM_COMPILE_FEATURE == (int)CVM_ENGINE_FEATURE &&
                   CVM_COMPILE_EXPORT == (int)CVM_ENGINE_EXPORT &&
                   CVM_COMPILE_MEMORY == (int)CVM_ENGINE_MEMORY &&
                   CVM_COMPILE_CALL_RESOURCE == (int)CVM_ENGINE_CALL_RESOURCE &&
                   CVM_COMPILE_CALL_STREAM == (int)CVM_ENGINE_CALL_STREAM &&
                   CVM_COMPILE_CALL_FUTURE == (int)CVM_ENGINE_CALL_FUTURE &&
                   CVM_COMPILE_CALL_ERROR_CONTEXT == (int)CVM_ENGINE_CALL_ERROR_CONTEXT &&
                   CVM_COMPILE_CALL_PARAMETERS == (int)CVM_ENGINE_CALL_PARAMETERS &&
                   CVM_COMPILE_CALL_IMPORT == (int)CVM_ENGINE_CALL_IMPORT &&
                   CVM_COMPILE_CALL_EXPORT == (int)CVM_ENGINE_CALL_EXPORT &&
                   CVM_COMPILE_CALL_TYPE == (int)CVM_ENGINE_CALL_TYPE,
               "ends of the engine are ends of the record");

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

struct spec {
    json_t *json; /* owns the strings */
    struct cvm_engine_options options;
    uint64_t max_cwasm_bytes;
    const char *exports[CVM_CELL_CALLS_MAX], *imports[CVM_CELL_CALLS_MAX];
    struct cvm_engine_interfaces calls;
};

static size_t read_interfaces(struct cvm_json_reader *r, const char *name,
                              const char *ret[CVM_CELL_CALLS_MAX])
{
    json_t *list = cvm_json_array(r, name, CVM_CELL_CALLS_MAX);
    for (size_t i = 0; i < json_array_size(list); i++) {
        ret[i] = json_string_value(json_array_get(list, i));
        if (!ret[i])
            cvm_json_fail(r, CVM_E_JSON_TYPE, "%s", name);
    }
    return json_array_size(list);
}

static void read_calls(struct cvm_json_reader *r, struct spec *spec)
{
    json_t *calls = cvm_spec_object_opt(r, "calls");
    spec->calls =
        (struct cvm_engine_interfaces){.exports = spec->exports, .imports = spec->imports};
    if (!calls)
        return;
    struct cvm_json_reader c;
    cvm_json_begin(&c, calls, "calls", r->err);
    spec->calls.n_exports = read_interfaces(&c, "exports", spec->exports);
    spec->calls.n_imports = read_interfaces(&c, "imports", spec->imports);
    if (cvm_json_end(&c) < 0)
        r->failed = true;
}

static int read_spec(struct spec *ret, struct cvm_error *err)
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
    ret->options.count_fuel = (uint32_t)cvm_json_int(&r, "fuel", 0, 1);
    ret->options.kind =
        cvm_spec_word(&r, "kind", cvm_component_kind_by_word(cvm_json_string(&r, "kind")));
    read_calls(&r, ret);
    ret->max_cwasm_bytes = (uint64_t)cvm_json_int(&r, "max_cwasm_bytes", 1, CVM_JSON_INT_MAX);
    return cvm_json_end(&r);
}

static int write_out(int fd, const struct cvm_engine_bytes *bytes, struct cvm_error *err)
{
    if (ftruncate(fd, (off_t)bytes->len) < 0)
        return cvm_fail_errno(err, "what the compiler writes");
    for (size_t at = 0; at < bytes->len;) {
        ssize_t n = pwrite(fd, bytes->data + at, bytes->len - at, (off_t)at);
        if (n <= 0)
            return cvm_fail_errno(err, "what the compiler writes");
        at += (size_t)n;
    }
    return 0;
}

static int compile(const struct spec *spec, struct cvm_compile_result *ret, struct cvm_error *err)
{
    struct stat st;
    if (fstat(CVM_FD_CODE, &st) < 0)
        return cvm_fail_errno(err, "the component");
    size_t len = (size_t)st.st_size;
    const uint8_t *component =
        len ? mmap(NULL, len, PROT_READ, MAP_PRIVATE, CVM_FD_CODE, 0) : (const uint8_t *)"";
    if (component == MAP_FAILED)
        return cvm_fail_errno(err, "the component");
    struct cvm_engine_admission admission;
    struct cvm_engine_bytes code = {0}, texts = {0}; /* the process ends soon */
    cvm_engine_compile(&spec->options, &spec->calls, component, len, &admission, &code, &texts);
    ret->end = admission.end;
    ret->function = admission.function;
    ret->side = admission.side;
    ret->interface = admission.interface;
    ret->memory_bytes = admission.memory_bytes;
    if (admission.end != CVM_ENGINE_ADMITTED)
        return 0;
    if (code.len > spec->max_cwasm_bytes) {
        ret->end = CVM_COMPILE_LIMIT;
        return 0;
    }
    CVM_GUARD(write_out(CVM_FD_CWASM, &code, err));
    ret->cwasm_bytes = code.len;
    if (spec->calls.n_exports + spec->calls.n_imports == 0)
        return 0; /* then nobody gave a descriptor for them */
    CVM_GUARD(write_out(CVM_FD_TEXTS, &texts, err));
    ret->texts_bytes = texts.len;
    return 0;
}

static int work(unsigned have, struct cvm_compile_result *ret, struct cvm_error *err)
{
    static struct spec spec;
    struct cvm_sandbox_enter walls = {
        .profile = CVM_SANDBOX_COMPILE, .root_bytes = 1 << 16, .root_inodes = 4};
    walls.have = have;
    CVM_GUARD(read_spec(&spec, err));
    walls.file_bytes = spec.max_cwasm_bytes > CVM_TEXTS_MAX ? spec.max_cwasm_bytes : CVM_TEXTS_MAX;
    CVM_GUARD(cvm_sandbox_enter(&walls, err));
    CVM_GUARD(cvm_sandbox_confine(&walls, err));
    return compile(&spec, ret, err);
}

int main(int argc, char **argv)
{
    struct cvm_error err = {0};
    struct cvm_compile_result result = {.magic = CVM_COMPILE_RESULT_MAGIC};
    unsigned have;
    if (cvm_sandbox_have(argc, argv, &have, &err) < 0) {
        (void)dprintf(CVM_FD_NULL, "2cvm-compile: %s\n", err.message);
        return 2;
    }
    if (work(have, &result, &err) < 0)
        result = (struct cvm_compile_result){.magic = CVM_COMPILE_RESULT_MAGIC,
                                             .end = CVM_COMPILE_INTERNAL,
                                             .internal = (uint32_t)err.code};
    _exit(write(CVM_FD_RESULT, &result, sizeof result) == sizeof result ? 0 : 1);
}
