#include "cli/session.h"

#include <stdlib.h>
#include <string.h>

#include "cli/file.h"

void cli_evidence_free(struct cli_evidence *e)
{
    cvm_bundle_free(&e->bundle);
    free(e->appraisal);
    *e = (struct cli_evidence){0};
}

static int nonce_save(const struct cli_collaboration *co, const struct cli_nonce *nonce,
                      struct cvm_error *err)
{
    CVM_AUTO_FREE char *path = cli_collaboration_path(co, "challenge.json");
    CVM_AUTO_FREE char *text = cvm_b64u(nonce->b, sizeof nonce->b);
    CVM_AUTO_JSON json_t *json =
        json_pack("{s:s, s:I, s:i}", "nonce", text, "time", (json_int_t)nonce->time, "version", 1);
    return cli_json_write(path, json, 0600, true, err);
}

int cli_nonce_load(const struct cli_collaboration *co, struct cli_nonce *ret, struct cvm_error *err)
{
    CVM_AUTO_FREE char *path = cli_collaboration_path(co, "challenge.json");
    CVM_ENSURE(cli_file_exists(path), err, CVM_E_NOT_FOUND,
               "no challenge was made yet: run `2cvm challenge`");
    CVM_AUTO_JSON json_t *json = cli_json_read(path, true, err);
    if (!json)
        return -1;
    struct cvm_json_reader r;
    struct cli_nonce out = {0};
    cvm_json_begin(&r, json, "challenge", err);
    const char *text = cvm_json_string(&r, "nonce");
    out.time = cvm_json_int(&r, "time", 0, CVM_JSON_INT_MAX);
    cvm_json_int(&r, "version", 1, 1);
    CVM_GUARD(cvm_json_end(&r));
    CVM_GUARD(cvm_b64u_decode_exact(text, out.b, sizeof out.b, err));
    *ret = out;
    return 0;
}

/*
 * Where the answer to a challenge lies. evidence/<me>.json is what was verified before the release
 * and stays so; what is asked later goes elsewhere.
 */
char *cli_evidence_path(const struct cli_collaboration *co)
{
    struct cli_record record;
    if (cli_record_load(co, &record, NULL) == 0 && record.released)
        return cli_collaboration_path(co, "later-evidence.json");
    return cli_collaboration_path(co, "evidence/%s.json", cli_my_id(co));
}

int cli_challenge(const struct cli_collaboration *co, struct cli_client *client,
                  struct cvm_error *err)
{
    struct cli_nonce nonce = {.time = cli_now()};
    CVM_GUARD(cvm_random(nonce.b, sizeof nonce.b, err));
    CVM_GUARD(nonce_save(co, &nonce, err));
    CVM_AUTO_FREE char *text = cvm_b64u(nonce.b, sizeof nonce.b);
    CVM_AUTO_FREE char *body = cvm_printf("{\"nonce\":\"%s\"}", text);
    CVM_AUTO_FREE char *path =
        cvm_printf("/v1/collaborations/%s/challenges", co->manifest->collaboration);
    CVM_AUTO_BUF struct cvm_buf answer = {0};
    CVM_GUARD(cli_client_call(client, "POST", path, &CVM_STR(body), "application/json", &answer,
                              NULL, err));
    CVM_ENSURE(answer.len <= CVM_BUNDLE_MAX, err, CVM_E_BUNDLE_FORMAT,
               "evidence of more than %d bytes", CVM_BUNDLE_MAX);
    CVM_AUTO_FREE char *file = cli_evidence_path(co);
    return cli_file_write(file, answer.data, answer.len, 0644, err);
}

int cli_evidence_load(const char *path, const struct cvm_manifest *m, const struct cvm_bytes *nonce,
                      const struct cvm_public_key *pin, struct cli_evidence *ret,
                      struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf bytes = {0};
    CLI_AUTO_EVIDENCE struct cli_evidence e = {0};
    CVM_GUARD(cli_file_read(path, CVM_BUNDLE_MAX, &bytes, err));
    if (cvm_bundle_parse(bytes.data, bytes.len, &e.bundle, err) < 0)
        return cvm_error_wrap(err, "%s", path);
    e.appraisal = cvm_alloc(sizeof *e.appraisal);
    struct cvm_appraise_options options = {.time = cli_now(), .session = pin};
    if (nonce)
        options.nonce = *nonce;
    CVM_GUARD(cvm_evidence_appraise(&e.bundle, m, &options, e.appraisal, err));
    e.session = cvm_jwk_thumbprint(&e.bundle.sign, CVM_ED25519);
    *ret = e;
    e = (struct cli_evidence){0};
    return 0;
}

int cli_evidence_own(const struct cli_collaboration *co, const struct cvm_public_key *pin,
                     struct cli_evidence *ret, struct cvm_error *err)
{
    struct cli_nonce nonce;
    CVM_GUARD(cli_nonce_load(co, &nonce, err));
    CVM_AUTO_FREE char *path = cli_evidence_path(co);
    if (!cli_file_exists(path)) { /* nothing was asked since the release */
        free(path);
        path = cli_collaboration_path(co, "evidence/%s.json", cli_my_id(co));
    }
    CVM_ENSURE(cli_file_exists(path), err, CVM_E_NOT_FOUND,
               "no evidence was fetched yet: run `2cvm challenge`");
    return cli_evidence_load(path, co->manifest, &CVM_BYTES(nonce.b, sizeof nonce.b), pin, ret,
                             err);
}

void cli_simulated_banner(const struct cli *c)
{
    cli_say(c, "\n"
               "  ########################################################################\n"
               "  ##  SIMULATED: no hardware protects this. Whoever runs the host can   ##\n"
               "  ##  read and change everything. Good for trying out, for nothing else ##\n"
               "  ########################################################################\n\n");
}

void cli_evidence_say(const struct cli *c, const struct cli_evidence *e)
{
    CVM_AUTO_BUF struct cvm_buf table = {0};
    cvm_appraisal_print(e->appraisal, &table);
    cli_say(c, "%s", cvm_buf_cstr(&table));
    if (e->appraisal->outcome == CVM_OUTCOME_SIMULATED)
        cli_simulated_banner(c);
}
