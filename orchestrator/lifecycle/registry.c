#include "orchestrator/lifecycle/collaboration.h"

#include "core/manifest/commitment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>

static const char *const subfolders[] = {"commitments", "acts", "pending", "outputs", "blobs"};
#define SUBFOLDERS (sizeof subfolders / sizeof subfolders[0])

void cvm_observe(struct cvm_collaboration *c, const char *what, const char *detail,
                 const struct cvm_error *err)
{
    const struct cvm_lifecycle_options *o = &c->owner->options;
    struct cvm_lifecycle_event e = {c->manifest.collaboration, what, detail, err};
    if (o->observer)
        o->observer(o->arg, &e);
}

char *cvm_collaboration_path(const struct cvm_collaboration *c, const char *name)
{
    return cvm_printf("%s/%s", c->folder, name);
}

static struct cvm_collaboration *collaboration_new(struct cvm_lifecycle *l,
                                                   const struct cvm_manifest *m)
{
    struct cvm_collaboration *c = cvm_alloc(sizeof *c);
    c->owner = l;
    c->manifest = *m;
    c->folder = cvm_printf("%s/collaborations/%s", l->options.state, m->collaboration);
    c->isolate = cvm_printf("%s/isolates/%s", l->options.state, m->collaboration);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->settled, NULL);
    c->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    c->jobs_end = &c->jobs;
    return c;
}

struct cvm_collaboration *cvm_collaboration_free(struct cvm_collaboration *c)
{
    if (!c)
        return NULL;
    for (size_t i = 0; i < CVM_ITEMS_MAX; i++)
        free(c->items[i].refusal_message);
    cvm_manifest_free(&c->manifest);
    pthread_cond_destroy(&c->settled);
    pthread_mutex_destroy(&c->lock);
    if (c->wake >= 0)
        close(c->wake);
    free(c->folder);
    free(c->isolate);
    free(c);
    return NULL;
}

/* Sees which files are there. */
static int scan(struct cvm_collaboration *c, struct cvm_error *err)
{
    for (size_t i = 0; i < SUBFOLDERS; i++) {
        CVM_AUTO_FREE char *path = cvm_collaboration_path(c, subfolders[i]);
        CVM_GUARD(cvm_folder_make(path, err));
        CVM_GUARD(cvm_temp_sweep(path, err));
    }
    CVM_GUARD(cvm_temp_sweep(c->folder, err));
    for (uint32_t i = 0; i < c->manifest.n_participants; i++) {
        CVM_AUTO_FREE char *path =
            cvm_printf("%s/commitments/%s.jws", c->folder, c->manifest.participants[i].id);
        if (access(path, R_OK) == 0)
            c->committed |= 1u << i;
    }
    for (uint32_t i = 0; i < cvm_manifest_items(&c->manifest); i++) {
        CVM_AUTO_FREE char *path =
            cvm_printf("%s/blobs/%s", c->folder, cvm_manifest_item_at(&c->manifest, i).id);
        c->items[i].uploaded = access(path, R_OK) == 0;
        c->items[i].generation = c->items[i].uploaded;
    }
    return 0;
}

static bool all_committed(const struct cvm_collaboration *c)
{
    return (uint32_t)__builtin_popcount(c->committed) == c->manifest.n_participants;
}

static void insert(struct cvm_lifecycle *l, struct cvm_collaboration *c)
{
    c->next = l->first;
    l->first = c;
}

/* A folder of an earlier daemon. */
static int load(struct cvm_lifecycle *l, const char *id, struct cvm_error *err)
{
    CVM_AUTO_FREE char *path =
        cvm_printf("%s/collaborations/%s/manifest.json", l->options.state, id);
    CVM_AUTO_BUF struct cvm_buf bytes = {0};
    CVM_GUARD(cvm_file_read(path, CVM_MANIFEST_MAX, &bytes, err));
    CVM_AUTO_FREE struct cvm_manifest *m = cvm_alloc(sizeof *m);
    CVM_GUARD(cvm_manifest_parse(bytes.data, bytes.len, m, err));
    struct cvm_collaboration *c = collaboration_new(l, m);
    int rc = scan(c, err);
    if (rc == 0)
        rc = cvm_record_load(c, err);
    /* The daemon may have ended between a file and the record that follows from it. */
    if (rc >= 0 && c->state == CVM_HOST_DRAFT && all_committed(c))
        rc = cvm_record_move(c, CVM_HOST_COMMITTED, CVM_OK, err);
    else if (rc == 0)
        rc = cvm_record_save(c, err);
    if (rc < 0) {
        cvm_collaboration_free(c);
        return -1;
    }
    insert(l, c);
    return 0;
}

static void cleanup_dir(DIR **d)
{
    if (*d)
        closedir(*d);
}

