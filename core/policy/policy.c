#include "core/policy/policy.h"

/*
 * Every function below checks all, then changes; a refusal returns before the first change. `move`
 * is the only place that changes the phase, by the table of moves.def.
 */

/*@
  requires i < 32;
  assigns \nothing;
  ensures \result != 0 <==> cvm_bit(set, i);
*/
static bool has(uint32_t set, uint32_t i)
{
    return set >> i & 1;
}

/*@
  assigns \nothing;
*/
static uint32_t all(uint32_t n)
{
    return n >= 32 ? UINT32_MAX : (UINT32_C(1) << n) - 1;
}

static uint64_t all64(uint32_t n)
{
    return n >= 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
}

/*@
  requires \valid(s) && s->phase <= CVM_PHASE_ABORTED && to <= CVM_PHASE_ABORTED;
  assigns s->phase;
  ensures \result == CVM_OK || \result == CVM_E_WRONG_PHASE;
  ensures \result == CVM_OK <==> cvm_may_move(\old(s->phase), to);
  ensures s->phase == (\result == CVM_OK ? to : \old(s->phase));
*/
static enum cvm_code move(struct cvm_policy_state *s, enum cvm_phase to)
{
    if (!cvm_phase_may_move(s->phase, to))
        return CVM_E_WRONG_PHASE;
    s->phase = to;
    return CVM_OK;
}

/* The code for a request that this phase does not take. */
/*@
  requires \valid_read(s);
  assigns \nothing;
  ensures \result != CVM_OK;
*/
static enum cvm_code wrong_phase(const struct cvm_policy_state *s)
{
    return s->phase == CVM_PHASE_ABORTED ? CVM_E_ABORTED : CVM_E_WRONG_PHASE;
}

/*@
  requires \valid_read(s);
  assigns \nothing;
  ensures \result != 0 <==> first <= s->phase <= last && s->phase != CVM_PHASE_ABORTED;
*/
static bool in(const struct cvm_policy_state *s, enum cvm_phase first, enum cvm_phase last)
{
    return s->phase >= first && s->phase <= last && s->phase != CVM_PHASE_ABORTED;
}

/*@
  requires \valid_read(s) && \valid_read(r);
  assigns \nothing;
  ensures \result != 0 <==> s->latest > r->not_after;
*/
static bool expired(const struct cvm_policy_rules *r, const struct cvm_policy_state *s)
{
    return s->latest > r->not_after;
}

/*@
  requires \valid_read(s);
  assigns \nothing;
  ensures \result != 0 <==> item < CVM_POLICY_ITEMS && cvm_admitted(s, item);
*/
bool cvm_policy_is_admitted(const struct cvm_policy_state *s, uint32_t item)
{
    return item < CVM_POLICY_ITEMS && (s->admitted[item / 64] >> item % 64 & 1);
}

/*@
  requires \valid_read(r) && item < CVM_POLICY_ITEMS;
  assigns \nothing;
  ensures \result != 0 <==> cvm_open(r, item);
*/
static bool is_open(const struct cvm_policy_rules *r, uint32_t item)
{
    return r->open[item / 64] >> item % 64 & 1;
}

/*@
  requires cvm_rules_valid(r) && \valid_read(s);
  assigns \nothing;
  ensures \result != 0 ==> s->phase == CVM_PHASE_FILLING && item < r->n_items &&
    cvm_bit(s->released, r->owner[item]) && !cvm_admitted(s, item) && !cvm_open(r, item);
*/
bool cvm_policy_wants_item(const struct cvm_policy_rules *r, const struct cvm_policy_state *s,
                           uint32_t item)
{
    return in(s, CVM_PHASE_FILLING, CVM_PHASE_FILLING) && item < r->n_items &&
           has(s->released, r->owner[item]) && !cvm_policy_is_admitted(s, item) &&
           !is_open(r, item);
}

/*@
  requires \valid_read(s) && \valid_read(r);
  assigns \nothing;
*/
static bool everyone_released(const struct cvm_policy_rules *r, const struct cvm_policy_state *s)
{
    return s->released == all(r->n_participants);
}

