/* 2cvm contact add|list: whose keys this participant has compared out of band. */
#include <stdlib.h>
#include <string.h>

#include "cli/file.h"
#include "cli/home.h"
#include "core/manifest/explain.h"

/* The thumbprint as the other person reads it aloud; from --thumbprint or typed at the terminal. */
static int ask_thumbprint(const struct cli *c, const struct cli_card *card, char *line, size_t size,
                          struct cvm_error *err)
{
    const char *given = cli_opt(c, "thumbprint");
    if (given) {
        snprintf(line, size, "%s", given);
        return 0;
    }
    CVM_ENSURE(isatty(STDIN_FILENO) && !c->json, err, CVM_E_USAGE,
               "--thumbprint is needed: ask %s for it over the telephone, not over the way that "
               "the card came",
               card->id);
    cli_note(c, "Ask %s (%s) for the thumbprint over the telephone and type what you hear:\n> ",
             card->name, card->id);
    CVM_ENSURE(fgets(line, (int)size, stdin), err, CVM_E_USAGE, "nothing was typed");
    line[strcspn(line, "\r\n")] = 0;
    return 0;
}

static int run_add(struct cli *c, struct cvm_error *err)
{
    struct cli_card card;
    char heard[160];
    CVM_AUTO_JSON json_t *json = cli_json_read(c->args[0], false, err);
    if (!json)
        return -1;
    if (cli_card_parse(json, &card, err) < 0)
        return cvm_error_wrap(err, "%s is not a card", c->args[0]);
    CVM_GUARD(ask_thumbprint(c, &card, heard, sizeof heard, err));
    struct cvm_digest thumb = cli_card_thumbprint(&card);
    /* The card's own digits stay unsaid: shown here, they would be pasted back in. */
    if (!cvm_digest_spoken_matches(&thumb, heard))
        return cvm_fail_expected(
            err, CVM_E_CONTACT_UNKNOWN, "the thumbprint of this very card", heard,
            "the card is not the one that %s read to you; nothing was added", card.id);
    CVM_GUARD(cli_contacts_add(c, &card, cli_flag(c, "replace"), err));
    cli_say(c, "contact     %s (%s), keys confirmed\n", card.id, card.name);
    cli_result(c, json_pack("{s:s, s:s}", "id", card.id, "name", card.name));
    return CLI_EXIT_OK;
}

static int run_list(struct cli *c, struct cvm_error *err)
{
    CLI_AUTO_CONTACTS struct cli_contacts known = {0};
    CVM_GUARD(cli_contacts_load(c, &known, err));
    json_t *list = json_array();
    for (size_t i = 0; i < known.n; i++) {
        struct cvm_digest thumb = cli_card_thumbprint(&known.cards[i]);
        char spoken[CVM_SPOKEN_LEN];
        cvm_digest_spoken(&thumb, spoken);
        cli_say(c, "%-20s %-28s %s\n", known.cards[i].id, known.cards[i].name, spoken);
        json_t *row = cli_card_json(&known.cards[i]);
        json_object_set_new(row, "thumbprint", json_string(spoken));
        json_array_append_new(list, row);
    }
    if (!known.n)
        cli_say(c, "no contacts yet: `2cvm contact add CARD.json`\n");
    cli_result(c, list);
    return CLI_EXIT_OK;
}

static const struct cli_option OPTIONS[] = {
    {"thumbprint", 't', "DIGITS", "what the other person read to you (asked for when left out)"},
    {"replace", 0, NULL, "the person has new keys: forget the old ones"},
    {0},
};

const struct cli_verb cli_verb_contact_add = {
    .name = "contact add",
    .arguments = "CARD.json",
    .summary = "know another participant's keys, after comparing the thumbprint out of band",
    .example = "2cvm contact add clinic-b.card.json --thumbprint 31415-92653-…",
    .options = OPTIONS,
    .min_args = 1,
    .max_args = 1,
    .run = run_add,
};

const struct cli_verb cli_verb_contact_list = {
    .name = "contact list",
    .arguments = "",
    .summary = "whom you know",
    .example = "2cvm contact list",
    .run = run_list,
};
