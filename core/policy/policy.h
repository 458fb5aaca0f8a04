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
 * ACSL: what the contracts in policy.c are written in. They take rules, state and request as
 * values; test/proof/policy-proof proves them, and doc/PROOF.md says what that means.
 */
/*@
  predicate cvm_bit(integer bits, integer i) = ((bits >> i) & 1) != 0;

  predicate cvm_open(struct cvm_policy_rules r, integer i) =
    cvm_bit(r.open[i / 64], i % 64);
  predicate cvm_rules_valid(struct cvm_policy_rules r) =
    r.n_participants <= 32 && r.n_components <= 64 && 0 < r.n_items <= 192 && !cvm_open(r, 0) &&
    r.n_outputs <= 64 && r.n_conditions <= 1024 && r.n_channels <= 1024 &&
    (\forall integer i; 0 <= i < r.n_items ==> r.owner[i] < r.n_participants) &&
    (\forall integer i; 0 <= i < r.n_conditions ==> r.conditions[i].output < r.n_outputs) &&
    (\forall integer i; 0 <= i < r.n_channels ==>
      r.channels[i].to < 64 &&
      (r.channels[i].carries == CVM_CARRIES_ITEMS ? r.channels[i].from < r.n_items
                                                  : r.channels[i].from < 64));

  predicate cvm_admitted(struct cvm_policy_state s, integer i) =
    cvm_bit(s.admitted[i / 64], i % 64);
  predicate cvm_all_admitted(struct cvm_policy_rules r, struct cvm_policy_state s) =
    \forall integer i; 0 <= i < r.n_items ==> cvm_admitted(s, i) || cvm_open(r, i);
  predicate cvm_time_holds(struct cvm_policy_rules r, struct cvm_policy_state s, integer i) =
    \forall integer p; 0 <= p < r.n_participants && cvm_bit(r.conditions[i].by, p) ==>
      s.time[p] >= r.conditions[i].time;
  predicate cvm_condition_holds(struct cvm_policy_rules r, struct cvm_policy_state s,
                                   integer i) =
    r.conditions[i].approved != 0
      ? (s.approved[r.conditions[i].output] & r.conditions[i].by) == r.conditions[i].by
      : cvm_time_holds(r, s, i);
  predicate cvm_conditions(struct cvm_policy_rules r, struct cvm_policy_state s) =
    \forall integer i; 0 <= i < r.n_conditions ==> cvm_condition_holds(r, s, i);

  predicate cvm_within(struct cvm_policy_rules r, struct cvm_policy_state s, integer c) =
    s.spent[c].calls <= r.channels[c].max_calls && s.spent[c].bytes <= r.channels[c].max_bytes;
  predicate cvm_unspent(struct cvm_policy_state s, integer c) =
    s.spent[c].calls == 0 && s.spent[c].bytes == 0 && s.spent[c].open == 0;
  predicate cvm_runs(struct cvm_policy_state s, integer c) =
    cvm_bit(s.started, c) && !cvm_bit(s.ended_ok, c);
  predicate cvm_all_released(struct cvm_policy_rules r, struct cvm_policy_state s) =
    \forall integer p; 0 <= p < r.n_participants ==> cvm_bit(s.released, p);
  predicate cvm_all_ended(struct cvm_policy_rules r, struct cvm_policy_state s) =
    \forall integer c; 0 <= c < r.n_components ==> cvm_bit(s.ended_ok, c);
  predicate cvm_asked(struct cvm_policy_rules r, integer o, integer p) =
    \exists integer i; 0 <= i < r.n_conditions && r.conditions[i].approved != 0 &&
      r.conditions[i].output == o && cvm_bit(r.conditions[i].by, p);

  predicate cvm_may_move(integer a, integer b) =
    (a < CVM_PHASE_WAITING && b == a + 1) ||
    (CVM_PHASE_RUNNING <= a <= CVM_PHASE_WAITING && b == CVM_PHASE_RELEASING) ||
    (a == CVM_PHASE_RELEASING && b == CVM_PHASE_CLOSED) ||
    (a <= CVM_PHASE_WAITING && b == CVM_PHASE_ABORTED);
*/

