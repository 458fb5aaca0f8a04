#include "orchestrator/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* One connection and one mutex: the daemon writes a few small rows for each request of a person,
 * and one writer at a time is what SQLite offers anyway. */
struct cvm_store {
    sqlite3 *db;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t revision;
};

/* Deleted keys stay as tombstones (data NULL) so that a watcher sees the delete and versions never
 * repeat. */
static const char schema[] =
    "CREATE TABLE IF NOT EXISTS entry (key TEXT PRIMARY KEY NOT NULL, data BLOB,"
    " version INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS entry_version ON entry (version);"
    "CREATE TABLE IF NOT EXISTS lease (name TEXT PRIMARY KEY NOT NULL, holder TEXT NOT NULL,"
    " until INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS lease_until ON lease (until);";

static int store_fail(struct cvm_store *s, struct cvm_error *err, const char *what)
{
    return cvm_fail(err, CVM_E_IO, "cannot %s the state store: %s", what, sqlite3_errmsg(s->db));
}

static void finalize(sqlite3_stmt **st)
{
    sqlite3_finalize(*st);
}
#define AUTO_STATEMENT CVM_CLEANUP(finalize) sqlite3_stmt

static void unlock(pthread_mutex_t **m)
{
    pthread_mutex_unlock(*m);
}
#define AUTO_LOCK(s)                                                                               \
    pthread_mutex_lock(&(s)->lock);                                                                \
    CVM_CLEANUP(unlock) pthread_mutex_t *held_ __attribute__((unused)) = &(s)->lock

static int prepare(struct cvm_store *s, const char *sql, sqlite3_stmt **ret, struct cvm_error *err)
{
    if (sqlite3_prepare_v2(s->db, sql, -1, ret, NULL) != SQLITE_OK)
        return store_fail(s, err, "read");
    return 0;
}

static int key_check(const char *key, struct cvm_error *err)
{
    size_t n = strlen(key);
    CVM_ENSURE(n > 0 && n <= CVM_STORE_KEY_MAX, err, CVM_E_INTERNAL, "a store key of %zu bytes", n);
    return 0;
}

static int load_revision(struct cvm_store *s, struct cvm_error *err)
{
    AUTO_STATEMENT *st = NULL;
    CVM_GUARD(prepare(s, "SELECT coalesce(max(version), 0) FROM entry", &st, err));
    if (sqlite3_step(st) != SQLITE_ROW)
        return store_fail(s, err, "read");
    s->revision = (uint64_t)sqlite3_column_int64(st, 0);
    return 0;
}

int cvm_store_open(const char *path, bool fast, struct cvm_store **ret, struct cvm_error *err)
{
    /* Made here so that the mode is right before a byte is in it; SQLite's side files take it over.
     */
    CVM_AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return cvm_fail_errno(err, "cannot open the state store '%s'", path);
    struct cvm_store *s = cvm_alloc(sizeof *s);
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->changed, &attr);
    pthread_condattr_destroy(&attr);

    const char *mode = fast ? "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
                            : "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;";
    if (sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX, NULL) ||
        sqlite3_busy_timeout(s->db, 5000) || sqlite3_exec(s->db, mode, NULL, NULL, NULL) ||
        sqlite3_exec(s->db, schema, NULL, NULL, NULL)) {
        store_fail(s, err, "open");
        cvm_store_close(s);
        return -1;
    }
    if (load_revision(s, err) < 0) {
        cvm_store_close(s);
        return -1;
    }
    *ret = s;
    return 0;
}

struct cvm_store *cvm_store_close(struct cvm_store *s)
{
    if (!s)
        return NULL;
    sqlite3_close(s->db);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
    return NULL;
}

int cvm_store_get(struct cvm_store *s, const char *key, struct cvm_buf *ret, uint64_t *ret_version,
                  struct cvm_error *err)
{
    CVM_GUARD(key_check(key, err));
    AUTO_LOCK(s);
    AUTO_STATEMENT *st = NULL;
    CVM_GUARD(prepare(s, "SELECT data, version FROM entry WHERE key = ?1 AND data IS NOT NULL", &st,
                      err));
    sqlite3_bind_text(st, 1, key, -1, SQLITE_STATIC);
    int rc = sqlite3_step(st);
    if (rc == SQLITE_DONE)
        return 0;
    if (rc != SQLITE_ROW)
        return store_fail(s, err, "read");
    ret->len = 0;
    cvm_buf_append(ret, sqlite3_column_blob(st, 0), (size_t)sqlite3_column_bytes(st, 0));
    if (ret_version)
        *ret_version = (uint64_t)sqlite3_column_int64(st, 1);
    return 1;
}

