/* 2cvm verify: own evidence before a release, two files, or a whole public folder. Works offline.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/file.h"
#include "cli/session.h"

/* The evidence's checks, and with a folder its rows. */
static int finish(struct cli *c, const struct cli_evidence *e,
                  const struct cli_folder_check *folder)
{
    int code = e->appraisal ? cvm_appraisal_exit_code(e->appraisal) : CLI_EXIT_REFUSED;
    if (folder && folder->refused)
        code = CLI_EXIT_REFUSED;
    if (e->appraisal)
        cli_evidence_say(c, e);
    if (folder) {
        cli_say(c, "What the folder holds\n");
        cli_folder_check_say(c, folder);
    }
    if (!e->appraisal)
        cli_say(c, "\nREFUSED: there is no evidence in the folder\n");
    else if (folder)
        cli_say(c, "\n%s\n",
                code == CLI_EXIT_OK ? "VERIFIED: everything fits together, on genuine hardware"
                : code == CLI_EXIT_SIMULATED
                    ? "SIMULATED: everything fits together, but no hardware stands behind it"
                    : "REFUSED: see above; do not use the results");
    json_t *json = e->appraisal ? cvm_appraisal_json(e->appraisal) : json_object();
    if (folder)
        json_object_set(json, "files", folder->rows);
    json_object_set_new(json, "outcome",
                        json_string(code == CLI_EXIT_OK          ? "verified"
                                    : code == CLI_EXIT_SIMULATED ? "simulated"
                                                                 : "refused"));
    json_object_set_new(json, "exit", json_integer(code));
    cli_result(c, json);
    return code;
}

static int verify_folder(struct cli *c, const char *folder, struct cvm_error *err)
{
    CLI_AUTO_MANIFEST struct cvm_manifest *m = NULL;
    CLI_AUTO_MANIFEST struct cvm_manifest *own = NULL;
    CLI_AUTO_FOLDER_CHECK struct cli_folder_check check = {0};
    CVM_AUTO_FREE char *path = cvm_printf("%s/manifest.json", folder);
    CVM_GUARD(cli_manifest_read(path, &m, err));
    if (cli_opt(c, "manifest")) {
        CVM_GUARD(cli_manifest_read(cli_opt(c, "manifest"), &own, err));
        char expected[CVM_DIGEST_TEXT], got[CVM_DIGEST_TEXT];
        if (memcmp(&own->digest, &m->digest, sizeof m->digest) != 0)
            return cvm_fail_expected(
                err, CVM_E_MANIFEST_DIFFERS, cvm_digest_text(&own->digest, expected),
                cvm_digest_text(&m->digest, got), "%s is not your manifest", path);
    }
    CVM_GUARD(cli_folder_check(folder, m, NULL, &check, err));
    return finish(c, &check.evidence, &check);
}

static int verify_files(struct cli *c, const char *evidence, struct cvm_error *err)
{
    CLI_AUTO_MANIFEST struct cvm_manifest *m = NULL;
    CLI_AUTO_EVIDENCE struct cli_evidence e = {0};
    CVM_AUTO_BUF struct cvm_buf nonce = {0};
    const char *manifest = cli_opt(c, "manifest"), *text = cli_opt(c, "nonce");
    CVM_ENSURE(manifest, err, CVM_E_USAGE, "--evidence needs --manifest FILE");
    CVM_GUARD(cli_manifest_read(manifest, &m, err));
    if (text)
        CVM_GUARD(cvm_b64u_decode(text, strlen(text), &nonce, err));
    CVM_GUARD(cli_evidence_load(evidence, m, text ? &CVM_BYTES(nonce.data, nonce.len) : NULL, NULL,
                                &e, err));
    return finish(c, &e, NULL);
}

static int run(struct cli *c, struct cvm_error *err)
{
    const char *evidence = cli_opt(c, "evidence");
    if (c->n_args) {
        CVM_ENSURE(!evidence, err, CVM_E_USAGE, "a folder, or --evidence: not both");
        CVM_ENSURE(!cli_opt(c, "nonce"), err, CVM_E_USAGE,
                   "--nonce goes with --evidence: the last report in a folder answers no nonce");
        return verify_folder(c, c->args[0], err);
    }
    if (evidence)
        return verify_files(c, evidence, err);
    CVM_ENSURE(!cli_opt(c, "nonce") && !cli_opt(c, "manifest"), err, CVM_E_USAGE,
               "--nonce and --manifest go with --evidence");
    CLI_AUTO_COLLABORATION struct cli_collaboration co = {0};
    CLI_AUTO_EVIDENCE struct cli_evidence e = {0};
    CVM_GUARD(cli_collaboration_open(c, &co, err));
    struct cli_record record;
    CVM_GUARD(cli_record_load(&co, &record, err));
    CVM_GUARD(cli_evidence_own(&co, record.released ? &record.sign : NULL, &e, err));
    return finish(c, &e, NULL);
}

static const struct cli_option OPTIONS[] = {
    CLI_OPTION_COLLABORATION,
    {"evidence", 0, "FILE", "check this evidence bundle"},
    {"manifest", 0, "FILE", "against this manifest; with a folder: it must hold this one"},
    {"nonce", 0, "TEXT", "and this nonce (base64url); without: freshness is NOT CHECKED"},
    {0},
};

const struct cli_verb cli_verb_verify = {
    .name = "verify",
    .arguments = "[DIR]",
    .summary = "check the evidence you got, or everything that a collaboration left in a folder",
    .example = "2cvm verify\n2cvm verify build/demo/joint-study/public\n"
               "2cvm verify --evidence evidence.json --manifest manifest.json",
    .options = OPTIONS,
    .max_args = 1,
    .run = run,
};