/*@
  requires cvm_rules_valid(r) && \valid_read(s);
  assigns \nothing;
  ensures \result != 0 <==> cvm_all_admitted(r, s);
*/
static bool everything_admitted(const struct cvm_policy_rules *r, const struct cvm_policy_state *s)
{
    /*@
      loop invariant 0 <= i <= r->n_items;
      loop invariant \forall integer k; 0 <= k < i ==> cvm_admitted(s, k) || cvm_open(r, k);
      loop assigns i;
      loop variant r->n_items - i;
    */
    for (uint32_t i = 0; i < r->n_items; i++)
        if (!cvm_policy_is_admitted(s, i) && !is_open(r, i))
            return false;
    return true;
}

/*@
  requires cvm_rules_valid(r) && \valid_read(s);
  assigns \nothing;
  ensures \result != 0 ==> cvm_conditions(r, s);
*/
bool cvm_policy_conditions_hold(const struct cvm_policy_rules *r, const struct cvm_policy_state *s)
{
    /*@
      loop invariant 0 <= i <= r->n_conditions;
      loop invariant \forall integer k; 0 <= k < i ==> cvm_condition_holds(r, s, k);
      loop assigns i;
      loop variant r->n_conditions - i;
    */
    for (uint32_t i = 0; i < r->n_conditions; i++) {
        const struct cvm_policy_condition *c = &r->conditions[i];
        if (c->approved && (s->approved[c->output] & c->by) != c->by)
            return false;
        /*@
          loop invariant 0 <= p <= r->n_participants;
          loop invariant \forall integer k; 0 <= k < p && cvm_bit(c->by, k) ==>
            s->time[k] >= c->time;
          loop assigns p;
          loop variant r->n_participants - p;
        */
        for (uint32_t p = 0; !c->approved && p < r->n_participants; p++)
            if (has(c->by, p) && s->time[p] < c->time)
                return false;
    }
    return true;
}

/* After a release or an admission: filling ends when nothing is missing. */
static void seal_when_full(const struct cvm_policy_rules *r, struct cvm_policy_state *s)
{
    if (s->phase == CVM_PHASE_FILLING && everyone_released(r, s) && everything_admitted(r, s))
        s->phase = CVM_PHASE_SEALED;
}

/*@
  requires \valid(s) && s->phase <= CVM_PHASE_ABORTED;
  assigns s->phase;
  ensures \result != CVM_OK ==> s->phase == \old(s->phase);
  ensures \result == CVM_OK ==>
    \old(s->phase) == CVM_PHASE_EMPTY && s->phase == CVM_PHASE_LOCKED;
*/
static enum cvm_code lock(struct cvm_policy_state *s)
{
    if (s->phase == CVM_PHASE_ABORTED)
        return CVM_E_ABORTED;
    return s->phase == CVM_PHASE_EMPTY ? move(s, CVM_PHASE_LOCKED) : CVM_E_ALREADY_LOCKED;
}

/*@
  requires \valid(s) && s->nonces <= CVM_POLICY_NONCES;
  requires \valid_read(q) && \separated(s, q);
  assigns s->nonces;
  ensures \result != CVM_OK ==> s->nonces == \old(s->nonces);
  ensures \result == CVM_OK ==> \old(s->nonces) < s->nonces <= CVM_POLICY_NONCES &&
    s->phase <= CVM_PHASE_RELEASING;
*/
static enum cvm_code challenge(struct cvm_policy_state *s, const struct cvm_policy_request *q)
{
    if (!in(s, CVM_PHASE_LOCKED, CVM_PHASE_RELEASING))
        return wrong_phase(s);
    if (q->nonces == 0)
        return CVM_E_USAGE;
    if (q->nonces > CVM_POLICY_NONCES - s->nonces)
        return CVM_E_TOO_MANY_CHALLENGES;
    s->nonces += q->nonces;
    return CVM_OK;
}

/* What holds for every act. */
static enum cvm_code check_act(const struct cvm_policy_rules *r, const struct cvm_policy_state *s,
                               const struct cvm_policy_request *q)
{
    if (!in(s, CVM_PHASE_LOCKED, CVM_PHASE_WAITING))
        return wrong_phase(s);
    if (q->participant >= r->n_participants)
        return CVM_E_NOT_A_PARTICIPANT;
    if (q->seq <= s->seq[q->participant])
        return CVM_E_ACT_SEQUENCE;
    return s->acts[q->participant] < CVM_POLICY_ACTS ? CVM_OK : CVM_E_TOO_MANY_ACTS;
}

