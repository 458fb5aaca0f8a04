#include "guest-agent/sandbox/results.h"

#include <string.h>

#include "core/base/memory.h"

static const char *const functions[] = {
#define X(interface, function, grant) interface "#" function,
#include "guest-agent/engine/wasi-functions.def"
#undef X
};
#define FUNCTIONS (sizeof functions / sizeof functions[0])

const char *cvm_wasi_function_text(uint32_t row)
{
    return row < FUNCTIONS ? functions[row] : "a function outside WASI 0.2";
}

static bool known_code(uint32_t code)
{
    for (size_t i = 0; i < cvm_code_count(); i++)
        if ((uint32_t)cvm_code_at(i)->code == code)
            return true;
    return false;
}

/* A member that only one end of the run fills must be 0 at every other end: a record has one
 * spelling. */
#define ONLY_AT(field, is)                                                                         \
    CVM_ENSURE((is) || !(field), err, CVM_E_CELL_FAILED, "its result: " #field)

static bool is_call(uint32_t end)
{
    return end >= CVM_COMPILE_CALL_RESOURCE && end <= CVM_COMPILE_CALL_TYPE;
}

int cvm_compile_result_read(const void *data, size_t len, uint64_t max_cwasm_bytes,
                            struct cvm_compile_result *ret, struct cvm_error *err)
{
    struct cvm_compile_result r;
    CVM_ENSURE(len == sizeof r, err, CVM_E_CELL_FAILED, "its result is %zu bytes", len);
    memcpy(&r, data, sizeof r);
    CVM_ENSURE(r.magic == CVM_COMPILE_RESULT_MAGIC && r.end < CVM_COMPILE_END_COUNT, err,
               CVM_E_CELL_FAILED, "its result is of no known form");
    ONLY_AT(r.function, r.end == CVM_COMPILE_IMPORT || is_call(r.end));
    ONLY_AT(r.side, is_call(r.end));
    ONLY_AT(r.interface, is_call(r.end));
    ONLY_AT(r.internal, r.end == CVM_COMPILE_INTERNAL);
    ONLY_AT(r.cwasm_bytes, r.end == CVM_COMPILE_OK);
    ONLY_AT(r.texts_bytes, r.end == CVM_COMPILE_OK);
    CVM_ENSURE(is_call(r.end) || r.function < FUNCTIONS || r.function == CVM_WASI_FUNCTION_UNKNOWN,
               err, CVM_E_CELL_FAILED, "its result names no function of the table");
    CVM_ENSURE(r.side <= 1 && r.interface < CVM_CELL_CALLS_MAX, err, CVM_E_CELL_FAILED,
               "its result names no interface");
    CVM_ENSURE(r.end != CVM_COMPILE_INTERNAL || known_code(r.internal), err, CVM_E_CELL_FAILED,
               "its result has an unknown code");
    CVM_ENSURE(r.cwasm_bytes <= max_cwasm_bytes && (r.end != CVM_COMPILE_OK || r.cwasm_bytes), err,
               CVM_E_CELL_FAILED, "its result claims a length out of range");
    CVM_ENSURE(r.texts_bytes <= CVM_TEXTS_MAX, err, CVM_E_CELL_FAILED,
               "its result claims a length out of range");
    *ret = r;
    return 0;
}

int cvm_cell_result_read(const void *data, size_t len, const uint64_t *max_output_bytes,
                         size_t n_outputs, struct cvm_cell_result *ret, struct cvm_error *err)
{
    struct cvm_cell_result r;
    CVM_ENSURE(len == sizeof r, err, CVM_E_CELL_FAILED, "its result is %zu bytes", len);
    memcpy(&r, data, sizeof r);
    CVM_ENSURE(r.magic == CVM_CELL_RESULT_MAGIC && r.end < CVM_CELL_END_COUNT && r.zero == 0, err,
               CVM_E_CELL_FAILED, "its result is of no known form");
    CVM_ENSURE((r.end == CVM_CELL_EXIT) == (r.exit_code != 0) && r.exit_code <= 255, err,
               CVM_E_CELL_FAILED, "its result: exit_code");
    ONLY_AT(r.which, r.end == CVM_CELL_OUTPUT);
    ONLY_AT(r.too_large, r.end == CVM_CELL_OUTPUT);
    ONLY_AT(r.internal, r.end == CVM_CELL_INTERNAL);
    CVM_ENSURE(r.too_large <= 1, err, CVM_E_CELL_FAILED, "its result: too_large");
    CVM_ENSURE(r.end != CVM_CELL_OUTPUT || r.which < n_outputs, err, CVM_E_CELL_FAILED,
               "its result names no output");
    CVM_ENSURE(r.end != CVM_CELL_INTERNAL || known_code(r.internal), err, CVM_E_CELL_FAILED,
               "its result has an unknown code");
    CVM_ENSURE(r.n_outputs == n_outputs && n_outputs <= CVM_CELL_CHANNELS_MAX, err,
               CVM_E_CELL_FAILED, "its result has %u outputs", r.n_outputs);
    CVM_ENSURE(r.fuel <= CVM_CELL_COUNT_MAX && r.memory_bytes <= CVM_CELL_COUNT_MAX &&
                   r.stdout_bytes <= CVM_CELL_COUNT_MAX && r.stderr_bytes <= CVM_CELL_COUNT_MAX,
               err, CVM_E_CELL_FAILED, "its result counts what can't be");
    for (size_t i = 0; i < CVM_CELL_CHANNELS_MAX; i++)
        CVM_ENSURE(r.output_bytes[i] <= (i < n_outputs ? max_output_bytes[i] : 0), err,
                   CVM_E_CELL_FAILED, "its result claims a length out of range");
    *ret = r;
    return 0;
}

/* By numbers alone: the names of the functions are the component's words. */
static int refuse_call(const struct cvm_compile_result *r, enum cvm_code code,
                       const char *component, struct cvm_error *err)
{
    return cvm_fail(err, code, "component %s, %s %u of its call interfaces, function %u", component,
                    r->side ? "import" : "export", r->interface, r->function);
}

int cvm_compile_result_refuse(const struct cvm_compile_result *result, const char *component,
                              struct cvm_error *err)
{
    switch ((enum cvm_compile_end)result->end) {
    case CVM_COMPILE_OK:
        return 0;
    case CVM_COMPILE_INVALID:
        return cvm_fail(err, CVM_E_COMPONENT_INVALID, "component %s", component);
    case CVM_COMPILE_IMPORT:
        return cvm_fail_expected(err, CVM_E_COMPONENT_IMPORT, "only functions of its grants",
                                 cvm_wasi_function_text(result->function),
                                 "component %s imports %s", component,
                                 cvm_wasi_function_text(result->function));
    case CVM_COMPILE_FEATURE:
        return cvm_fail_expected(err, CVM_E_COMPONENT_FEATURE,
                                 "WebAssembly 2.0 in a component of WASI 0.2",
                                 "a shared or 64-bit memory, several memories in a module, "
                                 "threads, asynchronous functions or another later feature",
                                 "component %s", component);
    case CVM_COMPILE_EXPORT:
        return cvm_fail(err, CVM_E_COMPONENT_EXPORT, "component %s", component);
    case CVM_COMPILE_MEMORY:
        return cvm_fail(err, CVM_E_COMPONENT_MEMORY, "component %s starts with %llu bytes",
                        component, (unsigned long long)result->memory_bytes);
    case CVM_COMPILE_CALL_RESOURCE:
        return refuse_call(result, CVM_E_CALL_RESOURCE, component, err);
    case CVM_COMPILE_CALL_STREAM:
        return refuse_call(result, CVM_E_CALL_STREAM, component, err);
    case CVM_COMPILE_CALL_FUTURE:
        return refuse_call(result, CVM_E_CALL_FUTURE, component, err);
    case CVM_COMPILE_CALL_ERROR_CONTEXT:
        return refuse_call(result, CVM_E_CALL_ERROR_CONTEXT, component, err);
    case CVM_COMPILE_CALL_PARAMETERS:
        return refuse_call(result, CVM_E_CALL_PARAMETERS, component, err);
    case CVM_COMPILE_CALL_IMPORT:
        return refuse_call(result, CVM_E_CALL_IMPORT, component, err);
    case CVM_COMPILE_CALL_EXPORT:
        return refuse_call(result, CVM_E_CALL_EXPORT, component, err);
    case CVM_COMPILE_CALL_TYPE:
        return refuse_call(result, CVM_E_CALL_TYPE, component, err);
    case CVM_COMPILE_LIMIT:
        return cvm_fail(err, CVM_E_COMPILE_LIMIT, "component %s", component);
    case CVM_COMPILE_INTERNAL:
    case CVM_COMPILE_END_COUNT:
        break;
    }
    return cvm_fail(err, CVM_E_INTERNAL, "the compiler of component %s failed (%s)", component,
                    cvm_code_info((enum cvm_code)result->internal)->name);
}

const char *cvm_cell_end_word(uint32_t end)
{
    static const char *const words[CVM_CELL_END_COUNT] = {
        [CVM_CELL_OK] = "ok",         [CVM_CELL_EXIT] = "exit",       [CVM_CELL_TRAP] = "trap",
        [CVM_CELL_MEMORY] = "memory", [CVM_CELL_FUEL] = "fuel",       [CVM_CELL_CALL] = "call",
        [CVM_CELL_OUTPUT] = "output", [CVM_CELL_INTERNAL] = "signal",
    };
    return end < CVM_CELL_END_COUNT ? words[end] : "signal";
}