/* With the lock held. `data` NULL writes the tombstone. */
static int write_entry(struct cvm_store *s, const char *key, uint64_t version, const void *data,
                       size_t len, struct cvm_error *err)
{
    AUTO_STATEMENT *st = NULL;
    /* A new key may also take the place of a tombstone. */
    const char *sql =
        version ? "UPDATE entry SET data = ?2, version = ?3"
                  " WHERE key = ?1 AND version = ?4 AND data IS NOT NULL"
                : "INSERT INTO entry (key, data, version) VALUES (?1, ?2, ?3) ON CONFLICT (key)"
                  " DO UPDATE SET data = ?2, version = ?3 WHERE entry.data IS NULL";
    CVM_GUARD(prepare(s, sql, &st, err));
    sqlite3_bind_text(st, 1, key, -1, SQLITE_STATIC);
    if (data)
        sqlite3_bind_blob64(st, 2, data, len, SQLITE_STATIC);
    else
        sqlite3_bind_null(st, 2);
    sqlite3_bind_int64(st, 3, (sqlite3_int64)(s->revision + 1));
    if (version)
        sqlite3_bind_int64(st, 4, (sqlite3_int64)version);
    if (sqlite3_step(st) != SQLITE_DONE)
        return store_fail(s, err, "write");
    if (sqlite3_changes(s->db) == 0)
        return 0;
    s->revision++;
    pthread_cond_broadcast(&s->changed);
    return 1;
}

int cvm_store_put(struct cvm_store *s, const char *key, uint64_t version, const void *data,
                  size_t len, uint64_t *ret_version, struct cvm_error *err)
{
    CVM_GUARD(key_check(key, err));
    AUTO_LOCK(s);
    int rc = write_entry(s, key, version, data ? data : "", data ? len : 0, err);
    if (rc == 1 && ret_version)
        *ret_version = s->revision;
    return rc;
}

int cvm_store_delete(struct cvm_store *s, const char *key, uint64_t version, struct cvm_error *err)
{
    CVM_GUARD(key_check(key, err));
    if (version == 0)
        return 0;
    AUTO_LOCK(s);
    return write_entry(s, key, version, NULL, 0, err);
}

int cvm_store_list(struct cvm_store *s, const char *prefix, cvm_store_each each, void *arg,
                   struct cvm_error *err)
{
    AUTO_LOCK(s);
    AUTO_STATEMENT *st = NULL;
    CVM_GUARD(prepare(s,
                      "SELECT key, data, version FROM entry WHERE key >= ?1 AND"
                      " substr(key, 1, length(?1)) = ?1 AND data IS NOT NULL ORDER BY key",
                      &st, err));
    sqlite3_bind_text(st, 1, prefix, -1, SQLITE_STATIC);
    int rc;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW)
        CVM_GUARD(each(arg, (const char *)sqlite3_column_text(st, 0), sqlite3_column_blob(st, 1),
                       (size_t)sqlite3_column_bytes(st, 1), (uint64_t)sqlite3_column_int64(st, 2),
                       err));
    return rc == SQLITE_DONE ? 0 : store_fail(s, err, "read");
}

int cvm_store_lease(struct cvm_store *s, const char *name, const char *holder, int64_t now,
                    int64_t until, struct cvm_error *err)
{
    CVM_GUARD(key_check(name, err));
    AUTO_LOCK(s);
    AUTO_STATEMENT *sweep = NULL, *take = NULL;
    CVM_GUARD(prepare(s, "DELETE FROM lease WHERE until < ?1", &sweep, err));
    sqlite3_bind_int64(sweep, 1, now);
    if (sqlite3_step(sweep) != SQLITE_DONE)
        return store_fail(s, err, "write");
    CVM_GUARD(prepare(s,
                      "INSERT INTO lease (name, holder, until) VALUES (?1, ?2, ?3)"
                      " ON CONFLICT (name) DO UPDATE SET until = ?3"
                      " WHERE lease.holder = ?2 AND ?2 <> ''",
                      &take, err));
    sqlite3_bind_text(take, 1, name, -1, SQLITE_STATIC);
    sqlite3_bind_text(take, 2, holder, -1, SQLITE_STATIC);
    sqlite3_bind_int64(take, 3, until);
    if (sqlite3_step(take) != SQLITE_DONE)
        return store_fail(s, err, "write");
    return sqlite3_changes(s->db) > 0;
}

static int newest(struct cvm_store *s, const char *prefix, uint64_t *ret, struct cvm_error *err)
{
    AUTO_STATEMENT *st = NULL;
    CVM_GUARD(prepare(s,
                      "SELECT coalesce(max(version), 0) FROM entry"
                      " WHERE substr(key, 1, length(?1)) = ?1 AND version > ?2",
                      &st, err));
    sqlite3_bind_text(st, 1, prefix, -1, SQLITE_STATIC);
    sqlite3_bind_int64(st, 2, (sqlite3_int64)*ret);
    if (sqlite3_step(st) != SQLITE_ROW)
        return store_fail(s, err, "read");
    uint64_t v = (uint64_t)sqlite3_column_int64(st, 0);
    if (v <= *ret)
        return 0;
    *ret = v;
    return 1;
}

int cvm_store_watch(struct cvm_store *s, const char *prefix, uint64_t seen, int timeout_ms,
                    uint64_t *ret_revision, struct cvm_error *err)
{
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += timeout_ms / 1000;
    end.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (end.tv_nsec >= 1000000000) {
        end.tv_sec++;
        end.tv_nsec -= 1000000000;
    }
    AUTO_LOCK(s);
    for (;;) {
        uint64_t v = seen;
        int rc = newest(s, prefix, &v, err);
        if (rc < 0)
            return -1;
        if (rc == 1) {
            *ret_revision = v;
            return 1;
        }
        if (pthread_cond_timedwait(&s->changed, &s->lock, &end) == ETIMEDOUT)
            return 0;
    }
}
