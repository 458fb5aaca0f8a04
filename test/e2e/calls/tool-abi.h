/* What the canonical ABI makes of wit/together.wit. */
#ifndef TOOL_ABI_H
#define TOOL_ABI_H

#include <stdio.h>

#include "../../component-abi.h"

struct text {
    char *data;
    uint32_t len;
};

#define TELL "test:together/tell@1.0.0"
#define PASS "test:together/pass@1.0.0"

#endif
