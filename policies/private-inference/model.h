/* The interface of wit/model.wit in C: as the canonical ABI lays it out in a component, and as an
 * ordinary function where both sides are one native program. */
#ifndef DIGITS_MODEL_H
#define DIGITS_MODEL_H

#include <stdint.h>

enum { PIXELS = 64, INK = 16, DIGITS = 10, HIDDEN = 24 };

/* Whole numbers of the model: HIDDEN x (PIXELS weights, a constant), then DIGITS x (HIDDEN weights,
 * a constant). Weights are times SCALE; constants are times SCALE and the unit of what they are
 * added to, INK for the first layer and 1 for the second (where infer.c makes up for it). */
enum { FIRST = PIXELS + 1, SECOND = HIDDEN + 1, NUMBERS = HIDDEN * FIRST + DIGITS * SECOND };
enum { SCALE = 10000 };

struct guess {
    uint8_t digit;
    int64_t margin;
};

struct reply { /* result<guess, string> */
    uint8_t failed;
    union {
        struct guess guess;
        struct {
            const char *text;
            uint32_t len;
        } why;
    };
};

#define INFER "digits:model/infer@1.0.0"

#endif
