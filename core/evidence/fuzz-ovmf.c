/* Firmware images: whatever their table and metadata say, reading stays inside. */
#include "core/evidence/measure-snp.h"
#include "core/evidence/ovmf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cvm_ovmf o;
    if (cvm_ovmf_parse(CVM_BYTES(data, size), &o, NULL) < 0)
        return 0;
    uint64_t pages = 0;
    for (uint32_t i = 0; i < o.n_sections; i++)
        pages += o.sections[i].size / 4096;
    if (pages > 64)
        return 0; /* only slow */
    struct cvm_snp_kernel k = {cvm_sha256("", 0), cvm_sha256("", 0), cvm_snp_cmdline_digest("")};
    const struct cvm_snp_guest g = {.firmware = CVM_BYTES(data, size),
                                    .kernel = &k,
                                    .vcpus = 2,
                                    .vcpu_signature = 1,
                                    .features = 1};
    uint8_t out[CVM_SHA384_LEN];
    if (cvm_measure_snp(&g, out, NULL) < 0)
        return 0;
    return 0;
}
