/* The check under other roots than the pinned ones: for tests of this library, in no public header.
 */
#ifndef CVM_EVIDENCE_APPRAISE_INTERNAL_H
#define CVM_EVIDENCE_APPRAISE_INTERNAL_H

#include "core/evidence/appraise.h"

void cvm_evidence_check_with(const void *report, size_t report_len,
                             const struct cvm_certificates *certificates,
                             const struct cvm_line_info *anchors, size_t n_anchors,
                             const struct cvm_expectations *e, struct cvm_appraisal *ret);

#endif
