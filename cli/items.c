/* What this participant packed: one JSON file an item, and its content key in a file of its own. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/file.h"
#include "cli/home.h"
#include "core/seal/hpke.h"

static char *item_path(const struct cli *c, const char *id, const struct cvm_digest *digest,
                       const char *kind)
{
    CVM_AUTO_FREE char *hex = cvm_hex(digest->b, sizeof digest->b);
    return cli_home_path(c, "items/%s.%s.%s", id, hex, kind);
}

int cli_item_save(const struct cli *c, const struct cli_item *item, const struct cvm_secret *key,
                  struct cvm_error *err)
{
    CVM_AUTO_FREE char *path = item_path(c, item->id, &item->digest, "json");
    CVM_AUTO_FREE char *key_path = item_path(c, item->id, &item->digest, "key");
    char digest[CVM_DIGEST_TEXT];
    CVM_GUARD(cli_file_write(key_path, key->data, key->len, 0600, err));
    CVM_AUTO_JSON json_t *json =
        json_pack("{s:s, s:I, s:s, s:s, s:I, s:I, s:s, s:i}", "blob", item->blob, "bytes",
                  (json_int_t)item->bytes, "digest", cvm_digest_text(&item->digest, digest), "id",
                  item->id, "max_bytes", (json_int_t)item->max_bytes, "packed",
                  (json_int_t)item->packed, "padding", item->padded ? "max" : "none", "version", 1);
    CVM_ENSURE(json, err, CVM_E_BAD_ENCODING, "the blob's path is not UTF-8");
    return cli_json_write(path, json, 0600, true, err);
}

int cli_item_parse(json_t *document, struct cli_item *ret, struct cvm_error *err)
{
    struct cvm_json_reader r;
    struct cli_item out = {0};
    cvm_json_begin(&r, document, "item", err);
    const char *id = cvm_json_string(&r, "id"), *blob = cvm_json_string(&r, "blob");
    const char *padding = cvm_json_string(&r, "padding");
    out.bytes = (uint64_t)cvm_json_int(&r, "bytes", 0, CVM_JSON_INT_MAX);
    out.max_bytes = (uint64_t)cvm_json_int(&r, "max_bytes", 0, CVM_JSON_INT_MAX);
    out.packed = cvm_json_int(&r, "packed", 0, CVM_JSON_INT_MAX);
    out.digest = cvm_json_digest(&r, "digest");
    cvm_json_int(&r, "version", 1, 1);
    CVM_GUARD(cvm_json_end(&r));
    CVM_ENSURE(cvm_id_valid(id), err, CVM_E_MANIFEST_ID, "the item's id");
    out.padded = strcmp(padding, "max") == 0;
    CVM_ENSURE(out.padded || strcmp(padding, "none") == 0, err, CVM_E_MANIFEST_ENUM,
               "the item's padding");
    snprintf(out.id, sizeof out.id, "%s", id);
    out.blob = cvm_strdup(blob);
    *ret = out;
    return 0;
}

/* "<id>.<64 hex>.json" -> the id's length, or 0. */
static size_t item_file(const char *name)
{
    size_t n = strlen(name);
    if (n < 71 || strcmp(name + n - 5, ".json") != 0 || name[n - 70] != '.')
        return 0;
    return n - 70;
}

static int load_file(const char *path, struct cli_item *ret, struct cvm_error *err)
{
    CVM_AUTO_JSON json_t *json = cli_json_read(path, true, err);
    if (!json)
        return -1;
    if (cli_item_parse(json, ret, err) < 0)
        return cvm_error_wrap(err, "%s", path);
    return 0;
}

static DIR *open_items(const struct cli *c)
{
    CVM_AUTO_FREE char *path = cli_home_path(c, "items");
    return opendir(path);
}

static int load_newest(const struct cli *c, const char *id, struct cli_item *ret,
                       struct cvm_error *err)
{
    CLI_AUTO_ITEM struct cli_item best = {0};
    DIR *d = open_items(c);
    const struct dirent *e;
    int result = 0;
    while (d && result == 0 && (e = readdir(d))) {
        size_t n = item_file(e->d_name);
        if (!n || n != strlen(id) || memcmp(e->d_name, id, n) != 0)
            continue;
        CVM_AUTO_FREE char *path = cli_home_path(c, "items/%s", e->d_name);
        CLI_AUTO_ITEM struct cli_item item = {0};
        result = load_file(path, &item, err);
        if (result == 0 && (!best.id[0] || item.packed > best.packed)) {
            cli_item_free(&best);
            best = item;
            item = (struct cli_item){0};
        }
    }
    if (d)
        closedir(d);
    CVM_GUARD(result);
    CVM_ENSURE(best.id[0], err, CVM_E_NOT_FOUND,
               "no item \"%s\" was packed here; `2cvm pack --id %s …` makes it", id, id);
    *ret = best;
    best = (struct cli_item){0};
    return 0;
}

int cli_item_load(const struct cli *c, const char *id, const struct cvm_digest *digest,
                  struct cli_item *ret, struct cvm_error *err)
{
    CVM_ENSURE(cvm_id_valid(id), err, CVM_E_MANIFEST_ID, "an item's id");
    if (!digest)
        return load_newest(c, id, ret, err);
    CVM_AUTO_FREE char *path = item_path(c, id, digest, "json");
    if (!cli_file_exists(path)) {
        char text[CVM_DIGEST_TEXT];
        return cvm_fail_expected(err, CVM_E_DIGEST_MISMATCH, cvm_digest_text(digest, text), NULL,
                                 "\"%s\" with this digest was not packed here", id);
    }
    return load_file(path, ret, err);
}

int cli_item_key(const struct cli *c, const struct cli_item *item, struct cvm_secret *ret,
                 struct cvm_error *err)
{
    CVM_AUTO_FREE char *path = item_path(c, item->id, &item->digest, "key");
    CVM_AUTO_BUF struct cvm_buf bytes = {0};
    CVM_GUARD(cli_file_read_private(path, CVM_CONTENT_KEY_LEN, &bytes, err));
    CVM_ENSURE(bytes.len == CVM_CONTENT_KEY_LEN, err, CVM_E_KEY_FORMAT, "%s is not a content key",
               path);
    return cvm_secret_copy(ret, bytes.data, bytes.len, err);
}

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int cli_item_list(const struct cli *c, json_t **ret, struct cvm_error *err)
{
    char **ids = NULL;
    size_t n_ids = 0;
    DIR *d = open_items(c);
    if (!d && errno != ENOENT)
        return cvm_fail_errno(err, "listing the packed items");
    const struct dirent *e;
    while (d && (e = readdir(d))) {
        size_t n = item_file(e->d_name);
        if (!n)
            continue;
        ids = cvm_realloc(ids, (n_ids + 1) * sizeof *ids);
        ids[n_ids++] = cvm_printf("%.*s", (int)n, e->d_name);
    }
    if (d)
        closedir(d);
    if (n_ids)
        qsort(ids, n_ids, sizeof *ids, compare_text);
    json_t *list = json_array();
    for (size_t i = 0; i < n_ids; i++) {
        if (cvm_id_valid(ids[i]) && (i == 0 || strcmp(ids[i], ids[i - 1]) != 0))
            json_array_append_new(list, json_string(ids[i]));
    }
    for (size_t i = 0; i < n_ids; i++)
        free(ids[i]);
    free(ids);
    *ret = list;
    return 0;
}

void cli_item_free(struct cli_item *item)
{
    free(item->blob);
    *item = (struct cli_item){0};
}
