#include "core/policy/phase.h"

#include <stddef.h>
#include <string.h>

static const char *const WORDS[] = {
#define P(name, word) word,
#include "core/policy/moves.def"
#undef P
};

const char *cvm_phase_word(enum cvm_phase phase)
{
    return (unsigned)phase < CVM_PHASE_COUNT ? WORDS[phase] : NULL;
}

int cvm_phase_by_word(const char *word)
{
    for (int i = 0; i < CVM_PHASE_COUNT; i++)
        if (strcmp(WORDS[i], word) == 0)
            return i;
    return -1;
}

bool cvm_phase_may_move(enum cvm_phase from, enum cvm_phase to)
{
    static const bool MAY[CVM_PHASE_COUNT][CVM_PHASE_COUNT] = {
#define M(from, to) [CVM_PHASE_##from][CVM_PHASE_##to] = true,
#include "core/policy/moves.def"
#undef M
    };
    return (unsigned)from < CVM_PHASE_COUNT && (unsigned)to < CVM_PHASE_COUNT && MAY[from][to];
}
