/* 2cvm pack: a component or data item becomes ciphertext under a fresh key, and a digest for the
 * manifest. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/file.h"
#include "cli/home.h"
#include "core/seal/blob.h"
#include "core/seal/hpke.h"

static int seal(struct cli *c, struct cli_item *item, int in, const char *out,
                const struct cvm_secret *key, struct cvm_error *err)
{
    uint8_t salt[CVM_SALT_LEN] = {0};
    if (!cli_flag(c, "public"))
        CVM_GUARD(cvm_random(salt, sizeof salt, err));
    CLI_AUTO_TEMP struct cli_temp temp = {.fd = -1};
    CVM_GUARD(cli_temp_open(&temp, out, 0644, err));
    CVM_AUTO_BUF struct cvm_buf associated = {0};
    cvm_blob_associated(item->id, &associated);
    struct cli_progress bar = cli_progress_start(c, "sealing");
    struct cvm_blob_spec spec = {.key = key,
                                 .associated = {associated.data, associated.len},
                                 .padding = item->padded ? CVM_PADDING_MAX : CVM_PADDING_NONE,
                                 .max_bytes = item->max_bytes,
                                 .progress = cli_progress_update,
                                 .progress_ctx = &bar};
    int result = cvm_blob_seal_fd(&spec, salt, in, item->bytes, temp.fd, &item->digest, err);
    cli_progress_end(&bar);
    cvm_wipe(salt, sizeof salt);
    CVM_GUARD(result);
    /* The key before the blob: a blob whose key is lost is of no use, a key without a blob does no
     * harm. */
    CVM_GUARD(cli_item_save(c, item, key, err));
    return cli_temp_commit(&temp, err);
}

static int read_options(struct cli *c, struct cli_item *item, struct cvm_error *err)
{
    const char *id = cli_opt(c, "id"), *padding = cli_opt(c, "padding");
    CVM_ENSURE(id, err, CVM_E_USAGE, "--id is needed: how the manifest names this item");
    CVM_ENSURE(cvm_id_valid(id) && strcmp(id, "seed") != 0, err, CVM_E_MANIFEST_ID, "--id %s", id);
    snprintf(item->id, sizeof item->id, "%s", id);
    CVM_ENSURE(!padding || strcmp(padding, "max") == 0 || strcmp(padding, "none") == 0, err,
               CVM_E_USAGE, "--padding is max or none");
    item->padded = !padding || strcmp(padding, "max") == 0;
    int64_t max = 0;
    CVM_GUARD(cli_opt_int(c, "max-bytes", 1, 1LL << 46, (int64_t)(item->bytes ? item->bytes : 1),
                          &max, err));
    item->max_bytes = (uint64_t)max;
    if (item->padded && !cli_opt(c, "max-bytes"))
        cli_note(c, "note: without --max-bytes the manifest tells the exact size of \"%s\"\n", id);
    return 0;
}

static void tell(struct cli *c, const struct cli_item *item)
{
    char digest[CVM_DIGEST_TEXT], a[24], b[24], blob[24];
    uint64_t size = cvm_blob_size(item->padded ? CVM_PADDING_MAX : CVM_PADDING_NONE, item->bytes,
                                  item->max_bytes);
    cli_say(c, "item        %s, %s, at most %s\ndigest      %s%s\nblob        %s (%s)\n", item->id,
            cli_size_text(item->bytes, a), cli_size_text(item->max_bytes, b),
            cvm_digest_text(&item->digest, digest),
            cli_flag(c, "public") ? " (public: who has the bytes can recompute it)" : "",
            item->blob, cli_size_text(size, blob));
    cli_result(c, json_pack("{s:s, s:s, s:I, s:s, s:s, s:I}", "id", item->id, "digest", digest,
                            "max_bytes", (json_int_t)item->max_bytes, "padding",
                            item->padded ? "max" : "none", "blob", item->blob, "blob_bytes",
                            (json_int_t)size));
}

static int run(struct cli *c, struct cvm_error *err)
{
    const char *in_path = c->args[0], *out = cli_opt(c, "output");
    struct cli_card me;
    CVM_GUARD(cli_identity_card(c, &me, err));
    CVM_AUTO_CLOSE int in = open(in_path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (in < 0 || fstat(in, &st) < 0)
        return errno == ENOENT ? cvm_fail(err, CVM_E_NOT_FOUND, "%s is not there", in_path)
                               : cvm_fail_errno(err, "opening %s", in_path);
    CVM_ENSURE(S_ISREG(st.st_mode), err, CVM_E_USAGE, "%s is not a plain file", in_path);
    CLI_AUTO_ITEM struct cli_item item = {.bytes = (uint64_t)st.st_size, .packed = cli_now()};
    CVM_GUARD(read_options(c, &item, err));
    CVM_AUTO_FREE char *named = out ? cvm_strdup(out) : cvm_printf("%s.blob", item.id);
    CVM_AUTO_FREE char *cwd = getcwd(NULL, 0);
    CVM_ENSURE(named[0] == '/' || cwd, err, CVM_E_IO, "the current folder is gone");
    item.blob = named[0] == '/' ? cvm_strdup(named) : cvm_printf("%s/%s", cwd, named);
    CVM_GUARD(cli_home_prepare(c, err));
    CVM_AUTO_SECRET struct cvm_secret key = {0};
    CVM_GUARD(cvm_secret_random(&key, CVM_CONTENT_KEY_LEN, err));
    CVM_GUARD(seal(c, &item, in, item.blob, &key, err));
    tell(c, &item);
    return CLI_EXIT_OK;
}

static const struct cli_option OPTIONS[] = {
    {"id", 0, "ID", "how the manifest names it"},
    {"max-bytes", 0, "N",
     "the size that the manifest tells; the blob is padded to it (default: the file's)"},
    {"padding", 0, "max|none", "none: the blob's size tells the file's size"},
    {"public", 0, NULL, "a digest that everyone who has the bytes can recompute (for open code)"},
    {"output", 'o', "FILE", "the ciphertext (default: ID.blob)"},
    {0},
};

const struct cli_verb cli_verb_pack = {
    .name = "pack",
    .arguments = "FILE",
    .summary = "encrypt a component or data item, and get its digest for the manifest",
    .example = "2cvm pack --id rows-a --max-bytes 1000000 rows.csv -o rows-a.blob",
    .options = OPTIONS,
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