static int load_all(struct cvm_lifecycle *l, struct cvm_error *err)
{
    CVM_AUTO_FREE char *path = cvm_printf("%s/collaborations", l->options.state);
    CVM_CLEANUP(cleanup_dir) DIR *d = opendir(path);
    if (!d)
        return cvm_fail_errno(err, "cannot read '%s'", path);
    struct dirent *e;
    while ((e = readdir(d))) {
        if (e->d_name[0] == '.')
            continue;
        if (load(l, e->d_name, err) < 0)
            return cvm_error_wrap(err, "collaboration %s", e->d_name);
    }
    return 0;
}

/* Goes on with what was launched, and ends what outlived its collaboration. */
static int resume(struct cvm_collaboration *c, struct cvm_error *err)
{
    CVM_LOCKED(c);
    bool ended = cvm_host_state_final(c->state) || (c->state == CVM_HOST_COMPLETED && c->reason);
    if (c->state >= CVM_HOST_LAUNCHING && !ended)
        return cvm_worker_start(c, err);
    if (ended && c->driver) {
        struct cvm_isolate_spec spec = cvm_worker_spec(c);
        int rc = c->driver->stop(&spec, err);
        /* A libvirtd that is away must not keep the daemon from all else. */
        if (rc < 0 && c->driver->machine) {
            cvm_observe(c, "isolate-stop", "", err);
            return 0;
        }
        return rc;
    }
    return 0;
}

/* A machine has ended, or was suspended, or … by somebody else's hand: said, and acted upon. */
static void machine_event(struct cvm_collaboration *c, enum cvm_machine_event event,
                          const char *detail)
{
    CVM_LOCKED(c);
    if (!c->has_thread || !c->driver || !c->driver->machine)
        return;
    if (event == CVM_MACHINE_UNKNOWN || event == CVM_MACHINE_RESET)
        c->look = true;
    if (event == CVM_MACHINE_ENDED)
        snprintf(c->machine, sizeof c->machine, "ended (%s)", detail);
    else if (event == CVM_MACHINE_SUSPENDED || event == CVM_MACHINE_RESUMED)
        snprintf(c->machine, sizeof c->machine, "%s",
                 event == CVM_MACHINE_SUSPENDED ? "suspended" : "running");
    /* Without this a thread that waits for an answer would not see that none can come. */
    if (c->link && (event == CVM_MACHINE_ENDED || event == CVM_MACHINE_RESET))
        cvm_link_shutdown(c->link);
    cvm_collaboration_wake(c);
    if (event != CVM_MACHINE_UNKNOWN)
        cvm_observe(c, "machine", detail, NULL);
}

static void on_machine(void *arg, const char *id, enum cvm_machine_event event, const char *detail)
{
    struct cvm_lifecycle *l = arg;
    CVM_LOCKED(l);
    for (struct cvm_collaboration *c = l->first; c; c = c->next)
        if (!id || strcmp(c->manifest.collaboration, id) == 0)
            machine_event(c, event, detail);
}

int cvm_lifecycle_open(const struct cvm_lifecycle_options *options, struct cvm_lifecycle **ret,
                       struct cvm_error *err)
{
    struct cvm_lifecycle *l = cvm_alloc(sizeof *l);
    l->options = *options;
    pthread_mutex_init(&l->lock, NULL);
    CVM_AUTO_FREE char *lock = cvm_printf("%s/lock", options->state);
    CVM_AUTO_FREE char *store = cvm_printf("%s/state.db", options->state);
    CVM_AUTO_FREE char *collaborations = cvm_printf("%s/collaborations", options->state);
    CVM_AUTO_FREE char *isolates = cvm_printf("%s/isolates", options->state);
    l->lock_fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    /* Not flock(): a child between fork and exec would hold that one for a daemon that was killed.
     */
    const struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int rc = 0;
    if (l->lock_fd < 0)
        rc = cvm_fail_errno(err, "cannot open '%s'", lock);
    else if (fcntl(l->lock_fd, F_SETLK, &all) < 0)
        rc = cvm_fail(err, CVM_E_EXISTS, "another daemon uses the state folder '%s'",
                      options->state);
    if (rc == 0)
        rc = cvm_folder_make(collaborations, err);
    if (rc == 0)
        rc = cvm_folder_make(isolates, err);
    if (rc == 0)
        rc = cvm_store_open(store, false, &l->store, err);
    if (rc == 0)
        rc = load_all(l, err);
    if (rc == 0)
        rc = cvm_platform_watch(&l->options.host, on_machine, l, err);
    for (struct cvm_collaboration *c = l->first; c && rc == 0; c = c->next)
        rc = resume(c, err);
    if (rc < 0) {
        cvm_lifecycle_close(l);
        return -1;
    }
    *ret = l;
    return 0;
}

