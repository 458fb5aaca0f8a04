/*
 * What may happen, as a pure function: (rules, state, request) -> code and new state. No I/O, no
 * allocation, no global.
 *
 * The caller applies a request that spends (run, release of outputs, nonces, calls and bytes of a
 * channel) BEFORE it acts, all others after the action succeeded; a refused request leaves the
 * state exactly as it was (the caller counts it for the transcript). One step makes at most one
 * move: compare state.phase before and after, and write a move entry when it changed.
 */
#ifndef CVM_POLICY_POLICY_H
#define CVM_POLICY_POLICY_H

#include <stdint.h>

#include "core/base/error.h"
#include "core/policy/phase.h"

#define CVM_POLICY_PARTICIPANTS 32
#define CVM_POLICY_COMPONENTS 64
#define CVM_POLICY_ITEMS 192
#define CVM_POLICY_OUTPUTS 64
#define CVM_POLICY_CHANNELS 1024
#define CVM_POLICY_CONDITIONS 1024 /* of all outputs together */
#define CVM_POLICY_NONCES 1024     /* a session */
#define CVM_POLICY_ACTS 4096       /* accepted acts a participant: bounds the transcript */

struct cvm_policy_condition {
    uint8_t output;
    bool approved; /* else: not before `time` */
    uint32_t by;   /* participants */
    int64_t time;
};

/* What of a channel is counted while it runs. */
enum cvm_policy_carries {
    CVM_CARRIES_FILE,   /* nothing: its bytes are there or not */
    CVM_CARRIES_CALLS,  /* calls and replies, one at a time */
    CVM_CARRIES_STREAM, /* bytes from a component */
    CVM_CARRIES_ITEMS,  /* items of an open input; max_calls of them */
};

struct cvm_policy_channel {
    enum cvm_policy_carries carries;
    uint8_t from, to; /* components; of items `from` is the open item */
    uint64_t max_calls;
    uint64_t max_call_bytes; /* one direction of one call */
    uint64_t max_bytes;      /* in all */
};

/* What a manifest allows. Filled by cvm_policy_compile() (policy-rules.h). */
struct cvm_policy_rules {
    uint32_t n_participants, n_components, n_items, n_outputs, n_conditions, n_channels;
    uint8_t owner[CVM_POLICY_ITEMS];      /* participant that owns the item */
    uint64_t open[CVM_POLICY_ITEMS / 64]; /* items that come while it runs: never wanted as blobs */
    int64_t not_after;
    struct cvm_policy_condition conditions[CVM_POLICY_CONDITIONS];
    struct cvm_policy_channel channels[CVM_POLICY_CHANNELS];
};

/* What a channel has carried; it only grows, and never beyond the channel's rule. */
struct cvm_policy_spent {
    uint64_t calls, bytes;
    uint64_t open; /* 1: a call whose reply has not come; of items: the last one came */
};

enum cvm_policy_result { CVM_RESULT_NONE, CVM_RESULT_COMPLETED, CVM_RESULT_FAILED };

/* Zero-initialised: empty. */
struct cvm_policy_state {
    enum cvm_phase phase;
    enum cvm_policy_result result;
    enum cvm_code reason;                     /* of aborted */
    bool run;                                 /* spent */
    uint32_t nonces;                          /* spent */
    uint32_t released;                        /* participants */
    uint64_t admitted[CVM_POLICY_ITEMS / 64]; /* items */
    uint64_t started,
        ended_ok; /* components; what is not in ended_ok when a run ended did not end well */
    uint64_t seq[CVM_POLICY_PARTICIPANTS];              /* of the last accepted act */
    uint32_t acts[CVM_POLICY_PARTICIPANTS];             /* accepted */
    int64_t time[CVM_POLICY_PARTICIPANTS];              /* of the last time act; 0: none */
    int64_t latest;                                     /* the largest of them */
    uint32_t approved[CVM_POLICY_OUTPUTS];              /* participants, by output */
    struct cvm_policy_spent spent[CVM_POLICY_CHANNELS]; /* the last member: most of it stays zero */
};

