/*
 * AMD's key server by libcurl, with a cache on disk. What comes from it is believed as little as
 * what comes from the host: the verifier judges it under the pinned roots.
 */
#ifndef CVM_CLI_KDS_H
#define CVM_CLI_KDS_H

#include "core/evidence/kds-url.h"

struct cli_kds {
    const char *base;  /* CVM_KDS_BASE, or of a test's server */
    const char *cache; /* folder; NULL: none */
    bool offline;      /* only the cache */
    int backoff_ms;    /* before the second attempt; doubles; 0: 1000 */
};

/*
 * Appends leaf (of a VCEK), issuer, root and revocation list for this report. `line` is for reports
 * of version 2, which do not say it; CVM_LINE_UNKNOWN otherwise. A missing revocation list is no
 * error; CVM_E_NOT_FOUND when it is offline and not in the cache.
 */
int cli_kds_fetch(const struct cli_kds *k, const struct cvm_report *r, enum cvm_line line,
                  struct cvm_certificates *ret, struct cvm_error *err) CVM_MUST_USE;

/* One address, through the cache when `cached`. Refused (CVM_E_IO, CVM_E_TIMEOUT, CVM_E_NOT_FOUND)
 * after a few attempts. */
int cli_kds_get(const struct cli_kds *k, const char *url, bool cached, struct cvm_buf *ret,
                struct cvm_error *err) CVM_MUST_USE;

#endif
