/* 2cvm approve|time|withdraw|abort: acts that carry nothing sealed. */
#include <stdlib.h>
#include <string.h>

#include "cli/file.h"
#include "cli/public-record.h"

static int send(struct cli *c, struct cli_actor *a, struct cvm_act *act,
                const struct cvm_digest *session, struct cvm_error *err)
{
    CVM_AUTO_FREE char *state = NULL;
    CVM_GUARD(cli_act_prepare(a, act, session, NULL, err));
    CVM_GUARD(cli_act_send(a, a->record.seq, &state, err));
    cli_say(c, "%-11s accepted%s%s\n", cvm_act_kind_word(act->kind),
            *state ? ", the collaboration is now " : "", state);
    cli_result(c, json_pack("{s:s, s:s, s:I}", "act", cvm_act_kind_word(act->kind), "state", state,
                            "seq", (json_int_t)a->record.seq));
    return CLI_EXIT_OK;
}

/* The entry that moved to `waiting`: what an approval is about. The chain is checked, so that it is
 * this run's. */
static int find_waiting(struct cli_actor *a, struct cvm_act *act, struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf lines = {0};
    CVM_AUTO_FREE struct cvm_transcript_summary *t = cvm_alloc(sizeof *t);
    CVM_AUTO_FREE char *path =
        cvm_printf("/v1/collaborations/%s/transcript", a->co.manifest->collaboration);
    CVM_GUARD(cli_client_call(&a->client, "GET", path, NULL, NULL, &lines, NULL, err));
    CVM_GUARD(cvm_transcript_check(a->co.manifest, lines.data, lines.len, t, err));
    CVM_ENSURE(t->has_waiting, err, CVM_E_WRONG_PHASE,
               "the run has not ended well yet; there is nothing to approve");
    act->transcript_n = t->waiting_n;
    act->transcript_head = t->waiting_head;
    return 0;
}

static int run_approve(struct cli *c, struct cvm_error *err)
{
    CLI_AUTO_ACTOR struct cli_actor a = {.lock = -1};
    struct cvm_digest session;
    CVM_GUARD(cli_actor_open(c, &a, err));
    CVM_GUARD(cli_actor_session(&a, &session, err));
    CVM_AUTO_FREE struct cvm_act *act = cvm_alloc(sizeof *act);
    act->kind = CVM_ACT_APPROVE;
    act->output = cvm_manifest_output(a.co.manifest, c->args[0]);
    CVM_ENSURE(act->output >= 0, err, CVM_E_NOT_FOUND, "the manifest has no output \"%s\"",
               c->args[0]);
    CVM_GUARD(find_waiting(&a, act, err));
    return send(c, &a, act, &session, err);
}

static int run_time(struct cli *c, struct cvm_error *err)
{
    CLI_AUTO_ACTOR struct cli_actor a = {.lock = -1};
    struct cvm_digest session;
    CVM_GUARD(cli_actor_open(c, &a, err));
    CVM_GUARD(cli_actor_session(&a, &session, err));
    CVM_AUTO_FREE struct cvm_act *act = cvm_alloc(sizeof *act);
    act->kind = CVM_ACT_TIME;
    act->time = cli_now();
    return send(c, &a, act, &session, err);
}

/* The session that is to be stopped. Nothing is given to it, so that its evidence need not verify:
 * stopping may always be tried. *ret_known: it is the one that this participant released to. */
static int session_to_stop(struct cli_actor *a, struct cvm_public_key *ret, bool *ret_known,
                           struct cvm_error *err)
{
    CLI_AUTO_EVIDENCE struct cli_evidence e = {0};
    *ret_known = a->record.released;
    if (a->record.released) {
        *ret = a->record.sign;
        return 0;
    }
    CVM_GUARD(cli_challenge(&a->co, &a->client, err));
    CVM_GUARD(cli_evidence_own(&a->co, NULL, &e, err));
    *ret = e.bundle.sign;
    return 0;
}

