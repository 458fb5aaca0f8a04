#include "cli/public-record.h"

#include <stdlib.h>
#include <string.h>

#include "cli/file.h"
#include "core/manifest/commitment.h"

static int get(struct cli_actor *a, const char *what, size_t max, struct cvm_buf *ret,
               struct cvm_error *err)
{
    CVM_AUTO_FREE char *path =
        cvm_printf("/v1/collaborations/%s/%s", a->co.manifest->collaboration, what);
    CVM_GUARD(cli_client_call(&a->client, "GET", path, NULL, NULL, ret, NULL, err));
    CVM_ENSURE(ret->len <= max, err, CVM_E_TOO_LARGE, "%s has %zu bytes", what, ret->len);
    return 0;
}

static int store(struct cli_actor *a, const char *name, const struct cvm_buf *bytes,
                 struct cvm_error *err)
{
    CVM_AUTO_FREE char *path = cli_collaboration_path(&a->co, "%s", name);
    return cli_file_write(path, bytes->data, bytes->len, 0644, err);
}

int cli_public_receipt(struct cli_actor *a, struct cvm_receipt *ret, struct cvm_error *err)
{
    struct cvm_digest session;
    CVM_AUTO_BUF struct cvm_buf jws = {0};
    CVM_GUARD(cli_actor_session(a, &session, err));
    CVM_GUARD(get(a, "receipt", CVM_RECEIPT_MAX, &jws, err));
    CVM_GUARD(cvm_receipt_verify(a->co.manifest, &a->record.sign, jws.data, jws.len, ret, err));
    return store(a, "receipt.jws", &jws, err);
}

static int get_commitments(struct cli_actor *a, struct cvm_error *err)
{
    const struct cvm_manifest *m = a->co.manifest;
    for (uint32_t i = 0; i < m->n_participants; i++) {
        CVM_AUTO_BUF struct cvm_buf jws = {0};
        CVM_AUTO_FREE char *what = cvm_printf("commitments/%s", m->participants[i].id);
        CVM_AUTO_FREE char *name = cvm_printf("%s.jws", what);
        if ((int)i == a->co.me)
            continue;
        CVM_GUARD(get(a, what, CVM_COMMITMENT_MAX, &jws, err));
        CVM_GUARD(cvm_commitment_check(m, (int)i, jws.data, jws.len, err));
        CVM_GUARD(store(a, name, &jws, err));
    }
    return 0;
}

/* One act entry of a checked transcript. */
static int get_act(struct cli_actor *a, const json_t *entry, struct cvm_error *err)
{
    const char *participant = json_string_value(json_object_get(entry, "participant"));
    CVM_AUTO_BUF struct cvm_buf jws = {0};
    CVM_AUTO_FREE char *what = cvm_printf(
        "acts/%s-%lld", participant, (long long)json_integer_value(json_object_get(entry, "seq")));
    CVM_AUTO_FREE char *name = cvm_printf("%s.jws", what);
    struct cvm_digest expected;
    CVM_GUARD(
        cvm_digest_parse(json_string_value(json_object_get(entry, "digest")), &expected, err));
    CVM_GUARD(get(a, what, CVM_ACT_MAX, &jws, err));
    struct cvm_digest digest = cvm_sha256(jws.data, jws.len);
    CVM_ENSURE(memcmp(&digest, &expected, sizeof digest) == 0, err, CVM_E_TRANSCRIPT_BROKEN,
               "%s is not the act of the transcript", what);
    /* The own acts are here already, as they were signed. */
    return strcmp(participant, cli_my_id(&a->co)) == 0 ? 0 : store(a, name, &jws, err);
}

static int get_acts(struct cli_actor *a, const struct cvm_buf *lines, struct cvm_error *err)
{
    size_t at = 0;
    for (json_t *next; (next = cvm_transcript_entry(lines, &at));) {
        CVM_AUTO_JSON json_t *entry = next;
        if (json_object_get(entry, "act"))
            CVM_GUARD(get_act(a, entry, err));
    }
    return 0;
}

static int get_evidence(struct cli_actor *a, bool *ret_complete, struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf bytes = {0};
    struct cvm_error refused = {0};
    CLI_AUTO_EVIDENCE struct cli_evidence e = {0};
    if (get(a, "evidence", CVM_BUNDLE_MAX, &bytes, &refused) < 0) {
        if (refused.code != CVM_E_WITHHELD && refused.code != CVM_E_NOT_FOUND) {
            *err = refused;
            return -1;
        }
        return 0;
    }
    /* Judged beside its place: what the host says now must not destroy what was right before. */
    CVM_AUTO_FREE char *path = cli_collaboration_path(&a->co, "evidence.new");
    CVM_GUARD(store(a, "evidence.new", &bytes, err));
    int judged = cli_evidence_load(path, a->co.manifest, NULL, &a->record.sign, &e, err);
    unlink(path);
    CVM_GUARD(judged);
    CVM_GUARD(cvm_appraisal_error(e.appraisal, err));
    CVM_GUARD(store(a, "evidence.json", &bytes, err));
    *ret_complete = true;
    return 0;
}