/*@
  requires \valid(s) && \valid_read(q) && \separated(s, q) && q->participant < 32;
  requires s->acts[q->participant] <= CVM_POLICY_ACTS;
  assigns s->seq[q->participant], s->acts[q->participant];
  ensures s->seq[q->participant] == q->seq;
  ensures s->acts[q->participant] == \old(s->acts[q->participant]) + 1;
*/
static void count_act(struct cvm_policy_state *s, const struct cvm_policy_request *q)
{
    s->seq[q->participant] = q->seq;
    s->acts[q->participant]++;
}

static enum cvm_code act_release(const struct cvm_policy_rules *r, struct cvm_policy_state *s,
                                 const struct cvm_policy_request *q)
{
    enum cvm_code code = check_act(r, s, q);
    if (code != CVM_OK)
        return code;
    if (has(s->released, q->participant))
        return CVM_E_ALREADY_RELEASED;
    if (!in(s, CVM_PHASE_LOCKED, CVM_PHASE_FILLING))
        return CVM_E_WRONG_PHASE;
    if (expired(r, s))
        return CVM_E_MANIFEST_EXPIRED;
    if (!q->nonce_known)
        return CVM_E_ACT_NONCE;
    if (s->phase == CVM_PHASE_LOCKED && (code = move(s, CVM_PHASE_FILLING)) != CVM_OK)
        return code;
    count_act(s, q);
    s->released |= UINT32_C(1) << q->participant;
    seal_when_full(r, s);
    return CVM_OK;
}

/*@
  requires cvm_rules_valid(r) && participant < 32;
  assigns \nothing;
*/
static bool approval_asked(const struct cvm_policy_rules *r, uint32_t output, uint32_t participant)
{
    /*@
      loop invariant 0 <= i <= r->n_conditions;
      loop assigns i;
      loop variant r->n_conditions - i;
    */
    for (uint32_t i = 0; i < r->n_conditions; i++)
        if (r->conditions[i].approved && r->conditions[i].output == output &&
            has(r->conditions[i].by, participant))
            return true;
    return false;
}

static enum cvm_code act_approve(const struct cvm_policy_rules *r, struct cvm_policy_state *s,
                                 const struct cvm_policy_request *q)
{
    enum cvm_code code = check_act(r, s, q);
    if (code != CVM_OK)
        return code;
    if (s->phase != CVM_PHASE_WAITING)
        return CVM_E_WRONG_PHASE;
    if (q->output >= r->n_outputs || !approval_asked(r, q->output, q->participant) ||
        has(s->approved[q->output], q->participant))
        return CVM_E_ACT_OUTPUT;
    if (!q->head_known)
        return CVM_E_ACT_TRANSCRIPT;
    count_act(s, q);
    s->approved[q->output] |= UINT32_C(1) << q->participant;
    return CVM_OK;
}

static enum cvm_code act_time(const struct cvm_policy_rules *r, struct cvm_policy_state *s,
                              const struct cvm_policy_request *q)
{
    enum cvm_code code = check_act(r, s, q);
    if (code != CVM_OK)
        return code;
    if (q->time < s->time[q->participant])
        return CVM_E_TIME_BACKWARD;
    count_act(s, q);
    s->time[q->participant] = q->time;
    if (q->time > s->latest)
        s->latest = q->time;
    return CVM_OK;
}

/*@
  requires \valid(s) && s->phase <= CVM_PHASE_ABORTED;
  assigns s->phase, s->reason;
  ensures \result != CVM_OK ==> s->phase == \old(s->phase) && s->reason == \old(s->reason);
  ensures \result == CVM_OK ==>
    \old(s->phase) <= CVM_PHASE_WAITING && s->phase == CVM_PHASE_ABORTED;
  ensures \old(s->phase) <= CVM_PHASE_WAITING ==> \result == CVM_OK;
*/
static enum cvm_code fault(struct cvm_policy_state *s, enum cvm_code reason)
{
    if (s->phase == CVM_PHASE_ABORTED)
        return CVM_E_ABORTED;
    enum cvm_code code = move(s, CVM_PHASE_ABORTED);
    if (code == CVM_OK)
        s->reason = reason == CVM_OK ? CVM_E_INTERNAL : reason;
    return code;
}

