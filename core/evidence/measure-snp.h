/*
 * Expected launch digest of an SEV-SNP guest: what MEASUREMENT will be for this firmware image,
 * kernel, initramfs, command line and processors. Everything that is not measured (memory size,
 * devices, ACPI tables, HOST_DATA) has no influence.
 *
 * Security: an image that would leave the kernel unmeasured is refused, never silently accepted.
 */
#ifndef CVM_EVIDENCE_MEASURE_SNP_H
#define CVM_EVIDENCE_MEASURE_SNP_H

#include "core/base/hash.h"

#define CVM_SNP_FIRMWARE_MAX (64 << 20)
#define CVM_SNP_VCPUS_MAX 512
#define CVM_SNP_FEATURES_DEFAULT 0x1 /* SNP active: hosts with Linux 6.11 and later */

struct cvm_snp_kernel {
    struct cvm_digest kernel;  /* SHA-256 of the whole file */
    struct cvm_digest initrd;  /* of the whole file; of nothing when there is none */
    struct cvm_digest cmdline; /* of its bytes and one zero byte */
};
struct cvm_digest cvm_snp_cmdline_digest(const char *cmdline);

struct cvm_snp_guest {
    struct cvm_bytes firmware;           /* the OVMF image */
    const struct cvm_snp_kernel *kernel; /* measured direct boot; NULL: none */
    uint32_t vcpus;
    uint32_t vcpu_signature; /* EAX of CPUID 1 of the processor model: cvm_snp_vcpu_signature() */
    uint64_t features;       /* SEV_FEATURES */
};

/* By QEMU's name of the model ("EPYC-v4", "EPYC-Milan"); 0 for an unknown one, and for "host",
 * which no one can foresee. */
uint32_t cvm_snp_vcpu_signature(const char *model);
/* The i-th known model; NULL behind the last. */
const char *cvm_snp_vcpu_model(size_t i);

/* CVM_E_MEASURE_IMAGE for an image without what a measured launch needs. QEMU's order of pages. */
int cvm_measure_snp(const struct cvm_snp_guest *g, uint8_t ret[CVM_SHA384_LEN],
                    struct cvm_error *err) CVM_MUST_USE;

/*
 * The same for an image folder: `firmware` (OVMF, AmdSev build), `kernel`, `initramfs`, `cmdline`
 * as `./run image` makes them, and perhaps `cpu`, the name of QEMU's processor model. Regular files
 * only; links are not followed at the last part.
 */
#define CVM_SNP_VCPU_DEFAULT "EPYC-v4"
int cvm_measure_snp_folder(const char *folder, uint32_t vcpus, uint8_t ret[CVM_SHA384_LEN],
                           struct cvm_error *err) CVM_MUST_USE;

/* The digest that the ID block carries is the launch digest; this is the whole 96-byte block. */
#define CVM_SNP_ID_BLOCK_LEN 96
void cvm_snp_id_block(const uint8_t launch[CVM_SHA384_LEN], uint32_t guest_svn, uint64_t policy,
                      uint8_t ret[CVM_SNP_ID_BLOCK_LEN]); /* an ID key signs its SHA-384 */

/* What a report calls an ID key or author key: SHA-384 of AMD's structure around the point of a
 * P-384 key (uncompressed, 97 bytes). */
void cvm_snp_key_digest(const uint8_t point[97], uint8_t ret[CVM_SHA384_LEN]);

#endif
