/* 2cvm send: items of an open input, one act each. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/acts.h"
#include "cli/file.h"
#include "core/base/clock.h"
#include "core/record/transcript.h"
#include "core/seal/item.h"

#define WAIT_SECONDS 60
#define PAUSE_MAX_MS 1000

struct sender {
    struct cli *c;
    struct cli_actor a;
    struct cvm_digest session;
    int data;           /* index in the manifest's data */
    uint64_t n, before; /* items accepted; those of them before this call */
    int64_t wait_ms;
    struct cvm_act *act;
};

static void sender_free(struct sender *s)
{
    cli_actor_free(&s->a);
    free(s->act);
}

/* Counts an own item act of the transcript; what was sent lies in acts/, signed by oneself. */
static int count_own(struct sender *s, json_int_t seq, struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf jws = {0};
    CVM_AUTO_FREE char *path =
        cli_collaboration_path(&s->a.co, "acts/%s-%lld.jws", cli_my_id(&s->a.co), (long long)seq);
    struct cvm_digest session;
    CVM_GUARD(cli_file_read(path, CVM_ACT_MAX, &jws, err));
    CVM_GUARD(cvm_act_read(s->a.co.manifest, jws.data, jws.len, s->act, &session, err));
    if (s->act->kind == CVM_ACT_ITEM && s->act->feed.data == s->data && s->act->feed.n > s->n)
        s->n = s->act->feed.n;
    return 0;
}

/* How many items of this input the isolate has: its transcript tells, also after an answer that was
 * lost on its way. */
static int count_accepted(struct sender *s, struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf lines = {0};
    CVM_AUTO_FREE struct cvm_transcript_summary *t = cvm_alloc(sizeof *t);
    CVM_AUTO_FREE char *path =
        cvm_printf("/v1/collaborations/%s/transcript", s->a.co.manifest->collaboration);
    CVM_GUARD(cli_client_call(&s->a.client, "GET", path, NULL, NULL, &lines, NULL, err));
    CVM_GUARD(cvm_transcript_check(s->a.co.manifest, lines.data, lines.len, t, err));
    size_t at = 0;
    for (json_t *next; (next = cvm_transcript_entry(&lines, &at));) {
        CVM_AUTO_JSON json_t *entry = next;
        const char *kind = json_string_value(json_object_get(entry, "act"));
        const char *who = json_string_value(json_object_get(entry, "participant"));
        if (!kind || strcmp(kind, "item") != 0 || strcmp(who, cli_my_id(&s->a.co)) != 0)
            continue;
        CVM_GUARD(count_own(s, json_integer_value(json_object_get(entry, "seq")), err));
    }
    s->before = s->n;
    return 0;
}

/* While the component has not read what came before, the same act is sent again: a refused one has
 * spent nothing, not even its number. */
static int send_patiently(struct sender *s, struct cvm_error *err)
{
    int64_t end = cvm_now_ms() + s->wait_ms, pause = 50;
    struct cvm_error refused = {0};
    while (cli_act_send(&s->a, s->a.record.seq, NULL, &refused) < 0) {
        if (refused.code != CVM_E_STREAM_FULL || cvm_now_ms() + pause > end) {
            *err = refused;
            return -1;
        }
        (void)poll(NULL, 0, (int)pause);
        pause = 2 * pause < PAUSE_MAX_MS ? 2 * pause : PAUSE_MAX_MS;
    }
    return 0;
}

static int send_item(struct sender *s, const struct cvm_buf *content, bool last,
                     struct cvm_error *err)
{
    const struct cvm_manifest *m = s->a.co.manifest;
    CVM_AUTO_BUF struct cvm_buf ct = {0};
    struct cvm_act_feed *f = &s->act->feed;
    *f = (struct cvm_act_feed){.data = s->data, .n = s->n + 1, .end = last};
    s->act->kind = CVM_ACT_ITEM;
    CVM_GUARD(cvm_item_seal(&s->a.record.seal, &m->digest, &s->session, m->data[s->data].id, f->n,
                            CVM_BYTES(content->data, content->len), f->enc, &ct, err));
    memcpy(f->ct, ct.data, ct.len);
    f->ct_len = (uint32_t)ct.len;
    CVM_GUARD(cli_act_prepare(&s->a, s->act, &s->session, NULL, err));
    if (send_patiently(s, err) < 0)
        return cvm_error_wrap(err, "item %llu of %s (%llu were accepted)", (unsigned long long)f->n,
                              m->data[s->data].id, (unsigned long long)s->n);
    s->n++;
    return 0;
}