enum cvm_policy_kind {
    CVM_REQUEST_LOCK,          /* the caller has checked manifest, commitments and its own report */
    CVM_REQUEST_CHALLENGE,     /* nonces; spends */
    CVM_REQUEST_ACT_RELEASE,   /* participant, seq, nonce_known; the caller has opened every sealed
                                  key */
    CVM_REQUEST_ACT_APPROVE,   /* participant, seq, output, head_known */
    CVM_REQUEST_ACT_TIME,      /* participant, seq, time */
    CVM_REQUEST_ACT_WITHDRAW,  /* participant, seq */
    CVM_REQUEST_ACT_ABORT,     /* participant, seq */
    CVM_REQUEST_ACT_ITEM,      /* participant, seq, channel, number, bytes, last; spends */
    CVM_REQUEST_ITEM_ADMITTED, /* item: its digest matched, and a component was admitted */
    CVM_REQUEST_ITEM_REFUSED,  /* item: it stays wanted; OK only if it was wanted */
    CVM_REQUEST_RUN,           /* spends */
    CVM_REQUEST_COMPONENT_STARTED, /* component */
    CVM_REQUEST_COMPONENT_ENDED,   /* component, ok */
    CVM_REQUEST_CALL,              /* channel, bytes; spends a call and its bytes */
    CVM_REQUEST_CALL_REPLY,        /* channel, bytes; spends */
    CVM_REQUEST_STREAM,            /* channel, bytes; spends */
    CVM_REQUEST_RELEASE_OUTPUTS,   /* spends */
    CVM_REQUEST_CLOSE,
    CVM_REQUEST_FAULT, /* reason: abort for a fault or an inadmissible component */
    CVM_REQUEST_COUNT
};

struct cvm_policy_request {
    enum cvm_policy_kind kind;
    uint32_t participant, item, component, output, channel; /* indices, checked here */
    uint32_t nonces;
    uint64_t seq, bytes, number;
    int64_t time;
    bool nonce_known; /* the act's nonce was covered by a report of this session and not spent */
    bool head_known;  /* the approval names the transcript entry that moved to waiting */
    bool ok;          /* the component ended well */
    bool last;        /* of the items of an open input */
    enum cvm_code reason;
};

/*
 * ACSL:
 * what the contracts in policy.c are written in; test/proof/policy-proof proves those, and
 * doc/PROOF.md says which functions have one.
 */
