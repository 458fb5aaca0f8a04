/* The receipt: the agent's signed statement of what ran and what came out (JWS, typ
 * 2cvm-receipt+jws; doc/PROTOCOL.md 6.3). */
#ifndef CVM_RECORD_RECEIPT_H
#define CVM_RECORD_RECEIPT_H

#include "core/record/transcript.h"

#define CVM_RECEIPT_MAX (256 * 1024)

struct cvm_receipt_output {
    bool present;             /* handed over; after a failed run only diagnostics outputs are */
    struct cvm_digest digest; /* SHA-256 of the sealed file */
};

struct cvm_receipt {
    bool completed;                                     /* false: the run failed */
    bool ok[CVM_COMPONENTS_MAX];                        /* by component: ended well */
    struct cvm_receipt_output outputs[CVM_OUTPUTS_MAX]; /* by output */
    uint32_t released;                                  /* participants */
    uint64_t transcript_n;
    struct cvm_digest transcript_head;
    struct cvm_digest session; /* thumbprint of the session signing key */
    struct cvm_digest payload; /* SHA-256 of the payload: written by make and verify */
};

/* Builds the payload from manifest and receipt and signs it; appends the JWS. Sets r->session and
 * r->payload. */
int cvm_receipt_make(const struct cvm_manifest *m, struct cvm_receipt *r,
                     const struct cvm_key *session_key, struct cvm_buf *ret,
                     struct cvm_error *err) CVM_MUST_USE;

/*
 * Reads and verifies: signature by `session_sign`, every member against the manifest (ids, digests,
 * recipients, order), result against components and outputs: completed means all ok and every
 * output there; failed means only diagnostics outputs.
 */
int cvm_receipt_verify(const struct cvm_manifest *m, const struct cvm_public_key *session_sign,
                       const void *jws, size_t len, struct cvm_receipt *ret,
                       struct cvm_error *err) CVM_MUST_USE;

/* The receipt is the one that this transcript ends with: counts, heads, participants, result and
 * payload digest. */
int cvm_receipt_check_transcript(const struct cvm_receipt *r,
                                 const struct cvm_transcript_summary *t,
                                 struct cvm_error *err) CVM_MUST_USE;

/* The sealed file `output` is the one that the receipt names. */
int cvm_receipt_check_output(const struct cvm_manifest *m, const struct cvm_receipt *r, int output,
                             const struct cvm_digest *sealed, struct cvm_error *err) CVM_MUST_USE;

#endif
