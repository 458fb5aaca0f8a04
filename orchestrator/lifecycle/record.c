#include "orchestrator/lifecycle/collaboration.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *word;
    bool final;
} states[] = {
#define S(name, word, final) {word, final},
#include "orchestrator/lifecycle/states.def"
#undef S
};

const char *cvm_host_state_word(enum cvm_host_state state)
{
    return state < CVM_HOST_STATE_COUNT ? states[state].word : "";
}

int cvm_host_state_by_word(const char *word)
{
    for (int i = 0; i < CVM_HOST_STATE_COUNT; i++)
        if (strcmp(states[i].word, word) == 0)
            return i;
    return -1;
}

bool cvm_host_state_final(enum cvm_host_state state)
{
    return state < CVM_HOST_STATE_COUNT && states[state].final;
}

static char *record_key(const struct cvm_collaboration *c)
{
    return cvm_printf("collaboration/%s", c->manifest.collaboration);
}

static json_t *participants(const struct cvm_collaboration *c, uint32_t mask)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < c->manifest.n_participants; i++)
        if (mask & (1u << i))
            json_array_append_new(list, json_string(c->manifest.participants[i].id));
    return list;
}

static json_t *item_record(const struct cvm_collaboration *c, uint32_t i)
{
    const struct cvm_item_state *s = &c->items[i];
    json_t *o = json_pack(
        "{s:s, s:b, s:s, s:s, s:b}", "id", cvm_manifest_item_at(&c->manifest, i).id, "admitted",
        s->admitted, "refusal", s->refusal ? cvm_code_info(s->refusal)->name : "", "message",
        s->refusal_message ? s->refusal_message : "", "pushed", s->pushed == s->generation);
    if (s->known)
        json_object_set_new(o, "sha256", cvm_json_of_digest(&s->sha256));
    return o;
}

int cvm_record_save(struct cvm_collaboration *c, struct cvm_error *err)
{
    CVM_AUTO_JSON json_t *items = json_array();
    for (uint32_t i = 0; i < cvm_manifest_items(&c->manifest); i++)
        json_array_append_new(items, item_record(c, i));
    char digest[CVM_DIGEST_TEXT];
    CVM_AUTO_JSON json_t *o = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:O, s:o, s:{s:I, s:s}}", "detail", c->detail, "manifest",
        cvm_digest_text(&c->manifest.digest, digest), "state", cvm_host_state_word(c->state),
        "phase", c->phase, "reason", c->reason ? cvm_code_info(c->reason)->name : "", "result",
        c->result, "items", items, "released", participants(c, c->released), "transcript", "n",
        (json_int_t)c->transcript_n, "head", c->transcript_head);
    if (c->driver)
        json_object_set_new(o, "platform", json_string(cvm_platform_word(c->driver->platform)));
    CVM_AUTO_BUF struct cvm_buf out = {0};
    CVM_GUARD(cvm_json_write(o, &out, err));
    CVM_AUTO_FREE char *key = record_key(c);
    int rc = cvm_store_put(c->owner->store, key, c->version, out.data, out.len, &c->version, err);
    CVM_GUARD(rc);
    CVM_ENSURE(rc == 1, err, CVM_E_INTERNAL, "the record of a collaboration was changed elsewhere");
    return 0;
}

static int load_item(struct cvm_collaboration *c, json_t *o, struct cvm_error *err)
{
    struct cvm_json_reader r;
    cvm_json_begin(&r, o, "items[]", err);
    int i = cvm_manifest_item(&c->manifest, cvm_json_string(&r, "id"));
    bool admitted = cvm_json_bool_opt(&r, "admitted", false);
    bool pushed = cvm_json_bool_opt(&r, "pushed", false);
    const char *refusal = cvm_json_string(&r, "refusal"), *message = cvm_json_string(&r, "message");
    const char *sha256 = cvm_json_string_opt(&r, "sha256");
    CVM_GUARD(cvm_json_end(&r));
    CVM_ENSURE(i >= 0, err, CVM_E_JSON_MISSING, "an item that the manifest does not have");
    struct cvm_item_state *s = &c->items[i];
    s->admitted = admitted;
    if (sha256) {
        CVM_GUARD(cvm_digest_parse(sha256, &s->sha256, err));
        s->known = true;
    }
    if (*refusal) {
        s->refusal = cvm_code_by_name(refusal);
        s->refusal_message = cvm_strdup(message);
        /* Offered before and refused: not again before its owner has sent it again. */
        s->pushed = pushed ? s->generation : 0;
    }
    return 0;
}