static int own_act_digest(const struct cli_actor *a, struct cvm_digest *ret, struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf jws = {0};
    CVM_AUTO_FREE char *path = cli_collaboration_path(&a->co, "acts/%s-%llu.jws", cli_my_id(&a->co),
                                                      (unsigned long long)a->record.seq);
    CVM_GUARD(cli_file_read(path, CVM_ACT_MAX, &jws, err));
    *ret = cvm_sha256(jws.data, jws.len);
    return 0;
}

static int stop(struct cli *c, enum cvm_act_kind kind, struct cvm_error *err)
{
    CLI_AUTO_ACTOR struct cli_actor a = {.lock = -1};
    struct cvm_public_key sign;
    struct cvm_statement statement;
    struct cvm_digest digest;
    bool known;
    CVM_AUTO_FREE char *state = NULL;
    CVM_AUTO_FREE struct cvm_act *act = cvm_alloc(sizeof *act);
    CVM_GUARD(cli_actor_open(c, &a, err));
    CVM_GUARD(session_to_stop(&a, &sign, &known, err));
    struct cvm_digest session = cvm_jwk_thumbprint(&sign, CVM_ED25519);
    act->kind = kind;
    CVM_GUARD(cli_act_prepare(&a, act, &session, NULL, err));
    CVM_GUARD(own_act_digest(&a, &digest, err));
    CVM_GUARD(cli_act_send(&a, a.record.seq, &state, err));
    cli_say(c, "%-11s accepted%s%s\n", cvm_act_kind_word(kind),
            *state ? ", the collaboration is now " : "", state);
    if (cli_public_statement(&a, &sign, &digest, &statement, err) < 0)
        return cvm_error_wrap(err, "the act was accepted, but the host shows no right statement "
                                   "that your keys were wiped");
    json_t *described = cli_statement_describe(c, a.co.manifest, &statement);
    cli_say(c, "signed      by %s; kept as statement.jws\n",
            known ? "the session that you released to"
                  : "a session that you had given nothing to, and never verified");
    json_object_set_new(described, "act", json_string(cvm_act_kind_word(kind)));
    json_object_set_new(described, "state", json_string(state));
    json_object_set_new(described, "seq", json_integer((json_int_t)a.record.seq));
    cli_result(c, described);
    return CLI_EXIT_OK;
}

static int run_abort(struct cli *c, struct cvm_error *err)
{
    return stop(c, CVM_ACT_ABORT, err);
}

static int run_withdraw(struct cli *c, struct cvm_error *err)
{
    return stop(c, CVM_ACT_WITHDRAW, err);
}

static const struct cli_option OPTIONS[] = {
    CLI_OPTION_COLLABORATION,
    CLI_OPTIONS_HOST,
    {0},
};

const struct cli_verb cli_verb_approve = {
    .name = "approve",
    .arguments = "OUTPUT",
    .summary = "agree that an output leaves, where the manifest waits for you",
    .example = "2cvm approve model",
    .options = OPTIONS,
    .min_args = 1,
    .max_args = 1,
    .run = run_approve,
};

const struct cli_verb cli_verb_time = {
    .name = "time",
    .arguments = "",
    .summary = "tell the isolate your clock, where the manifest waits for a time",
    .example = "2cvm time",
    .options = OPTIONS,
    .run = run_time,
};

const struct cli_verb cli_verb_withdraw = {
    .name = "withdraw",
    .arguments = "",
    .summary = "take back what you released, before everything is there and runs",
    .example = "2cvm withdraw",
    .options = OPTIONS,
    .run = run_withdraw,
};

const struct cli_verb cli_verb_abort = {
    .name = "abort",
    .arguments = "",
    .summary =
        "end the collaboration before anything leaves; keeps the signed word that keys are wiped",
    .example = "2cvm abort",
    .options = OPTIONS,
    .run = run_abort,
};