static enum cvm_code act_abort(const struct cvm_policy_rules *r, struct cvm_policy_state *s,
                               const struct cvm_policy_request *q)
{
    enum cvm_code code = check_act(r, s, q);
    if (code == CVM_E_TOO_MANY_ACTS) /* stopping is never used up */
        code = CVM_OK;
    if (code == CVM_OK)
        code = fault(s, CVM_E_ABORTED);
    if (code == CVM_OK)
        count_act(s, q);
    return code;
}

/* Before anything runs a participant may still take back what it gave. */
static enum cvm_code act_withdraw(const struct cvm_policy_rules *r, struct cvm_policy_state *s,
                                  const struct cvm_policy_request *q)
{
    enum cvm_code code = check_act(r, s, q);
    if (code == CVM_E_TOO_MANY_ACTS)
        code = CVM_OK;
    if (code == CVM_OK && !in(s, CVM_PHASE_LOCKED, CVM_PHASE_FILLING))
        code = CVM_E_WRONG_PHASE;
    if (code == CVM_OK)
        code = fault(s, CVM_E_WITHDRAWN);
    if (code == CVM_OK)
        count_act(s, q);
    return code;
}

static enum cvm_code item(const struct cvm_policy_rules *r, struct cvm_policy_state *s,
                          const struct cvm_policy_request *q)
{
    if (!in(s, CVM_PHASE_LOCKED, CVM_PHASE_RELEASING))
        return wrong_phase(s);
    if (!cvm_policy_wants_item(r, s, q->item))
        return CVM_E_ITEM_NOT_WANTED;
    if (q->kind == CVM_REQUEST_ITEM_ADMITTED) {
        s->admitted[q->item / 64] |= UINT64_C(1) << q->item % 64;
        seal_when_full(r, s);
    }
    return CVM_OK;
}

/*@
  requires \valid(s) && \valid_read(r) && \separated(r, s) && s->phase <= CVM_PHASE_ABORTED;
  assigns s->phase, s->run;
  ensures refused: \result != CVM_OK ==> cvm_same{Pre, Post}(s);
  ensures once: \result == CVM_OK ==> \old(s->run) == 0 && s->run != 0 &&
    \old(s->phase) == CVM_PHASE_SEALED && s->phase == CVM_PHASE_RUNNING;
  ensures spent: \old(s->run) != 0 ==> s->run != 0;
*/
static enum cvm_code run(const struct cvm_policy_rules *r, struct cvm_policy_state *s)
{
    if (s->phase == CVM_PHASE_ABORTED)
        return CVM_E_ABORTED;
    if (s->run)
        return CVM_E_ALREADY_RUN;
    if (in(s, CVM_PHASE_LOCKED, CVM_PHASE_FILLING))
        return everyone_released(r, s) ? CVM_E_ITEM_MISSING : CVM_E_NOT_EVERYONE_RELEASED;
    if (s->phase != CVM_PHASE_SEALED)
        return CVM_E_WRONG_PHASE;
    if (expired(r, s))
        return CVM_E_MANIFEST_EXPIRED;
    s->run = true;
    return move(s, CVM_PHASE_RUNNING);
}

static enum cvm_code component_started(const struct cvm_policy_rules *r, struct cvm_policy_state *s,
                                       uint32_t c)
{
    if (s->phase != CVM_PHASE_RUNNING)
        return wrong_phase(s);
    if (c >= r->n_components || (s->started >> c & 1))
        return CVM_E_WRONG_PHASE;
    s->started |= UINT64_C(1) << c;
    return CVM_OK;
}

static enum cvm_code component_ended(const struct cvm_policy_rules *r, struct cvm_policy_state *s,
                                     uint32_t c, bool ok)
{
    if (s->phase != CVM_PHASE_RUNNING)
        return wrong_phase(s);
    if (c >= r->n_components || !(s->started >> c & 1) || (s->ended_ok >> c & 1))
        return CVM_E_WRONG_PHASE;
    if (!ok) {
        s->result = CVM_RESULT_FAILED;
        return move(s, CVM_PHASE_RELEASING);
    }
    s->ended_ok |= UINT64_C(1) << c;
    return s->ended_ok == all64(r->n_components) ? move(s, CVM_PHASE_WAITING) : CVM_OK;
}

