#include "orchestrator/lifecycle/collaboration.h"

#include "core/manifest/commitment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CALL_MS 120000
#define ITEM_MS 600000 /* an item of a component is answered when it is compiled */
#define OUTPUT_MAX (1ULL << 40)

static json_t *call(struct cvm_collaboration *c, json_t *request, const struct cvm_link_body *body,
                    int timeout_ms, struct cvm_error *err)
{
    json_t *response = cvm_link_call(c->link, request, body, timeout_ms, err);
    json_decref(request);
    return response;
}

static int64_t announced(const json_t *response)
{
    const json_t *bytes = json_object_get(response, "bytes");
    return json_is_integer(bytes) ? json_integer_value(bytes) : -1;
}

int cvm_agent_hello(struct cvm_collaboration *c, char ret_state[16], struct cvm_error *err)
{
    CVM_AUTO_JSON json_t *r =
        call(c, json_pack("{s:s, s:i}", "op", "hello", "version", 1), NULL, CALL_MS, err);
    if (!r)
        return -1;
    const char *state = json_string_value(json_object_get(r, "state"));
    CVM_ENSURE(state, err, CVM_E_FRAME_FORMAT, "the agent's greeting names no state");
    snprintf(ret_state, 16, "%s", state);
    return 0;
}

int cvm_agent_send_lock(struct cvm_collaboration *c, struct cvm_error *err)
{
    const struct cvm_manifest *m = &c->manifest;
    CVM_AUTO_BUF struct cvm_buf body = {0};
    cvm_buf_append(&body, m->bytes, m->len);
    CVM_AUTO_JSON json_t *list = json_array();
    for (uint32_t i = 0; i < m->n_participants; i++) {
        const char *id = m->participants[i].id;
        CVM_AUTO_FREE char *path = cvm_printf("%s/commitments/%s.jws", c->folder, id);
        size_t before = body.len;
        CVM_GUARD(cvm_file_read(path, CVM_COMMITMENT_MAX, &body, err));
        json_array_append_new(list, json_pack("{s:s, s:I}", "participant", id, "bytes",
                                              (json_int_t)(body.len - before)));
    }
    json_t *request =
        json_pack("{s:s, s:I, s:O, s:I}", "op", "lock", "manifest_bytes", (json_int_t)m->len,
                  "commitments", list, "bytes", (json_int_t)body.len);
    struct cvm_link_body b = {.data = body.data, .fd = -1, .len = body.len};
    CVM_AUTO_JSON json_t *r = call(c, request, &b, CALL_MS, err);
    return r ? 0 : -1;
}

static uint32_t participant_mask(const struct cvm_manifest *m, const json_t *ids)
{
    uint32_t mask = 0;
    size_t i;
    json_t *id;
    json_array_foreach(ids, i, id)
    {
        const char *s = json_string_value(id);
        int p = s ? cvm_manifest_participant(m, s) : -1;
        if (p >= 0)
            mask |= 1u << p;
    }
    return mask;
}

static enum cvm_host_state host_state(const char *phase, enum cvm_host_state now)
{
    static const struct {
        const char *phase;
        enum cvm_host_state state;
    } map[] = {
        {"locked", CVM_HOST_ATTESTED}, {"filling", CVM_HOST_FILLING},
        {"sealed", CVM_HOST_FILLING},  {"running", CVM_HOST_RUNNING},
        {"waiting", CVM_HOST_RUNNING}, {"releasing", CVM_HOST_RUNNING},
    };
    for (size_t i = 0; i < sizeof map / sizeof map[0]; i++)
        if (strcmp(map[i].phase, phase) == 0 && map[i].state > now)
            return map[i].state;
    return now; /* never backwards: the ends are recorded when all is stored */
}

/* Takes over what the agent says of itself; with the lock held. Tells whether anything changed. */
static bool take_status(struct cvm_collaboration *c, const json_t *r,
                        enum cvm_host_state *ret_state)
{
    const char *phase = json_string_value(json_object_get(r, "state"));
    const char *result = json_string_value(json_object_get(r, "result"));
    const json_t *transcript = json_object_get(r, "transcript");
    const char *head = json_string_value(json_object_get(transcript, "head"));
    uint64_t n = (uint64_t)json_integer_value(json_object_get(transcript, "n"));
    uint32_t released = participant_mask(&c->manifest, json_object_get(r, "released"));
    bool changed = strcmp(c->phase, phase ? phase : "") != 0 || n != c->transcript_n ||
                   released != c->released;
    snprintf(c->phase, sizeof c->phase, "%s", phase ? phase : "");
    snprintf(c->result, sizeof c->result, "%s", result ? result : "");
    snprintf(c->transcript_head, sizeof c->transcript_head, "%s", head ? head : "");
    c->transcript_n = n;
    c->released = released;
    size_t i;
    json_t *id;
    json_array_foreach(json_object_get(r, "admitted"), i, id)
    {
        const char *s = json_string_value(id);
        int item = s ? cvm_manifest_item(&c->manifest, s) : -1;
        if (item < 0 || c->items[item].admitted)
            continue;
        c->items[item].admitted = true;
        c->items[item].refusal = CVM_OK;
        free(CVM_TAKE(c->items[item].refusal_message));
        changed = true;
    }
    *ret_state = host_state(c->phase, c->state);
    return changed || *ret_state != c->state;
}

