/* 2cvm manifest offer|init|renew: making a manifest together. */
#include <stdlib.h>
#include <string.h>

#include "cli/draft.h"
#include "cli/file.h"
#include "core/manifest/explain.h"
#include "core/manifest/manifest.h"

static int offered_item(const struct cli *c, const char *id, json_t *list, struct cvm_error *err)
{
    char digest[CVM_DIGEST_TEXT];
    CLI_AUTO_ITEM struct cli_item item = {0};
    CVM_GUARD(cli_item_load(c, id, NULL, &item, err));
    json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:s}", "digest",
                                          cvm_digest_text(&item.digest, digest), "id", item.id,
                                          "max_bytes", (json_int_t)item.max_bytes, "padding",
                                          item.padded ? "max" : "none"));
    return 0;
}

static int run_offer(struct cli *c, struct cvm_error *err)
{
    struct cli_card me;
    struct cvm_digest seed;
    char text[CVM_DIGEST_TEXT];
    const char *id, *out = cli_opt(c, "output");
    CVM_GUARD(cli_identity_card(c, &me, err));
    CVM_AUTO_JSON json_t *items = json_array();
    for (int i = 0; (id = cli_opt_at(c, "item", i)); i++)
        CVM_GUARD(offered_item(c, id, items, err));
    if (!cli_opt(c, "item") && !cli_flag(c, "no-items")) {
        CVM_AUTO_JSON json_t *all = NULL;
        size_t i;
        json_t *x;
        CVM_GUARD(cli_item_list(c, &all, err));
        json_array_foreach(all, i, x) CVM_GUARD(offered_item(c, json_string_value(x), items, err));
    }
    CVM_GUARD(cli_seed_create(c, &seed, err));
    CVM_AUTO_JSON json_t *offer =
        json_pack("{s:O, s:o, s:s, s:i}", "items", items, "participant", cli_card_json(&me), "seed",
                  cvm_digest_text(&seed, text), "version", 1);
    CVM_GUARD(cli_json_write(out ? out : "offer.json", offer, 0644, true, err));
    cli_say(c, "offer       %s: %s with %zu item%s and a fresh share of the seed\n",
            out ? out : "offer.json", me.id, json_array_size(items),
            json_array_size(items) == 1 ? "" : "s");
    cli_result(c, json_incref(offer));
    return CLI_EXIT_OK;
}

static int write_manifest(struct cli *c, const struct cvm_buf *bytes, struct cvm_error *err)
{
    const char *out = cli_opt(c, "output") ? cli_opt(c, "output") : "manifest.json";
    char digest[CVM_DIGEST_TEXT], spoken[CVM_SPOKEN_LEN];
    struct cvm_digest d = cvm_sha256(bytes->data, bytes->len);
    if (cli_flag(c, "force"))
        CVM_GUARD(cli_file_write(out, bytes->data, bytes->len, 0644, err));
    else
        CVM_GUARD(cli_file_create(out, bytes->data, bytes->len, 0644, err));
    cvm_digest_text(&d, digest);
    cvm_digest_spoken(&d, spoken);
    cli_say(c,
            "manifest    %s (%zu bytes)\ndigest      %s\nspoken      %s\nnext        everyone "
            "reads `2cvm manifest explain %s`, "
            "then `2cvm commit %s`\n",
            out, bytes->len, digest, spoken, out, out);
    cli_result(c, json_pack("{s:s, s:s, s:s, s:I}", "manifest", out, "digest", digest, "spoken",
                            spoken, "bytes", (json_int_t)bytes->len));
    return CLI_EXIT_OK;
}

