#include "core/manifest/act.h"

#include <string.h>

#include "core/seal/jws.h"

static const char *const WORDS[] = {
#define X(s, w) w,
    CVM_TABLE_ACT(X)
#undef X
};

const char *cvm_act_kind_word(enum cvm_act_kind kind)
{
    return (unsigned)kind < CVM_ACT_KIND_COUNT ? WORDS[kind] : NULL;
}

int cvm_act_kind_by_word(const char *word)
{
    for (int i = 0; i < CVM_ACT_KIND_COUNT; i++)
        if (strcmp(WORDS[i], word) == 0)
            return i;
    return -1;
}

uint32_t cvm_act_wants(const struct cvm_manifest *m, int participant,
                       struct cvm_act_item items[CVM_ITEMS_MAX + 1])
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < cvm_manifest_items(m); i++) {
        struct cvm_item item = cvm_manifest_item_at(m, i);
        if (item.owner == participant && !item.open)
            items[n++].item = (int)i;
    }
    items[n++].item = -1;
    return n;
}

static const char *item_id(const struct cvm_manifest *m, int item)
{
    return item < 0 ? "seed" : cvm_manifest_item_at(m, (uint32_t)item).id;
}

/* Writing and reading of the members by kind stand side by side, so that they can't drift apart. */

static void set_text(json_t *o, const char *name, const char *text)
{
    json_object_set_new(o, name, json_string(text));
}

static void write_release(const struct cvm_manifest *m, const struct cvm_act *act, json_t *o)
{
    CVM_AUTO_FREE char *nonce = cvm_b64u(act->nonce, act->nonce_len);
    set_text(o, "nonce", nonce);
    json_t *list = json_array();
    for (uint32_t i = 0; i < act->n_items; i++) {
        json_t *entry = json_object();
        set_text(entry, "id", item_id(m, act->items[i].item));
        cvm_sealed_key_write(&act->items[i].sealed, entry);
        json_array_append_new(list, entry);
    }
    json_object_set_new(o, "items", list);
}

static void read_items(struct cvm_json_reader *r, const struct cvm_manifest *m, struct cvm_act *ret)
{
    json_t *list = cvm_json_array(r, "items", CVM_ITEMS_MAX + 1);
    if (!list)
        return;
    ret->n_items = cvm_act_wants(m, ret->participant, ret->items);
    if (json_array_size(list) != ret->n_items) {
        cvm_json_fail(r, CVM_E_ACT_ITEM, "%zu entries where %u are needed", json_array_size(list),
                      ret->n_items);
        return;
    }
    for (uint32_t i = 0; i < ret->n_items && !r->failed; i++) {
        struct cvm_json_reader e;
        const char *wanted = item_id(m, ret->items[i].item);
        cvm_json_begin(&e, json_array_get(list, i), "items", r->err);
        const char *id = cvm_json_string(&e, "id");
        if (!e.failed && strcmp(id, wanted) != 0)
            cvm_json_fail(&e, CVM_E_ACT_ITEM, "entry %u is \"%.64s\" where \"%s\" is needed", i, id,
                          wanted);
        ret->items[i].sealed = cvm_sealed_key_read(&e);
        if (cvm_json_end(&e) < 0)
            r->failed = true;
    }
}

static void read_release(struct cvm_json_reader *r, const struct cvm_manifest *m,
                         struct cvm_act *ret)
{
    const char *text = cvm_json_string(r, "nonce");
    CVM_AUTO_BUF struct cvm_buf nonce = {0};
    if (!r->failed && (strlen(text) > 2 * CVM_NONCE_MAX ||
                       cvm_b64u_decode(text, strlen(text), &nonce, NULL) < 0 ||
                       nonce.len < CVM_NONCE_MIN || nonce.len > CVM_NONCE_MAX))
        cvm_json_fail(r, CVM_E_ACT_FORMAT, "\"nonce\" is not 16 to 64 bytes in base64url");
    if (r->failed)
        return;
    memcpy(ret->nonce, nonce.data, nonce.len);
    ret->nonce_len = nonce.len;
    read_items(r, m, ret);
}

static void write_approve(const struct cvm_manifest *m, const struct cvm_act *act, json_t *o)
{
    set_text(o, "output", m->outputs[act->output].id);
    json_t *t = json_object();
    json_object_set_new(t, "n", json_integer((json_int_t)act->transcript_n));
    json_object_set_new(t, "head", cvm_json_of_digest(&act->transcript_head));
    json_object_set_new(o, "transcript", t);
}

