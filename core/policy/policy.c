#include "core/policy/policy.h"

#include "core/policy/policy-parts.h"

/*
 * Every function below checks all, then changes; a refusal returns before the first change. `move`
 * is the only place that changes the phase, by the table of moves.def.
 */

/*@
  assigns \nothing;
  ensures \result != 0 <==> item < CVM_POLICY_ITEMS && cvm_admitted(*s, item);
*/
bool cvm_policy_is_admitted(const struct cvm_policy_state *s, uint32_t item)
{
    return item < CVM_POLICY_ITEMS && has64(s->admitted[item / 64], item % 64);
}

/*@
  requires cvm_rules_valid(*r);
  assigns \nothing;
  ensures \result != 0 <==> cvm_wants(*r, *s, item);
*/
bool cvm_policy_wants_item(const struct cvm_policy_rules *r, const struct cvm_policy_state *s,
                           uint32_t item)
{
    return in(s, CVM_PHASE_FILLING, CVM_PHASE_FILLING) && item < r->n_items &&
           has(s->released, r->owner[item]) && !cvm_policy_is_admitted(s, item) &&
           !is_open(r, item);
}

/*@
  requires cvm_rules_valid(*r);
  assigns \nothing;
  ensures \result != 0 <==> cvm_all_admitted(*r, *s);
*/
static bool everything_admitted(const struct cvm_policy_rules *r, const struct cvm_policy_state *s)
{
    /*@
      loop invariant 0 <= i <= r->n_items;
      loop invariant \forall integer k; 0 <= k < i ==> cvm_admitted(*s, k) || cvm_open(*r, k);
      loop assigns i;
      loop variant r->n_items - i;
    */
    for (uint32_t i = 0; i < r->n_items; i++)
        if (!cvm_policy_is_admitted(s, i) && !is_open(r, i))
            return false;
    return true;
}

/*@
  requires cvm_rules_valid(*r);
  assigns \nothing;
  ensures \result != 0 <==> cvm_conditions(*r, *s);
*/
bool cvm_policy_conditions_hold(const struct cvm_policy_rules *r, const struct cvm_policy_state *s)
{
    /*@
      loop invariant 0 <= i <= r->n_conditions;
      loop invariant \forall integer k; 0 <= k < i ==> cvm_condition_holds(*r, *s, k);
      loop assigns i;
      loop variant r->n_conditions - i;
    */
    for (uint32_t i = 0; i < r->n_conditions; i++)
        if (!condition_holds(r, s, i))
            return false;
    return true;
}

/* After a release or an admission: filling ends when nothing is missing. */
/*@
  requires cvm_rules_valid(*r);
  assigns s->phase;
  ensures seals: \old(s->phase) == CVM_PHASE_FILLING && cvm_all_released(*r, *s) &&
    cvm_all_admitted(*r, *s) ==> s->phase == CVM_PHASE_SEALED;
  ensures waits: \old(s->phase) != CVM_PHASE_FILLING || !cvm_all_released(*r, *s) ||
    !cvm_all_admitted(*r, *s) ==> s->phase == \old(s->phase);
*/
static void seal_when_full(const struct cvm_policy_rules *r, struct cvm_policy_state *s)
{
    if (s->phase == CVM_PHASE_FILLING && everyone_released(r, s) && everything_admitted(r, s))
        s->phase = CVM_PHASE_SEALED;
}

/*@
  requires cvm_inv_phase(*s);
  assigns s->phase;
  ensures decided: \result == CVM_OK <==> \old(s->phase) == CVM_PHASE_EMPTY;
  ensures locks: \result == CVM_OK ==> s->phase == CVM_PHASE_LOCKED;
  ensures refused: \result != CVM_OK ==> *s == \old(*s);
  ensures kept: \forall struct cvm_policy_rules any;
    cvm_rules_valid(any) && cvm_inv(any, \old(*s)) ==> cvm_inv(any, *s);
  ensures grows: cvm_grows(\old(*s), *s);
*/
static enum cvm_code lock(struct cvm_policy_state *s)
{
    if (s->phase == CVM_PHASE_ABORTED)
        return CVM_E_ABORTED;
    return s->phase == CVM_PHASE_EMPTY ? move(s, CVM_PHASE_LOCKED) : CVM_E_ALREADY_LOCKED;
}

