/*
 * The transcript: a hash-chained list of every accepted act and state move, JSON lines
 * (doc/PROTOCOL.md section 6.2). It holds no content; refusals stand in it only as counts a code
 * since the last entry.
 */
#ifndef CVM_RECORD_TRANSCRIPT_H
#define CVM_RECORD_TRANSCRIPT_H

#include "core/manifest/act.h"
#include "core/policy/phase.h"

#define CVM_TRANSCRIPT_MAX                                                                         \
    (64 * 1024 * 1024)           /* bytes of a whole transcript that the checker reads */
#define CVM_TRANSCRIPT_CODES 256 /* rows of the error table that can be counted */

struct cvm_transcript {
    uint64_t n;                             /* entries so far */
    struct cvm_digest head;                 /* head(n) */
    struct cvm_buf lines;                   /* all entries, each with its newline */
    uint32_t refused[CVM_TRANSCRIPT_CODES]; /* since the last entry, by row of the error table; they
                                               stop at the largest value */
};
void cvm_transcript_start(struct cvm_transcript *t,
                          const struct cvm_digest *manifest); /* head(0) */
void cvm_transcript_free(struct cvm_transcript *t);

void cvm_transcript_refused(struct cvm_transcript *t, enum cvm_code code);

/* `jws` is SHA-256 of the act's JWS as it was received. */
int cvm_transcript_act(struct cvm_transcript *t, const char *participant, enum cvm_act_kind kind,
                       uint64_t seq, const struct cvm_digest *jws,
                       struct cvm_error *err) CVM_MUST_USE;

/* `receipt` (SHA-256 of the receipt's payload) with `to` = closed and only then; `reason` with `to`
 * = aborted and only then. */
int cvm_transcript_move(struct cvm_transcript *t, enum cvm_phase from, enum cvm_phase to,
                        const struct cvm_digest *receipt, enum cvm_code reason,
                        struct cvm_error *err) CVM_MUST_USE;

/* head(n) from head(n-1) and an entry without its newline. */
struct cvm_digest cvm_transcript_next(const struct cvm_digest *head, const void *entry, size_t len);

/* What a whole transcript says, after its chain, its moves and its form were checked. */
struct cvm_transcript_summary {
    uint64_t n;
    struct cvm_digest head;
    enum cvm_phase phase; /* after the last entry */
    uint64_t
        before_n; /* and head before the last entry: what a receipt names when phase is closed */
    struct cvm_digest before_head;
    bool has_waiting; /* the entry that moved to waiting: what an approval names */
    uint64_t waiting_n;
    struct cvm_digest waiting_head;
    bool has_receipt;
    struct cvm_digest receipt;
    enum cvm_code reason; /* CVM_OK unless aborted */
    bool stopped;         /* aborted by an act, `withdraw` or `abort`: what a statement names */
    int stopped_by;       /* participant */
    struct cvm_digest stopped_act;
    uint32_t released; /* participants with an accepted release act */
    bool failed;       /* it went from running straight to releasing */
    uint64_t refused;  /* refusals in all */
};
/* The entry at *at, which begins as 0 and moves on to the next; owned. NULL: the end, or no JSON.
 * For lines that cvm_transcript_check() has accepted. */
json_t *cvm_transcript_entry(const struct cvm_buf *lines, size_t *at) CVM_MUST_USE;
/* Refuses anything that a right agent would not have written: TRANSCRIPT_BROKEN with the line's
 * number. */
int cvm_transcript_check(const struct cvm_manifest *m, const void *data, size_t len,
                         struct cvm_transcript_summary *ret, struct cvm_error *err) CVM_MUST_USE;

#endif
