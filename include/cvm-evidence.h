/*
 * The verifier as a library: everything that `2cvm verify` and `2cvm evidence` know, for other programs. Link with
 * `pkg-config --cflags --libs --static cvm-evidence`.
 *
 * A whole check of a collaboration's evidence:
 *
 *     struct cvm_error err = {0};
 *     CVM_AUTO_MANIFEST struct cvm_manifest manifest = {0};        // about 200 KiB: better not on a small stack
 *     CVM_AUTO_BUNDLE struct cvm_bundle bundle = {0};
 *     struct cvm_appraisal result;
 *     if (cvm_manifest_parse(bytes, len, &manifest, &err) < 0 ||   // the exact bytes that were signed
 *         cvm_bundle_parse(evidence, evidence_len, &bundle, &err) < 0)
 *         …                                                        // err.message, and the stable code cvm_code_info(err.code)->name
 *     struct cvm_appraise_options options = {.time = time(NULL), .nonce = {my_nonce, sizeof my_nonce}};
 *     if (cvm_evidence_appraise(&bundle, &manifest, &options, &result, &err) < 0)
 *         …                                                        // a wrong call
 *     switch (result.outcome) { case CVM_OUTCOME_VERIFIED: … case CVM_OUTCOME_SIMULATED: … case CVM_OUTCOME_REFUSED: … }
 *
 * Shapes: every length is in bytes, every time in seconds since 1970, digests are raw bytes. Ownership: what a parser fills is freed by the
 * function of the same prefix (cvm_bundle_free, …); inputs are borrowed during the call only; JSON that is returned belongs to the caller.
 * Errors: -1 with *err filled; on failure no output is touched. No function logs, uses the network, the clock or the environment; all are safe in
 * several threads on different objects.
 *
 * Security: only `outcome` is a verdict. A parsed report, bundle or certificate is foreign data. Pass a nonce of your own: without one the
 * evidence may be a recording, and the check "freshness" says NOT CHECKED. CVM_OUTCOME_SIMULATED is never a pass.
 */
#ifndef CVM_EVIDENCE_H
#define CVM_EVIDENCE_H

#include "core/evidence/appraise.h"
#include "core/evidence/bundle.h"
#include "core/evidence/certificate.h"
#include "core/evidence/measure-sim.h"
#include "core/evidence/measure-snp.h"
#include "core/evidence/report.h"

#endif
