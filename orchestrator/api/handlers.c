/* What each route does. Everything that a parameter names is looked up in the manifest first. */
#include "orchestrator/api/api.h"

#include "core/manifest/commitment.h"

#include <stdlib.h>
#include <string.h>

int cvm_handle_health(struct cvm_request *q, struct cvm_error *err)
{
    (void)err;
    return cvm_reply_json(q, MHD_HTTP_OK, json_incref(q->api->health));
}

int cvm_handle_openapi(struct cvm_request *q, struct cvm_error *err)
{
    (void)err;
    return cvm_reply_bytes(q, MHD_HTTP_OK, "application/openapi+json", cvm_openapi,
                           (size_t)(cvm_openapi_end - cvm_openapi));
}

int cvm_handle_create(struct cvm_request *q, struct cvm_error *err)
{
    /* Read here to learn whose signature it must be; create() judges it. */
    CVM_AUTO_FREE struct cvm_manifest *m = cvm_alloc(sizeof *m);
    CVM_GUARD(cvm_manifest_parse(q->body.data, q->body.len, m, err));
    int rc = cvm_request_authorise_creator(q, m, err);
    cvm_manifest_free(m);
    CVM_GUARD(rc);
    struct cvm_collaboration *c;
    rc = cvm_lifecycle_create(q->api->lifecycle, q->body.data, q->body.len, &c, err);
    CVM_GUARD(rc);
    const struct cvm_manifest *stored = cvm_collaboration_manifest(c);
    char digest[CVM_DIGEST_TEXT];
    return cvm_reply_json(q, rc == 1 ? MHD_HTTP_CREATED : MHD_HTTP_OK,
                          json_pack("{s:s, s:s, s:s}", "collaboration", stored->collaboration,
                                    "manifest", cvm_digest_text(&stored->digest, digest), "state",
                                    cvm_collaboration_state(c)));
}

int cvm_handle_list(struct cvm_request *q, struct cvm_error *err)
{
    (void)err;
    return cvm_reply_json(q, MHD_HTTP_OK, cvm_lifecycle_list(q->api->lifecycle));
}

int cvm_handle_status(struct cvm_request *q, struct cvm_error *err)
{
    (void)err;
    return cvm_reply_json(q, MHD_HTTP_OK, cvm_collaboration_status(q->collaboration));
}

int cvm_handle_manifest(struct cvm_request *q, struct cvm_error *err)
{
    (void)err;
    return cvm_reply_bytes(q, MHD_HTTP_OK, "application/json", q->manifest->bytes,
                           q->manifest->len);
}

static int named_participant(struct cvm_request *q, struct cvm_error *err)
{
    int p = cvm_manifest_participant(q->manifest, q->params[1]);
    CVM_ENSURE(p >= 0, err, CVM_E_NOT_FOUND, "the manifest names no participant '%s'",
               q->params[1]);
    return p;
}

int cvm_handle_put_commitment(struct cvm_request *q, struct cvm_error *err)
{
    int p = named_participant(q, err);
    CVM_GUARD(p);
    CVM_ENSURE(p == q->participant, err, CVM_E_JWS_KEY, "only '%s' itself brings its commitment",
               q->params[1]);
    int rc = cvm_collaboration_commit(q->collaboration, p, q->body.data, q->body.len, err);
    CVM_GUARD(rc);
    return cvm_reply_json(q, rc == 1 ? MHD_HTTP_CREATED : MHD_HTTP_OK,
                          json_pack("{s:s}", "state", cvm_collaboration_state(q->collaboration)));
}

static int send_file(struct cvm_request *q, const char *type, const char *name,
                     struct cvm_error *err)
{
    int fd = cvm_collaboration_open_file(q->collaboration, name, err);
    CVM_GUARD(fd);
    return cvm_reply_file(q, MHD_HTTP_OK, type, fd, err);
}

int cvm_handle_get_commitment(struct cvm_request *q, struct cvm_error *err)
{
    int p = named_participant(q, err);
    CVM_GUARD(p);
    CVM_AUTO_FREE char *name = cvm_printf("commitments/%s.jws", q->manifest->participants[p].id);
    return send_file(q, "application/jose", name, err);
}

int cvm_handle_launch(struct cvm_request *q, struct cvm_error *err)
{
    CVM_GUARD(cvm_collaboration_launch(q->collaboration, err));
    return cvm_reply_json(q, MHD_HTTP_ACCEPTED,
                          json_pack("{s:s}", "state", cvm_collaboration_state(q->collaboration)));
}

int cvm_handle_blob_start(struct cvm_request *q, struct cvm_error *err)
{
    int item = cvm_manifest_item(q->manifest, q->params[1]);
    CVM_ENSURE(item >= 0, err, CVM_E_NOT_FOUND, "the manifest has no item '%s'", q->params[1]);
    int owner = cvm_manifest_item_at(q->manifest, (uint32_t)item).owner;
    CVM_ENSURE(owner == q->participant, err, CVM_E_NOT_OWNER, "'%s' belongs to '%s'", q->params[1],
               q->manifest->participants[owner].id);
    return cvm_upload_begin(q->collaboration, item, q->content_length, &q->upload, err);
}

