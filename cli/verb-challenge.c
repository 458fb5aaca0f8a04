/* 2cvm challenge: asks the isolate for evidence with a nonce of our own. */
#include <stdlib.h>

#include "cli/session.h"

static int run(struct cli *c, struct cvm_error *err)
{
    CLI_AUTO_COLLABORATION struct cli_collaboration co = {0};
    CLI_AUTO_IDENTITY struct cli_identity me = {0};
    CLI_AUTO_CLIENT struct cli_client client = {0};
    CLI_AUTO_EVIDENCE struct cli_evidence e = {0};
    char kid[CVM_KID_TEXT];
    CVM_GUARD(cli_collaboration_open(c, &co, err));
    CVM_GUARD(cli_identity_load(c, &me, err));
    CVM_GUARD(cli_client_open(c, &co, &me.sign, &client, err));
    CVM_GUARD(cli_challenge(&co, &client, err));
    CVM_GUARD(cli_evidence_own(&co, NULL, &e, err));
    CVM_AUTO_FREE char *path = cli_evidence_path(&co);
    cvm_kid_text(&e.session, kid);
    cli_say(c, "evidence    %s\nsession     %s (nothing is checked yet)\nnext        2cvm verify\n",
            path, kid);
    cli_result(c, json_pack("{s:s, s:s, s:s}", "evidence", path, "session", kid, "platform",
                            e.bundle.platform));
    return CLI_EXIT_OK;
}

static const struct cli_option OPTIONS[] = {
    CLI_OPTION_COLLABORATION,
    CLI_OPTIONS_HOST,
    {0},
};

const struct cli_verb cli_verb_challenge = {
    .name = "challenge",
    .arguments = "",
    .summary = "ask the isolate for evidence that answers a fresh nonce of yours",
    .example = "2cvm challenge",
    .options = OPTIONS,
    .run = run,
};
