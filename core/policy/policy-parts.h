/*
 * The small parts of policy.c: bits, the phase, and questions about rules and state that change
 * nothing, each with its contract (policy.h). Only policy.c includes it.
 */
#ifndef CVM_POLICY_POLICY_PARTS_H
#define CVM_POLICY_POLICY_PARTS_H

#include "core/policy/policy.h"

/*@
  requires i < 32;
  assigns \nothing;
  ensures \result != 0 <==> cvm_bit(set, i);
*/
static inline bool has(uint32_t set, uint32_t i)
{
    return set >> i & 1;
}

/*@
  requires i < 64;
  assigns \nothing;
  ensures \result != 0 <==> cvm_bit(set, i);
*/
static inline bool has64(uint64_t set, uint32_t i)
{
    return set >> i & 1;
}

/*@
  requires i < 32;
  assigns \nothing;
  ensures \forall integer k; 0 <= k < 32 ==> (cvm_bit(\result, k) <==> cvm_bit(set, k) || k == i);
*/
static inline uint32_t with(uint32_t set, uint32_t i)
{
    return set | UINT32_C(1) << i;
}

/*@
  requires i < 64;
  assigns \nothing;
  ensures \forall integer k; 0 <= k < 64 ==> (cvm_bit(\result, k) <==> cvm_bit(set, k) || k == i);
*/
static inline uint64_t with64(uint64_t set, uint32_t i)
{
    return set | UINT64_C(1) << i;
}

/*@
  requires s->phase <= CVM_PHASE_ABORTED && to <= CVM_PHASE_ABORTED;
  assigns s->phase;
  ensures \result == CVM_OK || \result == CVM_E_WRONG_PHASE;
  ensures \result == CVM_OK <==> cvm_may_move(\old(s->phase), to);
  ensures s->phase == (\result == CVM_OK ? to : \old(s->phase));
*/
static inline enum cvm_code move(struct cvm_policy_state *s, enum cvm_phase to)
{
    if (!cvm_phase_may_move(s->phase, to))
        return CVM_E_WRONG_PHASE;
    s->phase = to;
    return CVM_OK;
}

/* The code for a request that this phase does not take. */
/*@
  assigns \nothing;
  ensures \result == CVM_E_ABORTED || \result == CVM_E_WRONG_PHASE;
*/
static inline enum cvm_code wrong_phase(const struct cvm_policy_state *s)
{
    return s->phase == CVM_PHASE_ABORTED ? CVM_E_ABORTED : CVM_E_WRONG_PHASE;
}

/*@
  assigns \nothing;
  ensures \result != 0 <==> first <= s->phase <= last && s->phase != CVM_PHASE_ABORTED;
*/
static inline bool in(const struct cvm_policy_state *s, enum cvm_phase first, enum cvm_phase last)
{
    return s->phase >= first && s->phase <= last && s->phase != CVM_PHASE_ABORTED;
}

/*@
  assigns \nothing;
  ensures \result != 0 <==> s->latest > r->not_after;
*/
static inline bool expired(const struct cvm_policy_rules *r, const struct cvm_policy_state *s)
{
    return s->latest > r->not_after;
}

/*@
  requires item < CVM_POLICY_ITEMS;
  assigns \nothing;
  ensures \result != 0 <==> cvm_open(*r, item);
*/
static inline bool is_open(const struct cvm_policy_rules *r, uint32_t item)
{
    return has64(r->open[item / 64], item % 64);
}

/*@
  requires cvm_rules_valid(*r);
  assigns \nothing;
  ensures \result != 0 <==> cvm_all_released(*r, *s);
*/
static inline bool everyone_released(const struct cvm_policy_rules *r,
                                     const struct cvm_policy_state *s)
{
    /*@
      loop invariant 0 <= p <= r->n_participants;
      loop invariant \forall integer k; 0 <= k < p ==> cvm_bit(s->released, k);
      loop assigns p;
      loop variant r->n_participants - p;
    */
    for (uint32_t p = 0; p < r->n_participants; p++)
        if (!has(s->released, p))
            return false;
    return true;
}

/*@
  requires cvm_rules_valid(*r);
  assigns \nothing;
  ensures \result != 0 <==> cvm_all_ended(*r, *s);
*/
static inline bool everything_ended(const struct cvm_policy_rules *r,
                                    const struct cvm_policy_state *s)
{
    /*@
      loop invariant 0 <= c <= r->n_components;
      loop invariant \forall integer k; 0 <= k < c ==> cvm_bit(s->ended_ok, k);
      loop assigns c;
      loop variant r->n_components - c;
    */
    for (uint32_t c = 0; c < r->n_components; c++)
        if (!has64(s->ended_ok, c))
            return false;
    return true;
}

/*@
  requires cvm_rules_valid(*r) && i < r->n_conditions;
  assigns \nothing;
  ensures \result != 0 <==> cvm_time_holds(*r, *s, i);
*/
static inline bool time_holds(const struct cvm_policy_rules *r, const struct cvm_policy_state *s,
                              uint32_t i)
{
    /*@
      loop invariant 0 <= p <= r->n_participants;
      loop invariant \forall integer k; 0 <= k < p && cvm_bit(r->conditions[i].by, k) ==>
        s->time[k] >= r->conditions[i].time;
      loop assigns p;
      loop variant r->n_participants - p;
    */
    for (uint32_t p = 0; p < r->n_participants; p++)
        if (has(r->conditions[i].by, p) && s->time[p] < r->conditions[i].time)
            return false;
    return true;
}

