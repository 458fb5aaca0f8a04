/* 2cvm approve|time|abort: the other acts. */
#include <stdlib.h>
#include <string.h>

#include "cli/acts.h"
#include "core/record/transcript.h"

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

/* Nothing is given to the session, so that its evidence need not verify: an abort may always be
 * tried. */
static int session_to_abort(struct cli_actor *a, struct cvm_digest *ret, struct cvm_error *err)
{
    CLI_AUTO_EVIDENCE struct cli_evidence e = {0};
    if (a->record.released)
        return cli_actor_session(a, ret, err);
    CVM_GUARD(cli_challenge(&a->co, &a->client, err));
    CVM_GUARD(cli_evidence_own(&a->co, NULL, &e, err));
    *ret = e.session;
    return 0;
}

static int run_abort(struct cli *c, struct cvm_error *err)
{
    CLI_AUTO_ACTOR struct cli_actor a = {.lock = -1};
    struct cvm_digest session;
    CVM_GUARD(cli_actor_open(c, &a, err));
    CVM_GUARD(session_to_abort(&a, &session, err));
    CVM_AUTO_FREE struct cvm_act *act = cvm_alloc(sizeof *act);
    act->kind = CVM_ACT_ABORT;
    return send(c, &a, act, &session, err);
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

const struct cli_verb cli_verb_abort = {
    .name = "abort",
    .arguments = "",
    .summary = "end the collaboration before anything leaves",
    .example = "2cvm abort",
    .options = OPTIONS,
    .run = run_abort,
};