/*
 * The invariant of a state, in parts. It holds for the zero state and is kept by every step; it
 * says among other things that nothing runs before everyone released and every item was admitted,
 * and that a completed session has every component ended well and every condition fulfilled.
 */
/*@
  predicate cvm_inv_phase(struct cvm_policy_state s) =
    s.phase <= CVM_PHASE_ABORTED &&
    (s.phase <= CVM_PHASE_SEALED ==> s.run == 0) &&
    (CVM_PHASE_RUNNING <= s.phase <= CVM_PHASE_CLOSED ==> s.run != 0) &&
    (s.phase <= CVM_PHASE_WAITING || s.phase == CVM_PHASE_ABORTED ==>
      s.result == CVM_RESULT_NONE) &&
    (CVM_PHASE_RELEASING <= s.phase <= CVM_PHASE_CLOSED ==>
      s.result == CVM_RESULT_COMPLETED || s.result == CVM_RESULT_FAILED) &&
    (s.phase == CVM_PHASE_ABORTED <==> s.reason != CVM_OK);

  predicate cvm_inv_people(struct cvm_policy_rules r, struct cvm_policy_state s) =
    s.nonces <= CVM_POLICY_NONCES && (s.phase == CVM_PHASE_EMPTY ==> s.nonces == 0) &&
    (\forall integer p; 0 <= p < 32 ==>
      s.acts[p] <= CVM_POLICY_ACTS + (s.phase == CVM_PHASE_ABORTED ? 1 : 0) &&
      s.time[p] <= s.latest) &&
    (\forall integer p; r.n_participants <= p < 32 ==>
      s.acts[p] == 0 && s.seq[p] == 0 && s.time[p] == 0) &&
    (\forall integer p; 0 <= p < 32 && cvm_bit(s.released, p) ==>
      p < r.n_participants && s.phase >= CVM_PHASE_FILLING);

  predicate cvm_inv_items(struct cvm_policy_rules r, struct cvm_policy_state s) =
    (\forall integer i; 0 <= i < CVM_POLICY_ITEMS && cvm_admitted(s, i) ==>
      i < r.n_items && !cvm_open(r, i) && cvm_bit(s.released, r.owner[i])) &&
    (CVM_PHASE_SEALED <= s.phase <= CVM_PHASE_CLOSED ==>
      cvm_all_released(r, s) && cvm_all_admitted(r, s));

  predicate cvm_inv_components(struct cvm_policy_rules r, struct cvm_policy_state s) =
    (\forall integer c; 0 <= c < 64 && cvm_bit(s.started, c) ==>
      c < r.n_components && s.phase >= CVM_PHASE_RUNNING) &&
    (\forall integer c; 0 <= c < 64 && cvm_bit(s.ended_ok, c) ==> cvm_bit(s.started, c)) &&
    (s.phase == CVM_PHASE_WAITING || s.result == CVM_RESULT_COMPLETED ==> cvm_all_ended(r, s));

  predicate cvm_inv_outputs(struct cvm_policy_rules r, struct cvm_policy_state s) =
    (\forall integer o, p; 0 <= o < 64 && 0 <= p < 32 && cvm_bit(s.approved[o], p) ==>
      s.phase >= CVM_PHASE_WAITING && cvm_asked(r, o, p)) &&
    (s.result == CVM_RESULT_COMPLETED ==> cvm_conditions(r, s));

  predicate cvm_inv_channels(struct cvm_policy_rules r, struct cvm_policy_state s) =
    (\forall integer c; 0 <= c < r.n_channels ==> cvm_within(r, s, c) && s.spent[c].open <= 1) &&
    (\forall integer c; 0 <= c < CVM_POLICY_CHANNELS ==>
      c >= r.n_channels || r.channels[c].carries == CVM_CARRIES_FILE ||
      s.phase < CVM_PHASE_RUNNING ==> cvm_unspent(s, c));

  predicate cvm_inv(struct cvm_policy_rules r, struct cvm_policy_state s) =
    cvm_inv_phase(s) && cvm_inv_people(r, s) && cvm_inv_items(r, s) && cvm_inv_components(r, s) &&
    cvm_inv_outputs(r, s) && cvm_inv_channels(r, s);

  predicate cvm_zero(struct cvm_policy_state s) =
    s.phase == 0 && s.result == 0 && s.reason == 0 && s.run == 0 && s.nonces == 0 &&
    s.released == 0 && (\forall integer i; 0 <= i < 3 ==> s.admitted[i] == 0) &&
    s.started == 0 && s.ended_ok == 0 && s.latest == 0 &&
    (\forall integer p; 0 <= p < 32 ==> s.seq[p] == 0 && s.acts[p] == 0 && s.time[p] == 0) &&
    (\forall integer o; 0 <= o < 64 ==> s.approved[o] == 0) &&
    (\forall integer c; 0 <= c < CVM_POLICY_CHANNELS ==> cvm_unspent(s, c));

  lemma cvm_zero_state: \forall struct cvm_policy_rules r, struct cvm_policy_state s;
    cvm_rules_valid(r) && cvm_zero(s) ==> cvm_inv(r, s);
*/

