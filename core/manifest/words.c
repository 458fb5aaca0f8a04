#include "core/manifest/manifest.h"

#include <string.h>

static int find(const char *const *words, int n, const char *word)
{
    for (int i = 0; i < n; i++)
        if (strcmp(words[i], word) == 0)
            return i;
    return -1;
}

#define TABLE(NAME, name) static const char *const WORDS_##NAME[] = {
#define V(NAME, SYMBOL, word) word,
#define END(NAME, name)                                                                            \
    }                                                                                              \
    ;                                                                                              \
    const char *cvm_##name##_word(enum cvm_##name value)                                           \
    {                                                                                              \
        return (unsigned)value < CVM_##NAME##_COUNT ? WORDS_##NAME[value] : NULL;                  \
    }                                                                                              \
    int cvm_##name##_by_word(const char *word)                                                     \
    {                                                                                              \
        return find(WORDS_##NAME, CVM_##NAME##_COUNT, word);                                       \
    }
#include "core/manifest/words.def"
