#include "orchestrator/platform/platform.h"

const struct cvm_platform_driver *const cvm_platform_drivers[] = {
    &cvm_platform_sim_process,
};
const size_t cvm_platform_driver_count =
    sizeof cvm_platform_drivers / sizeof cvm_platform_drivers[0];

const struct cvm_platform_driver *cvm_platform_driver(enum cvm_platform platform)
{
    for (size_t i = 0; i < cvm_platform_driver_count; i++)
        if (cvm_platform_drivers[i]->platform == platform)
            return cvm_platform_drivers[i];
    return NULL;
}

const struct cvm_platform_driver *cvm_platform_choose(const struct cvm_manifest *m,
                                                      const struct cvm_platform_host *host,
                                                      struct cvm_error *err)
{
    cvm_fail(err, CVM_E_PLATFORM, "this host has none of the platforms that the manifest lists");
    for (size_t i = 0; i < cvm_platform_driver_count; i++) {
        const struct cvm_platform_driver *d = cvm_platform_drivers[i];
        if (cvm_manifest_has_platform(m, d->platform) && d->probe(host, err) == 0)
            return d;
    }
    return NULL;
}
