#include "guest-agent/agent/admission.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "guest-agent/agent/spec.h"

struct cvm_admission {
    struct cvm_agent *agent;
    uint32_t item;
    struct cvm_process process;
    int component_fd, cwasm_fd, texts_fd, result_fd;
    struct cvm_interfaces interfaces;
    uint64_t max_cwasm_bytes;
};

static void release(struct cvm_admission *ad)
{
    cvm_process_end(&ad->process);
    cvm_memory_file_end(&ad->component_fd);
    cvm_memory_file_end(&ad->cwasm_fd);
    cvm_memory_file_end(&ad->texts_fd);
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

static bool has_interfaces(const struct cvm_admission *ad)
{
    return ad->interfaces.n_exports + ad->interfaces.n_imports > 0;
}

static int read_texts(struct cvm_admission *ad, uint64_t len, struct cvm_buf *ret,
                      struct cvm_error *err)
{
    CVM_ENSURE(len <= CVM_TEXTS_MAX, err, CVM_E_COMPILE_LIMIT, "the text is too long");
    ssize_t n = pread(ad->texts_fd, cvm_buf_extend(ret, len), len, 0);
    CVM_ENSURE(n == (ssize_t)len, err, CVM_E_COMPILE_LIMIT, "the compiler left no text");
    return 0;
}

static json_t *parse_texts(const struct cvm_agent *a, uint32_t component,
                           const struct cvm_buf *text, struct cvm_error *err)
{
    struct cvm_interfaces wanted;
    cvm_interfaces_of(&a->manifest, component, &wanted);
    return cvm_texts_parse(text->data, text->len, &wanted, err);
}

/* One channel whose other end is admitted, too. */
static int compare(struct cvm_agent *a, uint32_t channel, uint32_t component, const json_t *texts,
                   struct cvm_error *err)
{
    const struct cvm_channel *c = &a->manifest.channels[channel];
    bool calls = c->from_component == (int)component;
    uint32_t other = (uint32_t)(calls ? c->to_component : c->from_component);
    if (!cvm_policy_is_admitted(&a->state, other))
        return 0;
    CVM_AUTO_JSON json_t *its = parse_texts(a, other, &a->items[other].texts, err);
    if (!its)
        return -1;
    return cvm_texts_compare(&a->manifest, channel, calls ? texts : its, calls ? its : texts,
                             &a->types[channel], err);
}

/* The text of the call interfaces is one, and fits those of the components that are there; the last
 * end of a channel to come finds the other. */
static int judge_texts(struct cvm_admission *ad, uint64_t len, struct cvm_error *err)
{
    struct cvm_agent *a = ad->agent;
    if (!has_interfaces(ad))
        return 0;
    CVM_AUTO_BUF struct cvm_buf text = {0};
    CVM_GUARD(read_texts(ad, len, &text, err));
    CVM_AUTO_JSON json_t *texts = parse_texts(a, ad->item, &text, err);
    if (!texts)
        return -1;
    for (uint32_t k = 0; k < a->manifest.n_channels; k++) {
        const struct cvm_channel *c = &a->manifest.channels[k];
        if (c->kind == CVM_CHANNEL_KIND_CALL &&
            (c->from_component == (int)ad->item || c->to_component == (int)ad->item))
            CVM_GUARD(compare(a, k, ad->item, texts, err));
    }
    a->items[ad->item].texts = text;
    text = (struct cvm_buf){0};
    return 0;
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
    CVM_GUARD(judge_texts(ad, result.texts_bytes, err));
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

/* Bounded beforehand, so that the compiler can't fill memory with it. */
static int texts_file(struct cvm_error *err)
{
    CVM_AUTO_CLOSE int fd = cvm_memory_file("texts", err);
    CVM_GUARD(fd);
    if (ftruncate(fd, CVM_TEXTS_MAX) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) < 0)
        return cvm_fail_errno(err, "a text can't be bounded");
    return CVM_TAKE_FD(fd);
}

static int spawn(struct cvm_admission *ad, struct cvm_error *err)
{
    struct cvm_agent *a = ad->agent;
    const struct cvm_component *c = &a->manifest.components[ad->item];
    int cwasm = cvm_memory_file("cwasm", err);
    CVM_GUARD(cwasm);
    ad->cwasm_fd = cwasm;
    if (has_interfaces(ad)) {
        ad->texts_fd = texts_file(err);
        CVM_GUARD(ad->texts_fd);
    }
    CVM_AUTO_CLOSE int spec = cvm_spec_compiler(c, &ad->interfaces, ad->max_cwasm_bytes, err);
    CVM_GUARD(spec);
    CVM_AUTO_CLOSE int null = cvm_spec_null(err);
    CVM_GUARD(null);
    CVM_AUTO_CLOSE int result = cvm_spec_result_pipe(&ad->result_fd, err);
    CVM_GUARD(result);
    const struct cvm_sandbox_fd fds[] = {
        {spec, CVM_FD_SPEC},          {result, CVM_FD_RESULT},
        {null, CVM_FD_NULL},          {ad->component_fd, CVM_FD_CODE},
        {ad->cwasm_fd, CVM_FD_CWASM}, {ad->texts_fd, CVM_FD_TEXTS},
    };
    uint64_t data =
        c->memory_bytes > CVM_COMPILE_DATA_BYTES ? c->memory_bytes : CVM_COMPILE_DATA_BYTES;
    struct cvm_sandbox_spawn how = {
        .program = a->setup.compile_fd,
        .name = "2cvm-compile",
        .have = a->protections,
        .fds = fds,
        .n_fds = sizeof fds / sizeof *fds - !has_interfaces(ad),
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
        .texts_fd = -1,
        .result_fd = -1,
        .max_cwasm_bytes = CVM_CWASM_MIN + CVM_CWASM_FACTOR * length,
    };
    cvm_interfaces_of(&a->manifest, item, &ad->interfaces);
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
