/* What the two halves of world.h share: world.c builds and starts, world-ops.c asks the agent. */
#ifndef CVM_TEST_WORLD_INTERNAL_H
#define CVM_TEST_WORLD_INTERNAL_H

#include "test/e2e/agent/world.h"

#define WORLD_WAIT_MS 20000

extern const char *const world_names[3];

/* Ends the test with the error's text when r is negative. */
void world_must(int r, const struct cvm_error *err);

#endif
