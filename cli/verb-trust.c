/* 2cvm trust add|list: measurements that this participant accepts without the image at hand. */
#include <stdlib.h>
#include <string.h>

#include "cli/home.h"

static int run_add(struct cli *c, struct cvm_error *err)
{
    uint8_t m[CVM_SHA384_LEN];
    const char *text = c->args[0], *note = cli_opt(c, "note");
    if (strncmp(text, "sha384:", 7) != 0 || cvm_hex_decode(text + 7, m, sizeof m, err) < 0)
        return cvm_fail_expected(err, CVM_E_USAGE, "sha384:<96 lower-case hex digits>", text,
                                 "a measurement");
    CVM_GUARD(cli_trusted_add(c, m, note ? note : "", err));
    cli_say(c, "trusted     %s\n", text);
    cli_result(c, json_pack("{s:s}", "measurement", text));
    return CLI_EXIT_OK;
}

static int run_list(struct cli *c, struct cvm_error *err)
{
    json_t *list = NULL, *row;
    size_t i;
    CVM_GUARD(cli_trusted_load(c, &list, err));
    json_array_foreach(list, i, row)
        cli_say(c, "%s  %s\n", json_string_value(json_object_get(row, "measurement")),
                json_string_value(json_object_get(row, "note")));
    if (!json_array_size(list))
        cli_say(
            c, "nothing is trusted; `2cvm commit --image DIR` recomputes the measurement itself\n");
    cli_result(c, list);
    return CLI_EXIT_OK;
}

static const struct cli_option OPTIONS[] = {
    {"note", 0, "TEXT", "where it comes from"},
    {0},
};

const struct cli_verb cli_verb_trust_add = {
    .name = "trust add",
    .arguments = "sha384:HEX",
    .summary = "accept a measurement without recomputing it",
    .example = "2cvm trust add sha384:9f… --note \"release 0.1.0, built by me\"",
    .options = OPTIONS,
    .min_args = 1,
    .max_args = 1,
    .run = run_add,
};

const struct cli_verb cli_verb_trust_list = {
    .name = "trust list",
    .arguments = "",
    .summary = "the measurements that you accept",
    .example = "2cvm trust list",
    .run = run_list,
};