static void read_approve(struct cvm_json_reader *r, const struct cvm_manifest *m,
                         struct cvm_act *ret)
{
    const char *id = cvm_json_string(r, "output");
    ret->output = cvm_manifest_output(m, id);
    if (ret->output < 0)
        cvm_json_fail(r, CVM_E_ACT_OUTPUT, "there is no output \"%.64s\"", id);
    json_t *object = cvm_json_object(r, "transcript");
    if (!object)
        return;
    struct cvm_json_reader t;
    cvm_json_begin(&t, object, "transcript", r->err);
    ret->transcript_n = (uint64_t)cvm_json_int(&t, "n", 1, CVM_JSON_INT_MAX);
    ret->transcript_head = cvm_json_digest(&t, "head");
    if (cvm_json_end(&t) < 0)
        r->failed = true;
}

static void write_feed(const struct cvm_manifest *m, const struct cvm_act *act, json_t *o)
{
    const struct cvm_act_feed *f = &act->feed;
    CVM_AUTO_FREE char *enc = cvm_b64u(f->enc, sizeof f->enc);
    CVM_AUTO_FREE char *ct = cvm_b64u(f->ct, f->ct_len);
    set_text(o, "item", m->data[f->data].id);
    json_object_set_new(o, "n", json_integer((json_int_t)f->n));
    set_text(o, "enc", enc);
    set_text(o, "ct", ct);
    if (f->end)
        json_object_set_new(o, "end", json_true());
}

/* Index in the data of an open input; -1. */
static int open_input(const struct cvm_manifest *m, const char *id)
{
    for (uint32_t i = 0; i < m->n_data; i++)
        if (m->data[i].open && strcmp(m->data[i].id, id) == 0)
            return (int)i;
    return -1;
}

static void read_feed(struct cvm_json_reader *r, const struct cvm_manifest *m, struct cvm_act *ret)
{
    struct cvm_act_feed *f = &ret->feed;
    CVM_AUTO_BUF struct cvm_buf enc = {0}, ct = {0};
    const char *id = cvm_json_string(r, "item");
    f->data = r->failed ? -1 : open_input(m, id);
    if (f->data < 0)
        cvm_json_fail(r, CVM_E_ACT_ITEM, "there is no open input \"%.64s\"", id);
    f->n = (uint64_t)cvm_json_int(r, "n", 1, CVM_OPEN_ITEMS_MAX);
    const char *enc_text = cvm_json_string(r, "enc"), *ct_text = cvm_json_string(r, "ct");
    f->end = cvm_json_bool_opt(r, "end", false);
    if (!r->failed && !f->end && json_object_get(r->object, "end"))
        cvm_json_fail(r, CVM_E_ACT_FORMAT, "\"end\" is absent or true");
    if (r->failed)
        return;
    bool good = cvm_b64u_decode(enc_text, strlen(enc_text), &enc, NULL) == 0 &&
                cvm_b64u_decode(ct_text, strlen(ct_text), &ct, NULL) == 0 &&
                enc.len == sizeof f->enc && ct.len >= CVM_ITEM_PLAIN_MIN + CVM_HPKE_TAG_LEN &&
                ct.len <= sizeof f->ct;
    if (!good) {
        cvm_json_fail(r, CVM_E_ACT_FORMAT, "\"enc\" or \"ct\" is no sealed item");
        return;
    }
    memcpy(f->enc, enc.data, enc.len);
    memcpy(f->ct, ct.data, ct.len);
    f->ct_len = (uint32_t)ct.len;
}