/*
 * What one step may change at all: the phase by the table, and the rest in one direction only.
 */
/*@
  predicate cvm_grows(struct cvm_policy_state a, struct cvm_policy_state b) =
    (a.phase == b.phase ||
      cvm_may_move(a.phase, b.phase)) &&
    (a.run != 0 ==> b.run != 0) &&
    (a.result != CVM_RESULT_NONE ==> a.result == b.result) &&
    a.nonces <= b.nonces && a.latest <= b.latest &&
    (\forall integer p; 0 <= p < 32 && cvm_bit(a.released, p) ==>
      cvm_bit(b.released, p)) &&
    (\forall integer i; 0 <= i < CVM_POLICY_ITEMS && cvm_admitted(a, i) ==>
      cvm_admitted(b, i)) &&
    (\forall integer c; 0 <= c < 64 && cvm_bit(a.started, c) ==>
      cvm_bit(b.started, c)) &&
    (\forall integer c; 0 <= c < 64 && cvm_bit(a.ended_ok, c) ==>
      cvm_bit(b.ended_ok, c)) &&
    (\forall integer p; 0 <= p < 32 ==> a.seq[p] <= b.seq[p] &&
      a.acts[p] <= b.acts[p] <= a.acts[p] + 1 &&
      a.time[p] <= b.time[p]) &&
    (\forall integer o, p; 0 <= o < 64 && 0 <= p < 32 && cvm_bit(a.approved[o], p) ==>
      cvm_bit(b.approved[o], p)) &&
    (\forall integer c; 0 <= c < CVM_POLICY_CHANNELS ==>
      a.spent[c].calls <= b.spent[c].calls &&
      a.spent[c].bytes <= b.spent[c].bytes);

  predicate cvm_final(struct cvm_policy_state s) =
    s.phase == CVM_PHASE_CLOSED || s.phase == CVM_PHASE_ABORTED;
*/

/*
 * When a request is taken: exactly then. The table of all requests is cvm_takes.
 */
