/*
 * Where the agent gets its evidence from: one row a kind of isolate. The agent takes the row of the
 * platform that it was started for, and refuses to run when the machine offers a stronger one: a
 * guest on real SEV-SNP never uses a simulated report.
 */
#ifndef CVM_GUEST_PROVIDER_H
#define CVM_GUEST_PROVIDER_H

#include "core/base/memory.h"
#include "core/evidence/report-size.h"

#define CVM_PROVIDER_CERTIFICATES 8

struct cvm_provider_report { /* zero-initialise; free with cvm_provider_report_free() */
    uint8_t report[CVM_REPORT_LEN];
    struct cvm_buf certificates[CVM_PROVIDER_CERTIFICATES]; /* DER; a hint of the host, believed by
                                                               nobody here */
    size_t n_certificates;
};
void cvm_provider_report_free(struct cvm_provider_report *r);
#define CVM_AUTO_PROVIDER_REPORT CVM_CLEANUP(cvm_provider_report_free)

struct cvm_provider {
    const char *name;
    const char *platforms[3]; /* names of platforms that it serves, NULL at the end */
    bool simulated;
    /* Whether the machine has what this provider needs. */
    bool (*present)(void);
    /* CVM_E_PROVIDER on any failure. `device` is the descriptor of the evidence device (simulated
     * platforms), else -1. */
    int (*get_report)(int device, const uint8_t report_data[CVM_REPORT_DATA_LEN],
                      struct cvm_provider_report *ret, struct cvm_error *err);
};

/* The provider of a platform; CVM_E_PROVIDER when there is none, or when a simulated one is asked
 * for on real SEV-SNP. */
int cvm_provider_find(const char *platform, const struct cvm_provider **ret,
                      struct cvm_error *err) CVM_MUST_USE;

#endif
