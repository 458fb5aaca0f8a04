/* 2cvm receipt: what the isolate signed about the run. */
#include <stdlib.h>
#include <string.h>

#include "cli/file.h"
#include "cli/public-record.h"

static json_t *describe(struct cli *c, const struct cvm_manifest *m, const struct cvm_receipt *r)
{
    char kid[CVM_KID_TEXT], digest[CVM_DIGEST_TEXT];
    json_t *components = json_array(), *outputs = json_array(), *released = json_array();
    cli_say(c, "result      %s\nsession     %s\ntranscript  %llu entries before it\n",
            r->completed ? "completed" : "FAILED", cvm_kid_text(&r->session, kid),
            (unsigned long long)r->transcript_n);
    for (uint32_t i = 0; i < m->n_components; i++) {
        cli_say(c, "component   %-20s %s\n", m->components[i].id, r->ok[i] ? "ok" : "failed");
        json_array_append_new(components, json_pack("{s:s, s:s}", "id", m->components[i].id,
                                                    "result", r->ok[i] ? "ok" : "failed"));
    }
    for (uint32_t i = 0; i < m->n_outputs; i++) {
        const struct cvm_receipt_output *o = &r->outputs[i];
        cli_say(c, "output      %-20s %s\n", m->outputs[i].id,
                o->present ? cvm_digest_text(&o->digest, digest) : "not released");
        if (o->present)
            json_array_append_new(outputs, json_pack("{s:s, s:s}", "id", m->outputs[i].id, "digest",
                                                     cvm_digest_text(&o->digest, digest)));
    }
    for (uint32_t i = 0; i < m->n_participants; i++)
        if (r->released >> i & 1)
            json_array_append_new(released, json_string(m->participants[i].id));
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:I}", "result",
                     r->completed ? "completed" : "failed", "session", kid, "components",
                     components, "outputs", outputs, "released", released, "transcript_n",
                     (json_int_t)r->transcript_n);
}

/* A session that was stopped has a statement in place of a receipt. */
static int run_statement(struct cli *c, const struct cli_collaboration *co,
                         const struct cli_record *record, struct cvm_error *err)
{
    struct cvm_statement s;
    CVM_AUTO_BUF struct cvm_buf jws = {0};
    CVM_AUTO_FREE char *path = cli_collaboration_path(co, "statement.jws");
    if (cli_file_exists(path)) {
        CVM_GUARD(cli_file_read(path, CVM_STATEMENT_MAX, &jws, err));
        CVM_GUARD(cvm_statement_verify(co->manifest, &record->sign, jws.data, jws.len, &s, err));
    } else {
        CLI_AUTO_ACTOR struct cli_actor a = {.lock = -1};
        CVM_GUARD(cli_actor_open(c, &a, err));
        CVM_GUARD(cli_public_statement(&a, &record->sign, NULL, &s, err));
    }
    cli_say(c, "result      STOPPED before anything left; there is no receipt\n");
    json_t *described = cli_statement_describe(c, co->manifest, &s);
    cli_say(c, "signed      by the session that you released to; the manifest is yours\n");
    cli_result(c, described);
    return CLI_EXIT_OK;
}

static int run(struct cli *c, struct cvm_error *err)
{
    CLI_AUTO_COLLABORATION struct cli_collaboration co = {0};
    struct cli_record record;
    CVM_AUTO_BUF struct cvm_buf jws = {0};
    CVM_AUTO_FREE struct cvm_receipt *receipt = cvm_alloc(sizeof *receipt);
    CVM_GUARD(cli_collaboration_open(c, &co, err));
    CVM_GUARD(cli_record_load(&co, &record, err));
    CVM_ENSURE(record.released, err, CVM_E_WRONG_PHASE, "you have not released to any session yet");
    CVM_AUTO_FREE char *path = cli_collaboration_path(&co, "receipt.jws");
    CVM_AUTO_FREE char *stopped = cli_collaboration_path(&co, "statement.jws");
    if (cli_file_exists(stopped) && !cli_file_exists(path))
        return run_statement(c, &co, &record, err);
    if (cli_file_exists(path)) {
        CVM_GUARD(cli_file_read(path, CVM_RECEIPT_MAX, &jws, err));
        CVM_GUARD(cvm_receipt_verify(co.manifest, &record.sign, jws.data, jws.len, receipt, err));
    } else {
        CLI_AUTO_ACTOR struct cli_actor a = {.lock = -1};
        CVM_GUARD(cli_actor_open(c, &a, err));
        struct cvm_error none = {0};
        if (cli_public_receipt(&a, receipt, &none) < 0) {
            cli_actor_free(&a);
            if (none.code == CVM_E_NOT_FOUND && run_statement(c, &co, &record, NULL) == CLI_EXIT_OK)
                return CLI_EXIT_OK;
            *err = none;
            return -1;
        }
    }
    json_t *described = describe(c, co.manifest, receipt);
    cli_say(c, "signed      by the session that you released to; the manifest is yours\n");
    cli_result(c, described);
    return CLI_EXIT_OK;
}

static const struct cli_option OPTIONS[] = {
    CLI_OPTION_COLLABORATION,
    CLI_OPTIONS_HOST,
    {0},
};

const struct cli_verb cli_verb_receipt = {
    .name = "receipt",
    .arguments = "",
    .summary = "show and check the signed receipt of the run",
    .example = "2cvm receipt",
    .options = OPTIONS,
    .run = run,
};
