/* Sizes of an attestation report, for those that carry one without reading it. */
#ifndef CVM_EVIDENCE_REPORT_SIZE_H
#define CVM_EVIDENCE_REPORT_SIZE_H

#define CVM_REPORT_LEN 1184
#define CVM_REPORT_SIGNED_LEN 0x2a0 /* the signature covers exactly these first bytes */
#define CVM_MEASUREMENT_LEN 48
#define CVM_REPORT_DATA_LEN 64
#define CVM_HOST_DATA_LEN 32
#define CVM_CHIP_ID_LEN 64

#endif
