/*
 * The statement of wiping: what the agent signs when a participant has withdrawn or aborted (JWS,
 * typ 2cvm-statement+jws; doc/PROTOCOL.md 6.5). It is made after content keys, shares of the seed,
 * plain content and the session's sealing key are gone; the signing key goes right behind it.
 *
 * Security: it is the word of an agent whose measurement the participants checked. It covers what
 * the agent held, not what a participant sent elsewhere.
 */
#ifndef CVM_RECORD_STATEMENT_H
#define CVM_RECORD_STATEMENT_H

#include "core/record/transcript.h"

#define CVM_STATEMENT_MAX (64 * 1024)

struct cvm_statement {
    int participant;       /* whose act it answers */
    struct cvm_digest act; /* SHA-256 of the act's JWS as received */
    uint64_t transcript_n; /* after the move to `aborted` */
    struct cvm_digest transcript_head;
    /* What was wiped: */
    uint32_t released;                     /* participants: keys of all their items, and shares */
    uint64_t admitted[CVM_ITEMS_MAX / 64]; /* items whose plain content was there */
    struct cvm_digest session; /* thumbprint of the signing key: written by make and verify */
};

/* Signs with the session's key; appends the JWS. Sets s->session. */
int cvm_statement_make(const struct cvm_manifest *m, struct cvm_statement *s,
                       const struct cvm_key *session_key, struct cvm_buf *ret,
                       struct cvm_error *err) CVM_MUST_USE;

/* Foreign bytes: signature by `session_sign`, every member of its one spelling
 * (STATEMENT_MISMATCH). */
int cvm_statement_verify(const struct cvm_manifest *m, const struct cvm_public_key *session_sign,
                         const void *jws, size_t len, struct cvm_statement *ret,
                         struct cvm_error *err) CVM_MUST_USE;

/* It belongs to this transcript: to its last act, its end and those who had released. */
int cvm_statement_check_transcript(const struct cvm_statement *s,
                                   const struct cvm_transcript_summary *t,
                                   struct cvm_error *err) CVM_MUST_USE;

#endif
