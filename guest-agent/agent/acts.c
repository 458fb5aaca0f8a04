/* Acts: what participants tell the agent. */
#include <string.h>

#include "core/seal/item.h"
#include "core/seal/release.h"
#include "core/seal/seed.h"
#include "guest-agent/agent/outputs.h"
#include "guest-agent/agent/requests.h"
#include "guest-agent/agent/run.h"
#include "guest-agent/agent/session.h"

int cvm_act_start(struct cvm_agent *a, json_t *control, uint64_t bytes, struct cvm_error *err)
{
    (void)a;
    struct cvm_json_reader r;
    cvm_json_begin(&r, control, "act", err);
    cvm_json_string(&r, "op");
    cvm_json_int(&r, "bytes", 0, CVM_JSON_INT_MAX);
    CVM_GUARD(cvm_json_end(&r));
    CVM_ENSURE(bytes <= CVM_ACT_MAX, err, CVM_E_TOO_LARGE, "an act has at most %d bytes",
               CVM_ACT_MAX);
    return 0;
}

/* The one stream that an open input feeds. */
static uint32_t input_channel(const struct cvm_manifest *m, int data)
{
    for (uint32_t k = 0; k < m->n_channels; k++)
        if (m->channels[k].from_data == data)
            return k;
    return UINT32_MAX;
}

static int to_request(struct cvm_agent *a, const struct cvm_act *act,
                      struct cvm_policy_request *ret, struct cvm_error *err)
{
    static const enum cvm_policy_kind kinds[CVM_ACT_KIND_COUNT] = {
        [CVM_ACT_RELEASE] = CVM_REQUEST_ACT_RELEASE, [CVM_ACT_APPROVE] = CVM_REQUEST_ACT_APPROVE,
        [CVM_ACT_TIME] = CVM_REQUEST_ACT_TIME,       [CVM_ACT_WITHDRAW] = CVM_REQUEST_ACT_WITHDRAW,
        [CVM_ACT_ABORT] = CVM_REQUEST_ACT_ABORT,     [CVM_ACT_ITEM] = CVM_REQUEST_ACT_ITEM,
    };
    CVM_ENSURE(act->kind < CVM_ACT_KIND_COUNT && kinds[act->kind], err, CVM_E_ACT_FORMAT,
               "an act of an unknown kind");
    *ret = (struct cvm_policy_request){
        .kind = kinds[act->kind],
        .participant = (uint32_t)act->participant,
        .seq = act->seq,
        .time = act->time,
    };
    if (act->kind == CVM_ACT_RELEASE) {
        const struct cvm_nonce *n = cvm_session_nonce(&a->session, act->nonce, act->nonce_len);
        ret->nonce_known = n && !n->spent;
    }
    if (act->kind == CVM_ACT_ITEM) {
        ret->channel = input_channel(&a->manifest, act->feed.data);
        ret->number = act->feed.n;
        ret->last = act->feed.end;
    }
    if (act->kind == CVM_ACT_APPROVE) {
        ret->output = (uint32_t)act->output;
        ret->head_known =
            act->transcript_n == a->waiting_n &&
            !memcmp(&act->transcript_head, &a->waiting_head, sizeof act->transcript_head);
    }
    return 0;
}

/* What an act brought sealed: the secrets of a release, in the act's order, or one item. */
struct opened {
    struct cvm_secret secrets[CVM_ITEMS_MAX + 1];
    struct cvm_secret item;
    struct cvm_bytes content; /* of the item */
};

static void opened_free(struct opened *o)
{
    for (size_t i = 0; i < CVM_ITEMS_MAX + 1; i++)
        cvm_secret_free(&o->secrets[i]);
    cvm_secret_free(&o->item);
}

static int open_release(struct cvm_agent *a, const struct cvm_act *act, struct opened *ret,
                        struct cvm_error *err)
{
    const struct cvm_manifest *m = &a->manifest;
    for (uint32_t i = 0; i < act->n_items; i++) {
        const struct cvm_act_item *it = &act->items[i];
        const char *id = it->item < 0 ? "seed" : cvm_manifest_item_at(m, (uint32_t)it->item).id;
        if (cvm_release_open(&a->session.seal, &m->digest, &a->session.thumb, id, &it->sealed,
                             &ret->secrets[i], err) < 0)
            return cvm_error_wrap(err, "the key of %s", id);
        if (it->item >= 0)
            continue;
        struct cvm_digest came = cvm_seed_commitment(ret->secrets[i].data);
        CVM_ENSURE(cvm_equal(&came, &m->participants[act->participant].seed, sizeof came), err,
                   CVM_E_SEED_MISMATCH, "the share does not fit the manifest");
    }
    return 0;
}

