/*
 * 2cvm fetch: results. An output counts only when the receipt names it and the receipt is signed by
 * the very session that this participant released to; where the bytes come from does not matter.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/acts.h"
#include "cli/file.h"
#include "cli/public-record.h"
#include "core/seal/output.h"

static bool is_recipient(const struct cvm_manifest *m, uint32_t output, int me)
{
    return m->outputs[output].recipients >> me & 1;
}

/* Ciphertext beside its final name, then the content; both appear only when everything fits. */
static int fetch_one(struct cli *c, struct cli_actor *a, const struct cvm_receipt *receipt,
                     uint32_t index, json_t *done, struct cvm_error *err)
{
    const struct cvm_manifest *m = a->co.manifest;
    const struct cvm_output *o = &m->outputs[index];
    struct cvm_digest session, file;
    uint64_t length = 0;
    CVM_GUARD(cli_actor_session(a, &session, err));
    struct cvm_output_binding binding = {
        .manifest = m->digest, .session = session, .output = o->id};
    uint64_t max = cvm_output_sealed_size(&binding, CVM_OUTPUT_RECIPIENTS_MAX, CVM_PADDING_MAX,
                                          o->max_bytes, o->max_bytes);
    CVM_AUTO_FREE char *sealed_path = cli_collaboration_path(&a->co, "outputs/%s.sealed", o->id);
    CVM_AUTO_FREE char *own_path = cli_collaboration_path(&a->co, "outputs/%s", o->id);
    const char *path = cli_opt(c, "output") ? cli_opt(c, "output") : own_path;
    CLI_AUTO_TEMP struct cli_temp sealed = {.fd = -1};
    CLI_AUTO_TEMP struct cli_temp plain = {.fd = -1};
    CVM_GUARD(cli_temp_open(&sealed, sealed_path, 0644, err));
    CVM_GUARD(cli_temp_open(&plain, path, 0600, err));
    CVM_AUTO_FREE char *where =
        cvm_printf("/v1/collaborations/%s/outputs/%s", m->collaboration, o->id);
    struct cli_progress bar = cli_progress_start(c, o->id);
    int result = cli_client_download(&a->client, where, sealed.fd, max, &bar, err);
    cli_progress_end(&bar);
    CVM_GUARD(result);
    if (lseek(sealed.fd, 0, SEEK_SET) < 0)
        return cvm_fail_errno(err, "reading %s", sealed_path);
    CVM_GUARD(cvm_output_open(&binding, &a->me.seal, o->padding, o->max_bytes, sealed.fd, plain.fd,
                              &file, &length, err));
    CVM_GUARD(cvm_receipt_check_output(m, receipt, (int)index, &file, err));
    CVM_GUARD(cli_temp_commit(&sealed, err));
    CVM_GUARD(cli_temp_commit(&plain, err));
    char size[24], digest[CVM_DIGEST_TEXT];
    cli_say(c, "output      %s: %s, %s, as the receipt says\n", o->id, path,
            cli_size_text(length, size));
    json_array_append_new(done,
                          json_pack("{s:s, s:s, s:I, s:s}", "id", o->id, "path", path, "bytes",
                                    (json_int_t)length, "sealed", cvm_digest_text(&file, digest)));
    return 0;
}

/* Which outputs: the named one, or all that are for me. */
static int choose(const struct cli *c, const struct cli_actor *a, bool wanted[CVM_OUTPUTS_MAX],
                  struct cvm_error *err)
{
    const struct cvm_manifest *m = a->co.manifest;
    bool any = false;
    if (c->n_args) {
        int i = cvm_manifest_output(m, c->args[0]);
        CVM_ENSURE(i >= 0, err, CVM_E_NOT_FOUND, "the manifest has no output \"%s\"", c->args[0]);
        CVM_ENSURE(is_recipient(m, (uint32_t)i, a->co.me), err, CVM_E_NOT_RECIPIENT,
                   "\"%s\" is not for %s", c->args[0], cli_my_id(&a->co));
        wanted[i] = true;
        return 0;
    }
    CVM_ENSURE(!cli_opt(c, "output"), err, CVM_E_USAGE, "--output needs the name of one output");
    for (uint32_t i = 0; i < m->n_outputs; i++) {
        wanted[i] = is_recipient(m, i, a->co.me);
        any |= wanted[i];
    }
    if (!any)
        cli_say(c, "no output of this manifest is for you; the receipt is\n");
    return 0;
}

static int run(struct cli *c, struct cvm_error *err)
{
    CLI_AUTO_ACTOR struct cli_actor a = {.lock = -1};
    CVM_AUTO_FREE struct cvm_receipt *receipt = cvm_alloc(sizeof *receipt);
    bool wanted[CVM_OUTPUTS_MAX] = {0};
    CVM_GUARD(cli_actor_open(c, &a, err));
    CVM_GUARD(choose(c, &a, wanted, err));
    CVM_GUARD(cli_public_receipt(&a, receipt, err));
    CVM_AUTO_JSON json_t *done = json_array();
    for (uint32_t i = 0; i < a.co.manifest->n_outputs; i++)
        if (wanted[i] && receipt->outputs[i].present)
            CVM_GUARD(fetch_one(c, &a, receipt, i, done, err));
    CVM_AUTO_FREE char *receipt_path = cli_collaboration_path(&a.co, "receipt.jws");
    bool complete = false;
    CVM_GUARD(cli_public_rest(&a, receipt, &complete, err));
    cli_say(c, "receipt     %s: the run %s\n", receipt_path,
            receipt->completed ? "completed" : "FAILED");
    if (!complete)
        cli_say(c, "note        the last evidence is not there yet; fetch again when the "
                   "collaboration is closed\n");
    cli_result(c,
               json_pack("{s:O, s:s, s:s, s:b}", "outputs", done, "receipt", receipt_path, "result",
                         receipt->completed ? "completed" : "failed", "complete", complete));
    if (!receipt->completed && !json_array_size(done) && !c->json)
        return cvm_fail(err, CVM_E_RUN_FAILED, "nothing was released");
    return receipt->completed ? CLI_EXIT_OK : CLI_EXIT_REFUSED;
}

static const struct cli_option OPTIONS[] = {
    CLI_OPTION_COLLABORATION,
    {"output", 'o', "FILE",
     "where to put the one named output (default: in the home's folder of the collaboration)"},
    CLI_OPTIONS_HOST,
    {0},
};

const struct cli_verb cli_verb_fetch = {
    .name = "fetch",
    .arguments = "[OUTPUT]",
    .summary = "get your results: check them against the receipt, open them",
    .example = "2cvm fetch\n2cvm fetch model -o model.json",
    .options = OPTIONS,
    .max_args = 1,
    .run = run,
};