/*@
  requires cvm_rules_valid(*r) && i < r->n_conditions;
  assigns \nothing;
  ensures \result != 0 <==> cvm_condition_holds(*r, *s, i);
*/
static inline bool condition_holds(const struct cvm_policy_rules *r,
                                   const struct cvm_policy_state *s, uint32_t i)
{
    if (!r->conditions[i].approved)
        return time_holds(r, s, i);
    uint32_t by = r->conditions[i].by;
    return (s->approved[r->conditions[i].output] & by) == by;
}

/*@
  requires c < 64;
  assigns \nothing;
  ensures \result != 0 <==> cvm_runs(*s, c);
*/
static inline bool runs(const struct cvm_policy_state *s, uint32_t c)
{
    return has64(s->started, c) && !has64(s->ended_ok, c);
}

/*@
  requires cvm_rules_valid(*r) && participant < 32;
  assigns \nothing;
  ensures \result != 0 <==> cvm_asked(*r, output, participant);
*/
static inline bool approval_asked(const struct cvm_policy_rules *r, uint32_t output,
                                  uint32_t participant)
{
    /*@
      loop invariant 0 <= i <= r->n_conditions;
      loop invariant \forall integer k; 0 <= k < i && r->conditions[k].approved != 0 &&
        r->conditions[k].output == output ==> !cvm_bit(r->conditions[k].by, participant);
      loop assigns i;
      loop variant r->n_conditions - i;
    */
    for (uint32_t i = 0; i < r->n_conditions; i++)
        if (r->conditions[i].approved && r->conditions[i].output == output &&
            has(r->conditions[i].by, participant))
            return true;
    return false;
}

/* What holds for every act. */
/*@
  requires cvm_rules_valid(*r) && s->phase <= CVM_PHASE_ABORTED;
  assigns \nothing;
  ensures \result == CVM_OK <==> cvm_acts_counted(*r, *s, *q);
  ensures \result == CVM_OK || \result == CVM_E_TOO_MANY_ACTS <==> cvm_acts(*r, *s, *q);
*/
static inline enum cvm_code check_act(const struct cvm_policy_rules *r,
                                      const struct cvm_policy_state *s,
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
  requires cvm_rules_valid(*r) && s->phase <= CVM_PHASE_ABORTED;
  assigns \nothing;
  ensures \result == CVM_OK <==> cvm_takes_release(*r, *s, *q);
*/
static inline enum cvm_code check_release(const struct cvm_policy_rules *r,
                                          const struct cvm_policy_state *s,
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
    return q->nonce_known ? CVM_OK : CVM_E_ACT_NONCE;
}

/*@
  requires cvm_rules_valid(*r) && s->phase <= CVM_PHASE_ABORTED;
  assigns \nothing;
  ensures \result == CVM_OK <==> cvm_call_is_next(*r, *s, *q, reply != 0 ? 1 : 0);
*/
static inline enum cvm_code check_call(const struct cvm_policy_rules *r,
                                       const struct cvm_policy_state *s,
                                       const struct cvm_policy_request *q, bool reply)
{
    if (s->phase != CVM_PHASE_RUNNING)
        return wrong_phase(s);
    uint32_t k = q->channel;
    if (k >= r->n_channels || r->channels[k].carries != CVM_CARRIES_CALLS)
        return CVM_E_CELL_MESSAGE;
    if (!runs(s, r->channels[k].from) || !runs(s, r->channels[k].to) ||
        s->spent[k].open != (reply ? 1 : 0))
        return CVM_E_CELL_MESSAGE;
    return q->bytes <= r->channels[k].max_call_bytes ? CVM_OK : CVM_E_CALL_BYTES;
}

/*@
  requires cvm_rules_valid(*r) && s->phase <= CVM_PHASE_ABORTED;
  assigns \nothing;
  ensures \result == CVM_OK <==> cvm_item_is_next(*r, *s, *q);
*/
static inline enum cvm_code check_item(const struct cvm_policy_rules *r,
                                       const struct cvm_policy_state *s,
                                       const struct cvm_policy_request *q)
{
    enum cvm_code code = check_act(r, s, q);
    if (code != CVM_OK)
        return code;
    if (s->phase != CVM_PHASE_RUNNING)
        return CVM_E_WRONG_PHASE;
    uint32_t k = q->channel;
    if (k >= r->n_channels || r->channels[k].carries != CVM_CARRIES_ITEMS)
        return CVM_E_ACT_ITEM;
    if (r->owner[r->channels[k].from] != q->participant)
        return CVM_E_NOT_OWNER;
    if (s->spent[k].open || has64(s->ended_ok, r->channels[k].to))
        return CVM_E_INPUT_ENDED;
    if (q->number == 0 || q->number - 1 != s->spent[k].calls)
        return CVM_E_ITEM_SEQUENCE;
    return CVM_OK;
}

#endif