/*@
  predicate cvm_acts(struct cvm_policy_rules r, struct cvm_policy_state s,
                        struct cvm_policy_request q) =
    CVM_PHASE_LOCKED <= s.phase <= CVM_PHASE_WAITING && q.participant < r.n_participants &&
    q.seq > s.seq[q.participant];
  predicate cvm_acts_counted(struct cvm_policy_rules r, struct cvm_policy_state s,
                                struct cvm_policy_request q) =
    cvm_acts(r, s, q) && s.acts[q.participant] < CVM_POLICY_ACTS;

  predicate cvm_takes_challenge(struct cvm_policy_state s, struct cvm_policy_request q) =
    CVM_PHASE_LOCKED <= s.phase <= CVM_PHASE_RELEASING && 0 < q.nonces &&
    s.nonces + q.nonces <= CVM_POLICY_NONCES;
  predicate cvm_takes_release(struct cvm_policy_rules r, struct cvm_policy_state s,
                                 struct cvm_policy_request q) =
    cvm_acts_counted(r, s, q) && s.phase <= CVM_PHASE_FILLING && s.latest <= r.not_after &&
    q.nonce_known != 0 && !cvm_bit(s.released, q.participant);
  predicate cvm_takes_approve(struct cvm_policy_rules r, struct cvm_policy_state s,
                                 struct cvm_policy_request q) =
    cvm_acts_counted(r, s, q) && s.phase == CVM_PHASE_WAITING && q.output < r.n_outputs &&
    cvm_asked(r, q.output, q.participant) && q.head_known != 0 &&
    !cvm_bit(s.approved[q.output], q.participant);
  predicate cvm_takes_time(struct cvm_policy_rules r, struct cvm_policy_state s,
                              struct cvm_policy_request q) =
    cvm_acts_counted(r, s, q) && q.time >= s.time[q.participant];
  predicate cvm_takes_withdraw(struct cvm_policy_rules r, struct cvm_policy_state s,
                               struct cvm_policy_request q) =
    cvm_acts(r, s, q) && s.phase <= CVM_PHASE_FILLING;
  predicate cvm_wants(struct cvm_policy_rules r, struct cvm_policy_state s, integer i) =
    s.phase == CVM_PHASE_FILLING && i < r.n_items && cvm_bit(s.released, r.owner[i]) &&
    !cvm_admitted(s, i) && !cvm_open(r, i);
  predicate cvm_takes_run(struct cvm_policy_rules r, struct cvm_policy_state s) =
    s.phase == CVM_PHASE_SEALED && s.run == 0 && s.latest <= r.not_after;
  predicate cvm_takes_started(struct cvm_policy_rules r, struct cvm_policy_state s,
                                 integer c) =
    s.phase == CVM_PHASE_RUNNING && c < r.n_components && !cvm_bit(s.started, c);
  predicate cvm_takes_ended(struct cvm_policy_rules r, struct cvm_policy_state s, integer c) =
    s.phase == CVM_PHASE_RUNNING && c < r.n_components && cvm_runs(s, c);
  predicate cvm_affords(struct cvm_policy_rules r, struct cvm_policy_state s, integer c,
                           integer calls, integer bytes) =
    s.spent[c].calls + calls <= r.channels[c].max_calls &&
    s.spent[c].bytes + bytes <= r.channels[c].max_bytes;
  predicate cvm_call_is_next(struct cvm_policy_rules r, struct cvm_policy_state s,
                             struct cvm_policy_request q, integer reply) =
    s.phase == CVM_PHASE_RUNNING && q.channel < r.n_channels &&
    r.channels[q.channel].carries == CVM_CARRIES_CALLS &&
    cvm_runs(s, r.channels[q.channel].from) && cvm_runs(s, r.channels[q.channel].to) &&
    s.spent[q.channel].open == reply && q.bytes <= r.channels[q.channel].max_call_bytes;
  predicate cvm_takes_call(struct cvm_policy_rules r, struct cvm_policy_state s,
                           struct cvm_policy_request q, integer reply) =
    cvm_call_is_next(r, s, q, reply) && cvm_affords(r, s, q.channel, 1 - reply, q.bytes);
  predicate cvm_takes_stream(struct cvm_policy_rules r, struct cvm_policy_state s,
                                struct cvm_policy_request q) =
    s.phase == CVM_PHASE_RUNNING && q.channel < r.n_channels &&
    r.channels[q.channel].carries == CVM_CARRIES_STREAM &&
    cvm_bit(s.started, r.channels[q.channel].from) &&
    cvm_runs(s, r.channels[q.channel].to) && cvm_affords(r, s, q.channel, 0, q.bytes);

  predicate cvm_item_is_next(struct cvm_policy_rules r, struct cvm_policy_state s,
                             struct cvm_policy_request q) =
    cvm_acts_counted(r, s, q) && s.phase == CVM_PHASE_RUNNING && q.channel < r.n_channels &&
    r.channels[q.channel].carries == CVM_CARRIES_ITEMS &&
    r.owner[r.channels[q.channel].from] == q.participant && s.spent[q.channel].open == 0 &&
    !cvm_bit(s.ended_ok, r.channels[q.channel].to) &&
    q.number == s.spent[q.channel].calls + 1;
  predicate cvm_takes_item(struct cvm_policy_rules r, struct cvm_policy_state s,
                           struct cvm_policy_request q) =
    cvm_item_is_next(r, s, q) && cvm_affords(r, s, q.channel, 1, q.bytes);

  predicate cvm_takes(struct cvm_policy_rules r, struct cvm_policy_state s,
                         struct cvm_policy_request q) =
    (q.kind == CVM_REQUEST_LOCK && s.phase == CVM_PHASE_EMPTY) ||
    (q.kind == CVM_REQUEST_CHALLENGE && cvm_takes_challenge(s, q)) ||
    (q.kind == CVM_REQUEST_ACT_RELEASE && cvm_takes_release(r, s, q)) ||
    (q.kind == CVM_REQUEST_ACT_APPROVE && cvm_takes_approve(r, s, q)) ||
    (q.kind == CVM_REQUEST_ACT_TIME && cvm_takes_time(r, s, q)) ||
    (q.kind == CVM_REQUEST_ACT_WITHDRAW && cvm_takes_withdraw(r, s, q)) ||
    (q.kind == CVM_REQUEST_ACT_ABORT && cvm_acts(r, s, q)) ||
    (q.kind == CVM_REQUEST_ACT_ITEM && cvm_takes_item(r, s, q)) ||
    (q.kind == CVM_REQUEST_ITEM_ADMITTED && cvm_wants(r, s, q.item)) ||
    (q.kind == CVM_REQUEST_ITEM_REFUSED && cvm_wants(r, s, q.item)) ||
    (q.kind == CVM_REQUEST_RUN && cvm_takes_run(r, s)) ||
    (q.kind == CVM_REQUEST_COMPONENT_STARTED && cvm_takes_started(r, s, q.component)) ||
    (q.kind == CVM_REQUEST_COMPONENT_ENDED && cvm_takes_ended(r, s, q.component)) ||
    (q.kind == CVM_REQUEST_CALL && cvm_takes_call(r, s, q, 0)) ||
    (q.kind == CVM_REQUEST_CALL_REPLY && cvm_takes_call(r, s, q, 1)) ||
    (q.kind == CVM_REQUEST_STREAM && cvm_takes_stream(r, s, q)) ||
    (q.kind == CVM_REQUEST_RELEASE_OUTPUTS && s.phase == CVM_PHASE_WAITING &&
      cvm_conditions(r, s)) ||
    (q.kind == CVM_REQUEST_CLOSE && s.phase == CVM_PHASE_RELEASING) ||
    (q.kind == CVM_REQUEST_FAULT && s.phase <= CVM_PHASE_WAITING);
*/

