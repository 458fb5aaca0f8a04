/* REPORT_DATA: what the hardware signs for us, SHA-512 of L("2cvm/report-data/1", …) of
 * doc/PROTOCOL.md section 6.1. */
#ifndef CVM_RECORD_REPORT_DATA_H
#define CVM_RECORD_REPORT_DATA_H

#include "core/base/hash.h"
#include "core/seal/jwk.h"

#define CVM_REPORT_DATA_LEN 64

struct cvm_report_data {
    struct cvm_public_key sign, seal; /* of the session */
    struct cvm_digest manifest, transcript_head, nonce_root;
};
void cvm_report_data(const struct cvm_report_data *of, uint8_t out[CVM_REPORT_DATA_LEN]);

#endif
