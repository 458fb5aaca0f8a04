#include "guest-agent/provider/provider.h"

#include <string.h>

#include "guest-agent/provider/rows.h"

/* Strongest first. Hardware providers come before simulated ones, and one that is present bars
 * those behind it. */
static const struct cvm_provider *const rows[] = {
    &cvm_provider_simulated,
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* What tells a guest on real SEV-SNP: the guest driver's device, or its report interface. */
static bool on_hardware(void)
{
    return access("/dev/sev-guest", F_OK) == 0;
}

static bool serves(const struct cvm_provider *p, const char *platform)
{
    for (size_t i = 0; i < sizeof(p->platforms) / sizeof(p->platforms[0]) && p->platforms[i]; i++)
        if (strcmp(p->platforms[i], platform) == 0)
            return true;
    return false;
}

int cvm_provider_find(const char *platform, const struct cvm_provider **ret, struct cvm_error *err)
{
    for (size_t i = 0; i < ROWS; i++) {
        const struct cvm_provider *p = rows[i];
        if (!serves(p, platform))
            continue;
        CVM_ENSURE(!p->simulated || !on_hardware(), err, CVM_E_PROVIDER,
                   "this is a genuine SEV-SNP guest: it never uses simulated evidence");
        CVM_ENSURE(p->present(), err, CVM_E_PROVIDER,
                   "the machine lacks what the provider %s needs", p->name);
        *ret = p;
        return 0;
    }
    return cvm_fail(err, CVM_E_PROVIDER, "this agent has no evidence provider for the platform %s",
                    platform);
}

void cvm_provider_report_free(struct cvm_provider_report *r)
{
    for (size_t i = 0; i < r->n_certificates; i++)
        cvm_buf_free(&r->certificates[i]);
    r->n_certificates = 0;
}
