/* Linked as a source of the production agent's program: what the library would bring is then left
 * out by the linker, the simulated provider with it. */
#include "guest-agent/provider/rows.h"

const struct cvm_provider *const cvm_provider_rows[] = {
    &cvm_provider_tsm,
    &cvm_provider_sev_guest,
    NULL,
};