/*
 * A transcript only grows. What the host shows and what was fetched before must be the beginning of
 * one another; the longer one counts, so that a host cannot make a participant forget its end.
 */
static int get_transcript(struct cli_actor *a, struct cvm_buf *ret, struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf old = {0};
    CVM_AUTO_FREE char *path = cli_collaboration_path(&a->co, "transcript.jsonl");
    CVM_GUARD(get(a, "transcript", CLI_RESPONSE_MAX, ret, err));
    if (!cli_file_exists(path))
        return 0;
    CVM_GUARD(cli_file_read(path, CVM_TRANSCRIPT_MAX, &old, err));
    size_t common = old.len < ret->len ? old.len : ret->len;
    CVM_ENSURE(!common || memcmp(old.data, ret->data, common) == 0, err, CVM_E_TRANSCRIPT_BROKEN,
               "the host shows another transcript than before");
    if (old.len > ret->len)
        cvm_buf_append(ret, old.data + common, old.len - common);
    return 0;
}

int cli_public_statement(struct cli_actor *a, const struct cvm_public_key *session_sign,
                         const struct cvm_digest *act, struct cvm_statement *ret,
                         struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf jws = {0}, lines = {0};
    CVM_AUTO_FREE struct cvm_transcript_summary *t = cvm_alloc(sizeof *t);
    CVM_GUARD(get(a, "statement", CVM_STATEMENT_MAX, &jws, err));
    CVM_GUARD(cvm_statement_verify(a->co.manifest, session_sign, jws.data, jws.len, ret, err));
    CVM_ENSURE(!act || memcmp(act, &ret->act, sizeof *act) == 0, err, CVM_E_STATEMENT_MISMATCH,
               "it answers another act than yours");
    CVM_GUARD(get_transcript(a, &lines, err));
    CVM_GUARD(cvm_transcript_check(a->co.manifest, lines.data, lines.len, t, err));
    CVM_GUARD(cvm_statement_check_transcript(ret, t, err));
    CVM_GUARD(store(a, "transcript.jsonl", &lines, err));
    CVM_GUARD(get_acts(a, &lines, err));
    CVM_GUARD(store(a, "statement.jws", &jws, err));
    CVM_GUARD(get_commitments(a, err));
    bool complete = false; /* the last evidence may come later */
    return a->record.released ? get_evidence(a, &complete, err) : 0;
}

static json_t *ids(const struct cvm_manifest *m, const struct cvm_statement *s, bool keys)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < cvm_manifest_items(m); i++) {
        struct cvm_item item = cvm_manifest_item_at(m, i);
        bool in =
            keys ? !item.open && s->released >> item.owner & 1 : s->admitted[i / 64] >> i % 64 & 1;
        if (in)
            json_array_append_new(list, json_string(item.id));
    }
    return list;
}

static void say_list(const struct cli *c, const char *what, const json_t *list)
{
    size_t i;
    json_t *id;
    cli_say(c, "wiped       %s:", what);
    json_array_foreach(list, i, id) cli_say(c, " %s", json_string_value(id));
    cli_say(c, "%s\n", json_array_size(list) ? "" : " none was there");
}

json_t *cli_statement_describe(const struct cli *c, const struct cvm_manifest *m,
                               const struct cvm_statement *s)
{
    char kid[CVM_KID_TEXT];
    json_t *seeds = json_array(), *keys = ids(m, s, true), *content = ids(m, s, false);
    for (uint32_t p = 0; p < m->n_participants; p++)
        if (s->released >> p & 1)
            json_array_append_new(seeds, json_string(m->participants[p].id));
    const char *who = m->participants[s->participant].id;
    cli_say(c, "stopped by  %s\nsession     %s\n", who, cvm_kid_text(&s->session, kid));
    say_list(c, "content keys of", keys);
    say_list(c, "shares of the seed of", seeds);
    say_list(c, "plain content of", content);
    return json_pack("{s:s, s:s, s:{s:o, s:o, s:o}}", "participant", who, "session", kid, "wiped",
                     "content", content, "keys", keys, "seeds", seeds);
}

int cli_public_rest(struct cli_actor *a, const struct cvm_receipt *receipt, bool *ret_complete,
                    struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf lines = {0};
    CVM_AUTO_FREE struct cvm_transcript_summary *t = cvm_alloc(sizeof *t);
    *ret_complete = false;
    CVM_GUARD(get_commitments(a, err));
    CVM_GUARD(get_transcript(a, &lines, err));
    CVM_GUARD(cvm_transcript_check(a->co.manifest, lines.data, lines.len, t, err));
    if (t->has_receipt)
        CVM_GUARD(cvm_receipt_check_transcript(receipt, t, err));
    CVM_GUARD(store(a, "transcript.jsonl", &lines, err));
    CVM_GUARD(get_acts(a, &lines, err));
    return t->has_receipt ? get_evidence(a, ret_complete, err) : 0;
}
