/* 2cvm status: how far it is. All of it is the host's word. */
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"

static void say_list(const struct cli *c, const char *title, const json_t *list)
{
    char line[400] = "", plain[80];
    size_t i;
    json_t *x;
    json_array_foreach(list, i, x)
    {
        size_t at = strlen(line);
        const char *s = json_string_value(x);
        snprintf(line + at, sizeof line - at, "%s%s", i ? ", " : "",
                 cli_plain(s ? s : "?", plain, sizeof plain));
    }
    if (line[0])
        cli_say(c, "%-11s %s\n", title, line);
}

static void say_text(const struct cli *c, const char *title, const json_t *value)
{
    char plain[200];
    const char *s = json_string_value(value);
    if (s && *s)
        cli_say(c, "%-11s %s\n", title, cli_plain(s, plain, sizeof plain));
}

static void say_status(const struct cli *c, const json_t *s)
{
    static const char *const TEXTS[] = {"title", "state", "reason", "detail", "result", "manifest"};
    static const char *const LISTS[] = {"committed", "uploaded", "released", "admitted"};
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++)
        say_text(c, TEXTS[i], json_object_get(s, TEXTS[i]));
    for (size_t i = 0; i < sizeof LISTS / sizeof *LISTS; i++)
        say_list(c, LISTS[i], json_object_get(s, LISTS[i]));
    size_t i;
    json_t *x;
    json_array_foreach(json_object_get(s, "refusals"), i, x)
    {
        char item[80], code[80], message[300];
        const char *a = json_string_value(json_object_get(x, "item")),
                   *b = json_string_value(json_object_get(x, "code"));
        const char *m = json_string_value(json_object_get(x, "message"));
        cli_say(c, "refused     %s: %s: %s\n", cli_plain(a ? a : "?", item, sizeof item),
                cli_plain(b ? b : "?", code, sizeof code),
                cli_plain(m ? m : "", message, sizeof message));
    }
}

static int ask(struct cli *c, struct cli_client *client, const char *uuid, struct cvm_error *err)
{
    CVM_AUTO_FREE char *path = cvm_printf("/v1/collaborations/%s", uuid);
    CVM_AUTO_JSON json_t *json = cli_client_json(client, "GET", path, NULL, NULL, err);
    if (!json)
        return -1;
    say_status(c, json);
    cli_result(c, json_incref(json));
    return CLI_EXIT_OK;
}

static int run(struct cli *c, struct cvm_error *err)
{
    CLI_AUTO_CLIENT struct cli_client client = {0};
    if (cli_opt(c, "socket")) {
        const char *uuid = cli_opt(c, "collaboration");
        CVM_ENSURE(uuid && strlen(uuid) == 36 && strspn(uuid, "0123456789abcdef-") == 36, err,
                   CVM_E_USAGE,
                   "the operator names the collaboration: --collaboration UUID (all of it)");
        CVM_GUARD(cli_client_open(c, NULL, NULL, &client, err));
        return ask(c, &client, uuid, err);
    }
    CLI_AUTO_COLLABORATION struct cli_collaboration co = {0};
    CLI_AUTO_IDENTITY struct cli_identity me = {0};
    CVM_GUARD(cli_collaboration_open(c, &co, err));
    CVM_GUARD(cli_identity_load(c, &me, err));
    CVM_GUARD(cli_client_open(c, &co, &me.sign, &client, err));
    return ask(c, &client, co.manifest->collaboration, err);
}

static const struct cli_option OPTIONS[] = {
    CLI_OPTION_COLLABORATION,
    CLI_OPTIONS_HOST,
    CLI_OPTION_SOCKET,
    {0},
};

const struct cli_verb cli_verb_status = {
    .name = "status",
    .arguments = "",
    .summary = "how far it is, who is waited for, what was refused (the host's word)",
    .example = "2cvm status",
    .options = OPTIONS,
    .run = run,
};