/* One line, with its newline, of at most one item; 0: the end. */
static int read_line(struct cvm_buf *ret, struct cvm_error *err)
{
    int byte;
    ret->len = 0;
    while ((byte = getc(stdin)) != EOF) {
        cvm_buf_append_u8(ret, (uint8_t)byte);
        CVM_ENSURE(ret->len <= CVM_ITEM_BYTES_MAX, err, CVM_E_TOO_LARGE,
                   "a line of more than %d bytes", CVM_ITEM_BYTES_MAX);
        if (byte == '\n')
            return 1;
    }
    if (ferror(stdin))
        return cvm_fail_errno(err, "reading standard input");
    return ret->len > 0;
}

/* One line ahead, to know which is the last. */
static int send_lines(struct sender *s, bool end, struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf line = {0}, next = {0};
    int have = read_line(&line, err);
    CVM_GUARD(have);
    if (!have)
        return end ? send_item(s, &line, true, err) : 0;
    while (have) {
        have = read_line(&next, err);
        CVM_GUARD(have);
        CVM_GUARD(send_item(s, &line, end && !have, err));
        struct cvm_buf swap = line;
        line = next;
        next = swap;
    }
    return 0;
}

static int send_files(struct sender *s, bool end, struct cvm_error *err)
{
    for (int i = 1; i < s->c->n_args; i++) {
        CVM_AUTO_BUF struct cvm_buf content = {0};
        CVM_GUARD(cli_file_read(s->c->args[i], CVM_ITEM_BYTES_MAX, &content, err));
        CVM_GUARD(send_item(s, &content, end && i == s->c->n_args - 1, err));
    }
    return 0;
}

static int find_input(const struct cvm_manifest *m, int me, const char *id, struct cvm_error *err)
{
    for (uint32_t i = 0; i < m->n_data; i++) {
        if (strcmp(m->data[i].id, id) != 0 || !m->data[i].open)
            continue;
        CVM_ENSURE(m->data[i].owner == me, err, CVM_E_NOT_OWNER, "\"%s\"", id);
        return (int)i;
    }
    return cvm_fail(err, CVM_E_NOT_FOUND, "the manifest has no open input \"%s\"", id);
}

static int run(struct cli *c, struct cvm_error *err)
{
    CVM_CLEANUP(sender_free) struct sender s = {.c = c, .a = {.lock = -1}};
    bool end = cli_flag(c, "end");
    int64_t wait;
    CVM_GUARD(cli_opt_int(c, "wait", 0, 86400, WAIT_SECONDS, &wait, err));
    s.wait_ms = wait * 1000;
    s.act = cvm_alloc(sizeof *s.act);
    CVM_GUARD(cli_actor_open(c, &s.a, err));
    CVM_GUARD(cli_actor_session(&s.a, &s.session, err));
    s.data = find_input(s.a.co.manifest, s.a.co.me, c->args[0], err);
    CVM_GUARD(s.data);
    CVM_GUARD(count_accepted(&s, err));
    CVM_GUARD(c->n_args > 1 ? send_files(&s, end, err) : send_lines(&s, end, err));
    const struct cvm_data *d = &s.a.co.manifest->data[s.data];
    cli_say(c, "sent        %llu items into %s, %llu of %u in all%s\n",
            (unsigned long long)(s.n - s.before), d->id, (unsigned long long)s.n, d->max_items,
            end ? "; the input has ended" : "");
    cli_result(c, json_pack("{s:s, s:I, s:I, s:b}", "item", d->id, "sent",
                            (json_int_t)(s.n - s.before), "n", (json_int_t)s.n, "end", end));
    return CLI_EXIT_OK;
}

static const struct cli_option OPTIONS[] = {
    CLI_OPTION_COLLABORATION,
    CLI_OPTIONS_HOST,
    {"end", 0, NULL, "the last of these is the last one of all"},
    {"wait", 0, "SECONDS", "how long to try when the component is slower (default 60)"},
    {0},
};

const struct cli_verb cli_verb_send = {
    .name = "send",
    .arguments = "ITEM [FILE ...]",
    .summary = "send items of an open input while it runs: files, or the lines of standard input",
    .example = "2cvm send readings today.csv\ntail -f readings.csv | 2cvm send readings --end",
    .options = OPTIONS,
    .min_args = 1,
    .max_args = CLI_ARGS_MAX,
    .run = run,
};
