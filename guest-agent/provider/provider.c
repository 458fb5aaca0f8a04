#include "guest-agent/provider/provider.h"

#include <string.h>

#include "guest-agent/provider/rows.h"

/* Whether any way to a real report works here. */
static bool on_hardware(void)
{
    for (const struct cvm_provider *const *row = cvm_provider_rows; *row; row++)
        if (!(*row)->simulated && (*row)->present())
            return true;
    return false;
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
    const char *lacks = NULL;
    for (const struct cvm_provider *const *row = cvm_provider_rows; *row; row++) {
        const struct cvm_provider *p = *row;
        if (!serves(p, platform))
            continue;
        CVM_ENSURE(!p->simulated || !on_hardware(), err, CVM_E_PROVIDER,
                   "this is a genuine SEV-SNP guest: it never uses simulated evidence");
        if (p->present()) {
            *ret = p;
            return 0;
        }
        lacks = p->name;
    }
    CVM_ENSURE(!lacks, err, CVM_E_PROVIDER, "the machine lacks what the provider %s needs", lacks);
    return cvm_fail(err, CVM_E_PROVIDER, "this agent has no evidence provider for the platform %s",
                    platform);
}

void cvm_provider_report_free(struct cvm_provider_report *r)
{
    for (size_t i = 0; i < r->n_certificates; i++)
        cvm_buf_free(&r->certificates[i]);
    r->n_certificates = 0;
}
