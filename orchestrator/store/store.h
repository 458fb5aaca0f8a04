/*
 * Durable state of the daemon: keys with versions, in the manner of etcd, so that a cluster may put
 * another store behind the same calls. On one host it is SQLite.
 *
 * Every write takes the next revision of the store; a key's version is the revision of its last
 * write. A write that returned is durable (or, in a store opened with `fast`, survives the end of
 * the process but perhaps not of the machine). All calls may come from several threads at once.
 *
 * Security: keys and values come from checked ids and from the daemon's own records; values hold
 * states, names and digests, never content.
 */
#ifndef CVM_STORE_STORE_H
#define CVM_STORE_STORE_H

#include "core/base/memory.h"

#define CVM_STORE_KEY_MAX 255

struct cvm_store;

/* Opens or creates the file (mode 0600). */
int cvm_store_open(const char *path, bool fast, struct cvm_store **ret,
                   struct cvm_error *err) CVM_MUST_USE;
struct cvm_store *cvm_store_close(struct cvm_store *store); /* NULL is fine; returns NULL */

/* 1: found, the value replaces what `ret` held. 0: no such key. */
int cvm_store_get(struct cvm_store *store, const char *key, struct cvm_buf *ret,
                  uint64_t *ret_version, struct cvm_error *err) CVM_MUST_USE;

/* Writes if the key still has this version (0: does not exist). 1: written. 0: somebody else wrote
 * before; nothing changed. */
int cvm_store_put(struct cvm_store *store, const char *key, uint64_t version, const void *data,
                  size_t len, uint64_t *ret_version, struct cvm_error *err) CVM_MUST_USE;

/* Deletes if the key still has this version. 1: deleted. 0: not. */
int cvm_store_delete(struct cvm_store *store, const char *key, uint64_t version,
                     struct cvm_error *err) CVM_MUST_USE;

/* Calls `each` for every key with the prefix, in order; a negative answer of it ends the list and
 * is passed on. `each` must not call the store. */
typedef int (*cvm_store_each)(void *arg, const char *key, const void *data, size_t len,
                              uint64_t version, struct cvm_error *err);
int cvm_store_list(struct cvm_store *store, const char *prefix, cvm_store_each each, void *arg,
                   struct cvm_error *err) CVM_MUST_USE;

/*
 * Takes the name for a holder until a time (seconds since 1970). 1: taken, or prolonged by the same
 * non-empty holder. 0: it is held, by another or (holder "") by anyone. Leases that ended before
 * `now` are gone.
 */
int cvm_store_lease(struct cvm_store *store, const char *name, const char *holder, int64_t now,
                    int64_t until, struct cvm_error *err) CVM_MUST_USE;

/* Waits until a key with the prefix has a version above `seen`, by put or delete. 1: *ret_revision
 * is what to pass next. 0: timeout_ms went by. */
int cvm_store_watch(struct cvm_store *store, const char *prefix, uint64_t seen, int timeout_ms,
                    uint64_t *ret_revision, struct cvm_error *err) CVM_MUST_USE;

#endif
