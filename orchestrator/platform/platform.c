#include "orchestrator/platform/platform.h"

#ifdef CVM_LIBVIRT
#include "orchestrator/platform/libvirt/connection.h"
#endif

const struct cvm_platform_driver *const cvm_platform_drivers[] = {
#ifdef CVM_LIBVIRT
    &cvm_platform_sev_snp,
    &cvm_platform_sim_vm,
#endif
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

#ifdef CVM_LIBVIRT
int cvm_platform_watch(const struct cvm_platform_host *host, cvm_machine_watcher watcher, void *arg,
                       struct cvm_error *err)
{
    return host->libvirt ? cvm_libvirt_watch(host->libvirt, watcher, arg, err) : 0;
}

void cvm_platform_unwatch(void)
{
    cvm_libvirt_unwatch();
}
#else
int cvm_platform_watch(const struct cvm_platform_host *host, cvm_machine_watcher watcher, void *arg,
                       struct cvm_error *err)
{
    (void)watcher;
    (void)arg;
    CVM_ENSURE(!host->libvirt, err, CVM_E_PLATFORM,
               "this daemon was built without libvirt: bring libvirt-dev 10.5 or newer and "
               "libxml2-dev, and build again");
    return 0;
}

void cvm_platform_unwatch(void)
{
}
#endif