/*@
  requires cvm_inv_phase(*s) && s->nonces <= CVM_POLICY_NONCES;
  assigns s->nonces;
  ensures decided: \result == CVM_OK <==> cvm_takes_challenge(\old(*s), *q);
  ensures spends: \result == CVM_OK ==> s->nonces == \old(s->nonces) + q->nonces;
  ensures refused: \result != CVM_OK ==> *s == \old(*s);
  ensures kept: \forall struct cvm_policy_rules any;
    cvm_rules_valid(any) && cvm_inv(any, \old(*s)) ==> cvm_inv(any, *s);
  ensures grows: cvm_grows(\old(*s), *s);
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

/*@
  requires q->participant < 32;
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

/*@
  requires cvm_rules_valid(*r) && cvm_inv(*r, *s);
  assigns s->phase, s->seq[q->participant], s->acts[q->participant], s->released;
  ensures decided: \result == CVM_OK <==> cvm_takes_release(*r, \old(*s), *q);
  ensures refused: \result != CVM_OK ==> *s == \old(*s);
  ensures does: \result == CVM_OK ==> cvm_act_done(\old(*s), *q, *s) &&
    cvm_bit(s->released, q->participant) && cvm_filled(*r, *s);
  ensures only: \forall integer p; 0 <= p < 32 && p != q->participant ==>
    (cvm_bit(s->released, p) <==> cvm_bit(\old(s->released), p));
  ensures kept: cvm_inv(*r, *s);
  ensures grows: cvm_grows(\old(*s), *s);
*/
static enum cvm_code act_release(const struct cvm_policy_rules *r, struct cvm_policy_state *s,
                                 const struct cvm_policy_request *q)
{
    enum cvm_code code = check_release(r, s, q);
    if (code == CVM_OK && s->phase == CVM_PHASE_LOCKED)
        code = move(s, CVM_PHASE_FILLING);
    if (code != CVM_OK)
        return code;
    count_act(s, q);
    s->released = with(s->released, q->participant);
    seal_when_full(r, s);
    return CVM_OK;
}

/*@
  requires cvm_rules_valid(*r) && cvm_inv(*r, *s);
  assigns s->approved[q->output], s->seq[q->participant], s->acts[q->participant];
  ensures decided: \result == CVM_OK <==> cvm_takes_approve(*r, \old(*s), *q);
  ensures refused: \result != CVM_OK ==> *s == \old(*s);
  ensures does: \result == CVM_OK ==> cvm_act_done(\old(*s), *q, *s) &&
    cvm_bit(s->approved[q->output], q->participant);
  ensures only: \forall integer o, p; 0 <= o < 64 && 0 <= p < 32 &&
    (o != q->output || p != q->participant) ==>
    (cvm_bit(s->approved[o], p) <==> cvm_bit(\old(*s).approved[o], p));
  ensures kept: cvm_inv(*r, *s);
  ensures grows: cvm_grows(\old(*s), *s);
*/
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
    s->approved[q->output] = with(s->approved[q->output], q->participant);
    return CVM_OK;
}

/*@
  requires cvm_rules_valid(*r) && cvm_inv(*r, *s);
  assigns s->time[q->participant], s->latest, s->seq[q->participant], s->acts[q->participant];
  ensures decided: \result == CVM_OK <==> cvm_takes_time(*r, \old(*s), *q);
  ensures refused: \result != CVM_OK ==> *s == \old(*s);
  ensures does: \result == CVM_OK ==> cvm_act_done(\old(*s), *q, *s) &&
    s->time[q->participant] == q->time &&
    s->latest == (q->time > \old(s->latest) ? q->time : \old(s->latest));
  ensures kept: cvm_inv(*r, *s);
  ensures grows: cvm_grows(\old(*s), *s);
*/
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
  requires cvm_inv_phase(*s);
  assigns s->phase, s->reason;
  ensures decided: \result == CVM_OK <==> \old(s->phase) <= CVM_PHASE_WAITING;
  ensures aborts: \result == CVM_OK ==> s->phase == CVM_PHASE_ABORTED &&
    s->reason == (reason == CVM_OK ? CVM_E_INTERNAL : reason);
  ensures refused: \result != CVM_OK ==> *s == \old(*s);
  ensures kept: \forall struct cvm_policy_rules any;
    cvm_rules_valid(any) && cvm_inv(any, \old(*s)) ==> cvm_inv(any, *s);
  ensures grows: cvm_grows(\old(*s), *s);
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