void cvm_lifecycle_stop(struct cvm_lifecycle *l)
{
    pthread_mutex_lock(&l->lock);
    l->stopping = true;
    pthread_mutex_unlock(&l->lock);
    for (struct cvm_collaboration *c = l->first; c; c = c->next)
        cvm_worker_stop(c);
    cvm_platform_unwatch();
}

struct cvm_lifecycle *cvm_lifecycle_close(struct cvm_lifecycle *l)
{
    if (!l)
        return NULL;
    cvm_lifecycle_stop(l);
    while (l->first) {
        struct cvm_collaboration *c = l->first;
        l->first = c->next;
        cvm_collaboration_free(c);
    }
    cvm_store_close(l->store);
    if (l->lock_fd >= 0)
        close(l->lock_fd);
    pthread_mutex_destroy(&l->lock);
    free(l);
    return NULL;
}

static struct cvm_collaboration *find(struct cvm_lifecycle *l, const char *id)
{
    for (struct cvm_collaboration *c = l->first; c; c = c->next)
        if (strcmp(c->manifest.collaboration, id) == 0)
            return c;
    return NULL;
}

struct cvm_collaboration *cvm_lifecycle_find(struct cvm_lifecycle *l, const char *id)
{
    CVM_LOCKED(l);
    return find(l, id);
}

json_t *cvm_lifecycle_list(struct cvm_lifecycle *l)
{
    CVM_LOCKED(l);
    json_t *list = json_array();
    for (struct cvm_collaboration *c = l->first; c; c = c->next) {
        char digest[CVM_DIGEST_TEXT];
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "collaboration",
                                              c->manifest.collaboration, "title", c->manifest.title,
                                              "state", cvm_collaboration_state(c), "manifest",
                                              cvm_digest_text(&c->manifest.digest, digest)));
    }
    return list;
}

static unsigned open_drafts(struct cvm_lifecycle *l)
{
    unsigned n = 0;
    for (struct cvm_collaboration *c = l->first; c; c = c->next) {
        CVM_LOCKED(c);
        n += c->state == CVM_HOST_DRAFT || c->state == CVM_HOST_COMMITTED;
    }
    return n;
}

/* Builds the folder beside and renames it, so that a folder always has its manifest. */
static int create_folder(struct cvm_collaboration *c, struct cvm_error *err)
{
    CVM_AUTO_FREE char *temp =
        cvm_printf("%s/collaborations/.new-%s", c->owner->options.state, c->manifest.collaboration);
    CVM_AUTO_FREE char *file = cvm_printf("%s/manifest.json", temp);
    CVM_GUARD(cvm_folder_make(temp, err));
    CVM_GUARD(cvm_file_write(file, c->manifest.bytes, c->manifest.len, err));
    CVM_GUARD(cvm_file_rename(temp, c->folder, err));
    return scan(c, err);
}

int cvm_lifecycle_create(struct cvm_lifecycle *l, const void *manifest, size_t len,
                         struct cvm_collaboration **ret, struct cvm_error *err)
{
    CVM_AUTO_FREE struct cvm_manifest *m = cvm_alloc(sizeof *m);
    CVM_GUARD(cvm_manifest_parse(manifest, len, m, err));
    CVM_LOCKED(l);
    struct cvm_collaboration *old = find(l, m->collaboration);
    if (old) {
        bool same = cvm_equal(&m->digest, &old->manifest.digest, sizeof m->digest);
        char expected[CVM_DIGEST_TEXT], got[CVM_DIGEST_TEXT];
        cvm_digest_text(&old->manifest.digest, expected);
        cvm_digest_text(&m->digest, got);
        cvm_manifest_free(m);
        if (!same)
            return cvm_fail_expected(err, CVM_E_MANIFEST_DIFFERS, expected, got,
                                     "collaboration %s is here with another manifest",
                                     old->manifest.collaboration);
        *ret = old;
        return 0;
    }
    int rc = 0;
    if (open_drafts(l) >= CVM_DRAFTS_MAX)
        rc = cvm_fail(err, CVM_E_TOO_MANY_DRAFTS, "%d drafts are open", CVM_DRAFTS_MAX);
    else if (m->not_after < (int64_t)time(NULL))
        rc = cvm_fail(err, CVM_E_MANIFEST_EXPIRED, "not_after is %lld", (long long)m->not_after);
    if (rc < 0) {
        cvm_manifest_free(m);
        return -1;
    }
    struct cvm_collaboration *c = collaboration_new(l, m);
    if (create_folder(c, err) < 0 || cvm_record_save(c, err) < 0) {
        cvm_collaboration_free(c);
        return -1;
    }
    insert(l, c);
    cvm_observe(c, "state", cvm_host_state_word(c->state), NULL);
    *ret = c;
    return 1;
}