static int check_complete(const struct cvm_manifest *m, const struct cvm_act *act,
                          struct cvm_error *err)
{
    CVM_ENSURE(act->participant >= 0 && (uint32_t)act->participant < m->n_participants, err,
               CVM_E_NOT_A_PARTICIPANT, "participant number %d", act->participant);
    CVM_ENSURE(act->seq >= 1 && act->seq <= CVM_JSON_INT_MAX && cvm_act_kind_word(act->kind), err,
               CVM_E_ACT_FORMAT, "sequence number or kind");
    if (act->kind == CVM_ACT_APPROVE)
        CVM_ENSURE(act->output >= 0 && (uint32_t)act->output < m->n_outputs, err, CVM_E_ACT_OUTPUT,
                   "output number %d", act->output);
    if (act->kind == CVM_ACT_ITEM) {
        const struct cvm_act_feed *f = &act->feed;
        CVM_ENSURE(f->data >= 0 && (uint32_t)f->data < m->n_data && m->data[f->data].open &&
                       f->n >= 1 && f->n <= CVM_OPEN_ITEMS_MAX && f->ct_len <= sizeof f->ct,
                   err, CVM_E_ACT_ITEM, "item %llu of data number %d", (unsigned long long)f->n,
                   f->data);
    }
    if (act->kind != CVM_ACT_RELEASE)
        return 0;
    CVM_ENSURE(act->nonce_len >= CVM_NONCE_MIN && act->nonce_len <= CVM_NONCE_MAX, err,
               CVM_E_ACT_FORMAT, "a nonce of %zu bytes", act->nonce_len);
    struct cvm_act_item wanted[CVM_ITEMS_MAX + 1];
    uint32_t n = cvm_act_wants(m, act->participant, wanted);
    bool same = act->n_items == n;
    for (uint32_t i = 0; same && i < n; i++)
        same = act->items[i].item == wanted[i].item;
    CVM_ENSURE(same, err, CVM_E_ACT_ITEM, "%u entries, not the %u that are needed", act->n_items,
               n);
    return 0;
}

int cvm_act_make(const struct cvm_manifest *m, const struct cvm_digest *session,
                 const struct cvm_act *act, const struct cvm_key *sign_key, struct cvm_buf *ret,
                 struct cvm_error *err)
{
    CVM_GUARD(check_complete(m, act, err));
    const struct cvm_participant *p = &m->participants[act->participant];
    CVM_ENSURE(sign_key->curve == CVM_ED25519 &&
                   memcmp(&sign_key->pub, &p->sign, sizeof p->sign) == 0,
               err, CVM_E_JWS_KEY, "the manifest names another signing key for \"%s\"", p->id);
    char kid[CVM_KID_TEXT];
    CVM_AUTO_JSON json_t *o = json_object();
    json_object_set_new(o, "version", json_integer(1));
    json_object_set_new(o, "manifest", cvm_json_of_digest(&m->digest));
    set_text(o, "session", cvm_kid_text(session, kid));
    set_text(o, "participant", p->id);
    json_object_set_new(o, "seq", json_integer((json_int_t)act->seq));
    set_text(o, "act", cvm_act_kind_word(act->kind));
    if (act->kind == CVM_ACT_RELEASE)
        write_release(m, act, o);
    if (act->kind == CVM_ACT_APPROVE)
        write_approve(m, act, o);
    if (act->kind == CVM_ACT_TIME)
        json_object_set_new(o, "time", json_integer(act->time));
    if (act->kind == CVM_ACT_ITEM)
        write_feed(m, act, o);
    CVM_AUTO_BUF struct cvm_buf payload = {0};
    CVM_GUARD(cvm_json_write(o, &payload, err));
    return cvm_jws_create(sign_key, CVM_JWS_ACT, payload.data, payload.len, ret, err);
}

/* The members that every act has; `signer` is who really signed. */
static void read_common(struct cvm_json_reader *r, const struct cvm_manifest *m, int signer,
                        struct cvm_act *ret, struct cvm_digest *ret_session)
{
    int64_t version = cvm_json_int(r, "version", -CVM_JSON_INT_MAX, CVM_JSON_INT_MAX);
    if (!r->failed && version != 1)
        cvm_json_fail(r, CVM_E_ACT_FORMAT, "version %lld", (long long)version);
    struct cvm_digest manifest = cvm_json_digest(r, "manifest");
    if (!r->failed && !cvm_equal(manifest.b, m->digest.b, sizeof manifest.b))
        cvm_json_fail(r, CVM_E_ACT_MANIFEST, "it names another manifest's digest");
    const char *session = cvm_json_string(r, "session");
    if (!r->failed && cvm_kid_parse(session, ret_session, NULL) < 0)
        cvm_json_fail(r, CVM_E_ACT_FORMAT, "\"session\" is no thumbprint");
    const char *participant = cvm_json_string(r, "participant");
    if (!r->failed && strcmp(participant, m->participants[signer].id) != 0)
        cvm_json_fail(r, CVM_E_JWS_KEY, "in the name of \"%.64s\", signed by \"%s\"", participant,
                      m->participants[signer].id);
    ret->participant = signer;
    ret->seq = (uint64_t)cvm_json_int(r, "seq", 1, CVM_JSON_INT_MAX);
    const char *word = cvm_json_string(r, "act");
    int kind = r->failed ? 0 : cvm_act_kind_by_word(word);
    if (kind < 0)
        cvm_json_fail(r, CVM_E_ACT_FORMAT, "\"act\" is \"%.40s\"", word);
    ret->kind = (enum cvm_act_kind)kind;
}

