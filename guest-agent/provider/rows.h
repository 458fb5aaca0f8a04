/* The rows of the provider table, one file each. */
#ifndef CVM_GUEST_PROVIDER_ROWS_H
#define CVM_GUEST_PROVIDER_ROWS_H

#include "guest-agent/provider/provider.h"

/*
 * Strongest first, NULL at the end. Hardware providers come before simulated ones, and one that is
 * present bars those behind it. There are two tables: rows-simulation.c for everyone, and
 * rows-production.c, which the production agent is linked with, so that no simulated provider is in
 * its program at all.
 */
extern const struct cvm_provider *const cvm_provider_rows[];

/* Real SEV-SNP through configfs-tsm, and through /dev/sev-guest where a kernel has no such folder.
 */
extern const struct cvm_provider cvm_provider_tsm;
extern const struct cvm_provider cvm_provider_sev_guest;

/* Asks the software PSP that started the agent, over the descriptor that it passed
 * (core/evidence/sim-device.h). */
extern const struct cvm_provider cvm_provider_simulated;

#endif
