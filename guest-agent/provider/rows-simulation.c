#include "guest-agent/provider/rows.h"

const struct cvm_provider *const cvm_provider_rows[] = {
    &cvm_provider_tsm,
    &cvm_provider_sev_guest,
    &cvm_provider_simulated,
    NULL,
};
