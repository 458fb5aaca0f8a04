#include "core/record/nonce-tree.h"

#include <stdlib.h>

static struct cvm_digest leaf(struct cvm_bytes nonce)
{
    CVM_AUTO_BUF struct cvm_buf b = {0};
    cvm_buf_append_u8(&b, 0);
    cvm_buf_append(&b, nonce.data, nonce.len);
    return cvm_sha256(b.data, b.len);
}

static struct cvm_digest node(const struct cvm_digest *left, const struct cvm_digest *right)
{
    uint8_t b[1 + 2 * CVM_SHA256_LEN] = {1};
    for (int i = 0; i < CVM_SHA256_LEN; i++) {
        b[1 + i] = left->b[i];
        b[1 + CVM_SHA256_LEN + i] = right->b[i];
    }
    return cvm_sha256(b, sizeof b);
}

/* The largest power of two below n; n at least 2. */
static size_t split(size_t n)
{
    size_t k = 1;
    while (2 * k < n)
        k *= 2;
    return k;
}

struct cvm_digest cvm_nonce_tree_root(const struct cvm_bytes *nonces, size_t n)
{
    if (n > CVM_NONCE_TREE_MAX)
        abort();
    if (n == 0)
        return cvm_sha256("", 0);
    if (n == 1)
        return leaf(nonces[0]);
    size_t k = split(n);
    struct cvm_digest left = cvm_nonce_tree_root(nonces, k),
                      right = cvm_nonce_tree_root(nonces + k, n - k);
    return node(&left, &right);
}

struct cvm_nonce_path cvm_nonce_tree_path(const struct cvm_bytes *nonces, size_t n, size_t index)
{
    if (n > CVM_NONCE_TREE_MAX || index >= n)
        abort();
    struct cvm_nonce_path path = {.index = (uint32_t)index, .size = (uint32_t)n};
    /* From the root down; the siblings come out in reverse. */
    while (n > 1) {
        size_t k = split(n);
        bool in_left = index < k;
        path.hashes[path.n++] =
            in_left ? cvm_nonce_tree_root(nonces + k, n - k) : cvm_nonce_tree_root(nonces, k);
        nonces += in_left ? 0 : k;
        index -= in_left ? 0 : k;
        n = in_left ? k : n - k;
    }
    for (uint32_t i = 0; i < path.n / 2; i++) {
        struct cvm_digest t = path.hashes[i];
        path.hashes[i] = path.hashes[path.n - 1 - i];
        path.hashes[path.n - 1 - i] = t;
    }
    return path;
}

/* RFC 9162 section 2.1.3.2. */
int cvm_nonce_path_root(const struct cvm_nonce_path *path, struct cvm_bytes nonce,
                        struct cvm_digest *ret, struct cvm_error *err)
{
    CVM_ENSURE(path->size >= 1 && path->size <= CVM_NONCE_TREE_MAX && path->index < path->size &&
                   path->n <= CVM_NONCE_PATH_MAX,
               err, CVM_E_EVIDENCE_REFUSED, "nonce path: leaf %u of %u, %u hashes", path->index,
               path->size, path->n);
    uint32_t fn = path->index, sn = path->size - 1;
    struct cvm_digest r = leaf(nonce);
    for (uint32_t i = 0; i < path->n; i++) {
        CVM_ENSURE(sn != 0, err, CVM_E_EVIDENCE_REFUSED,
                   "nonce path: too many hashes (%u) for leaf %u of %u", path->n, path->index,
                   path->size);
        bool from_left = (fn & 1) || fn == sn;
        r = from_left ? node(&path->hashes[i], &r) : node(&r, &path->hashes[i]);
        while (from_left && !(fn & 1) && fn != 0) {
            fn >>= 1;
            sn >>= 1;
        }
        fn >>= 1;
        sn >>= 1;
    }
    CVM_ENSURE(sn == 0, err, CVM_E_EVIDENCE_REFUSED,
               "nonce path: too few hashes (%u) for leaf %u of %u", path->n, path->index,
               path->size);
    *ret = r;
    return 0;
}
