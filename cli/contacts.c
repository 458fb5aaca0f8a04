/* Whom this participant knows: confirmed cards, and measurements of its trusted list. */
#include <stdlib.h>
#include <string.h>

#include "cli/file.h"
#include "cli/home.h"

int cli_contacts_parse(json_t *document, struct cli_contacts *ret, struct cvm_error *err)
{
    struct cvm_json_reader r;
    cvm_json_begin(&r, document, "contacts", err);
    json_t *list = cvm_json_array(&r, "contacts", CLI_CONTACTS_MAX);
    cvm_json_int(&r, "version", 1, 1);
    CVM_GUARD(cvm_json_end(&r));
    CLI_AUTO_CONTACTS struct cli_contacts out = {
        .cards = cvm_alloc((json_array_size(list) + 1) * sizeof *out.cards)};
    size_t i;
    json_t *card;
    json_array_foreach(list, i, card)
    {
        CVM_GUARD(cli_card_parse(card, &out.cards[out.n], err));
        CVM_ENSURE(!cli_contacts_find(&out, out.cards[out.n].id), err, CVM_E_MANIFEST_DUPLICATE_ID,
                   "two contacts with one id");
        out.n++;
    }
    *ret = out;
    out = (struct cli_contacts){0};
    return 0;
}

int cli_contacts_load(const struct cli *c, struct cli_contacts *ret, struct cvm_error *err)
{
    CVM_AUTO_FREE char *path = cli_home_path(c, "contacts.json");
    if (!cli_file_exists(path)) {
        *ret = (struct cli_contacts){0};
        return 0;
    }
    CVM_AUTO_JSON json_t *json = cli_json_read(path, true, err);
    if (!json)
        return -1;
    if (cli_contacts_parse(json, ret, err) < 0)
        return cvm_error_wrap(err, "%s", path);
    return 0;
}

const struct cli_card *cli_contacts_find(const struct cli_contacts *contacts, const char *id)
{
    for (size_t i = 0; i < contacts->n; i++)
        if (strcmp(contacts->cards[i].id, id) == 0)
            return &contacts->cards[i];
    return NULL;
}

int cli_contacts_add(const struct cli *c, const struct cli_card *card, bool replace,
                     struct cvm_error *err)
{
    CVM_GUARD(cli_home_prepare(c, err));
    CLI_AUTO_CONTACTS struct cli_contacts known = {0};
    CVM_GUARD(cli_contacts_load(c, &known, err));
    const struct cli_card *old = cli_contacts_find(&known, card->id);
    bool same = old && memcmp(&old->sign, &card->sign, sizeof old->sign) == 0 &&
                memcmp(&old->seal, &card->seal, sizeof old->seal) == 0;
    CVM_ENSURE(!old || same || replace, err, CVM_E_EXISTS,
               "another key is known for %s; if that person really has new keys, say --replace",
               card->id);
    CVM_ENSURE(known.n < CLI_CONTACTS_MAX, err, CVM_E_TOO_LARGE, "more than %d contacts",
               CLI_CONTACTS_MAX);
    json_t *list = json_array();
    for (size_t i = 0; i < known.n; i++)
        if (&known.cards[i] != old)
            json_array_append_new(list, cli_card_json(&known.cards[i]));
    json_array_append_new(list, cli_card_json(card));
    CVM_AUTO_JSON json_t *document = json_pack("{s:o, s:i}", "contacts", list, "version", 1);
    CVM_AUTO_FREE char *path = cli_home_path(c, "contacts.json");
    return cli_json_write(path, document, 0600, true, err);
}

void cli_contacts_free(struct cli_contacts *contacts)
{
    free(contacts->cards);
    *contacts = (struct cli_contacts){0};
}

static int parse_measurement(const char *text, uint8_t out[CVM_SHA384_LEN], struct cvm_error *err)
{
    CVM_ENSURE(strncmp(text, "sha384:", 7) == 0, err, CVM_E_BAD_ENCODING,
               "a measurement is sha384:<96 hex digits>");
    return cvm_hex_decode(text + 7, out, CVM_SHA384_LEN, err);
}

int cli_trusted_load(const struct cli *c, json_t **ret, struct cvm_error *err)
{
    CVM_AUTO_FREE char *path = cli_home_path(c, "trusted.json");
    if (!cli_file_exists(path)) {
        *ret = json_array();
        return 0;
    }
    CVM_AUTO_JSON json_t *json = cli_json_read(path, true, err);
    if (!json)
        return -1;
    struct cvm_json_reader r;
    cvm_json_begin(&r, json, "trusted", err);
    json_t *list = cvm_json_array(&r, "measurements", CLI_TRUSTED_MAX);
    cvm_json_int(&r, "version", 1, 1);
    CVM_GUARD(cvm_json_end(&r));
    size_t i;
    json_t *row;
    json_array_foreach(list, i, row)
    {
        struct cvm_json_reader rr;
        uint8_t m[CVM_SHA384_LEN];
        cvm_json_begin(&rr, row, "trusted.measurements[]", err);
        const char *text = cvm_json_string(&rr, "measurement");
        cvm_json_string(&rr, "note");
        CVM_GUARD(cvm_json_end(&rr));
        CVM_GUARD(parse_measurement(text, m, err));
    }
    *ret = json_incref(list);
    return 0;
}

int cli_trusted_has(const struct cli *c, const uint8_t measurement[CVM_SHA384_LEN], bool *ret,
                    struct cvm_error *err)
{
    CVM_AUTO_JSON json_t *list = NULL;
    CVM_GUARD(cli_trusted_load(c, &list, err));
    CVM_AUTO_FREE char *hex = cvm_hex(measurement, CVM_SHA384_LEN);
    size_t i;
    json_t *row;
    bool found = false;
    json_array_foreach(list, i, row) found |=
        strcmp(json_string_value(json_object_get(row, "measurement")) + 7, hex) == 0;
    *ret = found;
    return 0;
}

int cli_trusted_add(const struct cli *c, const uint8_t measurement[CVM_SHA384_LEN],
                    const char *note, struct cvm_error *err)
{
    CVM_GUARD(cli_home_prepare(c, err));
    CVM_AUTO_JSON json_t *list = NULL;
    bool known = false;
    CVM_GUARD(cli_trusted_has(c, measurement, &known, err));
    if (known)
        return 0;
    CVM_GUARD(cli_trusted_load(c, &list, err));
    CVM_ENSURE(json_array_size(list) < CLI_TRUSTED_MAX, err, CVM_E_TOO_LARGE,
               "more than %d trusted measurements", CLI_TRUSTED_MAX);
    CVM_AUTO_FREE char *hex = cvm_hex(measurement, CVM_SHA384_LEN);
    CVM_AUTO_FREE char *text = cvm_printf("sha384:%s", hex);
    json_array_append_new(list, json_pack("{s:s, s:s}", "measurement", text, "note", note));
    CVM_AUTO_JSON json_t *document = json_pack("{s:O, s:i}", "measurements", list, "version", 1);
    CVM_AUTO_FREE char *path = cli_home_path(c, "trusted.json");
    return cli_json_write(path, document, 0600, true, err);
}
