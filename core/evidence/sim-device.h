/*
 * The evidence "device" of a simulated isolate: a SOCK_SEQPACKET pair between the software PSP and
 * the agent, one packet a request and one a response, in this fixed form (integers big-endian):
 *
 *   request:  u32 magic "2PSP", u32 version 1, 64 bytes REPORT_DATA (72 bytes) response: u32 magic
 * "2PSP", u32 status; when it is 0: 1184 bytes report, u32 number of certificates, and for each u32
 * length and DER. Nothing behind; at most CVM_SIM_RESPONSE_MAX bytes.
 */
#ifndef CVM_EVIDENCE_SIM_DEVICE_H
#define CVM_EVIDENCE_SIM_DEVICE_H

#include "core/base/memory.h"
#include "core/evidence/report-size.h"

#define CVM_SIM_REQUEST_LEN 72
#define CVM_SIM_RESPONSE_MAX 16384
#define CVM_SIM_CERTIFICATES_MAX 8

struct cvm_sim_response { /* zero-initialise; free with cvm_sim_response_free() */
    uint8_t report[CVM_REPORT_LEN];
    struct cvm_buf certificates[CVM_SIM_CERTIFICATES_MAX]; /* DER */
    size_t n_certificates;
};

void cvm_sim_request_write(const uint8_t report_data[CVM_REPORT_DATA_LEN],
                           uint8_t out[CVM_SIM_REQUEST_LEN]);
int cvm_sim_request_parse(const void *data, size_t len, uint8_t ret[CVM_REPORT_DATA_LEN],
                          struct cvm_error *err) CVM_MUST_USE;

void cvm_sim_response_write(const struct cvm_sim_response *r, struct cvm_buf *out);
void cvm_sim_refusal_write(uint32_t status, struct cvm_buf *out); /* status is not 0 */
/* CVM_E_PROVIDER for another form or a status that is not 0. */
int cvm_sim_response_parse(const void *data, size_t len, struct cvm_sim_response *ret,
                           struct cvm_error *err) CVM_MUST_USE;

void cvm_sim_response_free(struct cvm_sim_response *r); /* fine on a zeroed one */
#define CVM_AUTO_SIM_RESPONSE CVM_CLEANUP(cvm_sim_response_free)

#endif
