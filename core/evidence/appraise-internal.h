/* What the parts of the appraisal share, in no public header. */
#ifndef CVM_EVIDENCE_APPRAISE_INTERNAL_H
#define CVM_EVIDENCE_APPRAISE_INTERNAL_H

#include "core/evidence/appraise.h"

struct cvm_appraise {
    const struct cvm_expectations *e;
    const struct cvm_certificates *certificates;
    const void *report;
    size_t report_len;
    const struct cvm_line_info *anchors;
    size_t n_anchors;
    const struct cvm_line_info *line; /* of the verified chain, or NULL */
    struct cvm_appraisal *a;
};

void cvm_check_set(struct cvm_check *k, enum cvm_verdict v, const char *expected, const char *got);
void cvm_check_judge(struct cvm_check *k, bool good, const char *expected, const char *got);
bool cvm_appraise_simulated(const struct cvm_appraise *c); /* only with c->line */

/* appraise-policy.c; each leaves its check as it is where what it needs is not there. */
void cvm_check_policy(struct cvm_appraise *c, struct cvm_check *k);
void cvm_check_id_block(struct cvm_appraise *c, struct cvm_check *k);
void cvm_check_min_tcb(struct cvm_appraise *c, struct cvm_check *k);
void cvm_check_firmware(struct cvm_appraise *c, struct cvm_check *k);
void cvm_check_alias(struct cvm_appraise *c, struct cvm_check *k);
void cvm_check_chips(struct cvm_appraise *c, struct cvm_check *k);

/* The check under other roots than the pinned ones: for tests of this library. */
void cvm_evidence_check_with(const void *report, size_t report_len,
                             const struct cvm_certificates *certificates,
                             const struct cvm_line_info *anchors, size_t n_anchors,
                             const struct cvm_expectations *e, struct cvm_appraisal *ret);

#endif
