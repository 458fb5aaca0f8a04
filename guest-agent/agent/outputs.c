#include "guest-agent/agent/outputs.h"

#include <string.h>

#include "core/seal/output.h"
#include "guest-agent/agent/run.h"

static int seal_one(struct cvm_agent *a, uint32_t i, int in_fd, uint64_t length,
                    struct cvm_error *err)
{
    const struct cvm_manifest *m = &a->manifest;
    const struct cvm_output *o = &m->outputs[i];
    struct cvm_public_key recipients[CVM_PARTICIPANTS_MAX];
    size_t n = 0;
    for (uint32_t p = 0; p < m->n_participants; p++)
        if (o->recipients >> p & 1)
            recipients[n++] = m->participants[p].seal;
    struct cvm_output_binding binding = {
        .manifest = m->digest, .session = a->session.thumb, .output = o->id};
    CVM_AUTO_CLOSE int out = cvm_memory_file("output", err);
    CVM_GUARD(out);
    if (lseek(in_fd, 0, SEEK_SET) < 0)
        return cvm_fail_errno(err, "an output can't be read");
    struct cvm_agent_output sealed;
    CVM_GUARD(cvm_output_seal(&binding, recipients, n, o->padding, o->max_bytes, in_fd, length, out,
                              &sealed.digest, &sealed.size, err));
    CVM_GUARD(cvm_memory_file_seal(out, err));
    sealed.fd = CVM_TAKE_FD(out);
    a->outputs[i] = sealed;
    return 0;
}

static json_t *diagnose(const struct cvm_manifest *m, const struct cvm_agent *a, uint32_t c)
{
    const struct cvm_cell_report *r = cvm_run_report(a, c);
    return json_pack("{s:I, s:I, s:I, s:s, s:s, s:I, s:I, s:I, s:I, s:s}", "cpu_ms",
                     (json_int_t)r->cpu_ms, "exit", (json_int_t)r->exit, "fuel",
                     (json_int_t)r->fuel, "id", m->components[c].id, "limit", r->limit,
                     "memory_bytes", (json_int_t)r->memory_bytes, "stderr_bytes",
                     (json_int_t)r->stderr_bytes, "stdout_bytes", (json_int_t)r->stdout_bytes,
                     "wall_ms", (json_int_t)r->wall_ms, "why", r->why);
}

/* Fewer entries where the output is too small for all: first those that say little. */
static bool shorten(json_t *list)
{
    size_t n = json_array_size(list);
    for (size_t i = n; i-- > 0;) {
        const char *why = json_string_value(json_object_get(json_array_get(list, i), "why"));
        if (!strcmp(why, "ok") || !strcmp(why, "not-run"))
            return json_array_remove(list, i) == 0;
    }
    return n && json_array_remove(list, n - 1) == 0;
}

static int seal_diagnostics(struct cvm_agent *a, uint32_t i, struct cvm_error *err)
{
    const struct cvm_manifest *m = &a->manifest;
    CVM_AUTO_JSON json_t *report = json_pack("{s:[], s:i}", "components", "version", 1);
    json_t *list = json_object_get(report, "components");
    for (uint32_t c = 0; c < m->n_components; c++)
        json_array_append_new(list, diagnose(m, a, c));
    CVM_AUTO_BUF struct cvm_buf text = {0};
    CVM_GUARD(cvm_json_write(report, &text, err));
    while (text.len > m->outputs[i].max_bytes && shorten(list)) {
        cvm_buf_free(&text);
        CVM_GUARD(cvm_json_write(report, &text, err));
    }
    CVM_AUTO_CLOSE int fd = cvm_memory_file("diagnostics", err);
    CVM_GUARD(fd);
    if (write(fd, text.data, text.len) != (ssize_t)text.len)
        return cvm_fail_errno(err, "the diagnostics can't be written");
    return seal_one(a, i, fd, text.len, err);
}

static int seal_all(struct cvm_agent *a, bool completed, struct cvm_error *err)
{
    for (uint32_t i = 0; i < a->manifest.n_outputs; i++) {
        const struct cvm_output *o = &a->manifest.outputs[i];
        if (o->diagnostics) {
            CVM_GUARD(seal_diagnostics(a, i, err));
            continue;
        }
        if (!completed)
            continue;
        uint64_t length;
        int fd = cvm_run_channel(a, (uint32_t)o->channel, &length);
        CVM_GUARD(seal_one(a, i, fd, length, err));
    }
    return 0;
}

static void drop_outputs(struct cvm_agent *a)
{
    for (size_t i = 0; i < CVM_OUTPUTS_MAX; i++)
        cvm_memory_file_end(&a->outputs[i].fd);
}

static int make_receipt(struct cvm_agent *a, struct cvm_error *err)
{
    struct cvm_receipt r = {
        .completed = a->state.result == CVM_RESULT_COMPLETED,
        .released = a->state.released,
        .transcript_n = a->transcript.n,
        .transcript_head = a->transcript.head,
    };
    for (uint32_t i = 0; i < a->manifest.n_components; i++)
        r.ok[i] = a->state.ended_ok >> i & 1;
    for (uint32_t i = 0; i < a->manifest.n_outputs; i++)
        r.outputs[i] = (struct cvm_receipt_output){.present = a->outputs[i].fd >= 0,
                                                   .digest = a->outputs[i].digest};
    CVM_GUARD(cvm_receipt_make(&a->manifest, &r, &a->session.sign, &a->receipt, err));
    a->receipt_payload = r.payload;
    return 0;
}

/* Everything is sealed before the move, so that nothing can fail after it but the receipt; without
 * a receipt nothing is handed over. */
static void release(struct cvm_agent *a, bool completed, const struct cvm_policy_request *move)
{
    struct cvm_error err;
    if (seal_all(a, completed, &err) < 0 || cvm_agent_would(a, move, &err) < 0) {
        drop_outputs(a);
        cvm_agent_fault(a, err.code);
        return;
    }
    if (cvm_agent_step(a, move, &err) < 0 || make_receipt(a, &err) < 0) {
        cvm_agent_log("nothing is handed over", err.code);
        drop_outputs(a);
    }
    cvm_run_end(a);
    cvm_agent_forget_content(a);
}

void cvm_outputs_release_when_due(struct cvm_agent *a)
{
    if (a->state.phase != CVM_PHASE_WAITING || !cvm_policy_conditions_hold(&a->rules, &a->state))
        return;
    struct cvm_policy_request move = {.kind = CVM_REQUEST_RELEASE_OUTPUTS};
    release(a, true, &move);
}

void cvm_outputs_release_failed(struct cvm_agent *a, uint32_t component)
{
    struct cvm_policy_request move = {
        .kind = CVM_REQUEST_COMPONENT_ENDED, .component = component, .ok = false};
    release(a, false, &move);
}
