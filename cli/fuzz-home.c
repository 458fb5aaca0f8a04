/* Everything in the home folder or from another participant that is JSON: the first byte says which
 * reader gets the rest. */
#include <stdlib.h>

#include "cli/collaboration.h"
#include "cli/draft.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cvm_error err = {0};
    if (size < 1)
        return 0;
    CVM_AUTO_JSON json_t *json = cvm_json_parse(data + 1, size - 1, &err);
    if (!json)
        return 0;
    switch (data[0] % 5) {
    case 0: {
        struct cli_card card;
        if (cli_card_parse(json, &card, &err) == 0)
            cli_card_thumbprint(&card);
        break;
    }
    case 1: {
        CLI_AUTO_CONTACTS struct cli_contacts contacts = {0};
        if (cli_contacts_parse(json, &contacts, &err) == 0)
            (void)cli_contacts_find(&contacts, "a");
        break;
    }
    case 2: {
        CLI_AUTO_ITEM struct cli_item item = {0};
        if (cli_item_parse(json, &item, &err) == 0 && !cvm_id_valid(item.id))
            abort();
        break;
    }
    case 3: {
        struct cli_record record;
        if (cli_record_parse(json, &record, &err) == 0 && record.nonce_len > sizeof record.nonce)
            abort();
        break;
    }
    default: {
        /* A draft and an offer in one array. */
        unsigned unused;
        CVM_AUTO_BUF struct cvm_buf bytes = {0};
        struct cli_draft_defaults defaults = {.days = 1};
        json_t *draft = json_array_get(json, 0);
        if (json_is_object(draft) &&
            cli_draft_offer(draft, json_array_get(json, 1), &unused, &err) == 0)
            (void)!cli_draft_finish(draft, &defaults, &bytes, &err);
        break;
    }
    }
    return 0;
}
