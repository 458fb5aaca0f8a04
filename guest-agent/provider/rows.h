/* The rows of the provider table, one file each. */
#ifndef CVM_GUEST_PROVIDER_ROWS_H
#define CVM_GUEST_PROVIDER_ROWS_H

#include "guest-agent/provider/provider.h"

/* Asks the software PSP that started the agent, over the descriptor that it passed
 * (core/evidence/sim-device.h). */
extern const struct cvm_provider cvm_provider_simulated;

#endif