/*@
  requires \valid_read(s) && c < 64;
  assigns \nothing;
  ensures \result != 0 <==> cvm_runs(s, c);
*/
static bool runs(const struct cvm_policy_state *s, uint32_t c)
{
    return (s->started >> c & 1) && !(s->ended_ok >> c & 1);
}

/* Spends calls and bytes of a channel together or not at all. */
/*@
  requires \valid_read(rule) && \valid(spent) && \separated(rule, spent);
  requires spent->calls <= rule->max_calls && spent->bytes <= rule->max_bytes;
  assigns spent->calls, spent->bytes;
  ensures refused: \result != CVM_OK ==>
    spent->calls == \old(spent->calls) && spent->bytes == \old(spent->bytes);
  ensures \result == CVM_OK ==> spent->calls == \old(spent->calls) + calls &&
    spent->bytes == \old(spent->bytes) + bytes;
  ensures within: spent->calls <= rule->max_calls && spent->bytes <= rule->max_bytes;
*/
static enum cvm_code spend(const struct cvm_policy_channel *rule, struct cvm_policy_spent *spent,
                           uint64_t calls, uint64_t bytes)
{
    if (calls > rule->max_calls - spent->calls)
        return CVM_E_CHANNEL_CALLS;
    if (bytes > rule->max_bytes - spent->bytes)
        return CVM_E_CHANNEL_BYTES;
    spent->calls += calls;
    spent->bytes += bytes;
    return CVM_OK;
}

/* A call, or the reply to the one that is open, while both ends run. */
/*@
  requires cvm_rules_valid(r) && \valid(s) && \valid_read(q);
  requires \separated(r, s) && \separated(q, s);
  requires \forall integer c; 0 <= c < r->n_channels ==> cvm_within(r, s, c);
  assigns s->spent[q->channel];
  ensures refused: \result != CVM_OK ==> cvm_same{Pre, Post}(s);
  ensures running: \result == CVM_OK ==> s->phase == CVM_PHASE_RUNNING &&
    q->channel < r->n_channels && q->bytes <= r->channels[q->channel].max_call_bytes;
  ensures within: \forall integer c; 0 <= c < r->n_channels ==> cvm_within(r, s, c);
*/
static enum cvm_code call(const struct cvm_policy_rules *r, struct cvm_policy_state *s,
                          const struct cvm_policy_request *q)
{
    if (s->phase != CVM_PHASE_RUNNING)
        return wrong_phase(s);
    if (q->channel >= r->n_channels)
        return CVM_E_CELL_MESSAGE;
    const struct cvm_policy_channel *rule = &r->channels[q->channel];
    struct cvm_policy_spent *spent = &s->spent[q->channel];
    bool reply = q->kind == CVM_REQUEST_CALL_REPLY;
    if (rule->carries != CVM_CARRIES_CALLS || !runs(s, rule->from) || !runs(s, rule->to) ||
        spent->open != reply)
        return CVM_E_CELL_MESSAGE;
    if (q->bytes > rule->max_call_bytes)
        return CVM_E_CALL_BYTES;
    enum cvm_code code = spend(rule, spent, reply ? 0 : 1, q->bytes);
    if (code == CVM_OK)
        spent->open = reply ? 0 : 1;
    return code;
}

/* Bytes of a stream, while its reader runs; what the writer left may come after its end. */
/*@
  requires cvm_rules_valid(r) && \valid(s) && \valid_read(q);
  requires \separated(r, s) && \separated(q, s);
  requires \forall integer c; 0 <= c < r->n_channels ==> cvm_within(r, s, c);
  assigns s->spent[q->channel];
  ensures refused: \result != CVM_OK ==> cvm_same{Pre, Post}(s);
  ensures running: \result == CVM_OK ==>
    s->phase == CVM_PHASE_RUNNING && q->channel < r->n_channels;
  ensures within: \forall integer c; 0 <= c < r->n_channels ==> cvm_within(r, s, c);
*/
static enum cvm_code stream(const struct cvm_policy_rules *r, struct cvm_policy_state *s,
                            const struct cvm_policy_request *q)
{
    if (s->phase != CVM_PHASE_RUNNING)
        return wrong_phase(s);
    if (q->channel >= r->n_channels)
        return CVM_E_CELL_MESSAGE;
    const struct cvm_policy_channel *rule = &r->channels[q->channel];
    if (rule->carries != CVM_CARRIES_STREAM || !(s->started >> rule->from & 1) ||
        !runs(s, rule->to))
        return CVM_E_CELL_MESSAGE;
    return spend(rule, &s->spent[q->channel], 0, q->bytes);
}