static void keep_release(struct cvm_agent *a, const struct cvm_act *act, struct opened *o)
{
    for (uint32_t i = 0; i < act->n_items; i++) {
        int item = act->items[i].item;
        struct cvm_secret *to = item < 0 ? &a->shares[act->participant] : &a->items[item].key;
        cvm_secret_free(to);
        *to = o->secrets[i];
        o->secrets[i] = (struct cvm_secret){0};
    }
    cvm_session_nonce(&a->session, act->nonce, act->nonce_len)->spent = true;
}

/* Opens an item and asks whether it may pass now, with its bytes: nothing is spent by this. */
static int open_item(struct cvm_agent *a, const struct cvm_act *act, struct cvm_policy_request *q,
                     struct opened *ret, struct cvm_error *err)
{
    const struct cvm_act_feed *f = &act->feed;
    const char *id = a->manifest.data[f->data].id;
    if (cvm_item_open(&a->session.seal, &a->manifest.digest, &a->session.thumb, id, f->n, f->enc,
                      CVM_BYTES(f->ct, f->ct_len), &ret->item, &ret->content, err) < 0)
        return cvm_error_wrap(err, "item %llu of %s", (unsigned long long)f->n, id);
    q->bytes = ret->content.len;
    CVM_GUARD(cvm_agent_would(a, q, err));
    enum cvm_code code = cvm_run_can_feed(a, (uint32_t)f->data, ret->content.len);
    CVM_ENSURE(code == CVM_OK, err, code, "item %llu of %s", (unsigned long long)f->n, id);
    return 0;
}

/* What an accepted act brings about besides its place in the transcript. */
static int carry_out(struct cvm_agent *a, const struct cvm_act *act, const struct cvm_digest *jws,
                     struct opened *o, struct cvm_error *err)
{
    if (act->kind == CVM_ACT_RELEASE)
        keep_release(a, act, o);
    const char *who = a->manifest.participants[act->participant].id;
    CVM_GUARD(cvm_transcript_act(&a->transcript, who, act->kind, act->seq, jws, err));
    if (act->kind == CVM_ACT_ITEM)
        return cvm_run_feed(a, (uint32_t)act->feed.data, o->content.data, o->content.len,
                            act->feed.end, err);
    if (act->kind == CVM_ACT_WITHDRAW || act->kind == CVM_ACT_ABORT) {
        a->stop = (struct cvm_statement){.participant = act->participant, .act = *jws};
        a->stopping = true;
    }
    return 0;
}

static int take(struct cvm_agent *a, const struct cvm_act *act, const struct cvm_digest *jws,
                struct cvm_error *err)
{
    struct cvm_policy_request q;
    CVM_GUARD(to_request(a, act, &q, err));
    /* Asked first without effect, so that a replay is told as such and costs no decryption. */
    CVM_GUARD(cvm_agent_would(a, &q, err));
    CVM_CLEANUP(opened_free) struct opened opened = {0};
    if (act->kind == CVM_ACT_RELEASE)
        CVM_GUARD(open_release(a, act, &opened, err));
    if (act->kind == CVM_ACT_ITEM)
        CVM_GUARD(open_item(a, act, &q, &opened, err));
    enum cvm_phase before = a->state.phase;
    CVM_GUARD(cvm_agent_ask(a, &q, err));
    if (carry_out(a, act, jws, &opened, err) < 0) {
        cvm_agent_fault(a, CVM_E_INTERNAL);
        return -1;
    }
    cvm_agent_moved(a, before);
    return 0;
}

int cvm_act_end(struct cvm_agent *a, struct cvm_error *err)
{
    CVM_ENSURE(a->state.phase != CVM_PHASE_EMPTY, err, CVM_E_WRONG_PHASE, "the session is `%s`",
               cvm_phase_word(a->state.phase));
    const struct cvm_buf *body = &a->request.body;
    struct cvm_act act;
    CVM_GUARD(cvm_act_verify(&a->manifest, &a->session.thumb, body->data, body->len, &act, err));
    struct cvm_digest jws = cvm_sha256(body->data, body->len);
    CVM_GUARD(take(a, &act, &jws, err));
    cvm_outputs_release_when_due(a);
    CVM_AUTO_JSON json_t *answer =
        json_pack("{s:b, s:s, s:I}", "ok", 1, "state", cvm_phase_word(a->state.phase), "seq",
                  (json_int_t)act.seq);
    cvm_connection_answer(&a->connection, answer);
    return 0;
}