/*
 * What a request that is taken does, cvm_does, and what only such a request may change, cvm_only.
 */
/*@
  predicate cvm_act_done(struct cvm_policy_state a, struct cvm_policy_request q,
                         struct cvm_policy_state b) =
    b.seq[q.participant] == q.seq && b.acts[q.participant] == a.acts[q.participant] + 1;
  predicate cvm_carried(struct cvm_policy_state a, struct cvm_policy_request q,
                        struct cvm_policy_state b, integer calls, integer open) =
    b.spent[q.channel].calls == a.spent[q.channel].calls + calls &&
    b.spent[q.channel].bytes == a.spent[q.channel].bytes + q.bytes &&
    b.spent[q.channel].open == open;
  predicate cvm_filled(struct cvm_policy_rules r, struct cvm_policy_state b) =
    cvm_all_released(r, b) && cvm_all_admitted(r, b) ? b.phase == CVM_PHASE_SEALED
                                                     : b.phase == CVM_PHASE_FILLING;
  predicate cvm_ended(struct cvm_policy_rules r, struct cvm_policy_state b, integer c,
                      integer ok) =
    ok != 0 ? cvm_bit(b.ended_ok, c) && (cvm_all_ended(r, b) ? b.phase == CVM_PHASE_WAITING
                                                             : b.phase == CVM_PHASE_RUNNING)
            : b.phase == CVM_PHASE_RELEASING && b.result == CVM_RESULT_FAILED;

  predicate cvm_does(struct cvm_policy_rules r, struct cvm_policy_state a,
                     struct cvm_policy_request q, struct cvm_policy_state b) =
    (CVM_REQUEST_ACT_RELEASE <= q.kind <= CVM_REQUEST_ACT_ITEM ==> cvm_act_done(a, q, b)) &&
    (q.kind == CVM_REQUEST_LOCK ==> b.phase == CVM_PHASE_LOCKED) &&
    (q.kind == CVM_REQUEST_CHALLENGE ==> b.nonces == a.nonces + q.nonces) &&
    (q.kind == CVM_REQUEST_ACT_RELEASE ==>
      cvm_bit(b.released, q.participant) && cvm_filled(r, b)) &&
    (q.kind == CVM_REQUEST_ACT_APPROVE ==> cvm_bit(b.approved[q.output], q.participant)) &&
    (q.kind == CVM_REQUEST_ACT_TIME ==> b.time[q.participant] == q.time &&
      b.latest == (q.time > a.latest ? q.time : a.latest)) &&
    (q.kind == CVM_REQUEST_ACT_WITHDRAW ==>
      b.phase == CVM_PHASE_ABORTED && b.reason == CVM_E_WITHDRAWN) &&
    (q.kind == CVM_REQUEST_ACT_ABORT ==>
      b.phase == CVM_PHASE_ABORTED && b.reason == CVM_E_ABORTED) &&
    (q.kind == CVM_REQUEST_ACT_ITEM ==> cvm_carried(a, q, b, 1, q.last != 0 ? 1 : 0)) &&
    (q.kind == CVM_REQUEST_ITEM_ADMITTED ==> cvm_admitted(b, q.item) && cvm_filled(r, b)) &&
    (q.kind == CVM_REQUEST_ITEM_REFUSED ==> a == b) &&
    (q.kind == CVM_REQUEST_RUN ==> b.run != 0 && b.phase == CVM_PHASE_RUNNING) &&
    (q.kind == CVM_REQUEST_COMPONENT_STARTED ==> cvm_bit(b.started, q.component)) &&
    (q.kind == CVM_REQUEST_COMPONENT_ENDED ==> cvm_ended(r, b, q.component, q.ok)) &&
    (q.kind == CVM_REQUEST_CALL ==> cvm_carried(a, q, b, 1, 1)) &&
    (q.kind == CVM_REQUEST_CALL_REPLY ==> cvm_carried(a, q, b, 0, 0)) &&
    (q.kind == CVM_REQUEST_STREAM ==> cvm_carried(a, q, b, 0, a.spent[q.channel].open)) &&
    (q.kind == CVM_REQUEST_RELEASE_OUTPUTS ==>
      b.phase == CVM_PHASE_RELEASING && b.result == CVM_RESULT_COMPLETED) &&
    (q.kind == CVM_REQUEST_CLOSE ==> b.phase == CVM_PHASE_CLOSED) &&
    (q.kind == CVM_REQUEST_FAULT ==> b.phase == CVM_PHASE_ABORTED &&
      b.reason == (q.reason == CVM_OK ? CVM_E_INTERNAL : q.reason));

  predicate cvm_only(struct cvm_policy_state a, struct cvm_policy_request q,
                     struct cvm_policy_state b) =
    (q.kind == CVM_REQUEST_CHALLENGE || q.kind == CVM_REQUEST_ACT_APPROVE ||
      q.kind == CVM_REQUEST_ACT_TIME || q.kind == CVM_REQUEST_ACT_ITEM ||
      q.kind == CVM_REQUEST_COMPONENT_STARTED || q.kind == CVM_REQUEST_CALL ||
      q.kind == CVM_REQUEST_CALL_REPLY || q.kind == CVM_REQUEST_STREAM ==> a.phase == b.phase) &&
    (q.kind != CVM_REQUEST_CHALLENGE ==> a.nonces == b.nonces) &&
    (q.kind != CVM_REQUEST_RUN ==> a.run == b.run) &&
    (q.kind != CVM_REQUEST_ACT_TIME ==> a.latest == b.latest) &&
    (q.kind != CVM_REQUEST_COMPONENT_ENDED && q.kind != CVM_REQUEST_RELEASE_OUTPUTS ==>
      a.result == b.result) &&
    (\forall integer p; 0 <= p < 32 &&
      (q.kind != CVM_REQUEST_ACT_RELEASE || p != q.participant) ==>
      (cvm_bit(b.released, p) <==> cvm_bit(a.released, p))) &&
    (\forall integer i; 0 <= i < CVM_POLICY_ITEMS &&
      (q.kind != CVM_REQUEST_ITEM_ADMITTED || i != q.item) ==>
      (cvm_admitted(b, i) <==> cvm_admitted(a, i))) &&
    (\forall integer c; 0 <= c < 64 &&
      (q.kind != CVM_REQUEST_COMPONENT_STARTED || c != q.component) ==>
      (cvm_bit(b.started, c) <==> cvm_bit(a.started, c))) &&
    (\forall integer c; 0 <= c < 64 &&
      (q.kind != CVM_REQUEST_COMPONENT_ENDED || c != q.component) ==>
      (cvm_bit(b.ended_ok, c) <==> cvm_bit(a.ended_ok, c))) &&
    (\forall integer p; 0 <= p < 32 && (q.kind < CVM_REQUEST_ACT_RELEASE ||
      q.kind > CVM_REQUEST_ACT_ITEM || p != q.participant) ==>
      a.seq[p] == b.seq[p] && a.acts[p] == b.acts[p]) &&
    (\forall integer p; 0 <= p < 32 &&
      (q.kind != CVM_REQUEST_ACT_TIME || p != q.participant) ==> a.time[p] == b.time[p]) &&
    (\forall integer o, p; 0 <= o < 64 && 0 <= p < 32 &&
      (q.kind != CVM_REQUEST_ACT_APPROVE || o != q.output || p != q.participant) ==>
      (cvm_bit(b.approved[o], p) <==> cvm_bit(a.approved[o], p))) &&
    (\forall integer c; 0 <= c < CVM_POLICY_CHANNELS &&
      ((q.kind != CVM_REQUEST_CALL && q.kind != CVM_REQUEST_CALL_REPLY &&
        q.kind != CVM_REQUEST_STREAM && q.kind != CVM_REQUEST_ACT_ITEM) || c != q.channel) ==>
      a.spent[c] == b.spent[c]);
*/

