/* What a measured launch needs from an OVMF image: the GUIDed table at its end and the SEV metadata
 * it points to. */
#ifndef CVM_EVIDENCE_OVMF_H
#define CVM_EVIDENCE_OVMF_H

#include "core/base/hash.h"

enum cvm_ovmf_section_type {
    CVM_OVMF_SEC_MEM = 1,
    CVM_OVMF_SECRETS = 2,
    CVM_OVMF_CPUID = 3,
    CVM_OVMF_SVSM_CAA = 4,
    CVM_OVMF_KERNEL_HASHES = 0x10,
};
struct cvm_ovmf_section {
    uint32_t gpa, size, type;
};
#define CVM_OVMF_SECTIONS_MAX 64

struct cvm_ovmf {
    uint32_t reset_eip;                /* where the other processors start */
    uint32_t hashes_base, hashes_size; /* place of the kernel-hashes table; 0, 0: none */
    struct cvm_ovmf_section sections[CVM_OVMF_SECTIONS_MAX];
    uint32_t n_sections;
};

/* CVM_E_MEASURE_IMAGE names what is missing or broken. */
int cvm_ovmf_parse(struct cvm_bytes image, struct cvm_ovmf *ret,
                   struct cvm_error *err) CVM_MUST_USE;

#endif