/*@
  requires cvm_rules_valid(*r) && cvm_inv(*r, *s);
  assigns s->phase, s->reason, s->seq[q->participant], s->acts[q->participant];
  ensures decided: \result == CVM_OK <==> cvm_acts(*r, \old(*s), *q);
  ensures aborts: \result == CVM_OK ==> s->phase == CVM_PHASE_ABORTED &&
    s->reason == CVM_E_ABORTED && cvm_act_done(\old(*s), *q, *s);
  ensures refused: \result != CVM_OK ==> *s == \old(*s);
  ensures kept: cvm_inv(*r, *s);
  ensures grows: cvm_grows(\old(*s), *s);
*/
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
/*@
  requires cvm_rules_valid(*r) && cvm_inv(*r, *s);
  assigns s->phase, s->reason, s->seq[q->participant], s->acts[q->participant];
  ensures decided: \result == CVM_OK <==> cvm_takes_withdraw(*r, \old(*s), *q);
  ensures aborts: \result == CVM_OK ==> s->phase == CVM_PHASE_ABORTED &&
    s->reason == CVM_E_WITHDRAWN && cvm_act_done(\old(*s), *q, *s);
  ensures refused: \result != CVM_OK ==> *s == \old(*s);
  ensures kept: cvm_inv(*r, *s);
  ensures grows: cvm_grows(\old(*s), *s);
*/
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

/*@
  requires cvm_rules_valid(*r) && cvm_inv(*r, *s);
  assigns s->phase, s->admitted[q->item / 64];
  ensures decided: \result == CVM_OK <==> cvm_wants(*r, \old(*s), q->item);
  ensures refused: \result != CVM_OK ==> *s == \old(*s);
  ensures does: \result == CVM_OK ==> (q->kind == CVM_REQUEST_ITEM_ADMITTED
    ? cvm_admitted(*s, q->item) && cvm_filled(*r, *s) : *s == \old(*s));
  ensures only: \forall integer i; 0 <= i < CVM_POLICY_ITEMS && i != q->item ==>
    (cvm_admitted(*s, i) <==> cvm_admitted(\old(*s), i));
  ensures kept: cvm_inv(*r, *s);
  ensures grows: cvm_grows(\old(*s), *s);
*/
static enum cvm_code item(const struct cvm_policy_rules *r, struct cvm_policy_state *s,
                          const struct cvm_policy_request *q)
{
    if (!in(s, CVM_PHASE_LOCKED, CVM_PHASE_RELEASING))
        return wrong_phase(s);
    if (!cvm_policy_wants_item(r, s, q->item))
        return CVM_E_ITEM_NOT_WANTED;
    if (q->kind == CVM_REQUEST_ITEM_ADMITTED) {
        s->admitted[q->item / 64] = with64(s->admitted[q->item / 64], q->item % 64);
        seal_when_full(r, s);
    }
    return CVM_OK;
}

/*@
  requires cvm_rules_valid(*r) && cvm_inv(*r, *s);
  assigns s->phase, s->run;
  ensures decided: \result == CVM_OK <==> cvm_takes_run(*r, \old(*s));
  ensures spends: \result == CVM_OK ==> s->run != 0 && s->phase == CVM_PHASE_RUNNING;
  ensures refused: \result != CVM_OK ==> *s == \old(*s);
  ensures kept: cvm_inv(*r, *s);
  ensures grows: cvm_grows(\old(*s), *s);
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

/*@
  requires cvm_rules_valid(*r) && cvm_inv(*r, *s);
  assigns s->started;
  ensures decided: \result == CVM_OK <==> cvm_takes_started(*r, \old(*s), c);
  ensures refused: \result != CVM_OK ==> *s == \old(*s);
  ensures does: \result == CVM_OK ==> cvm_bit(s->started, c);
  ensures only: \forall integer k; 0 <= k < 64 && k != c ==>
    (cvm_bit(s->started, k) <==> cvm_bit(\old(s->started), k));
  ensures kept: cvm_inv(*r, *s);
  ensures grows: cvm_grows(\old(*s), *s);
*/
static enum cvm_code component_started(const struct cvm_policy_rules *r, struct cvm_policy_state *s,
                                       uint32_t c)
{
    if (s->phase != CVM_PHASE_RUNNING)
        return wrong_phase(s);
    if (c >= r->n_components || has64(s->started, c))
        return CVM_E_WRONG_PHASE;
    s->started = with64(s->started, c);
    return CVM_OK;
}