/* CVM_OK and *state changed, or the refusal's code and *state as before. */
/*@
  requires \valid_read(rules) && \valid(state) && \valid_read(request);
  requires \separated(rules, state, request);
  requires cvm_rules_valid(*rules) && cvm_inv(*rules, *state);
  assigns *state;
  ensures decided: \result == CVM_OK <==> cvm_takes(*rules, \old(*state), *request);
  ensures refused: \result != CVM_OK ==> *state == \old(*state);
  ensures kept: cvm_inv(*rules, *state);
  ensures grows: cvm_grows(\old(*state), *state);
  ensures final: cvm_final(\old(*state)) ==> \result != CVM_OK;
  ensures does: \result == CVM_OK ==> cvm_does(*rules, \old(*state), *request, *state);
  ensures only: cvm_only(\old(*state), *request, *state);
*/
enum cvm_code cvm_policy_step(const struct cvm_policy_rules *rules, struct cvm_policy_state *state,
                              const struct cvm_policy_request *request) CVM_MUST_USE;

/* Questions that change nothing. */
bool cvm_policy_wants_item(const struct cvm_policy_rules *rules,
                           const struct cvm_policy_state *state, uint32_t item);
bool cvm_policy_conditions_hold(const struct cvm_policy_rules *rules,
                                const struct cvm_policy_state *state);
bool cvm_policy_is_admitted(const struct cvm_policy_state *state, uint32_t item);

#endif