/*@
  predicate cvm_bit(integer bits, integer i) = ((bits >> i) & 1) != 0;

  predicate cvm_rules_valid{L}(struct cvm_policy_rules *r) =
    \valid_read(r) && r->n_participants <= 32 && r->n_components <= 64 && r->n_items <= 192 &&
    r->n_outputs <= 64 && r->n_conditions <= 1024 && r->n_channels <= 1024 &&
    (\forall integer i; 0 <= i < r->n_items ==> r->owner[i] < r->n_participants) &&
    (\forall integer i; 0 <= i < r->n_conditions ==> r->conditions[i].output < r->n_outputs) &&
    (\forall integer i; 0 <= i < r->n_channels ==>
      (r->channels[i].carries == CVM_CARRIES_ITEMS ? r->channels[i].from < r->n_items
                                                   : r->channels[i].from < 64) &&
      r->channels[i].to < 64);

  predicate cvm_admitted{L}(struct cvm_policy_state *s, integer i) =
    cvm_bit(s->admitted[i / 64], i % 64);
  predicate cvm_open{L}(struct cvm_policy_rules *r, integer i) =
    cvm_bit(r->open[i / 64], i % 64);
  predicate cvm_all_admitted{L}(struct cvm_policy_rules *r, struct cvm_policy_state *s) =
    \forall integer i; 0 <= i < r->n_items ==> cvm_admitted(s, i) || cvm_open(r, i);
  predicate cvm_time_holds{L}(struct cvm_policy_rules *r, struct cvm_policy_state *s, integer i) =
    \forall integer p; 0 <= p < r->n_participants && cvm_bit(r->conditions[i].by, p) ==>
      s->time[p] >= r->conditions[i].time;
  predicate cvm_condition_holds{L}(struct cvm_policy_rules *r, struct cvm_policy_state *s,
                                   integer i) =
    r->conditions[i].approved != 0
      ? (s->approved[r->conditions[i].output] & r->conditions[i].by) == r->conditions[i].by
      : cvm_time_holds(r, s, i);
  predicate cvm_conditions{L}(struct cvm_policy_rules *r, struct cvm_policy_state *s) =
    \forall integer i; 0 <= i < r->n_conditions ==> cvm_condition_holds(r, s, i);

  predicate cvm_same{A, B}(struct cvm_policy_state *s) =
    \at(s->phase, A) == \at(s->phase, B) && \at(s->result, A) == \at(s->result, B) &&
    \at(s->reason, A) == \at(s->reason, B) && \at(s->run, A) == \at(s->run, B) &&
    \at(s->nonces, A) == \at(s->nonces, B) && \at(s->released, A) == \at(s->released, B) &&
    (\forall integer i; 0 <= i < 3 ==> \at(s->admitted[i], A) == \at(s->admitted[i], B)) &&
    \at(s->started, A) == \at(s->started, B) && \at(s->ended_ok, A) == \at(s->ended_ok, B) &&
    (\forall integer p; 0 <= p < 32 ==>
      \at(s->seq[p], A) == \at(s->seq[p], B) && \at(s->acts[p], A) == \at(s->acts[p], B) &&
      \at(s->time[p], A) == \at(s->time[p], B)) &&
    \at(s->latest, A) == \at(s->latest, B) &&
    (\forall integer o; 0 <= o < 64 ==> \at(s->approved[o], A) == \at(s->approved[o], B)) &&
    (\forall integer c; 0 <= c < 1024 ==>
      \at(s->spent[c].calls, A) == \at(s->spent[c].calls, B) &&
      \at(s->spent[c].bytes, A) == \at(s->spent[c].bytes, B) &&
      \at(s->spent[c].open, A) == \at(s->spent[c].open, B));

  predicate cvm_within{L}(struct cvm_policy_rules *r, struct cvm_policy_state *s, integer c) =
    s->spent[c].calls <= r->channels[c].max_calls && s->spent[c].bytes <= r->channels[c].max_bytes;
  predicate cvm_runs{L}(struct cvm_policy_state *s, integer c) =
    cvm_bit(s->started, c) && !cvm_bit(s->ended_ok, c);

  predicate cvm_may_move(integer a, integer b) =
    (a < CVM_PHASE_WAITING && b == a + 1) ||
    (CVM_PHASE_RUNNING <= a <= CVM_PHASE_WAITING && b == CVM_PHASE_RELEASING) ||
    (a == CVM_PHASE_RELEASING && b == CVM_PHASE_CLOSED) ||
    (a <= CVM_PHASE_WAITING && b == CVM_PHASE_ABORTED);
*/

/* CVM_OK and *state changed, or the refusal's code and *state as before. */
enum cvm_code cvm_policy_step(const struct cvm_policy_rules *rules, struct cvm_policy_state *state,
                              const struct cvm_policy_request *request) CVM_MUST_USE;

/* Questions that change nothing. */
bool cvm_policy_wants_item(const struct cvm_policy_rules *rules,
                           const struct cvm_policy_state *state, uint32_t item);
bool cvm_policy_conditions_hold(const struct cvm_policy_rules *rules,
                                const struct cvm_policy_state *state);
bool cvm_policy_is_admitted(const struct cvm_policy_state *state, uint32_t item);

#endif