static int read_payload(const struct cvm_manifest *m, const struct cvm_digest *session, int signer,
                        const struct cvm_buf *payload, struct cvm_act *ret,
                        struct cvm_digest *ret_session, struct cvm_error *err)
{
    CVM_AUTO_JSON json_t *o = cvm_json_parse_canonical(payload->data, payload->len, err);
    if (!o)
        return -1;
    struct cvm_json_reader r;
    cvm_json_begin(&r, o, "", err);
    read_common(&r, m, signer, ret, ret_session);
    if (!r.failed && session && !cvm_equal(session->b, ret_session->b, sizeof session->b)) {
        char kid[CVM_KID_TEXT];
        cvm_json_fail(&r, CVM_E_ACT_SESSION, "it names session %s", cvm_kid_text(ret_session, kid));
    }
    if (!r.failed && ret->kind == CVM_ACT_RELEASE)
        read_release(&r, m, ret);
    if (!r.failed && ret->kind == CVM_ACT_APPROVE)
        read_approve(&r, m, ret);
    if (!r.failed && ret->kind == CVM_ACT_TIME)
        ret->time = cvm_json_int(&r, "time", 1, 253402300799);
    if (!r.failed && ret->kind == CVM_ACT_ITEM)
        read_feed(&r, m, ret);
    return cvm_json_end(&r);
}

static int verify(const struct cvm_manifest *m, const struct cvm_digest *session, const void *data,
                  size_t len, struct cvm_act *ret, struct cvm_digest *ret_session,
                  struct cvm_error *err)
{
    CVM_ENSURE(len <= CVM_ACT_MAX, err, CVM_E_TOO_LARGE,
               "an act of %zu bytes, at most %d are allowed", len, CVM_ACT_MAX);
    CVM_AUTO_JWS struct cvm_jws jws = {0};
    CVM_GUARD(cvm_jws_parse(data, len, &jws, err));
    struct cvm_digest signer_thumb;
    CVM_GUARD(cvm_kid_parse(jws.kid, &signer_thumb, err));
    int signer = cvm_manifest_participant_by_thumb(m, &signer_thumb);
    CVM_ENSURE(signer >= 0, err, CVM_E_NOT_A_PARTICIPANT, "signed by key %s", jws.kid);
    CVM_GUARD(cvm_jws_verify(&jws, CVM_JWS_ACT, &m->participants[signer].sign, err));

    struct cvm_act act = {0};
    struct cvm_digest named = {0};
    struct cvm_error e = {0};
    if (read_payload(m, session, signer, &jws.payload, &act, &named, &e) < 0) {
        bool own = (e.code >= CVM_E_ACT_FORMAT && e.code <= CVM_E_ACT_ITEM) ||
                   e.code == CVM_E_ACT_OUTPUT || e.code == CVM_E_JWS_KEY;
        return cvm_fail_expected(err, own ? e.code : CVM_E_ACT_FORMAT, e.expected, e.got,
                                 "act of \"%s\": %s", m->participants[signer].id, e.message);
    }
    *ret = act;
    *ret_session = named;
    return 0;
}

int cvm_act_verify(const struct cvm_manifest *m, const struct cvm_digest *session, const void *jws,
                   size_t len, struct cvm_act *ret, struct cvm_error *err)
{
    struct cvm_digest named;
    return verify(m, session, jws, len, ret, &named, err);
}

int cvm_act_read(const struct cvm_manifest *m, const void *jws, size_t len, struct cvm_act *ret,
                 struct cvm_digest *ret_session, struct cvm_error *err)
{
    return verify(m, NULL, jws, len, ret, ret_session, err);
}
