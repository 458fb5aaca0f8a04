/* 2cvm upload: ciphertext to the host. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/client.h"
#include "core/seal/blob.h"

static int upload_one(struct cli *c, const struct cli_collaboration *co, struct cli_client *client,
                      uint32_t index, json_t *done, struct cvm_error *err)
{
    struct cvm_item x = cvm_manifest_item_at(co->manifest, index);
    const char *given = cli_opt(c, "blob");
    CLI_AUTO_ITEM struct cli_item packed = {0};
    CVM_GUARD(cli_item_load(c, x.id, x.digest, &packed, err));
    const char *path = given ? given : packed.blob;
    CVM_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return errno == ENOENT ? cvm_fail(err, CVM_E_NOT_FOUND,
                                          "the blob %s is not there; name it with --blob", path)
                               : cvm_fail_errno(err, "opening %s", path);
    uint64_t size = cvm_blob_size(x.padding, packed.bytes, x.max_bytes);
    if ((uint64_t)st.st_size != size) {
        char expected[32], got[32];
        snprintf(expected, sizeof expected, "%llu bytes", (unsigned long long)size);
        snprintf(got, sizeof got, "%llu bytes", (unsigned long long)st.st_size);
        return cvm_fail_expected(err, CVM_E_STREAM_CORRUPT, expected, got,
                                 "%s is not what was packed as \"%s\"", path, x.id);
    }
    CVM_AUTO_FREE char *where =
        cvm_printf("/v1/collaborations/%s/blobs/%s", co->manifest->collaboration, x.id);
    struct cli_progress bar = cli_progress_start(c, x.id);
    long status = 0;
    int result = cli_client_upload(client, where, fd, &bar, &status, err);
    cli_progress_end(&bar);
    if (result < 0)
        return cvm_error_wrap(err, "uploading %s", x.id);
    char text[24];
    cli_say(c, "uploaded    %s, %s of ciphertext%s\n", x.id, cli_size_text(size, text),
            status == 200 ? " (it was there already)" : "");
    json_array_append_new(done, json_pack("{s:s, s:I}", "id", x.id, "bytes", (json_int_t)size));
    return 0;
}

static int run(struct cli *c, struct cvm_error *err)
{
    CLI_AUTO_COLLABORATION struct cli_collaboration co = {0};
    CLI_AUTO_IDENTITY struct cli_identity me = {0};
    CLI_AUTO_CLIENT struct cli_client client = {0};
    CVM_GUARD(cli_collaboration_open(c, &co, err));
    CVM_GUARD(cli_identity_load(c, &me, err));
    CVM_AUTO_JSON json_t *done = json_array();
    const char *wanted = c->n_args ? c->args[0] : NULL;
    CVM_ENSURE(wanted || !cli_opt(c, "blob"), err, CVM_E_USAGE, "--blob needs the item's id");
    if (wanted) {
        int i = cvm_manifest_item(co.manifest, wanted);
        CVM_ENSURE(i >= 0, err, CVM_E_NOT_FOUND, "the manifest has no item \"%s\"", wanted);
        CVM_ENSURE(
            cvm_manifest_item_at(co.manifest, (uint32_t)i).owner == co.me, err, CVM_E_NOT_OWNER,
            "\"%s\" belongs to %s", wanted,
            co.manifest->participants[cvm_manifest_item_at(co.manifest, (uint32_t)i).owner].id);
    }
    CVM_GUARD(cli_client_open(c, &co, &me.sign, &client, err));
    for (uint32_t i = 0; i < cvm_manifest_items(co.manifest); i++) {
        struct cvm_item x = cvm_manifest_item_at(co.manifest, i);
        if (x.owner == co.me && !x.open && (!wanted || strcmp(wanted, x.id) == 0))
            CVM_GUARD(upload_one(c, &co, &client, i, done, err));
    }
    if (!json_array_size(done))
        cli_say(c, "nothing to upload: you own no item\n");
    cli_result(c, json_incref(done));
    return CLI_EXIT_OK;
}

static const struct cli_option OPTIONS[] = {
    CLI_OPTION_COLLABORATION,
    {"blob", 0, "FILE", "the ciphertext, when it is no more where `pack` wrote it"},
    CLI_OPTIONS_HOST,
    {0},
};

const struct cli_verb cli_verb_upload = {
    .name = "upload",
    .arguments = "[ITEM]",
    .summary = "send your items' ciphertext to the host (all, or one)",
    .example = "2cvm upload rows-a",
    .options = OPTIONS,
    .max_args = 1,
    .run = run,
};