int cvm_agent_sync(struct cvm_collaboration *c, json_t **ret_wanted, struct cvm_error *err)
{
    CVM_AUTO_JSON json_t *r = call(c, json_pack("{s:s}", "op", "status"), NULL, CALL_MS, err);
    if (!r)
        return -1;
    CVM_LOCKED(c);
    enum cvm_host_state state;
    if (take_status(c, r, &state))
        CVM_GUARD(cvm_record_move(c, state, c->reason, err));
    json_t *wanted = json_object_get(r, "wanted");
    *ret_wanted = json_is_array(wanted) ? json_incref(wanted) : json_array();
    return 0;
}

/* What the agent made of an item; with the lock held. */
static int item_outcome(struct cvm_collaboration *c, int item, uint32_t generation,
                        const struct cvm_error *refused, struct cvm_error *err)
{
    struct cvm_item_state *s = &c->items[item];
    s->pushed = generation;
    if (!refused)
        return 0;
    if (s->generation == generation) { /* else its owner has sent another one meanwhile */
        s->refusal = refused->code;
        free(s->refusal_message);
        s->refusal_message = cvm_strdup(refused->message);
    }
    cvm_observe(c, "item-refused", cvm_manifest_item_at(&c->manifest, (uint32_t)item).id, refused);
    return cvm_record_save(c, err);
}

int cvm_agent_push(struct cvm_collaboration *c, int item, struct cvm_error *err)
{
    const char *id = cvm_manifest_item_at(&c->manifest, (uint32_t)item).id;
    CVM_AUTO_FREE char *path = cvm_printf("%s/blobs/%s", c->folder, id);
    uint32_t generation;
    CVM_AUTO_CLOSE int fd = -1;
    {
        CVM_LOCKED(c);
        generation = c->items[item].generation;
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    }
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        struct cvm_error missing = {0};
        cvm_fail(&missing, CVM_E_ITEM_MISSING, "the blob of '%s' can't be read: %s", id,
                 strerror(errno));
        CVM_LOCKED(c);
        return item_outcome(c, item, generation, &missing, err);
    }
    struct cvm_link_body body = {.fd = fd, .len = (uint64_t)st.st_size};
    struct cvm_error refused = {0};
    CVM_AUTO_JSON json_t *r = call(
        c, json_pack("{s:s, s:s, s:I}", "op", "item", "id", id, "bytes", (json_int_t)st.st_size),
        &body, ITEM_MS, &refused);
    if (!r && cvm_link_broken(c->link)) {
        *err = refused;
        return -1; /* unknown what came of it: asked again after reconnecting */
    }
    CVM_LOCKED(c);
    return item_outcome(c, item, generation, r ? NULL : &refused, err);
}

int cvm_agent_run(struct cvm_collaboration *c, struct cvm_error *err)
{
    CVM_AUTO_JSON json_t *r = call(c, json_pack("{s:s}", "op", "run"), NULL, CALL_MS, err);
    return r ? 0 : -1;
}

int cvm_agent_fetch(struct cvm_collaboration *c, const char *op, size_t max, struct cvm_buf *ret,
                    struct cvm_error *err)
{
    CVM_AUTO_JSON json_t *r = call(c, json_pack("{s:s}", "op", op), NULL, CALL_MS, err);
    if (!r)
        return -1;
    int64_t bytes = announced(r);
    if (bytes < 0 || (uint64_t)bytes > max) {
        cvm_link_shutdown(c->link);
        return cvm_fail(err, CVM_E_CONNECTION, "the agent announced %lld bytes for '%s'",
                        (long long)bytes, op);
    }
    return cvm_link_read(c->link, (uint64_t)bytes, ret, -1, CALL_MS, err);
}

int cvm_agent_fetch_file(struct cvm_collaboration *c, const char *op, const char *id,
                         const char *name, struct cvm_error *err)
{
    json_t *request = json_pack("{s:s}", "op", op);
    if (id)
        json_object_set_new(request, "id", json_string(id));
    CVM_AUTO_JSON json_t *r = call(c, request, NULL, CALL_MS, err);
    if (!r)
        return -1;
    int64_t bytes = announced(r);
    if (bytes < 0 || (uint64_t)bytes > OUTPUT_MAX) {
        cvm_link_shutdown(c->link);
        return cvm_fail(err, CVM_E_CONNECTION, "the agent announced %lld bytes", (long long)bytes);
    }
    CVM_AUTO_FREE char *temp = NULL;
    CVM_AUTO_CLOSE int fd = cvm_temp_open(c->folder, &temp, err);
    if (fd < 0) {
        cvm_link_shutdown(c->link); /* its data can't be taken */
        return -1;
    }
    CVM_AUTO_FREE char *path = cvm_collaboration_path(c, name);
    if (cvm_link_read(c->link, (uint64_t)bytes, NULL, fd, CALL_MS, err) < 0 ||
        cvm_temp_commit(fd, temp, path, err) < 0) {
        unlink(temp);
        return -1;
    }
    return 0;
}

int cvm_agent_store_statement(struct cvm_collaboration *c, struct cvm_error *err)
{
    struct cvm_error refused = {0};
    if (cvm_agent_fetch_file(c, "statement", NULL, "statement.jws", &refused) == 0)
        return cvm_agent_fetch_file(c, "transcript", NULL, "transcript.jsonl", err);
    if (refused.code == CVM_E_WITHHELD)
        return 0;
    *err = refused;
    return -1;
}

void cvm_agent_exit(struct cvm_collaboration *c)
{
    /* Nothing is lost when this fails: the isolate is ended by its driver afterwards. */
    CVM_AUTO_JSON json_t *r = call(c, json_pack("{s:s}", "op", "exit"), NULL, CALL_MS, NULL);
    (void)r;
}
