/*
 * The evidence bundle, `evidence.json`: a report and all that is needed to check it offline
 * (doc/PROTOCOL.md section 6.1).
 *
 * Parsing checks the form only. Every value is the sender's word until cvm_evidence_appraise() has
 * accepted the bundle.
 */
#ifndef CVM_EVIDENCE_BUNDLE_H
#define CVM_EVIDENCE_BUNDLE_H

#include "core/evidence/certificate.h"
#include "core/record/nonce-tree.h"
#include "core/seal/jwk.h"

#define CVM_BUNDLE_MAX 65536 /* bytes of a whole bundle */
#define CVM_NONCE_MIN 16
#define CVM_NONCE_MAX 64

struct cvm_bundle {        /* zero-initialise; free with cvm_bundle_free() */
    char platform[16];     /* as in the manifest: "sev-snp", "sim-vm", "sim-process" */
    struct cvm_buf report; /* as received; 1184 bytes when it is right */
    struct cvm_certificates certificates; /* DER */
    struct cvm_public_key sign, seal;     /* of the session */
    struct cvm_digest manifest;
    uint64_t transcript_n;
    struct cvm_digest transcript_head;
    uint8_t nonce[CVM_NONCE_MAX];
    size_t nonce_len;           /* 0: the last report of a session, which answers no challenge */
    struct cvm_nonce_path path; /* unused without a nonce */
};

/* Canonical JSON with exactly the members of the format; CVM_E_BUNDLE_FORMAT or a JSON error
 * otherwise. */
int cvm_bundle_parse(const void *data, size_t len, struct cvm_bundle *ret,
                     struct cvm_error *err) CVM_MUST_USE;

/* Appends the canonical bytes. */
int cvm_bundle_write(const struct cvm_bundle *b, struct cvm_buf *out,
                     struct cvm_error *err) CVM_MUST_USE;

/* REPORT_DATA that this bundle's values lead to: recomputed, never taken from the report. */
int cvm_bundle_report_data(const struct cvm_bundle *b, uint8_t ret[CVM_REPORT_DATA_LEN],
                           struct cvm_error *err) CVM_MUST_USE;

void cvm_bundle_free(struct cvm_bundle *b); /* fine on a zeroed bundle */
#define CVM_AUTO_BUNDLE CVM_CLEANUP(cvm_bundle_free)

#endif
