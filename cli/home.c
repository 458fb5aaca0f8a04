/* The home folder, the own card and keys, and shares of seeds. */
#include "cli/home.h"

#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/file.h"
#include "core/manifest/parse.h"
#include "core/seal/seed.h"

char *cli_home_path(const struct cli *c, const char *fmt, ...)
{
    char tail[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(tail, sizeof tail, fmt, ap);
    va_end(ap);
    return cvm_printf("%s/%s", c->home, tail);
}

int cli_home_prepare(const struct cli *c, struct cvm_error *err)
{
    static const char *const FOLDERS[] = {"items", "seeds", "collaborations"};
    for (size_t i = 0; i < sizeof FOLDERS / sizeof *FOLDERS; i++) {
        CVM_AUTO_FREE char *path = cli_home_path(c, "%s", FOLDERS[i]);
        CVM_GUARD(cli_folder(path, err));
    }
    return 0;
}

int cli_name_check(const char *name, struct cvm_error *err)
{
    CVM_AUTO_JSON json_t *o = json_pack("{s:s}", "name", name);
    CVM_ENSURE(o, err, CVM_E_MANIFEST_TEXT, "the name is not UTF-8");
    struct cvm_json_reader r;
    cvm_json_begin(&r, o, "name", err);
    cvm_read_check_text(&r, "name", cvm_json_string(&r, "name"), 1, CLI_NAME_MAX);
    return cvm_json_end(&r);
}

int cli_card_parse(json_t *card, struct cli_card *ret, struct cvm_error *err)
{
    struct cvm_json_reader r;
    struct cli_card out = {0};
    cvm_json_begin(&r, card, "card", err);
    const char *id = cvm_json_string(&r, "id"), *name = cvm_json_string(&r, "name");
    const json_t *seal = cvm_json_object(&r, "seal"), *sign = cvm_json_object(&r, "sign");
    cvm_json_int(&r, "version", 1, 1);
    CVM_GUARD(cvm_json_end(&r));
    CVM_ENSURE(cvm_id_valid(id), err, CVM_E_MANIFEST_ID, "the card's id");
    CVM_GUARD(cli_name_check(name, err));
    CVM_GUARD(cvm_jwk_parse(sign, CVM_ED25519, &out.sign, err));
    CVM_GUARD(cvm_jwk_parse(seal, CVM_X25519, &out.seal, err));
    snprintf(out.id, sizeof out.id, "%s", id);
    snprintf(out.name, sizeof out.name, "%s", name);
    *ret = out;
    return 0;
}

json_t *cli_card_json(const struct cli_card *card)
{
    return json_pack("{s:s, s:s, s:o, s:o, s:i}", "id", card->id, "name", card->name, "seal",
                     cvm_jwk(&card->seal, CVM_X25519), "sign", cvm_jwk(&card->sign, CVM_ED25519),
                     "version", 1);
}

struct cvm_digest cli_card_thumbprint(const struct cli_card *card)
{
    struct cvm_bytes fields[] = {CVM_STR(card->id), CVM_BYTES(card->sign.b, sizeof card->sign.b),
                                 CVM_BYTES(card->seal.b, sizeof card->seal.b)};
    return cvm_label_sha256("2cvm/contact/1", fields, 3);
}

static int write_key(const struct cli *c, const char *name, const struct cvm_key *key,
                     struct cvm_error *err)
{
    CVM_AUTO_FREE char *path = cli_home_path(c, "%s", name);
    CVM_AUTO_BUF struct cvm_buf bytes = {0};
    cvm_jwk_write_private(key, &bytes);
    return cli_file_create(path, bytes.data, bytes.len, 0600, err);
}

static int read_key(const struct cli *c, const char *name, enum cvm_curve curve,
                    const struct cvm_public_key *pub, struct cvm_key *ret, struct cvm_error *err)
{
    CVM_AUTO_FREE char *path = cli_home_path(c, "%s", name);
    CVM_AUTO_BUF struct cvm_buf bytes = {0};
    CVM_GUARD(cli_file_read_private(path, 4096, &bytes, err));
    CVM_AUTO_KEY struct cvm_key key = {0};
    if (cvm_jwk_read_private(bytes.data, bytes.len, curve, &key, err) < 0)
        return cvm_error_wrap(err, "%s", path);
    CVM_ENSURE(memcmp(&key.pub, pub, sizeof *pub) == 0, err, CVM_E_KEY_FORMAT,
               "%s does not belong to identity.json", path);
    *ret = key;
    key = (struct cvm_key){0};
    return 0;
}

int cli_identity_create(const struct cli *c, const struct cli_card *card, struct cli_identity *ret,
                        struct cvm_error *err)
{
    CVM_AUTO_FREE char *path = cli_home_path(c, "identity.json");
    CVM_ENSURE(!cli_file_exists(path), err, CVM_E_EXISTS, "this home has an identity already: %s",
               path);
    CVM_GUARD(cli_home_prepare(c, err));
    CLI_AUTO_IDENTITY struct cli_identity made = {.card = *card};
    CVM_GUARD(cvm_key_generate(&made.sign, CVM_ED25519, err));
    CVM_GUARD(cvm_key_generate(&made.seal, CVM_X25519, err));
    made.card.sign = made.sign.pub;
    made.card.seal = made.seal.pub;
    CVM_GUARD(write_key(c, "sign.jwk", &made.sign, err));
    CVM_GUARD(write_key(c, "seal.jwk", &made.seal, err));
    /* The card last: an identity without its keys never exists. */
    CVM_AUTO_JSON json_t *json = cli_card_json(&made.card);
    CVM_GUARD(cli_json_write(path, json, 0600, false, err));
    *ret = made;
    made = (struct cli_identity){0};
    return 0;
}

int cli_identity_card(const struct cli *c, struct cli_card *ret, struct cvm_error *err)
{
    CVM_AUTO_FREE char *path = cli_home_path(c, "identity.json");
    CVM_ENSURE(cli_file_exists(path), err, CVM_E_NOT_FOUND,
               "%s has no identity yet: run `2cvm keygen`", c->home);
    CVM_AUTO_JSON json_t *json = cli_json_read(path, true, err);
    if (!json)
        return -1;
    return cli_card_parse(json, ret, err);
}

int cli_identity_load(const struct cli *c, struct cli_identity *ret, struct cvm_error *err)
{
    CLI_AUTO_IDENTITY struct cli_identity out = {0};
    CVM_GUARD(cli_identity_card(c, &out.card, err));
    CVM_GUARD(read_key(c, "sign.jwk", CVM_ED25519, &out.card.sign, &out.sign, err));
    CVM_GUARD(read_key(c, "seal.jwk", CVM_X25519, &out.card.seal, &out.seal, err));
    *ret = out;
    out = (struct cli_identity){0};
    return 0;
}

void cli_identity_free(struct cli_identity *identity)
{
    cvm_key_free(&identity->sign);
    cvm_key_free(&identity->seal);
}

static char *seed_path(const struct cli *c, const struct cvm_digest *commitment)
{
    CVM_AUTO_FREE char *hex = cvm_hex(commitment->b, sizeof commitment->b);
    return cli_home_path(c, "seeds/%s.key", hex);
}

int cli_seed_create(const struct cli *c, struct cvm_digest *ret_commitment, struct cvm_error *err)
{
    CVM_GUARD(cli_home_prepare(c, err));
    CVM_AUTO_SECRET struct cvm_secret share = {0};
    CVM_GUARD(cvm_secret_random(&share, CVM_SEED_LEN, err));
    struct cvm_digest commitment = cvm_seed_commitment(share.data);
    CVM_AUTO_FREE char *path = seed_path(c, &commitment);
    CVM_GUARD(cli_file_create(path, share.data, share.len, 0600, err));
    *ret_commitment = commitment;
    return 0;
}

int cli_seed_load(const struct cli *c, const struct cvm_digest *commitment, struct cvm_secret *ret,
                  struct cvm_error *err)
{
    CVM_AUTO_FREE char *path = seed_path(c, commitment);
    CVM_AUTO_BUF struct cvm_buf bytes = {0};
    CVM_ENSURE(cli_file_exists(path), err, CVM_E_SEED_MISMATCH,
               "this home does not have the share of the seed that the manifest names");
    CVM_GUARD(cli_file_read_private(path, CVM_SEED_LEN, &bytes, err));
    CVM_ENSURE(bytes.len == CVM_SEED_LEN, err, CVM_E_SEED_MISMATCH, "%s is not a share of a seed",
               path);
    struct cvm_digest made = cvm_seed_commitment(bytes.data);
    CVM_ENSURE(cvm_equal(made.b, commitment->b, sizeof made.b), err, CVM_E_SEED_MISMATCH,
               "%s was changed", path);
    return cvm_secret_copy(ret, bytes.data, bytes.len, err);
}
