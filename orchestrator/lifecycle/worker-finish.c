#include "orchestrator/lifecycle/collaboration.h"

#include "core/record/receipt.h"
#include "core/seal/jws.h"

#include <string.h>

/* For the host's own use the receipt is only read, not verified: participants do that. Its ids are
 * looked up in the manifest before any becomes a file name. */
json_t *cvm_receipt_outputs(struct cvm_collaboration *c, struct cvm_error *err)
{
    CVM_AUTO_FREE char *path = cvm_collaboration_path(c, "receipt.jws");
    CVM_AUTO_BUF struct cvm_buf bytes = {0};
    CVM_AUTO_JWS struct cvm_jws jws = {0};
    if (cvm_file_read(path, CVM_RECEIPT_MAX, &bytes, err) < 0 ||
        cvm_jws_parse(bytes.data, bytes.len, &jws, err) < 0)
        return NULL;
    CVM_AUTO_JSON json_t *payload = cvm_json_parse(jws.payload.data, jws.payload.len, err);
    json_t *list = json_array();
    size_t i;
    json_t *o;
    json_array_foreach(json_object_get(payload, "outputs"), i, o)
    {
        const char *id = json_string_value(json_object_get(o, "id"));
        const char *digest = json_string_value(json_object_get(o, "digest"));
        if (id && digest && cvm_manifest_output(&c->manifest, id) >= 0)
            json_array_append_new(list, json_pack("{s:s, s:s}", "id", id, "digest", digest));
    }
    return list;
}

static int store_outputs(struct cvm_collaboration *c, struct cvm_error *err)
{
    CVM_GUARD(cvm_agent_fetch_file(c, "receipt", NULL, "receipt.jws", err));
    CVM_GUARD(cvm_agent_fetch_file(c, "transcript", NULL, "transcript.jsonl", err));
    CVM_AUTO_JSON json_t *outputs = cvm_receipt_outputs(c, err);
    if (!outputs)
        return -1;
    size_t i;
    json_t *o;
    json_array_foreach(outputs, i, o)
    {
        const char *id = json_string_value(json_object_get(o, "id"));
        CVM_AUTO_FREE char *name = cvm_printf("outputs/%s.sealed", id);
        CVM_GUARD(cvm_agent_fetch_file(c, "output", id, name, err));
    }
    return 0;
}

/* The last evidence, and the transcript that it is about. */
static int store_evidence(struct cvm_collaboration *c, struct cvm_error *err)
{
    CVM_GUARD(cvm_agent_fetch_file(c, "close", NULL, "evidence.json", err));
    return cvm_agent_fetch_file(c, "transcript", NULL, "transcript.jsonl", err);
}

static int move(struct cvm_collaboration *c, enum cvm_host_state state, enum cvm_code reason,
                struct cvm_error *err)
{
    CVM_LOCKED(c);
    return c->state == state ? 0 : cvm_record_move(c, state, reason, err);
}

int cvm_finish(struct cvm_collaboration *c, struct cvm_error *err)
{
    bool completed = strcmp(c->result, "completed") == 0;
    CVM_GUARD(store_outputs(c, err));
    if (completed)
        CVM_GUARD(move(c, CVM_HOST_COMPLETED, CVM_OK, err));
    CVM_GUARD(store_evidence(c, err));
    CVM_AUTO_JSON json_t *wanted = NULL;
    CVM_GUARD(cvm_agent_sync(c, &wanted, err)); /* the final transcript head */
    return completed ? move(c, CVM_HOST_CLOSED, CVM_OK, err)
                     : move(c, CVM_HOST_FAILED, CVM_E_RUN_FAILED, err);
}

int cvm_finish_aborted(struct cvm_collaboration *c, struct cvm_error *err)
{
    CVM_AUTO_JSON json_t *request = json_pack("{s:s}", "op", "status");
    CVM_AUTO_JSON json_t *status = cvm_link_call(c->link, request, NULL, 60000, err);
    if (!status)
        return -1;
    const char *reason = json_string_value(json_object_get(status, "reason"));
    /* Either may be missing, when the session ended before a manifest was locked. */
    if (store_evidence(c, err) < 0 && cvm_link_broken(c->link))
        return -1;
    CVM_GUARD(cvm_agent_store_statement(c, err));
    enum cvm_code code = reason && *reason ? cvm_code_by_name(reason) : CVM_E_ABORTED;
    return move(c, CVM_HOST_ABORTED, code, err);
}