/*@
  requires cvm_rules_valid(r) && \valid(s) && \separated(r, s);
  requires s->phase <= CVM_PHASE_ABORTED;
  assigns s->phase, s->result;
  ensures refused: \result != CVM_OK ==> cvm_same{Pre, Post}(s);
  ensures complete: \result == CVM_OK ==> \old(s->phase) == CVM_PHASE_WAITING &&
    cvm_conditions{Pre}(r, s) && s->phase == CVM_PHASE_RELEASING;
*/
static enum cvm_code release_outputs(const struct cvm_policy_rules *r, struct cvm_policy_state *s)
{
    if (s->phase != CVM_PHASE_WAITING)
        return wrong_phase(s);
    if (!cvm_policy_conditions_hold(r, s))
        return CVM_E_CONDITION;
    s->result = CVM_RESULT_COMPLETED;
    return move(s, CVM_PHASE_RELEASING);
}

/* One item of an open input, from its owner, in order, while its reader may still read it. */
static enum cvm_code act_item(const struct cvm_policy_rules *r, struct cvm_policy_state *s,
                              const struct cvm_policy_request *q)
{
    enum cvm_code code = check_act(r, s, q);
    if (code != CVM_OK)
        return code;
    if (s->phase != CVM_PHASE_RUNNING)
        return CVM_E_WRONG_PHASE;
    if (q->channel >= r->n_channels || r->channels[q->channel].carries != CVM_CARRIES_ITEMS)
        return CVM_E_ACT_ITEM;
    const struct cvm_policy_channel *rule = &r->channels[q->channel];
    struct cvm_policy_spent *spent = &s->spent[q->channel];
    if (r->owner[rule->from] != q->participant)
        return CVM_E_NOT_OWNER;
    if (spent->open || (s->ended_ok >> rule->to & 1))
        return CVM_E_INPUT_ENDED;
    if (q->number != spent->calls + 1)
        return CVM_E_ITEM_SEQUENCE;
    code = spend(rule, spent, 1, q->bytes);
    if (code != CVM_OK)
        return code;
    spent->open = q->last ? 1 : 0;
    count_act(s, q);
    return CVM_OK;
}

enum cvm_code cvm_policy_step(const struct cvm_policy_rules *r, struct cvm_policy_state *s,
                              const struct cvm_policy_request *q)
{
    switch (q->kind) {
    case CVM_REQUEST_LOCK:
        return lock(s);
    case CVM_REQUEST_CHALLENGE:
        return challenge(s, q);
    case CVM_REQUEST_ACT_RELEASE:
        return act_release(r, s, q);
    case CVM_REQUEST_ACT_APPROVE:
        return act_approve(r, s, q);
    case CVM_REQUEST_ACT_TIME:
        return act_time(r, s, q);
    case CVM_REQUEST_ACT_WITHDRAW:
        return act_withdraw(r, s, q);
    case CVM_REQUEST_ACT_ABORT:
        return act_abort(r, s, q);
    case CVM_REQUEST_ACT_ITEM:
        return act_item(r, s, q);
    case CVM_REQUEST_ITEM_ADMITTED:
    case CVM_REQUEST_ITEM_REFUSED:
        return item(r, s, q);
    case CVM_REQUEST_RUN:
        return run(r, s);
    case CVM_REQUEST_COMPONENT_STARTED:
        return component_started(r, s, q->component);
    case CVM_REQUEST_COMPONENT_ENDED:
        return component_ended(r, s, q->component, q->ok);
    case CVM_REQUEST_CALL:
    case CVM_REQUEST_CALL_REPLY:
        return call(r, s, q);
    case CVM_REQUEST_STREAM:
        return stream(r, s, q);
    case CVM_REQUEST_RELEASE_OUTPUTS:
        return release_outputs(r, s);
    case CVM_REQUEST_CLOSE:
        return s->phase == CVM_PHASE_RELEASING ? move(s, CVM_PHASE_CLOSED) : wrong_phase(s);
    case CVM_REQUEST_FAULT:
        return fault(s, q->reason);
    case CVM_REQUEST_COUNT:
        break;
    }
    return CVM_E_INTERNAL;
}
