/*
 * 2cvm release: the content keys and the share of the seed go to one verified session, once.
 *
 * Security: this is where a participant's secrets leave its machine. The order below is the promise
 * "one manifest, one session, one run": verify, compare with the record, write the record down
 * durably, only then send.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/acts.h"
#include "core/seal/release.h"

/* Evidence that answers an own nonce made a moment ago: what `2cvm challenge` left, or a new one.
 */
static int fresh_evidence(struct cli_actor *a, struct cli_evidence *ret, struct cvm_error *err)
{
    struct cli_nonce nonce;
    bool usable = !a->record.released && cli_nonce_load(&a->co, &nonce, NULL) == 0 &&
                  nonce.time <= cli_now() && cli_now() - nonce.time <= CLI_FRESH_SECONDS &&
                  cli_evidence_own(&a->co, NULL, ret, NULL) == 0;
    if (usable && ret->appraisal->outcome != CVM_OUTCOME_REFUSED)
        return 0;
    cli_evidence_free(ret);
    CVM_GUARD(cli_challenge(&a->co, &a->client, err));
    return cli_evidence_own(&a->co, NULL, ret, err);
}

static int judge(const struct cli *c, const struct cli_evidence *e, struct cvm_error *err)
{
    CVM_GUARD(cvm_appraisal_error(e->appraisal, err));
    if (e->appraisal->outcome == CVM_OUTCOME_VERIFIED)
        return 0;
    CVM_ENSURE(e->appraisal->outcome == CVM_OUTCOME_SIMULATED, err, CVM_E_EVIDENCE_REFUSED,
               "not verified");
    CVM_ENSURE(cli_flag(c, "simulated"), err, CVM_E_SIMULATED,
               "no hardware protects what you would release; nothing was sent");
    return 0;
}

static bool same_session(const struct cli_record *r, const struct cvm_bundle *b)
{
    return memcmp(&r->sign, &b->sign, sizeof r->sign) == 0 &&
           memcmp(&r->seal, &b->seal, sizeof r->seal) == 0;
}

static int other_session(const struct cli_record *r, const struct cli_evidence *e,
                         struct cvm_error *err)
{
    char expected[CVM_KID_TEXT], got[CVM_KID_TEXT];
    return cvm_fail_expected(
        err, CVM_E_ALREADY_RELEASED, cvm_jwk_kid(&r->sign, CVM_ED25519, expected),
        cvm_kid_text(&e->session, got),
        "you released this manifest to another session; nothing was sent to this one");
}

static int seal_items(struct cli *c, const struct cli_actor *a, const struct cli_evidence *e,
                      struct cvm_act *act, struct cvm_error *err)
{
    const struct cvm_manifest *m = a->co.manifest;
    act->n_items = cvm_act_wants(m, a->co.me, act->items);
    for (uint32_t i = 0; i < act->n_items; i++) {
        struct cvm_act_item *out = &act->items[i];
        CVM_AUTO_SECRET struct cvm_secret key = {0};
        const char *id = "seed";
        if (out->item < 0) {
            CVM_GUARD(cli_seed_load(c, &m->participants[a->co.me].seed, &key, err));
        } else {
            struct cvm_item x = cvm_manifest_item_at(m, (uint32_t)out->item);
            CLI_AUTO_ITEM struct cli_item packed = {0};
            CVM_GUARD(cli_item_load(c, x.id, x.digest, &packed, err));
            CVM_GUARD(cli_item_key(c, &packed, &key, err));
            id = x.id;
        }
        CVM_GUARD(cvm_release_seal(&e->bundle.seal, &m->digest, &e->session, id, &key, &out->sealed,
                                   err));
    }
    return 0;
}

static int release(struct cli *c, struct cli_actor *a, const struct cli_evidence *e,
                   struct cvm_error *err)
{
    CVM_AUTO_FREE struct cvm_act *act = cvm_alloc(sizeof *act);
    act->kind = CVM_ACT_RELEASE;
    memcpy(act->nonce, e->bundle.nonce, e->bundle.nonce_len);
    act->nonce_len = e->bundle.nonce_len;
    CVM_GUARD(seal_items(c, a, e, act, err));
    return cli_act_prepare(a, act, &e->session, &e->bundle, err);
}

static int run(struct cli *c, struct cvm_error *err)
{
    CLI_AUTO_ACTOR struct cli_actor a = {.lock = -1};
    CLI_AUTO_EVIDENCE struct cli_evidence e = {0};
    CVM_AUTO_FREE char *state = NULL;
    CVM_GUARD(cli_actor_open(c, &a, err));
    CVM_GUARD(cli_not_expired(a.co.manifest, err));
    CVM_GUARD(fresh_evidence(&a, &e, err));
    CVM_GUARD(judge(c, &e, err));
    bool again = a.record.released;
    if (again && !same_session(&a.record, &e.bundle))
        return other_session(&a.record, &e, err);
    if (!again)
        CVM_GUARD(release(c, &a, &e, err));
    /* From here on only the stored act is sent, however often: the same bytes to the same session.
     */
    bool there = again && cli_act_accepted(&a, a.record.act_seq);
    if (!there)
        CVM_GUARD(cli_act_send(&a, a.record.act_seq, &state, err));
    if (cli_opt(c, "host"))
        CVM_GUARD(cli_collaboration_remember_host(&a.co, a.client.url, a.client.cacert, err));
    char kid[CVM_KID_TEXT];
    cvm_kid_text(&e.session, kid);
    bool simulated = e.appraisal->outcome == CVM_OUTCOME_SIMULATED;
    cli_say(c, "verified    %s\nreleased    to session %s, and to no other ever%s\n",
            simulated ? "consistent, but SIMULATED" : "on hardware, fresh", kid,
            there ? " (it had arrived already)" : "");
    cli_result(c, json_pack("{s:s, s:b, s:b, s:s, s:I}", "session", kid, "simulated", simulated,
                            "again", again, "state", state ? state : "", "seq",
                            (json_int_t)a.record.act_seq));
    return CLI_EXIT_OK;
}

static const struct cli_option OPTIONS[] = {
    CLI_OPTION_COLLABORATION,
    {"simulated", 0, NULL, "also to an isolate that no hardware protects"},
    CLI_OPTIONS_HOST,
    {0},
};

const struct cli_verb cli_verb_release = {
    .name = "release",
    .arguments = "",
    .summary = "verify the isolate, then send it your keys: once, to one session",
    .example = "2cvm release\n2cvm release --simulated",
    .options = OPTIONS,
    .run = run,
};