int cvm_handle_blob(struct cvm_request *q, struct cvm_error *err)
{
    int rc = cvm_upload_finish(CVM_TAKE(q->upload), &q->content_digest, err);
    CVM_GUARD(rc);
    return cvm_reply_json(
        q, rc == 1 ? MHD_HTTP_CREATED : MHD_HTTP_OK,
        json_pack("{s:s, s:I}", "item", q->params[1], "bytes", (json_int_t)q->received));
}

int cvm_handle_challenge(struct cvm_request *q, struct cvm_error *err)
{
    if (q->job_done)
        return cvm_reply_bytes(q, MHD_HTTP_OK, "application/json", q->job.result.data,
                               q->job.result.len);
    CVM_AUTO_JSON json_t *o = cvm_json_parse(q->body.data, q->body.len, err);
    if (!o)
        return -1;
    struct cvm_json_reader r;
    cvm_json_begin(&r, o, "challenge", err);
    const char *nonce = cvm_json_string(&r, "nonce");
    CVM_GUARD(cvm_json_end(&r));
    q->job.kind = CVM_JOB_CHALLENGE;
    CVM_GUARD(cvm_b64u_decode(nonce, strlen(nonce), &q->job.input, err));
    CVM_ENSURE(q->job.input.len >= CVM_NONCE_MIN && q->job.input.len <= CVM_NONCE_MAX, err,
               CVM_E_BAD_ENCODING, "a nonce has %d to %d bytes", CVM_NONCE_MIN, CVM_NONCE_MAX);
    cvm_request_submit(q);
    return 0;
}

int cvm_handle_post_act(struct cvm_request *q, struct cvm_error *err)
{
    if (q->job_done)
        return cvm_reply_bytes(q, MHD_HTTP_OK, "application/json", q->job.result.data,
                               q->job.result.len);
    CVM_GUARD(
        cvm_job_act(q->collaboration, q->participant, q->body.data, q->body.len, &q->job, err));
    cvm_request_submit(q);
    return 0;
}

/* "{participant}-{seq}": an id may hold dashes, the number does not. */
int cvm_handle_get_act(struct cvm_request *q, struct cvm_error *err)
{
    char *dash = strrchr(q->params[1], '-');
    const char *digits = dash ? dash + 1 : "";
    size_t n = strspn(digits, "0123456789");
    CVM_ENSURE(dash && n > 0 && n <= 18 && digits[n] == '\0' && digits[0] != '0', err,
               CVM_E_NOT_FOUND, "an act is named PARTICIPANT-NUMBER");
    *dash = '\0';
    int p = named_participant(q, err);
    CVM_GUARD(p);
    CVM_AUTO_FREE char *name =
        cvm_printf("acts/%s-%s.jws", q->manifest->participants[p].id, digits);
    return send_file(q, "application/jose", name, err);
}

int cvm_handle_evidence(struct cvm_request *q, struct cvm_error *err)
{
    return send_file(q, "application/json", "evidence.json", err);
}

int cvm_handle_transcript(struct cvm_request *q, struct cvm_error *err)
{
    static const char type[] = "application/jsonl";
    if (q->job_done)
        return cvm_reply_bytes(q, MHD_HTTP_OK, type, q->job.result.data, q->job.result.len);
    struct cvm_error stored;
    int fd = cvm_collaboration_open_file(q->collaboration, "transcript.jsonl", &stored);
    if (fd >= 0)
        return cvm_reply_file(q, MHD_HTTP_OK, type, fd, err);
    if (stored.code != CVM_E_WITHHELD) {
        *err = stored;
        return -1;
    }
    q->job.kind = CVM_JOB_TRANSCRIPT; /* while it runs, the agent is asked */
    cvm_request_submit(q);
    return 0;
}

int cvm_handle_receipt(struct cvm_request *q, struct cvm_error *err)
{
    return send_file(q, "application/jose", "receipt.jws", err);
}

int cvm_handle_statement(struct cvm_request *q, struct cvm_error *err)
{
    return send_file(q, "application/jose", "statement.jws", err);
}

int cvm_handle_outputs(struct cvm_request *q, struct cvm_error *err)
{
    json_t *list = cvm_collaboration_outputs(q->collaboration, err);
    return list ? cvm_reply_json(q, MHD_HTTP_OK, list) : -1;
}

int cvm_handle_output(struct cvm_request *q, struct cvm_error *err)
{
    int o = cvm_manifest_output(q->manifest, q->params[1]);
    CVM_ENSURE(o >= 0, err, CVM_E_NOT_FOUND, "the manifest has no output '%s'", q->params[1]);
    CVM_ENSURE(q->manifest->outputs[o].recipients & (1u << q->participant), err,
               CVM_E_NOT_RECIPIENT, "output '%s'", q->params[1]);
    CVM_AUTO_FREE char *name = cvm_printf("outputs/%s.sealed", q->manifest->outputs[o].id);
    return send_file(q, "application/octet-stream", name, err);
}

int cvm_handle_close(struct cvm_request *q, struct cvm_error *err)
{
    CVM_GUARD(cvm_collaboration_close(q->collaboration, err));
    return cvm_reply_json(q, MHD_HTTP_OK,
                          json_pack("{s:s}", "state", cvm_collaboration_state(q->collaboration)));
}
