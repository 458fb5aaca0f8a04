#include "guest-agent/agent/admission.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "guest-agent/agent/spec.h"
#include "guest-agent/agent/unpack.h"

struct cvm_admission {
    struct cvm_agent *agent;
    uint32_t item;
    struct cvm_process process;
    int component_fd, cwasm_fd, result_fd;
    uint64_t max_cwasm_bytes;
};

static void release(struct cvm_admission *ad)
{
    cvm_process_end(&ad->process);
    cvm_memory_file_end(&ad->component_fd);
    cvm_memory_file_end(&ad->cwasm_fd);
    cvm_memory_file_end(&ad->result_fd);
    free(ad);
}

static bool awaited(const struct cvm_agent *a, uint32_t item)
{
    return a->request.op && a->request.item == (int)item &&
           a->connection.state == CVM_CONNECTION_WORKING;
}

static void refuse(struct cvm_agent *a, const struct cvm_error *err)
{
    a->request.item = -1; /* answered */
    cvm_connection_refuse(&a->connection, err);
}

/* What the compiler says, believed as far as it can be checked; on success ad->cwasm_fd is sealed.
 */
static int judge(struct cvm_admission *ad, const char *id, struct cvm_error *err)
{
    const struct cvm_process *p = &ad->process;
    struct cvm_compile_result result;
    CVM_ENSURE(p->stop == CVM_STOP_NONE, err, CVM_E_COMPILE_LIMIT, "%s: the compiler used %s", id,
               p->stop == CVM_STOP_CPU ? "all its CPU time" : "all its time");
    if (cvm_spec_read_result(ad->result_fd, &result, sizeof result) < 0)
        return cvm_fail(err, CVM_E_COMPILE_LIMIT, "%s: the compiler ended without a result", id);
    CVM_GUARD(cvm_compile_result_read(&result, sizeof result, ad->max_cwasm_bytes, &result, err));
    CVM_GUARD(cvm_compile_result_refuse(&result, id, err));
    struct stat st;
    bool whole = fstat(ad->cwasm_fd, &st) == 0 && (uint64_t)st.st_size >= result.cwasm_bytes &&
                 result.cwasm_bytes > 0;
    CVM_ENSURE(whole, err, CVM_E_COMPILE_LIMIT, "%s: the compiler left no code", id);
    if (ftruncate(ad->cwasm_fd, (off_t)result.cwasm_bytes) < 0)
        return cvm_fail_errno(err, "compiled code can't be kept");
    return cvm_memory_file_seal(ad->cwasm_fd, err);
}

static void admitted(struct cvm_agent *a, struct cvm_admission *ad, bool answer)
{
    struct cvm_agent_item *item = &a->items[ad->item];
    struct stat st;
    if (fstat(ad->cwasm_fd, &st) == 0)
        item->length = (uint64_t)st.st_size;
    item->fd = CVM_TAKE_FD(ad->cwasm_fd);
    cvm_secret_free(&item->key);
    struct cvm_policy_request ask = {.kind = CVM_REQUEST_ITEM_ADMITTED, .item = ad->item};
    struct cvm_error err;
    if (cvm_agent_step(a, &ask, &err) < 0) { /* the session ended first: then nobody waits here */
        cvm_agent_log("an admission came too late", err.code);
        return;
    }
    if (answer) {
        a->request.item = -1;
        cvm_agent_answer_state(a);
    }
}

static void compiler_ended(struct cvm_process *p)
{
    struct cvm_admission *ad = p->owner;
    struct cvm_agent *a = ad->agent;
    struct cvm_error err;
    const char *id = a->manifest.components[ad->item].id;
    bool answer = awaited(a, ad->item);
    a->items[ad->item].admission = NULL;
    if (judge(ad, id, &err) == 0) {
        admitted(a, ad, answer);
    } else {
        cvm_transcript_refused(&a->transcript, err.code);
        cvm_agent_fault(a, err.code);
        if (answer)
            refuse(a, &err);
    }
    release(ad);
}

static int spawn(struct cvm_admission *ad, struct cvm_error *err)
{
    struct cvm_agent *a = ad->agent;
    const struct cvm_component *c = &a->manifest.components[ad->item];
    CVM_GUARD(cvm_unpack_program(&a->setup.compile_fd, err));
    int cwasm = cvm_memory_file("cwasm", err);
    CVM_GUARD(cwasm);
    ad->cwasm_fd = cwasm;
    CVM_AUTO_CLOSE int spec = cvm_spec_compiler(c, ad->max_cwasm_bytes, err);
    CVM_GUARD(spec);
    CVM_AUTO_CLOSE int null = cvm_spec_null(err);
    CVM_GUARD(null);
    CVM_AUTO_CLOSE int result = cvm_spec_result_pipe(&ad->result_fd, err);
    CVM_GUARD(result);
    const struct cvm_sandbox_fd fds[] = {
        {spec, CVM_FD_SPEC},          {result, CVM_FD_RESULT},
        {null, CVM_FD_NULL},          {ad->component_fd, CVM_FD_CODE},
        {ad->cwasm_fd, CVM_FD_CWASM},
    };
    uint64_t data =
        c->memory_bytes > CVM_COMPILE_DATA_BYTES ? c->memory_bytes : CVM_COMPILE_DATA_BYTES;
    struct cvm_sandbox_spawn how = {
        .program = a->setup.compile_fd,
        .name = "2cvm-compile",
        .have = a->protections,
        .fds = fds,
        .n_fds = sizeof fds / sizeof *fds,
        .data_bytes = data,
        .cpu_seconds = CVM_COMPILE_CPU_MS / 1000 + 2,
        .cgroup = -1,
        .proc = -1,
    };
    struct cvm_sandbox_child child;
    CVM_GUARD(cvm_sandbox_spawn(&how, &child, err));
    return cvm_process_watch(&ad->process, &a->loop, child.pid, child.pidfd, CVM_COMPILE_CPU_MS,
                             CVM_COMPILE_WALL_MS, err);
}

int cvm_admission_start(struct cvm_agent *a, uint32_t item, int *component_fd, uint64_t length,
                        struct cvm_error *err)
{
    struct cvm_admission *ad = cvm_alloc(sizeof *ad);
    *ad = (struct cvm_admission){
        .agent = a,
        .item = item,
        .process = {.ended = compiler_ended, .owner = ad},
        .component_fd = CVM_TAKE_FD(*component_fd),
        .cwasm_fd = -1,
        .result_fd = -1,
        .max_cwasm_bytes = CVM_CWASM_MIN + CVM_CWASM_FACTOR * length,
    };
    if (spawn(ad, err) < 0) {
        release(ad);
        return -1;
    }
    a->items[item].admission = ad;
    return 0;
}

void cvm_admission_end(struct cvm_agent *a, uint32_t item)
{
    struct cvm_admission *ad = a->items[item].admission;
    if (!ad)
        return;
    a->items[item].admission = NULL;
    struct cvm_error err;
    cvm_fail(&err, CVM_E_ABORTED, "the session ended while the component was compiled");
    if (awaited(a, item))
        refuse(a, &err);
    release(ad);
}
