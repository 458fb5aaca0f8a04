/*
 * What the two ways to a real SEV-SNP report share, and the functions behind which each of them
 * reaches its kernel interface, so that both can be tested against one that behaves as the kernel
 * documents, or worse.
 *
 * Security: the report comes from the processor through the guest's own kernel and is checked by
 * every participant. The certificates come from the host: a hint, walked through with a cursor and
 * looked at no further here.
 */
#ifndef CVM_GUEST_PROVIDER_SNP_H
#define CVM_GUEST_PROVIDER_SNP_H

#include <sys/types.h>

#include "guest-agent/provider/provider.h"

#define CVM_SNP_TABLE_MAX 16384 /* the kernel's limit for a certificate table */

/* Takes the DER certificates out of a table; of a broken table none. */
void cvm_snp_take_certificates(const void *table, size_t len, struct cvm_provider_report *ret);

/* configfs-tsm: one private entry below /sys/kernel/config/tsm/report. All return -errno on
 * failure; `open` a handle of 0 or more, `read` 0 at the end. */
struct cvm_tsm_calls {
    void *owner;
    int (*make)(void *owner, const char *entry);
    void (*drop)(void *owner, const char *entry);
    int (*open)(void *owner, const char *entry, const char *attribute, bool write);
    ssize_t (*read)(void *owner, int handle, void *buf, size_t size);
    ssize_t (*write)(void *owner, int handle, const void *data, size_t len);
    void (*close)(void *owner, int handle);
};
bool cvm_tsm_present(const struct cvm_tsm_calls *c);
int cvm_tsm_report(const struct cvm_tsm_calls *c, const uint8_t report_data[CVM_REPORT_DATA_LEN],
                   struct cvm_provider_report *ret, struct cvm_error *err) CVM_MUST_USE;

/* /dev/sev-guest: its ioctl, -errno on failure. */
struct cvm_sev_guest_calls {
    void *owner;
    int (*ioctl)(void *owner, unsigned long request, void *arg);
};
int cvm_sev_guest_report(const struct cvm_sev_guest_calls *c,
                         const uint8_t report_data[CVM_REPORT_DATA_LEN],
                         struct cvm_provider_report *ret, struct cvm_error *err) CVM_MUST_USE;

/* The report must repeat what was asked for: a mix-up is found here, before anyone else sees it. */
int cvm_snp_check_report(const uint8_t report[CVM_REPORT_LEN],
                         const uint8_t report_data[CVM_REPORT_DATA_LEN],
                         struct cvm_error *err) CVM_MUST_USE;

#endif
