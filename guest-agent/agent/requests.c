#include "guest-agent/agent/requests.h"

#include <string.h>

#include "guest-agent/agent/run.h"
#include "guest-agent/agent/session.h"

/* A control message with no member but "op" and, with a body, "bytes". */
static int plain(json_t *control, bool body, struct cvm_error *err)
{
    struct cvm_json_reader r;
    cvm_json_begin(&r, control, "request", err);
    cvm_json_string(&r, "op");
    if (body)
        cvm_json_int(&r, "bytes", 0, CVM_JSON_INT_MAX);
    return cvm_json_end(&r);
}

static int collect(struct cvm_agent *a, const uint8_t *data, size_t len, struct cvm_error *err)
{
    (void)err;
    cvm_buf_append(&a->request.body, data, len);
    return 0;
}

static void answer_copy(struct cvm_agent *a, const struct cvm_buf *bytes)
{
    CVM_AUTO_BUF struct cvm_buf copy = {0};
    cvm_buf_append(&copy, bytes->data, bytes->len);
    CVM_AUTO_JSON json_t *control = json_pack("{s:b, s:I}", "ok", 1, "bytes", (json_int_t)copy.len);
    cvm_connection_answer_bytes(&a->connection, control, &copy);
}

static int hello(struct cvm_agent *a, json_t *control, uint64_t bytes, struct cvm_error *err)
{
    (void)bytes;
    struct cvm_json_reader r;
    cvm_json_begin(&r, control, "hello", err);
    cvm_json_string(&r, "op");
    int64_t version = cvm_json_int(&r, "version", 0, CVM_JSON_INT_MAX);
    CVM_GUARD(cvm_json_end(&r));
    CVM_ENSURE(version == 1, err, CVM_E_UNSUPPORTED, "this agent speaks version 1");
    json_t *missing = json_array();
    for (int p = 0; p < CVM_PROTECTION_COUNT; p++)
        if (!(a->protections >> p & 1))
            json_array_append_new(missing,
                                  json_string(cvm_protection_word((enum cvm_protection)p)));
    CVM_AUTO_JSON json_t *answer =
        json_pack("{s:b, s:i, s:s, s:s, s:o, s:I}", "ok", 1, "version", 1, "platform",
                  a->setup.platform, "state", cvm_phase_word(a->state.phase), "protections",
                  missing, "memory_mib", (json_int_t)a->setup.memory_mib);
    cvm_connection_answer(&a->connection, answer);
    return 0;
}

static int lock_start(struct cvm_agent *a, json_t *control, uint64_t bytes, struct cvm_error *err)
{
    CVM_GUARD(cvm_agent_lock_check(a, control, bytes, err));
    a->request.lock = json_incref(control);
    return 0;
}

static int lock_end(struct cvm_agent *a, struct cvm_error *err)
{
    CVM_GUARD(cvm_agent_lock(a, a->request.lock, &a->request.body, err));
    char session[CVM_KID_TEXT];
    CVM_AUTO_JSON json_t *answer =
        json_pack("{s:b, s:s}", "ok", 1, "session", cvm_kid_text(&a->session.thumb, session));
    cvm_connection_answer(&a->connection, answer);
    return 0;
}

static int challenge(struct cvm_agent *a, json_t *control, uint64_t bytes, struct cvm_error *err)
{
    (void)bytes;
    struct cvm_json_reader r;
    cvm_json_begin(&r, control, "challenge", err);
    cvm_json_string(&r, "op");
    json_t *nonces = cvm_json_array(&r, "nonces", CVM_POLICY_NONCES);
    CVM_GUARD(cvm_json_end(&r));
    CVM_AUTO_BUF struct cvm_buf bundles = {0};
    CVM_AUTO_JSON json_t *answer = json_pack("{s:b, s:[]}", "ok", 1, "bundles");
    CVM_GUARD(cvm_agent_challenge(a, nonces, &bundles, json_object_get(answer, "bundles"), err));
    cvm_connection_answer_bytes(&a->connection, answer, &bundles);
    return 0;
}

static int run(struct cvm_agent *a, json_t *control, uint64_t bytes, struct cvm_error *err)
{
    (void)bytes;
    CVM_GUARD(plain(control, false, err));
    CVM_GUARD(cvm_agent_step(a, &(struct cvm_policy_request){.kind = CVM_REQUEST_RUN}, err));
    cvm_agent_answer_state(a);
    cvm_run_start(a);
    return 0;
}