int cvm_record_load(struct cvm_collaboration *c, struct cvm_error *err)
{
    CVM_AUTO_FREE char *key = record_key(c);
    CVM_AUTO_BUF struct cvm_buf text = {0};
    int rc = cvm_store_get(c->owner->store, key, &text, &c->version, err);
    if (rc <= 0)
        return rc;
    CVM_AUTO_JSON json_t *o = cvm_json_parse(text.data, text.len, err);
    if (!o)
        return -1;
    struct cvm_json_reader r;
    cvm_json_begin(&r, o, "record", err);
    struct cvm_digest manifest = cvm_json_digest(&r, "manifest");
    int state = cvm_host_state_by_word(cvm_json_string(&r, "state"));
    const char *phase = cvm_json_string(&r, "phase"), *reason = cvm_json_string(&r, "reason");
    const char *result = cvm_json_string(&r, "result");
    const char *detail = cvm_json_string(&r, "detail");
    const char *platform = cvm_json_string_opt(&r, "platform");
    json_t *items = cvm_json_array(&r, "items", CVM_ITEMS_MAX);
    json_t *released = cvm_json_array(&r, "released", CVM_PARTICIPANTS_MAX);
    json_t *transcript = cvm_json_object(&r, "transcript");
    CVM_GUARD(cvm_json_end(&r));
    CVM_ENSURE(state >= 0 && cvm_equal(&manifest, &c->manifest.digest, sizeof manifest), err,
               CVM_E_IO, "the record does not belong to the stored manifest");
    c->state = (enum cvm_host_state)state;
    c->reason = *reason ? cvm_code_by_name(reason) : CVM_OK;
    snprintf(c->phase, sizeof c->phase, "%s", phase);
    snprintf(c->result, sizeof c->result, "%s", result);
    snprintf(c->detail, sizeof c->detail, "%s", detail);
    int p = platform ? cvm_platform_by_word(platform) : -1;
    c->driver = p >= 0 ? cvm_platform_driver((enum cvm_platform)p) : NULL;
    c->transcript_n = (uint64_t)json_integer_value(json_object_get(transcript, "n"));
    const char *head = json_string_value(json_object_get(transcript, "head"));
    snprintf(c->transcript_head, sizeof c->transcript_head, "%s", head ? head : "");
    size_t i;
    json_t *e;
    json_array_foreach(released, i, e)
    {
        int index = cvm_manifest_participant(&c->manifest, json_string_value(e));
        if (index >= 0)
            c->released |= 1u << index;
    }
    json_array_foreach(items, i, e) CVM_GUARD(load_item(c, e, err));
    return 1;
}

int cvm_record_move(struct cvm_collaboration *c, enum cvm_host_state state, enum cvm_code reason,
                    struct cvm_error *err)
{
    enum cvm_host_state before = c->state;
    enum cvm_code before_reason = c->reason;
    c->state = state;
    c->reason = reason;
    if (cvm_record_save(c, err) < 0) {
        c->state = before;
        c->reason = before_reason;
        return -1;
    }
    if (state != before)
        cvm_observe(c, "state", cvm_host_state_word(state), NULL);
    if (cvm_host_state_final(state))
        pthread_cond_broadcast(&c->settled);
    return 0;
}

static json_t *refusals(const struct cvm_collaboration *c)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < cvm_manifest_items(&c->manifest); i++) {
        const struct cvm_item_state *s = &c->items[i];
        if (s->refusal)
            json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "item",
                                                  cvm_manifest_item_at(&c->manifest, i).id, "code",
                                                  cvm_code_info(s->refusal)->name, "message",
                                                  s->refusal_message ? s->refusal_message : ""));
    }
    return list;
}

json_t *cvm_collaboration_status(struct cvm_collaboration *c)
{
    CVM_LOCKED(c);
    char digest[CVM_DIGEST_TEXT];
    json_t *uploaded = json_array(), *admitted = json_array();
    for (uint32_t i = 0; i < cvm_manifest_items(&c->manifest); i++) {
        const char *id = cvm_manifest_item_at(&c->manifest, i).id;
        if (c->items[i].uploaded)
            json_array_append_new(uploaded, json_string(id));
        if (c->items[i].admitted)
            json_array_append_new(admitted, json_string(id));
    }
    json_t *o =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:{s:I, s:s}}",
                  "collaboration", c->manifest.collaboration, "title", c->manifest.title, "state",
                  cvm_host_state_word(c->state), "phase", c->phase, "reason",
                  c->reason ? cvm_code_info(c->reason)->name : "", "result", c->result, "detail",
                  c->detail, "manifest", cvm_digest_text(&c->manifest.digest, digest), "committed",
                  participants(c, c->committed), "released", participants(c, c->released),
                  "uploaded", uploaded, "admitted", admitted, "refusals", refusals(c), "transcript",
                  "n", (json_int_t)c->transcript_n, "head", c->transcript_head);
    if (c->driver)
        json_object_set_new(o, "platform", json_string(cvm_platform_word(c->driver->platform)));
    if (*c->machine)
        json_object_set_new(o, "machine", json_string(c->machine));
    return o;
}
