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
                   CVM_COMPILE_MEMORY == (int)CVM_ENGINE_MEMORY,
               "ends of the engine are ends of the record");

_Static_assert(CVM_ENGINE_GRANT_CLI == 1 << CVM_GRANT_CLI &&
                   CVM_ENGINE_GRANT_FILESYSTEM == 1 << CVM_GRANT_FILESYSTEM &&
                   CVM_ENGINE_CLOCK_FIXED == (int)CVM_CLOCK_FIXED &&
                   CVM_ENGINE_CLOCK_HOST == (int)CVM_CLOCK_HOST &&
                   CVM_ENGINE_RANDOM_SEEDED == (int)CVM_RANDOM_SEEDED &&
                   CVM_ENGINE_RANDOM_REAL == (int)CVM_RANDOM_REAL &&
                   CVM_ENGINE_KIND_COMMAND == (int)CVM_COMPONENT_KIND_COMMAND &&
                   CVM_ENGINE_KIND_LIBRARY == (int)CVM_COMPONENT_KIND_LIBRARY,
               "the engine's numbers are the manifest's");

struct spec {
    struct cvm_engine_options options;
    uint64_t max_cwasm_bytes;
};

static int read_spec(struct spec *ret, struct cvm_error *err)
{
    CVM_AUTO_JSON json_t *json = cvm_spec_load(CVM_FD_SPEC, err);
    if (!json)
        return -1;
    struct cvm_json_reader r;
    cvm_json_begin(&r, json, "spec", err);
    struct cvm_spec_component c = {0};
    cvm_spec_component(&r, &c);
    ret->options = (struct cvm_engine_options){
        .grants = c.grants, .clock = c.clock, .random = c.random, .memory_bytes = c.memory_bytes};
    ret->options.count_fuel = (uint32_t)cvm_json_int(&r, "fuel", 0, 1);
    ret->options.kind =
        cvm_spec_word(&r, "kind", cvm_component_kind_by_word(cvm_json_string(&r, "kind")));
    ret->max_cwasm_bytes = (uint64_t)cvm_json_int(&r, "max_cwasm_bytes", 1, CVM_JSON_INT_MAX);
    return cvm_json_end(&r);
}

static int write_code(const uint8_t *code, size_t len, struct cvm_error *err)
{
    if (ftruncate(CVM_FD_CWASM, (off_t)len) < 0)
        return cvm_fail_errno(err, "the code");
    for (size_t at = 0; at < len;) {
        ssize_t n = pwrite(CVM_FD_CWASM, code + at, len - at, (off_t)at);
        if (n <= 0)
            return cvm_fail_errno(err, "the code");
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
    uint8_t *code = NULL;
    size_t code_len = 0;
    cvm_engine_compile(&spec->options, component, len, &admission, &code, &code_len);
    ret->end = admission.end;
    ret->function = admission.function;
    ret->memory_bytes = admission.memory_bytes;
    if (admission.end != CVM_ENGINE_ADMITTED)
        return 0;
    if (code_len > spec->max_cwasm_bytes) {
        ret->end = CVM_COMPILE_LIMIT;
        return 0;
    }
    CVM_GUARD(write_code(code, code_len, err));
    ret->cwasm_bytes = code_len;
    return 0;
}

static int work(unsigned have, struct cvm_compile_result *ret, struct cvm_error *err)
{
    struct spec spec = {0};
    struct cvm_sandbox_enter walls = {
        .profile = CVM_SANDBOX_COMPILE, .root_bytes = 1 << 16, .root_inodes = 4};
    walls.have = have;
    CVM_GUARD(read_spec(&spec, err));
    walls.file_bytes = spec.max_cwasm_bytes;
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