static json_t *item_ids(const struct cvm_agent *a, bool wanted)
{
    json_t *ids = json_array();
    uint32_t n = cvm_manifest_items(&a->manifest);
    for (uint32_t i = 0; i < n; i++) {
        bool in = wanted ? cvm_policy_wants_item(&a->rules, &a->state, i) && !a->items[i].admission
                         : cvm_policy_is_admitted(&a->state, i);
        if (in)
            json_array_append_new(ids, json_string(cvm_manifest_item_at(&a->manifest, i).id));
    }
    return ids;
}

static int status(struct cvm_agent *a, json_t *control, uint64_t bytes, struct cvm_error *err)
{
    (void)bytes;
    static const char *const results[] = {"", "completed", "failed"};
    CVM_GUARD(plain(control, false, err));
    json_t *released = json_array();
    for (uint32_t p = 0; p < a->manifest.n_participants; p++)
        if (a->state.released >> p & 1)
            json_array_append_new(released, json_string(a->manifest.participants[p].id));
    char head[CVM_DIGEST_TEXT];
    CVM_AUTO_JSON json_t *answer = json_pack(
        "{s:b, s:s, s:s, s:s, s:{s:I, s:s}, s:o, s:o, s:o}", "ok", 1, "state",
        cvm_phase_word(a->state.phase), "result", results[a->state.result], "reason",
        a->state.reason ? cvm_code_info(a->state.reason)->name : "", "transcript", "n",
        (json_int_t)a->transcript.n, "head", cvm_digest_text(&a->transcript.head, head), "released",
        released, "wanted", item_ids(a, true), "admitted", item_ids(a, false));
    cvm_connection_answer(&a->connection, answer);
    return 0;
}

static int transcript(struct cvm_agent *a, json_t *control, uint64_t bytes, struct cvm_error *err)
{
    (void)bytes;
    CVM_GUARD(plain(control, false, err));
    CVM_ENSURE(a->transcript.n, err, CVM_E_WITHHELD, "no manifest is locked");
    answer_copy(a, &a->transcript.lines);
    return 0;
}

static int receipt(struct cvm_agent *a, json_t *control, uint64_t bytes, struct cvm_error *err)
{
    (void)bytes;
    CVM_GUARD(plain(control, false, err));
    CVM_ENSURE(a->receipt.len, err, CVM_E_WITHHELD, "the session is `%s`",
               cvm_phase_word(a->state.phase));
    answer_copy(a, &a->receipt);
    return 0;
}

static int statement(struct cvm_agent *a, json_t *control, uint64_t bytes, struct cvm_error *err)
{
    (void)bytes;
    CVM_GUARD(plain(control, false, err));
    CVM_ENSURE(a->statement.len, err, CVM_E_WITHHELD, "the session is `%s`",
               cvm_phase_word(a->state.phase));
    answer_copy(a, &a->statement);
    return 0;
}

static int output(struct cvm_agent *a, json_t *control, uint64_t bytes, struct cvm_error *err)
{
    (void)bytes;
    struct cvm_json_reader r;
    cvm_json_begin(&r, control, "output", err);
    cvm_json_string(&r, "op");
    const char *id = cvm_json_string(&r, "id");
    CVM_GUARD(cvm_json_end(&r));
    int i = cvm_manifest_output(&a->manifest, id);
    CVM_ENSURE(i >= 0, err, CVM_E_NOT_FOUND, "the manifest has no such output");
    bool released = a->state.phase == CVM_PHASE_RELEASING || a->state.phase == CVM_PHASE_CLOSED;
    CVM_ENSURE(released, err, CVM_E_WITHHELD, "the session is `%s`",
               cvm_phase_word(a->state.phase));
    struct cvm_agent_output *o = &a->outputs[i];
    CVM_ENSURE(o->fd >= 0, err, CVM_E_RUN_FAILED, "no output was released");
    CVM_AUTO_JSON json_t *answer = json_pack("{s:b, s:I}", "ok", 1, "bytes", (json_int_t)o->size);
    cvm_connection_answer_file(&a->connection, answer, o->fd, o->size);
    return 0;
}

static int close_session(struct cvm_agent *a, json_t *control, uint64_t bytes,
                         struct cvm_error *err)
{
    (void)bytes;
    CVM_GUARD(plain(control, false, err));
    bool over = a->state.phase == CVM_PHASE_CLOSED || a->state.phase == CVM_PHASE_ABORTED;
    if (!over)
        CVM_GUARD(cvm_agent_step(a, &(struct cvm_policy_request){.kind = CVM_REQUEST_CLOSE}, err));
    CVM_ENSURE(a->transcript.n, err, CVM_E_WITHHELD, "no manifest was locked");
    if (!a->last_evidence.len)
        CVM_GUARD(cvm_agent_last_evidence(a, err));
    answer_copy(a, &a->last_evidence);
    return 0;
}

