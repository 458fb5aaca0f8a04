/* What the canonical ABI makes of wit/calls.wit, shared by the components of this folder. */
#ifndef ABI_H
#define ABI_H

#include "../../../component-abi.h"

struct bytes {
    uint8_t *data;
    uint32_t len;
};

struct numbers {
    double *data;
    uint32_t len;
};

struct point {
    double x;
    int16_t y;
    struct bytes name;
};

struct shape {
    uint8_t tag; /* 0 nothing, 1 circle, 2 polygon */
    union {
        float radius;
        struct {
            struct point *data;
            uint32_t len;
        } points;
    };
};

struct joined {
    uint8_t failed;
    union {
        struct bytes text;
        uint32_t which;
    };
};

struct maybe {
    uint8_t some;
    double value;
};

struct counts {
    uint32_t asked, freed;
};

#define THINGS "test:calls/things@1.0.0"
#define CHAIN "test:calls/chain@1.0.0"

#endif
