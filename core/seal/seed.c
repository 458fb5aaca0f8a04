#include "core/seal/seed.h"

#include <string.h>

#define LABEL "2cvm/seed/1"
#define SHARES_MAX 128 /* so that all of them fit one secret */

_Static_assert(SHARES_MAX *CVM_SEED_LEN <= CVM_SECRET_MAX, "all shares fit one secret");

struct cvm_digest cvm_seed_commitment(const uint8_t share[CVM_SEED_LEN])
{
    struct cvm_bytes field = CVM_BYTES(share, CVM_SEED_LEN);
    return cvm_label_sha256(LABEL, &field, 1);
}

int cvm_seed_derive(const struct cvm_secret *shares, size_t n, const struct cvm_digest *manifest,
                    const char *component_id, struct cvm_secret *ret, struct cvm_error *err)
{
    CVM_AUTO_SECRET struct cvm_secret all = {0};
    CVM_AUTO_BUF struct cvm_buf info = {0};
    struct cvm_secret seed = {0};
    CVM_ENSURE(n > 0 && n <= SHARES_MAX, err, CVM_E_INTERNAL, "%zu shares of a seed", n);
    CVM_GUARD(cvm_secret_new(&all, n * CVM_SEED_LEN, err));
    for (size_t i = 0; i < n; i++) {
        CVM_ENSURE(shares[i].len == CVM_SEED_LEN, err, CVM_E_INTERNAL, "a share of %zu bytes",
                   shares[i].len);
        memcpy(all.data + i * CVM_SEED_LEN, shares[i].data, CVM_SEED_LEN);
    }
    CVM_GUARD(cvm_secret_new(&seed, CVM_SEED_LEN, err));
    struct cvm_bytes fields[] = {CVM_DIGEST_BYTES(manifest), CVM_STR(component_id)};
    cvm_label(&info, LABEL, fields, 2);
    cvm_hkdf_sha256(CVM_BYTES("", 0), CVM_BYTES(all.data, all.len), CVM_BYTES(info.data, info.len),
                    seed.data, seed.len);
    *ret = seed;
    return 0;
}
