/* 2cvm manifest check|explain|diff: reading a manifest before it is signed. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "cli/collaboration.h"
#include "cli/file.h"
#include "core/manifest/explain.h"

static int run_check(struct cli *c, struct cvm_error *err)
{
    char digest[CVM_DIGEST_TEXT], spoken[CVM_SPOKEN_LEN], when[32];
    CLI_AUTO_MANIFEST struct cvm_manifest *m = NULL;
    CVM_GUARD(cli_manifest_read(c->args[0], &m, err));
    cvm_digest_text(&m->digest, digest);
    cvm_digest_spoken(&m->digest, spoken);
    bool expired = cli_now() > m->not_after;
    cli_say(c, "manifest    right: %s\ndigest      %s\nspoken      %s\nvalid until %s%s\n",
            m->title, digest, spoken, cli_time_text(m->not_after, when),
            expired ? " (EXPIRED)" : "");
    cli_result(c, json_pack("{s:s, s:s, s:s, s:s, s:I, s:b}", "collaboration", m->collaboration,
                            "title", m->title, "digest", digest, "spoken", spoken, "not_after",
                            (json_int_t)m->not_after, "expired", expired));
    return CLI_EXIT_OK;
}

/* Items of `m` whose keys this home has released under `other` already: a second computation on the
 * same data. */
static void find_released(const struct cvm_manifest *m, const struct cvm_manifest *other,
                          json_t *list)
{
    for (uint32_t i = 0; i < cvm_manifest_items(m); i++) {
        struct cvm_item mine = cvm_manifest_item_at(m, i);
        for (uint32_t k = 0; k < cvm_manifest_items(other); k++) {
            struct cvm_item old = cvm_manifest_item_at(other, k);
            if (mine.open || old.open || memcmp(mine.digest, old.digest, sizeof *mine.digest) != 0)
                continue;
            CVM_AUTO_FREE char *text =
                cvm_printf("\"%s\" was already released under \"%s\" (%s); results of both can be "
                           "compared with each other",
                           mine.id, other->title, other->collaboration);
            json_array_append_new(list, json_pack("{s:s, s:s}", "topic", "warning", "text", text));
        }
    }
}

static int add_earlier_releases(const struct cli *c, const struct cvm_manifest *m, json_t *list,
                                struct cvm_error *err)
{
    CVM_AUTO_FREE char *folder = cli_home_path(c, "collaborations");
    DIR *d = opendir(folder);
    const struct dirent *e;
    int result = 0;
    while (d && result == 0 && (e = readdir(d))) {
        if (strlen(e->d_name) != 36 || strcmp(e->d_name, m->collaboration) == 0)
            continue;
        struct cli_collaboration co = {.folder = cvm_printf("%s/%s", folder, e->d_name)};
        struct cli_record record;
        CVM_AUTO_FREE char *path = cli_collaboration_path(&co, "manifest.json");
        result = cli_manifest_read(path, &co.manifest, err);
        if (result == 0)
            result = cli_record_load(&co, &record, err);
        if (result == 0 && record.released)
            find_released(m, co.manifest, list);
        cli_collaboration_free(&co);
    }
    if (d)
        closedir(d);
    return result;
}

static int run_explain(struct cli *c, struct cvm_error *err)
{
    CLI_AUTO_MANIFEST struct cvm_manifest *m = NULL;
    CVM_GUARD(cli_manifest_read(c->args[0], &m, err));
    CVM_AUTO_JSON json_t *list = cvm_manifest_explain(m);
    CVM_AUTO_JSON json_t *warnings = json_array();
    CVM_GUARD(add_earlier_releases(c, m, warnings, err));
    size_t i;
    json_t *w;
    json_array_foreach(warnings, i, w) json_array_insert(list, i, w);
    CVM_AUTO_BUF struct cvm_buf text = {0};
    cvm_explain_text(list, 100, &text);
    cli_say(c, "%s", cvm_buf_cstr(&text));
    cli_result(c, json_incref(list));
    return CLI_EXIT_OK;
}

static int run_diff(struct cli *c, struct cvm_error *err)
{
    CLI_AUTO_MANIFEST struct cvm_manifest *from = NULL;
    CLI_AUTO_MANIFEST struct cvm_manifest *to = NULL;
    CVM_GUARD(cli_manifest_read(c->args[0], &from, err));
    CVM_GUARD(cli_manifest_read(c->args[1], &to, err));
    CVM_AUTO_JSON json_t *list = cvm_manifest_diff(from, to);
    CVM_AUTO_BUF struct cvm_buf text = {0};
    cvm_explain_text(list, 100, &text);
    cli_say(c, "%s",
            json_array_size(list) ? cvm_buf_cstr(&text) : "the two manifests are the same\n");
    cli_result(c, json_incref(list));
    return CLI_EXIT_OK;
}

const struct cli_verb cli_verb_manifest_check = {
    .name = "manifest check",
    .arguments = "MANIFEST.json",
    .summary = "is it a right manifest? names the first thing that is wrong",
    .example = "2cvm manifest check manifest.json",
    .min_args = 1,
    .max_args = 1,
    .run = run_check,
};

const struct cli_verb cli_verb_manifest_explain = {
    .name = "manifest explain",
    .arguments = "MANIFEST.json",
    .summary = "in plain words: who can learn what through which code",
    .example = "2cvm manifest explain manifest.json",
    .min_args = 1,
    .max_args = 1,
    .run = run_explain,
};

const struct cli_verb cli_verb_manifest_diff = {
    .name = "manifest diff",
    .arguments = "OLD.json NEW.json",
    .summary = "what changes from one manifest to another, the riskiest first",
    .example = "2cvm manifest diff agreed.json proposed.json",
    .min_args = 2,
    .max_args = 2,
    .run = run_diff,
};
