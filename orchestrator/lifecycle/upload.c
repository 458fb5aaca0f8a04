#include "orchestrator/lifecycle/collaboration.h"

#include "core/seal/blob.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct cvm_upload {
    struct cvm_collaboration *c;
    int item;
    int fd;
    char *temp;
    uint64_t announced, bytes;
    struct cvm_hasher hasher;
};

static int may_upload(struct cvm_collaboration *c, int item, struct cvm_error *err)
{
    if (cvm_host_state_final(c->state))
        return cvm_collaboration_ended(c, err);
    CVM_ENSURE(!c->items[item].admitted || c->items[item].known, err, CVM_E_ITEM_NOT_WANTED,
               "the isolate has it");
    return 0;
}

int cvm_upload_begin(struct cvm_collaboration *c, int item, uint64_t bytes, struct cvm_upload **ret,
                     struct cvm_error *err)
{
    struct cvm_item info = cvm_manifest_item_at(&c->manifest, (uint32_t)item);
    uint64_t max = cvm_blob_size_max(info.max_bytes);
    if (bytes > max) {
        char expected[48], got[24];
        snprintf(expected, sizeof expected, "at most %llu", (unsigned long long)max);
        snprintf(got, sizeof got, "%llu", (unsigned long long)bytes);
        return cvm_fail_expected(err, CVM_E_TOO_LARGE, expected, got, "the blob of '%s'", info.id);
    }
    {
        CVM_LOCKED(c);
        CVM_GUARD(may_upload(c, item, err));
    }
    struct cvm_upload *u = cvm_alloc(sizeof *u);
    u->c = c;
    u->item = item;
    u->announced = bytes;
    CVM_AUTO_FREE char *folder = cvm_collaboration_path(c, "blobs");
    u->fd = cvm_temp_open(folder, &u->temp, err);
    if (u->fd < 0) {
        free(u);
        return -1;
    }
    cvm_hasher_start(&u->hasher);
    *ret = u;
    return 0;
}

int cvm_upload_write(struct cvm_upload *u, const void *data, size_t len, struct cvm_error *err)
{
    CVM_ENSURE(len <= u->announced - u->bytes, err, CVM_E_TOO_LARGE,
               "more than the announced %llu bytes", (unsigned long long)u->announced);
    const uint8_t *p = data;
    for (size_t at = 0; at < len;) {
        ssize_t n = write(u->fd, p + at, len - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return cvm_fail_errno(err, "cannot store the blob");
        at += (size_t)n;
    }
    cvm_hasher_add(&u->hasher, data, len);
    u->bytes += len;
    return 0;
}

void cvm_upload_abandon(struct cvm_upload *u)
{
    if (!u)
        return;
    cvm_hasher_free(&u->hasher);
    if (u->temp)
        unlink(u->temp);
    if (u->fd >= 0)
        close(u->fd);
    free(u->temp);
    free(u);
}

/* With the collaboration locked. */
static int store_blob(struct cvm_upload *u, const struct cvm_digest *digest, struct cvm_error *err)
{
    struct cvm_collaboration *c = u->c;
    struct cvm_item_state *s = &c->items[u->item];
    const char *id = cvm_manifest_item_at(&c->manifest, (uint32_t)u->item).id;
    CVM_GUARD(may_upload(c, u->item, err));
    bool same = s->uploaded && s->known && cvm_equal(&s->sha256, digest, sizeof *digest);
    if (s->admitted) {
        CVM_ENSURE(same, err, CVM_E_ITEM_NOT_WANTED, "the isolate has '%s' already", id);
        return 0;
    }
    /* Also when it is the same: what lies on the disk may have suffered since. */
    CVM_AUTO_FREE char *path = cvm_printf("%s/blobs/%s", c->folder, id);
    CVM_GUARD(cvm_temp_commit(u->fd, u->temp, path, err));
    free(CVM_TAKE(u->temp));
    s->uploaded = s->known = true;
    s->sha256 = *digest;
    s->generation++;
    s->refusal = CVM_OK;
    free(CVM_TAKE(s->refusal_message));
    CVM_GUARD(cvm_record_save(c, err));
    cvm_observe(c, "blob", id, NULL);
    cvm_collaboration_wake(c);
    return same ? 0 : 1;
}

int cvm_upload_finish(struct cvm_upload *u, const struct cvm_digest *expected,
                      struct cvm_error *err)
{
    struct cvm_digest digest;
    cvm_hasher_end(&u->hasher, digest.b);
    u->hasher.ctx = NULL;
    int rc;
    if (u->bytes != u->announced || !cvm_equal(&digest, expected, sizeof digest)) {
        char want[CVM_DIGEST_TEXT], got[CVM_DIGEST_TEXT];
        rc = cvm_fail_expected(err, CVM_E_CONTENT_DIGEST, cvm_digest_text(expected, want),
                               cvm_digest_text(&digest, got), "the body of %llu bytes",
                               (unsigned long long)u->bytes);
    } else if (fsync(u->fd) < 0) { /* before the lock: it may take a while */
        rc = cvm_fail_errno(err, "cannot store the blob");
    } else {
        CVM_LOCKED(u->c);
        rc = store_blob(u, &digest, err);
    }
    cvm_upload_abandon(u);
    return rc;
}