/*@
  requires cvm_rules_valid(*r) && cvm_inv(*r, *s) && cvm_takes_ended(*r, *s, c);
  assigns s->phase, s->result;
  ensures failed: s->phase == CVM_PHASE_RELEASING && s->result == CVM_RESULT_FAILED;
  ensures done: \result == CVM_OK;
  ensures kept: cvm_inv(*r, *s);
  ensures grows: cvm_grows(\old(*s), *s);
*/
static enum cvm_code ended_badly(const struct cvm_policy_rules *r, struct cvm_policy_state *s,
                                 uint32_t c)
{
    (void)r, (void)c;
    s->result = CVM_RESULT_FAILED;
    return move(s, CVM_PHASE_RELEASING);
}

/*@
  requires cvm_rules_valid(*r) && cvm_inv(*r, *s) && cvm_takes_ended(*r, *s, c);
  assigns s->phase, s->ended_ok;
  ensures done: \result == CVM_OK;
  ensures does: cvm_ended(*r, *s, c, 1);
  ensures only: \forall integer k; 0 <= k < 64 && k != c ==>
    (cvm_bit(s->ended_ok, k) <==> cvm_bit(\old(s->ended_ok), k));
  ensures kept: cvm_inv(*r, *s);
  ensures grows: cvm_grows(\old(*s), *s);
*/
static enum cvm_code ended_well(const struct cvm_policy_rules *r, struct cvm_policy_state *s,
                                uint32_t c)
{
    s->ended_ok = with64(s->ended_ok, c);
    return everything_ended(r, s) ? move(s, CVM_PHASE_WAITING) : CVM_OK;
}

/*@
  requires cvm_rules_valid(*r) && cvm_inv(*r, *s);
  assigns s->phase, s->result, s->ended_ok;
  ensures decided: \result == CVM_OK <==> cvm_takes_ended(*r, \old(*s), c);
  ensures refused: \result != CVM_OK ==> *s == \old(*s);
  ensures does: \result == CVM_OK ==> cvm_ended(*r, *s, c, ok);
  ensures only: \forall integer k; 0 <= k < 64 && k != c ==>
    (cvm_bit(s->ended_ok, k) <==> cvm_bit(\old(s->ended_ok), k));
  ensures kept: cvm_inv(*r, *s);
  ensures grows: cvm_grows(\old(*s), *s);
*/
static enum cvm_code component_ended(const struct cvm_policy_rules *r, struct cvm_policy_state *s,
                                     uint32_t c, bool ok)
{
    if (s->phase != CVM_PHASE_RUNNING)
        return wrong_phase(s);
    if (c >= r->n_components || !runs(s, c))
        return CVM_E_WRONG_PHASE;
    return ok ? ended_well(r, s, c) : ended_badly(r, s, c);
}

/*@
  requires cvm_rules_valid(*r) && k < r->n_channels && cvm_within(*r, *s, k);
  assigns s->spent[k].calls, s->spent[k].bytes;
  ensures decided: \result == CVM_OK <==> cvm_affords(*r, \old(*s), k, calls, bytes);
  ensures refused: \result != CVM_OK ==> *s == \old(*s);
  ensures spends: \result == CVM_OK ==> s->spent[k].calls == \old(s->spent[k].calls) + calls &&
    s->spent[k].bytes == \old(s->spent[k].bytes) + bytes;
*/
static enum cvm_code spend(const struct cvm_policy_rules *r, struct cvm_policy_state *s, uint32_t k,
                           uint64_t calls, uint64_t bytes)
{
    if (calls > r->channels[k].max_calls - s->spent[k].calls)
        return CVM_E_CHANNEL_CALLS;
    if (bytes > r->channels[k].max_bytes - s->spent[k].bytes)
        return CVM_E_CHANNEL_BYTES;
    s->spent[k].calls += calls;
    s->spent[k].bytes += bytes;
    return CVM_OK;
}

/* A call, or the reply to the one that is open, while both ends run. */
/*@
  requires cvm_rules_valid(*r) && cvm_inv(*r, *s);
  assigns s->spent[q->channel];
  ensures decided: \result == CVM_OK <==> cvm_takes_call(*r, \old(*s), *q, reply != 0 ? 1 : 0);
  ensures does: \result == CVM_OK ==>
    cvm_carried(\old(*s), *q, *s, reply != 0 ? 0 : 1, reply != 0 ? 0 : 1);
  ensures refused: \result != CVM_OK ==> *s == \old(*s);
  ensures kept: cvm_inv(*r, *s);
  ensures grows: cvm_grows(\old(*s), *s);
*/
static enum cvm_code call(const struct cvm_policy_rules *r, struct cvm_policy_state *s,
                          const struct cvm_policy_request *q, bool reply)
{
    enum cvm_code code = check_call(r, s, q, reply);
    if (code == CVM_OK)
        code = spend(r, s, q->channel, reply ? 0 : 1, q->bytes);
    if (code == CVM_OK)
        s->spent[q->channel].open = reply ? 0 : 1;
    return code;
}