static int leave(struct cvm_agent *a, json_t *control, uint64_t bytes, struct cvm_error *err)
{
    (void)bytes;
    CVM_GUARD(plain(control, false, err));
    bool over = a->state.phase == CVM_PHASE_CLOSED || a->state.phase == CVM_PHASE_ABORTED;
    CVM_ENSURE(over, err, CVM_E_WRONG_PHASE, "the session is `%s`", cvm_phase_word(a->state.phase));
    cvm_agent_answer_state(a);
    cvm_connection_finish(&a->connection);
    return 0;
}

static const struct cvm_agent_op ops[] = {
    {"hello", false, hello, NULL, NULL},
    {"lock", true, lock_start, collect, lock_end},
    {"challenge", false, challenge, NULL, NULL},
    {"act", true, cvm_act_start, collect, cvm_act_end},
    {"item", true, cvm_item_start, cvm_item_body, cvm_item_end},
    {"run", false, run, NULL, NULL},
    {"status", false, status, NULL, NULL},
    {"transcript", false, transcript, NULL, NULL},
    {"receipt", false, receipt, NULL, NULL},
    {"statement", false, statement, NULL, NULL},
    {"output", false, output, NULL, NULL},
    {"close", false, close_session, NULL, NULL},
    {"exit", false, leave, NULL, NULL},
};

void cvm_request_forget(struct cvm_agent *a)
{
    struct cvm_agent_request *q = &a->request;
    cvm_buf_free(&q->body);
    json_decref(q->lock);
    cvm_blob_opener_free(q->opener);
    cvm_memory_file_end(&q->fd);
    *q = (struct cvm_agent_request){.item = -1, .fd = -1};
}

static void refuse(struct cvm_agent *a, const struct cvm_error *err)
{
    cvm_request_forget(a);
    cvm_agent_refuse(a, err);
}

static const struct cvm_agent_op *find(const json_t *control)
{
    const char *name = json_string_value(json_object_get(control, "op"));
    for (size_t i = 0; name && i < sizeof ops / sizeof *ops; i++)
        if (!strcmp(ops[i].name, name))
            return &ops[i];
    return NULL;
}

static int start(struct cvm_agent *a, json_t *control, bool has_body, uint64_t bytes,
                 struct cvm_error *err)
{
    const struct cvm_agent_op *op = find(control);
    CVM_ENSURE(op, err, CVM_E_USAGE, "no such operation");
    CVM_ENSURE(op->has_body == has_body, err, CVM_E_USAGE, "`%s` has %s body", op->name,
               op->has_body ? "a" : "no");
    a->request.op = op;
    return op->start(a, control, bytes, err);
}

static void on_request(void *owner, json_t *control, bool has_body, uint64_t bytes)
{
    struct cvm_agent *a = owner;
    struct cvm_error err;
    cvm_request_forget(a);
    if (start(a, control, has_body, bytes, &err) < 0)
        refuse(a, &err);
}

/* The session may have ended while a body was under way: its request is gone then. */
static int check_open(const struct cvm_agent *a, struct cvm_error *err)
{
    CVM_ENSURE(a->request.op, err, CVM_E_ABORTED, "the session is `%s`",
               cvm_phase_word(a->state.phase));
    return 0;
}

static void on_body(void *owner, const uint8_t *data, size_t len)
{
    struct cvm_agent *a = owner;
    struct cvm_error err;
    if (check_open(a, &err) < 0 || a->request.op->body(a, data, len, &err) < 0)
        refuse(a, &err);
}

static void on_body_end(void *owner)
{
    struct cvm_agent *a = owner;
    struct cvm_error err;
    if (check_open(a, &err) < 0 || a->request.op->end(a, &err) < 0)
        refuse(a, &err);
    else if (a->connection.state != CVM_CONNECTION_WORKING)
        cvm_request_forget(a);
}

static void on_lost(void *owner, const struct cvm_error *why)
{
    if (why->code != CVM_E_CONNECTION) /* an end like any other; the host may make many */
        cvm_agent_log("connection ended", why->code);
    cvm_request_forget(owner);
}

static void on_connected(void *owner)
{
    struct cvm_agent *a = owner;
    CVM_AUTO_JSON json_t *event = json_pack("{s:s}", "event", "ready");
    cvm_connection_event(&a->connection, event);
}

const struct cvm_connection_calls cvm_request_calls = {
    .request = on_request,
    .body = on_body,
    .body_end = on_body_end,
    .lost = on_lost,
    .connected = on_connected,
};
