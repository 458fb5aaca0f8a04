/* The phases of a session and the table of allowed moves, both from moves.def. */
#ifndef CVM_POLICY_PHASE_H
#define CVM_POLICY_PHASE_H

#include <stdbool.h>

enum cvm_phase {
#define P(name, word) CVM_PHASE_##name,
#include "core/policy/moves.def"
#undef P
    CVM_PHASE_COUNT
};

const char *cvm_phase_word(enum cvm_phase phase); /* NULL when out of range */
int cvm_phase_by_word(const char *word);          /* -1: unknown */
/*@
  assigns \nothing;
  ensures \result != 0 <==>
    (from < CVM_PHASE_WAITING && to == from + 1) ||
    (CVM_PHASE_RUNNING <= from <= CVM_PHASE_WAITING && to == CVM_PHASE_RELEASING) ||
    (from == CVM_PHASE_RELEASING && to == CVM_PHASE_CLOSED) ||
    (from <= CVM_PHASE_WAITING && to == CVM_PHASE_ABORTED);
*/
bool cvm_phase_may_move(enum cvm_phase from, enum cvm_phase to);

#endif
