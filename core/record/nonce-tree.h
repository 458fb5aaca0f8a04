/*
 * The tree of waiting nonces: RFC 9162 section 2.1 with SHA-256. One report covers the root; each
 * verifier gets the inclusion path of its own nonce. The empty tree's root is SHA-256 of nothing.
 */
#ifndef CVM_RECORD_NONCE_TREE_H
#define CVM_RECORD_NONCE_TREE_H

#include "core/base/hash.h"

#define CVM_NONCE_TREE_MAX 1024 /* nonces in one tree */
#define CVM_NONCE_PATH_MAX 10   /* hashes in a path of such a tree */

struct cvm_nonce_path {
    uint32_t index, size; /* of the leaf; leaves in the tree */
    uint32_t n;
    struct cvm_digest hashes[CVM_NONCE_PATH_MAX]; /* from the leaf upwards */
};

struct cvm_digest cvm_nonce_tree_root(const struct cvm_bytes *nonces,
                                      size_t n); /* n at most CVM_NONCE_TREE_MAX */
struct cvm_nonce_path cvm_nonce_tree_path(const struct cvm_bytes *nonces, size_t n,
                                          size_t index); /* index < n */

/* The root that this nonce and path lead to; refuses a path of another length than index and size
 * demand (EVIDENCE_REFUSED). */
int cvm_nonce_path_root(const struct cvm_nonce_path *path, struct cvm_bytes nonce,
                        struct cvm_digest *ret, struct cvm_error *err) CVM_MUST_USE;

#endif
