/*
 * Walking through the certificate table of the GHCB (SEV-ES guest-host communication block), as
 * configfs-tsm's auxblob, SNP_GET_EXT_REPORT and hosts deliver it. Only the walk: what an entry
 * holds is not looked at, so that the agent can use it without any reader of certificates.
 */
#ifndef CVM_EVIDENCE_CERTIFICATE_ENTRIES_H
#define CVM_EVIDENCE_CERTIFICATE_ENTRIES_H

#include "core/base/cursor.h"

struct cvm_certificate_entry {
    const uint8_t *data; /* into the table */
    uint32_t size;
    bool known; /* VCEK, VLEK, ASK or ASVK, ARK, CRL; others are passed over by everybody */
};

enum cvm_certificate_entry_kind {
    CVM_ENTRY_VCEK,
    CVM_ENTRY_VLEK,
    CVM_ENTRY_ISSUER, /* ASK or ASVK */
    CVM_ENTRY_ROOT,   /* ARK */
    CVM_ENTRY_CRL,
    CVM_ENTRY_KINDS
};
/* The 16 bytes that mark entries of this kind, as they stand in the table. */
const uint8_t *cvm_certificate_entry_guid(enum cvm_certificate_entry_kind kind);
#define CVM_CERTIFICATE_ENTRY_LEN 24 /* bytes of an entry: GUID, u32le offset, u32le length */

/* The next entry of the table that `t` walks through: 1, 0 at its end, -1 for a table that is cut
 * short or an entry that does not stay inside it. */
int cvm_certificate_entry_next(struct cvm_cursor *t, struct cvm_certificate_entry *ret);

#endif
