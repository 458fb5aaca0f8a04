/*
 * The verifier as a library: everything that `2cvm verify` and `2cvm evidence` know, for other
 * programs. doc/examples/verify-evidence.c is a whole program that uses it.
 *
 * In short: cvm_manifest_parse() reads the exact bytes that were signed, cvm_bundle_parse() the
 * evidence, cvm_evidence_appraise() compares the two and fills a struct cvm_appraisal, whose
 * `outcome` is the verdict; cvm_appraisal_print() and cvm_appraisal_json() tell it.
 * cvm_evidence_check() judges a bare report and its certificates.
 *
 * Shapes: every length is in bytes, every time in seconds since 1970, digests are raw bytes.
 *
 * Ownership: what a parser fills is freed by the function of the same prefix (cvm_bundle_free());
 * inputs are borrowed during the call only; JSON that is returned belongs to the caller.
 *
 * Errors: -1 with *err filled (the message, and the stable code cvm_code_info(err.code)->name); on
 * failure no output is touched. No function logs, uses the network, the clock or the environment;
 * all are safe in several threads on different objects. A struct cvm_manifest has about 200 KiB.
 *
 * Security: only `outcome` is a verdict. A parsed report, bundle or certificate is foreign data.
 * Pass a nonce of your own: without one the evidence may be a recording, and the check "freshness"
 * says NOT CHECKED. CVM_OUTCOME_SIMULATED is never a pass.
 */
#ifndef CVM_EVIDENCE_H
#define CVM_EVIDENCE_H

#include "core/evidence/appraise.h"
#include "core/evidence/bundle.h"
#include "core/evidence/certificate.h"
#include "core/evidence/export.h"
#include "core/evidence/kds-url.h"
#include "core/evidence/measure-sim.h"
#include "core/evidence/measure-snp.h"
#include "core/evidence/report.h"

#endif
