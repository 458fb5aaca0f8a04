/*
 * Evidence for other verifiers: a bundle as a RATS Conceptual Message Wrapper
 * (draft-ietf-rats-msg-wrap, JSON record) of the configfs-tsm form that Veraison's SEV-SNP scheme
 * takes.
 *
 * Security: this is no verdict. What the bundle binds (HOST_DATA, REPORT_DATA, the nonce) is not in
 * the wrapper; whoever relies on another verifier must still compare it.
 */
#ifndef CVM_EVIDENCE_EXPORT_H
#define CVM_EVIDENCE_EXPORT_H

#include "core/evidence/bundle.h"

#define CVM_CMW_TYPE "application/vnd.veraison.configfs-tsm+json"
#define CVM_CMW_EVIDENCE 4 /* the wrapper's bit for evidence */

/*
 * Appends [CVM_CMW_TYPE, base64url of {"auxblob", "outblob", "provider"}, CVM_CMW_EVIDENCE]:
 * auxblob is the GHCB certificate table of the chain whose leaf signed the report, outblob the
 * report.
 *
 * CVM_E_SIMULATED for a platform that is not "sev-snp", or one under the simulated root;
 * CVM_E_EVIDENCE_REFUSED when the report's signature or a certificate of its chain is missing or
 * wrong. Whether the root is AMD's is left to the verifier.
 */
int cvm_bundle_export_cmw(const struct cvm_bundle *b, struct cvm_buf *out,
                          struct cvm_error *err) CVM_MUST_USE;

#endif
