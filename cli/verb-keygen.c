/* 2cvm keygen: the keys of this home, and the card that is given to others. */
#include <stdlib.h>
#include <string.h>

#include "cli/file.h"
#include "cli/home.h"
#include "core/manifest/explain.h"

static int give_card(struct cli *c, const struct cli_card *card, struct cvm_error *err)
{
    const char *out = cli_opt(c, "output");
    CVM_AUTO_JSON json_t *json = cli_card_json(card);
    struct cvm_digest thumb = cli_card_thumbprint(card);
    char spoken[CVM_SPOKEN_LEN], kid[CVM_KID_TEXT];
    cvm_digest_spoken(&thumb, spoken);
    if (out)
        CVM_GUARD(cli_json_write(out, json, 0644, true, err));
    CVM_AUTO_BUF struct cvm_buf text = {0};
    CVM_GUARD(cvm_json_write(json, &text, err));
    if (!out)
        cli_say(c, "%s\n", cvm_buf_cstr(&text));
    else
        cli_say(c, "card        %s (give it to the others)\n", out);
    if (!cli_flag(c, "export") || out) {
        cli_say(c, "signing key %s\n", cvm_jwk_kid(&card->sign, CVM_ED25519, kid));
        cli_say(c,
                "thumbprint  %s\n            (read it to the others over the telephone; it covers "
                "both keys)\n",
                spoken);
    }
    cli_result(c, json_pack("{s:O, s:s, s:s}", "card", json, "thumbprint", spoken, "kid",
                            cvm_jwk_kid(&card->sign, CVM_ED25519, kid)));
    return CLI_EXIT_OK;
}

static int run(struct cli *c, struct cvm_error *err)
{
    struct cli_card card = {0};
    if (cli_flag(c, "export")) {
        CVM_GUARD(cli_identity_card(c, &card, err));
        return give_card(c, &card, err);
    }
    const char *id = cli_opt(c, "id"), *name = cli_opt(c, "name");
    CVM_ENSURE(id, err, CVM_E_USAGE, "--id is needed: how the manifests name you, as \"clinic-a\"");
    CVM_ENSURE(cvm_id_valid(id), err, CVM_E_MANIFEST_ID, "--id %s", id);
    name = name ? name : id;
    CVM_GUARD(cli_name_check(name, err));
    snprintf(card.id, sizeof card.id, "%s", id);
    snprintf(card.name, sizeof card.name, "%s", name);
    CLI_AUTO_IDENTITY struct cli_identity me = {0};
    CVM_GUARD(cli_identity_create(c, &card, &me, err));
    cli_say(c, "keys        %s/sign.jwk, %s/seal.jwk (secret; make a backup)\n", c->home, c->home);
    return give_card(c, &me.card, err);
}

static const struct cli_option OPTIONS[] = {
    {"id", 0, "ID", "how manifests name you: [a-z][a-z0-9-]*"},
    {"name", 0, "TEXT", "your name for people (default: the id)"},
    {"export", 0, NULL, "make nothing, only give the card again"},
    {"output", 'o', "FILE", "write the card there"},
    {0},
};

const struct cli_verb cli_verb_keygen = {
    .name = "keygen",
    .arguments = "",
    .summary = "make your keys, and the card that you give to the others",
    .example =
        "2cvm keygen --id clinic-a --name \"Clinic A\" -o clinic-a.card.json\n2cvm keygen --export",
    .options = OPTIONS,
    .run = run,
};
