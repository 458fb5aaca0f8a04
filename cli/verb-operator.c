/* 2cvm launch|close|ps: the operator's verbs, over the daemon's Unix socket. */
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"

static int need_socket(const struct cli *c, struct cvm_error *err)
{
    CVM_ENSURE(cli_opt(c, "socket"), err, CVM_E_NOT_OPERATOR,
               "--socket PATH is needed (the daemon's, for its operator)");
    return 0;
}

static int check_uuid(const char *uuid, struct cvm_error *err)
{
    if (strlen(uuid) == 36 && strspn(uuid, "0123456789abcdef-") == 36)
        return 0;
    return cvm_fail_expected(err, CVM_E_USAGE, "a collaboration's UUID; `2cvm ps` lists them", uuid,
                             "an unknown form");
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *s = json_string_value(json_object_get(object, name));
    return s ? s : "";
}

static int post(struct cli *c, const char *what, struct cvm_error *err)
{
    CLI_AUTO_CLIENT struct cli_client client = {0};
    CVM_AUTO_BUF struct cvm_buf answer = {0};
    char plain[64];
    CVM_GUARD(need_socket(c, err));
    CVM_GUARD(check_uuid(c->args[0], err));
    CVM_GUARD(cli_client_open(c, NULL, NULL, &client, err));
    CVM_AUTO_FREE char *path = cvm_printf("/v1/collaborations/%s/%s", c->args[0], what);
    CVM_GUARD(cli_client_call(&client, "POST", path, NULL, NULL, &answer, NULL, err));
    json_t *said = json_loadb((const char *)answer.data, answer.len, 0, NULL);
    CVM_AUTO_JSON json_t *json = said ? said : json_object();
    const char *state = text_of(json, "state");
    cli_say(c, "%-11s %s%s%s\n", what, c->args[0], *state ? ": " : "",
            cli_plain(state, plain, sizeof plain));
    cli_result(c, json_incref(json));
    return CLI_EXIT_OK;
}

static int run_launch(struct cli *c, struct cvm_error *err)
{
    return post(c, "launch", err);
}

static int run_close(struct cli *c, struct cvm_error *err)
{
    return post(c, "close", err);
}

static int run_ps(struct cli *c, struct cvm_error *err)
{
    CLI_AUTO_CLIENT struct cli_client client = {0};
    CVM_GUARD(need_socket(c, err));
    CVM_GUARD(cli_client_open(c, NULL, NULL, &client, err));
    CVM_AUTO_JSON json_t *list =
        cli_client_json(&client, "GET", "/v1/collaborations", NULL, NULL, err);
    if (!list)
        return -1;
    size_t i;
    json_t *row;
    json_array_foreach(list, i, row)
    {
        char uuid[40], state[16], title[80];
        cli_say(c, "%-36s  %-10s  %s\n",
                cli_plain(text_of(row, "collaboration"), uuid, sizeof uuid),
                cli_plain(text_of(row, "state"), state, sizeof state),
                cli_plain(text_of(row, "title"), title, sizeof title));
    }
    if (!json_array_size(list))
        cli_say(c, "no collaboration on this host\n");
    cli_result(c, json_incref(list));
    return CLI_EXIT_OK;
}

static const struct cli_option OPTIONS[] = {
    CLI_OPTION_SOCKET,
    {0},
};

const struct cli_verb cli_verb_launch = {
    .name = "launch",
    .arguments = "UUID",
    .summary = "(operator) start the isolate, once everyone has signed",
    .example = "2cvm launch 0b6e…-… --socket /run/2cvm/2cvmd.sock",
    .options = OPTIONS,
    .min_args = 1,
    .max_args = 1,
    .run = run_launch,
};

const struct cli_verb cli_verb_close = {
    .name = "close",
    .arguments = "UUID",
    .summary = "(operator) end the isolate; before the outputs are released this aborts",
    .example = "2cvm close 0b6e…-… --socket /run/2cvm/2cvmd.sock",
    .options = OPTIONS,
    .min_args = 1,
    .max_args = 1,
    .run = run_close,
};

const struct cli_verb cli_verb_ps = {
    .name = "ps",
    .arguments = "",
    .summary = "(operator) the collaborations on this host",
    .example = "2cvm ps --socket /run/2cvm/2cvmd.sock",
    .options = OPTIONS,
    .run = run_ps,
};