/* Bytes of a stream, while its reader runs; what the writer left may come after its end. */
/*@
  requires cvm_rules_valid(*r) && cvm_inv(*r, *s);
  assigns s->spent[q->channel];
  ensures decided: \result == CVM_OK <==> cvm_takes_stream(*r, \old(*s), *q);
  ensures refused: \result != CVM_OK ==> *s == \old(*s);
  ensures does: \result == CVM_OK ==>
    cvm_carried(\old(*s), *q, *s, 0, \old(*s).spent[q->channel].open);
  ensures kept: cvm_inv(*r, *s);
  ensures grows: cvm_grows(\old(*s), *s);
*/
static enum cvm_code stream(const struct cvm_policy_rules *r, struct cvm_policy_state *s,
                            const struct cvm_policy_request *q)
{
    if (s->phase != CVM_PHASE_RUNNING)
        return wrong_phase(s);
    uint32_t k = q->channel;
    if (k >= r->n_channels || r->channels[k].carries != CVM_CARRIES_STREAM ||
        !has64(s->started, r->channels[k].from) || !runs(s, r->channels[k].to))
        return CVM_E_CELL_MESSAGE;
    return spend(r, s, k, 0, q->bytes);
}

/*@
  requires cvm_rules_valid(*r) && cvm_inv(*r, *s);
  assigns s->phase, s->result;
  ensures decided: \result == CVM_OK <==>
    \old(s->phase) == CVM_PHASE_WAITING && cvm_conditions(*r, \old(*s));
  ensures releases: \result == CVM_OK ==> s->phase == CVM_PHASE_RELEASING &&
    s->result == CVM_RESULT_COMPLETED;
  ensures refused: \result != CVM_OK ==> *s == \old(*s);
  ensures kept: cvm_inv(*r, *s);
  ensures grows: cvm_grows(\old(*s), *s);
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
/*@
  requires cvm_rules_valid(*r) && cvm_inv(*r, *s);
  assigns s->spent[q->channel], s->seq[q->participant], s->acts[q->participant];
  ensures decided: \result == CVM_OK <==> cvm_takes_item(*r, \old(*s), *q);
  ensures refused: \result != CVM_OK ==> *s == \old(*s);
  ensures does: \result == CVM_OK ==> cvm_act_done(\old(*s), *q, *s) &&
    cvm_carried(\old(*s), *q, *s, 1, q->last != 0 ? 1 : 0);
  ensures kept: cvm_inv(*r, *s);
  ensures grows: cvm_grows(\old(*s), *s);
*/
static enum cvm_code act_item(const struct cvm_policy_rules *r, struct cvm_policy_state *s,
                              const struct cvm_policy_request *q)
{
    enum cvm_code code = check_item(r, s, q);
    if (code == CVM_OK)
        code = spend(r, s, q->channel, 1, q->bytes);
    if (code != CVM_OK)
        return code;
    s->spent[q->channel].open = q->last ? 1 : 0;
    count_act(s, q);
    return CVM_OK;
}

/*@
  requires cvm_inv_phase(*s);
  assigns s->phase;
  ensures decided: \result == CVM_OK <==> \old(s->phase) == CVM_PHASE_RELEASING;
  ensures closes: \result == CVM_OK ==> s->phase == CVM_PHASE_CLOSED;
  ensures refused: \result != CVM_OK ==> *s == \old(*s);
  ensures kept: \forall struct cvm_policy_rules any;
    cvm_rules_valid(any) && cvm_inv(any, \old(*s)) ==> cvm_inv(any, *s);
  ensures grows: cvm_grows(\old(*s), *s);
*/
static enum cvm_code close_session(struct cvm_policy_state *s)
{
    if (s->phase != CVM_PHASE_RELEASING)
        return wrong_phase(s);
    return move(s, CVM_PHASE_CLOSED);
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
        return call(r, s, q, false);
    case CVM_REQUEST_CALL_REPLY:
        return call(r, s, q, true);
    case CVM_REQUEST_STREAM:
        return stream(r, s, q);
    case CVM_REQUEST_RELEASE_OUTPUTS:
        return release_outputs(r, s);
    case CVM_REQUEST_CLOSE:
        return close_session(s);
    case CVM_REQUEST_FAULT:
        return fault(s, q->reason);
    case CVM_REQUEST_COUNT:
        break;
    }
    return CVM_E_INTERNAL;
}
