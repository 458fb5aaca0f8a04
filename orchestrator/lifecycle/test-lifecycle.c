#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "core/manifest/test-fixture.h"
#include "core/seal/blob.h"
#include "orchestrator/lifecycle/collaboration.h"

#define ID "7f1d5c1e-2b6a-4f43-9a0e-5d2b8f4f6a11"

struct fixture {
    char folder[64];
    struct cvm_lifecycle *l;
    struct cvm_buf manifest;
    struct cvm_error err;
};

static void observe(void *arg, const struct cvm_lifecycle_event *event)
{
    (void)arg;
    assert_non_null(event->detail);
}

static int open_it(struct fixture *f)
{
    struct cvm_lifecycle_options o = {
        .state = f->folder, .host = {.image = "/nowhere", .psp = "/nowhere"}, .observer = observe};
    return cvm_lifecycle_open(&o, &f->l, &f->err);
}

/* A manifest that is valid for an hour, in canonical bytes. */
static void write_manifest(struct cvm_buf *out, const char *id, const char *title, int lifetime)
{
    CVM_AUTO_JSON json_t *m = fixture_document();
    json_object_set_new(m, "collaboration", json_string(id));
    json_object_set_new(m, "title", json_string(title));
    json_object_set_new(m, "not_after", json_integer((json_int_t)time(NULL) + lifetime));
    out->len = 0;
    struct cvm_error err;
    assert_int_equal(cvm_json_write(m, out, &err), 0);
}

