/*
 * 2cvm-cell: runs one component in a process of its own, behind walls of its own. The exit status
 * is always 0 once a record is written; the record says how it went. No participant's code runs
 * before cvm_sandbox_seal().
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "guest-agent/cell/cell.h"

_Static_assert(CVM_CELL_EXIT == (int)CVM_ENGINE_EXIT && CVM_CELL_TRAP == (int)CVM_ENGINE_TRAP &&
                   CVM_CELL_MEMORY == (int)CVM_ENGINE_NO_MEMORY &&
                   CVM_CELL_FUEL == (int)CVM_ENGINE_NO_FUEL &&
                   CVM_CELL_CALL == (int)CVM_ENGINE_CALL,
               "ends of the engine are ends of the record");

static int loaded(void *walls)
{
    return cvm_sandbox_seal(walls, NULL);
}

static void set_stdout(const struct cvm_cell_spec *spec, struct cvm_engine_sink *ret)
{
    *ret = (struct cvm_engine_sink){.fd = -1};
    for (size_t i = 0; i < spec->n_outputs; i++)
        if (!strcmp(spec->outputs[i].path, CVM_CELL_STDOUT))
            *ret = (struct cvm_engine_sink){.fd = spec->outputs[i].fd,
                                            .max = spec->outputs[i].max_bytes};
    if (spec->stdout_fd >= 0)
        *ret = (struct cvm_engine_sink){.fd = spec->stdout_fd, .pipe = 1};
}

static int run(const struct cvm_cell_spec *spec, const struct cvm_cell_calls *calls,
               struct cvm_sandbox_enter *walls, struct cvm_cell_result *ret, struct cvm_error *err)
{
    struct stat st;
    if (fstat(CVM_FD_CODE, &st) < 0 || st.st_size == 0)
        return cvm_fail_errno(err, "the code");
    size_t len = (size_t)st.st_size;
    const uint8_t *code = mmap(NULL, len, PROT_READ, MAP_PRIVATE, CVM_FD_CODE, 0);
    if (code == MAP_FAILED)
        return cvm_fail_errno(err, "the code");
    struct cvm_engine_run how = {
        .options = spec->options,
        .fuel = spec->fuel,
        .args = spec->args,
        .n_args = spec->n_args,
        .in = "/in",
        .out = "/out",
        .err_sink = {.fd = -1},
        .in_fd = spec->stdin_fd,
        .calls = &calls->engine,
        .loaded = loaded,
        .context = walls,
    };
    memcpy(how.seed, spec->seed, sizeof how.seed);
    set_stdout(spec, &how.out_sink);
    struct cvm_engine_result r;
    cvm_engine_run(code, len, &how, &r);
    if (r.end == CVM_ENGINE_UNUSABLE || r.end == CVM_ENGINE_STOPPED)
        return cvm_fail(err, r.end == CVM_ENGINE_STOPPED ? CVM_E_SANDBOX : CVM_E_COMPONENT_INVALID,
                        "the code cannot be loaded");
    ret->end = r.end;
    ret->exit_code = r.exit_code;
    ret->fuel = r.fuel;
    ret->memory_bytes = r.memory_bytes;
    ret->stdout_bytes = r.stdout_bytes;
    ret->stderr_bytes = r.stderr_bytes;
    return cvm_cell_files_collect(spec, r.stdout_bytes, ret, err);
}

static int work(unsigned have, struct cvm_cell_spec *spec, struct cvm_cell_result *ret,
                struct cvm_error *err)
{
    struct cvm_sandbox_enter walls = {.profile = CVM_SANDBOX_CELL};
    walls.have = have;
    static struct cvm_cell_calls calls;
    CVM_GUARD(cvm_cell_spec_read(spec, err));
    CVM_GUARD(cvm_cell_calls_open(spec, &calls, err));
    ret->n_outputs = (uint32_t)spec->n_outputs;
    CVM_GUARD(cvm_cell_files_size(spec, &walls, err));
    CVM_GUARD(cvm_sandbox_enter(&walls, err));
    CVM_GUARD(cvm_cell_files_fill(spec, err));
    CVM_GUARD(cvm_sandbox_confine(&walls, err));
    return run(spec, &calls, &walls, ret, err);
}

int main(int argc, char **argv)
{
    static struct cvm_cell_spec spec;
    static struct cvm_cell_result result = {.magic = CVM_CELL_RESULT_MAGIC};
    struct cvm_error err = {0};
    unsigned have;
    if (cvm_sandbox_have(argc, argv, &have, &err) < 0) {
        (void)dprintf(CVM_FD_NULL, "2cvm-cell: %s\n", err.message);
        return 2;
    }
    if (work(have, &spec, &result, &err) < 0)
        result = (struct cvm_cell_result){.magic = CVM_CELL_RESULT_MAGIC,
                                          .end = CVM_CELL_INTERNAL,
                                          .internal = (uint32_t)err.code,
                                          .n_outputs = result.n_outputs};
    _exit(write(CVM_FD_RESULT, &result, sizeof result) == sizeof result ? 0 : 1);
}