static int run_init(struct cli *c, struct cvm_error *err)
{
    struct cli_draft_defaults defaults = {.image = cli_opt(c, "image")};
    const char *draft_path = cli_opt(c, "draft"), *path;
    CVM_ENSURE(draft_path, err, CVM_E_USAGE,
               "--draft is needed: the manifest as you write it, with pieces missing");
    CVM_GUARD(cli_opt_int(c, "days", 1, 3650, 30, &defaults.days, err));
    CVM_AUTO_JSON json_t *draft = cli_json_read(draft_path, false, err);
    if (!draft)
        return -1;
    CVM_ENSURE(json_is_object(draft), err, CVM_E_JSON_TYPE, "%s is not an object", draft_path);
    for (int i = 0; (path = cli_opt_at(c, "offer", i)); i++) {
        unsigned unused = 0;
        CVM_AUTO_JSON json_t *offer = cli_json_read(path, false, err);
        if (!offer)
            return -1;
        if (cli_draft_offer(draft, offer, &unused, err) < 0)
            return cvm_error_wrap(err, "%s", path);
        if (unused)
            cli_note(c, "note: %u item%s of %s %s not used by the draft\n", unused,
                     unused == 1 ? "" : "s", path, unused == 1 ? "is" : "are");
    }
    CVM_AUTO_BUF struct cvm_buf bytes = {0};
    CVM_GUARD(cli_draft_finish(draft, &defaults, &bytes, err));
    return write_manifest(c, &bytes, err);
}

static int run_renew(struct cli *c, struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf bytes = {0};
    const char *out = cli_opt(c, "output") ? cli_opt(c, "output") : "draft.json";
    CVM_AUTO_FREE struct cvm_manifest *m = cvm_alloc(sizeof *m);
    CVM_GUARD(cli_file_read(c->args[0], CLI_FILE_MAX, &bytes, err));
    if (cvm_manifest_parse(bytes.data, bytes.len, m, err) < 0)
        return cvm_error_wrap(err, "%s", c->args[0]);
    CVM_AUTO_JSON json_t *draft = cli_draft_renew(m->document);
    CVM_AUTO_FREE char *text = json_dumps(draft, JSON_INDENT(2) | JSON_SORT_KEYS);
    cvm_manifest_free(m);
    CVM_ENSURE(text, err, CVM_E_INTERNAL, "writing the draft");
    CVM_GUARD(cli_file_write(out, text, strlen(text), 0644, err));
    cli_say(c,
            "draft       %s\nnext        everyone makes a new `2cvm manifest offer`, then `2cvm "
            "manifest init --draft %s "
            "--offer …`\n",
            out, out);
    cli_result(c, json_pack("{s:s}", "draft", out));
    return CLI_EXIT_OK;
}

static const struct cli_option OFFER[] = {
    {"item", 0, "ID",
     "a packed item that you bring (may be repeated; default: all that you packed)"},
    {"no-items", 0, NULL, "bring nothing but your name and a share of the seed"},
    {"output", 'o', "FILE", "where (default: offer.json)"},
    {0},
};
static const struct cli_option INIT[] = {
    {"draft", 0, "FILE", "the manifest as you write it, with pieces missing"},
    {"offer", 0, "FILE", "a participant's offer (repeat for each)"},
    {"image", 0, "DIR", "the guest image, to compute the measurement"},
    {"days", 0, "N", "valid for so long, where the draft has no not_after (default: 30)"},
    {"output", 'o', "FILE", "where (default: manifest.json)"},
    {"force", 0, NULL, "overwrite it"},
    {0},
};
static const struct cli_option RENEW[] = {
    {"output", 'o', "FILE", "the draft (default: draft.json)"},
    {0},
};

const struct cli_verb cli_verb_manifest_offer = {
    .name = "manifest offer",
    .arguments = "",
    .summary = "what you bring: your card, a fresh share of the seed, the digests of your items",
    .example = "2cvm manifest offer --item rows-a -o clinic-a.offer.json",
    .options = OFFER,
    .run = run_offer,
};

const struct cli_verb cli_verb_manifest_init = {
    .name = "manifest init",
    .arguments = "",
    .summary = "make the manifest from a draft and everyone's offers",
    .example = "2cvm manifest init --draft draft.json --offer a.offer.json --offer b.offer.json "
               "--image DIR -o manifest.json",
    .options = INIT,
    .run = run_init,
};

const struct cli_verb cli_verb_manifest_renew = {
    .name = "manifest renew",
    .arguments = "MANIFEST.json",
    .summary = "a draft for doing the same again: one manifest runs only once",
    .example = "2cvm manifest renew manifest.json -o draft.json",
    .options = RENEW,
    .min_args = 1,
    .max_args = 1,
    .run = run_renew,
};
