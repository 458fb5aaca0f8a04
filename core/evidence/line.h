/* Processor lines, their pinned roots, and the two layouts of a TCB version. */
#ifndef CVM_EVIDENCE_LINE_H
#define CVM_EVIDENCE_LINE_H

#include "core/base/hash.h"

enum cvm_line {
    CVM_LINE_UNKNOWN = 0,
#define LINE(NAME, name, title, platform, root, layout, signature) CVM_LINE_##NAME,
#include "core/evidence/lines.def"
#undef LINE
};

enum cvm_tcb_layout { CVM_TCB_ZEN3, CVM_TCB_ZEN5 };
enum cvm_issuer_signature { CVM_ISSUER_RSA_PSS, CVM_ISSUER_ECDSA_P384 };
enum cvm_root_platform { CVM_ROOT_HARDWARE, CVM_ROOT_SIMULATED };

struct cvm_line_info {
    enum cvm_line line;
    const char *name;  /* as in the manifest's min_tcb */
    const char *title; /* as in the certificates' names */
    enum cvm_root_platform platform;
    struct cvm_digest root; /* SHA-256 of the root's SubjectPublicKeyInfo */
    enum cvm_tcb_layout layout;
    enum cvm_issuer_signature signature;
};

/* The compiled-in table; *n rows. */
const struct cvm_line_info *cvm_lines(size_t *n);
const struct cvm_line_info *cvm_line_info(enum cvm_line line); /* NULL for unknown */
enum cvm_line cvm_line_by_name(const char *name);

/* From the CPUID fields of a report of version 3 or later. */
enum cvm_line cvm_line_by_cpuid(uint64_t family, uint64_t model);
/* Whether a certificate's productName is of this line: its title, alone or with a stepping; also
 * those of its relatives (Bergamo and Siena under Genoa's root). */
bool cvm_line_has_product(enum cvm_line line, const char *product_name);

/* The parts of a TCB version; compared one by one, never as one number. `fmc` is -1 where the
 * layout has none. */
struct cvm_tcb {
    int fmc, bootloader, tee, snp, microcode;
};
struct cvm_tcb cvm_tcb_decode(const uint8_t tcb[8], enum cvm_tcb_layout layout);
void cvm_tcb_encode(const struct cvm_tcb *tcb, enum cvm_tcb_layout layout, uint8_t out[8]);
bool cvm_tcb_at_least(const struct cvm_tcb *tcb,
                      const struct cvm_tcb *minimum); /* every part; -1 demands nothing */
bool cvm_tcb_equal(const struct cvm_tcb *a, const struct cvm_tcb *b);
char *cvm_tcb_text(const struct cvm_tcb *tcb, char *out,
                   size_t size); /* "fmc 1, bootloader 4, …"; returns out */

#endif
