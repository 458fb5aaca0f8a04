/* Addresses of AMD's key distribution service (KDS), without using the network. */
#ifndef CVM_EVIDENCE_KDS_URL_H
#define CVM_EVIDENCE_KDS_URL_H

#include "core/evidence/certificate.h"

#define CVM_KDS_BASE "https://kdsintf.amd.com"
#define CVM_KDS_URL_MAX 512

/*
 * The certificate of the key that signed a report, derived for its REPORTED_TCB. CVM_E_UNSUPPORTED
 * for a VLEK, which only the cloud provider hands out, and for a chip that hides its id. Returns
 * out.
 */
int cvm_kds_vcek_url(const char *base, enum cvm_line line, const struct cvm_report *r,
                     char out[CVM_KDS_URL_MAX], struct cvm_error *err) CVM_MUST_USE;
/* Issuer and root of the line, in PEM; and the revocation list of the line's root, in DER. */
char *cvm_kds_chain_url(const char *base, enum cvm_line line, enum cvm_vek_kind kind,
                        char out[CVM_KDS_URL_MAX]);
char *cvm_kds_crl_url(const char *base, enum cvm_line line, enum cvm_vek_kind kind,
                      char out[CVM_KDS_URL_MAX]);

#endif