static int setup(void **state)
{
    struct fixture *f = cvm_alloc(sizeof *f);
    snprintf(f->folder, sizeof f->folder, "/tmp/cvm-lifecycle-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    write_manifest(&f->manifest, ID, "Joint study", 3600);
    assert_int_equal(open_it(f), 0);
    *state = f;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    cvm_lifecycle_close(f->l);
    nftw(f->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    cvm_buf_free(&f->manifest);
    free(f);
    return 0;
}

static struct cvm_collaboration *create(struct fixture *f)
{
    struct cvm_collaboration *c = NULL;
    assert_int_equal(cvm_lifecycle_create(f->l, f->manifest.data, f->manifest.len, &c, &f->err), 1);
    return c;
}

static void commit(struct fixture *f, struct cvm_collaboration *c, int p)
{
    CVM_AUTO_KEY struct cvm_key key = fixture_key(p, CVM_ED25519);
    CVM_AUTO_BUF struct cvm_buf jws = {0};
    const struct cvm_manifest *m = cvm_collaboration_manifest(c);
    assert_int_equal(cvm_commitment_make(m, p, &key, &jws, &f->err), 0);
    assert_int_equal(cvm_collaboration_commit(c, p, jws.data, jws.len, &f->err), 1);
    assert_int_equal(cvm_collaboration_commit(c, p, jws.data, jws.len, &f->err), 0);
}

static void drafts(void **state)
{
    struct fixture *f = *state;
    struct cvm_collaboration *c = create(f), *again = NULL;
    assert_string_equal(cvm_collaboration_state(c), "draft");
    assert_int_equal(cvm_lifecycle_create(f->l, f->manifest.data, f->manifest.len, &again, &f->err),
                     0);
    assert_ptr_equal(c, again);
    assert_ptr_equal(cvm_lifecycle_find(f->l, ID), c);
    assert_null(cvm_lifecycle_find(f->l, "7f1d5c1e-2b6a-4f43-9a0e-5d2b8f4f6a12"));
    CVM_AUTO_BUF struct cvm_buf other = {0};
    write_manifest(&other, ID, "Another title", 3600);
    assert_int_equal(cvm_lifecycle_create(f->l, other.data, other.len, &again, &f->err), -1);
    assert_int_equal(f->err.code, CVM_E_MANIFEST_DIFFERS);
    write_manifest(&other, "7f1d5c1e-2b6a-4f43-9a0e-5d2b8f4f6a13", "Too late", -10);
    assert_int_equal(cvm_lifecycle_create(f->l, other.data, other.len, &again, &f->err), -1);
    assert_int_equal(f->err.code, CVM_E_MANIFEST_EXPIRED);
    assert_int_equal(cvm_lifecycle_create(f->l, "{}", 2, &again, &f->err), -1);
}

static void commitments_survive(void **state)
{
    struct fixture *f = *state;
    struct cvm_collaboration *c = create(f);
    commit(f, c, 0);
    assert_int_equal(cvm_collaboration_launch(c, &f->err), -1);
    assert_int_equal(f->err.code, CVM_E_COMMITMENT_MISSING);
    commit(f, c, 1);
    cvm_lifecycle_close(f->l);
    assert_int_equal(open_it(f), 0);
    c = cvm_lifecycle_find(f->l, ID);
    assert_non_null(c);
    assert_string_equal(cvm_collaboration_state(c), "draft");
    commit(f, c, 2);
    assert_string_equal(cvm_collaboration_state(c), "committed");
    /* This host has no programs: refused before anything is recorded. */
    assert_int_equal(cvm_collaboration_launch(c, &f->err), -1);
    assert_int_equal(f->err.code, CVM_E_PLATFORM);
    assert_string_equal(cvm_collaboration_state(c), "committed");
}

/* The daemon ended between the last commitment's file and the record of the state. */
static void files_lead_the_record(void **state)
{
    struct fixture *f = *state;
    struct cvm_collaboration *c = create(f);
    commit(f, c, 0);
    commit(f, c, 1);
    CVM_AUTO_KEY struct cvm_key key = fixture_key(2, CVM_ED25519);
    CVM_AUTO_BUF struct cvm_buf jws = {0};
    const struct cvm_manifest *m = cvm_collaboration_manifest(c);
    assert_int_equal(cvm_commitment_make(m, 2, &key, &jws, &f->err), 0);
    CVM_AUTO_FREE char *path =
        cvm_printf("%s/commitments/%s.jws", c->folder, m->participants[2].id);
    CVM_AUTO_FREE char *half = cvm_printf("%s/commitments/.tmp-abcdef", c->folder);
    assert_int_equal(cvm_file_write(path, jws.data, jws.len, &f->err), 0);
    assert_int_equal(cvm_file_write(half, "x", 1, &f->err), 0);
    cvm_lifecycle_close(f->l);
    assert_int_equal(open_it(f), 0);
    assert_string_equal(cvm_collaboration_state(cvm_lifecycle_find(f->l, ID)), "committed");
    assert_int_not_equal(access(half, F_OK), 0);
}

static int upload(struct fixture *f, struct cvm_collaboration *c, const char *item,
                  const char *bytes, uint64_t announced)
{
    struct cvm_upload *u;
    int i = cvm_manifest_item(cvm_collaboration_manifest(c), item);
    CVM_GUARD(cvm_upload_begin(c, i, announced, &u, &f->err));
    if (cvm_upload_write(u, bytes, strlen(bytes), &f->err) < 0) {
        cvm_upload_abandon(u);
        return -1;
    }
    struct cvm_digest d = cvm_sha256(bytes, strlen(bytes));
    return cvm_upload_finish(u, &d, &f->err);
}

static void uploads(void **state)
{
    struct fixture *f = *state;
    struct cvm_collaboration *c = create(f);
    assert_int_equal(upload(f, c, "rows-a", "ciphertext", 10), 1);
    assert_int_equal(upload(f, c, "rows-a", "ciphertext", 10), 0);
    assert_int_equal(upload(f, c, "rows-a", "CIPHERTEXT", 10), 1);
    assert_int_equal(upload(f, c, "rows-a", "ciphertext", 9), -1);
    assert_int_equal(f->err.code, CVM_E_TOO_LARGE);
    assert_int_equal(upload(f, c, "rows-a", "ciphertext", 11), -1);
    assert_int_equal(f->err.code, CVM_E_CONTENT_DIGEST);
    struct cvm_upload *u;
    int item = cvm_manifest_item(cvm_collaboration_manifest(c), "rows-a");
    uint64_t max = cvm_blob_size_max(1048576);
    assert_int_equal(cvm_upload_begin(c, item, max + 1, &u, &f->err), -1);
    assert_int_equal(f->err.code, CVM_E_TOO_LARGE);
    assert_int_equal(cvm_upload_begin(c, item, max, &u, &f->err), 0);
    cvm_upload_abandon(u);
    CVM_AUTO_FREE char *path = cvm_collaboration_path(c, "blobs/rows-a");
    CVM_AUTO_BUF struct cvm_buf stored = {0};
    assert_int_equal(cvm_file_read(path, 100, &stored, &f->err), 0);
    assert_memory_equal(stored.data, "CIPHERTEXT", 10);
    cvm_lifecycle_close(f->l);
    assert_int_equal(open_it(f), 0);
    c = cvm_lifecycle_find(f->l, ID);
    assert_int_equal(upload(f, c, "rows-a", "CIPHERTEXT", 10), 0);
}

static void closing_a_draft(void **state)
{
    struct fixture *f = *state;
    struct cvm_collaboration *c = create(f);
    assert_int_equal(cvm_collaboration_close(c, &f->err), 0);
    assert_int_equal(cvm_collaboration_close(c, &f->err), 0);
    assert_string_equal(cvm_collaboration_state(c), "aborted");
    assert_int_equal(upload(f, c, "rows-a", "x", 1), -1);
    assert_int_equal(f->err.code, CVM_E_ABORTED);
    struct cvm_job job = {.kind = CVM_JOB_TRANSCRIPT};
    assert_int_equal(cvm_collaboration_submit(c, &job, &f->err), -1);
    assert_int_equal(f->err.code, CVM_E_ABORTED);
    assert_int_equal(cvm_collaboration_open_file(c, "receipt.jws", &f->err), -1);
    assert_int_equal(f->err.code, CVM_E_NOT_FOUND);
}

static void second_daemon_and_damage(void **state)
{
    struct fixture *f = *state;
    struct cvm_collaboration *c = create(f);
    pid_t pid = fork(); /* the lock keeps out other processes */
    if (pid == 0) {
        struct fixture second = {0};
        memcpy(second.folder, f->folder, sizeof second.folder);
        _exit(open_it(&second) < 0 && second.err.code == CVM_E_EXISTS ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    /* A manifest that is not the one of the record: the daemon does not go on with it. */
    CVM_AUTO_FREE char *path = cvm_collaboration_path(c, "manifest.json");
    CVM_AUTO_BUF struct cvm_buf other = {0};
    write_manifest(&other, ID, "Exchanged", 3600);
    assert_int_equal(cvm_file_write(path, other.data, other.len, &f->err), 0);
    cvm_lifecycle_close(f->l);
    f->l = NULL;
    assert_int_equal(open_it(f), -1);
    assert_int_equal(cvm_file_write(path, f->manifest.data, f->manifest.len, &f->err), 0);
    assert_int_equal(open_it(f), 0);
}

static void files(void **state)
{
    struct fixture *f = *state;
    CVM_AUTO_FREE char *path = cvm_printf("%s/file", f->folder);
    CVM_AUTO_FREE char *link = cvm_printf("%s/link", f->folder);
    CVM_AUTO_BUF struct cvm_buf b = {0};
    assert_int_equal(cvm_file_read(path, 10, &b, &f->err), -1);
    assert_int_equal(f->err.code, CVM_E_NOT_FOUND);
    assert_int_equal(cvm_file_write(path, "12345", 5, &f->err), 0);
    assert_int_equal(cvm_file_read(path, 4, &b, &f->err), -1);
    assert_int_equal(f->err.code, CVM_E_TOO_LARGE);
    assert_int_equal(cvm_file_read(path, 5, &b, &f->err), 0);
    assert_int_equal(b.len, 5);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(symlink(path, link), 0);
    assert_int_equal(cvm_file_read(link, 5, &b, &f->err), -1);
    assert_int_equal(cvm_file_write("/nowhere/at/all", "x", 1, &f->err), -1);
}

static void words(void **state)
{
    (void)state;
    for (int i = 0; i < CVM_HOST_STATE_COUNT; i++)
        assert_int_equal(cvm_host_state_by_word(cvm_host_state_word((enum cvm_host_state)i)), i);
    assert_int_equal(cvm_host_state_by_word(""), -1);
    assert_int_equal(cvm_host_state_by_word("Draft"), -1);
    assert_true(cvm_host_state_final(CVM_HOST_CLOSED));
    assert_false(cvm_host_state_final(CVM_HOST_COMPLETED));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(drafts),
        T(commitments_survive),
        T(files_lead_the_record),
        T(uploads),
        T(closing_a_draft),
        T(second_daemon_and_damage),
        T(files),
        T(words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
