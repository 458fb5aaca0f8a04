/* KVM only where it has been seen to work: its device may be there, make a machine, and hang. */
#include "orchestrator/platform/libvirt/machine.h"

#include <fcntl.h>
#include <libvirt/virterror.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <uuid/uuid.h>

#define BOOT_MS 5000 /* a KVM that works takes less than one */

/* A KVM that cannot go on leaves the machine suspended. */
static bool is_running(void *arg)
{
    int state = 0;
    return virDomainGetState(arg, &state, NULL, 0) == 0 && state == VIR_DOMAIN_RUNNING;
}

/* The image boots without an evidence device, says so, and powers itself off. */
static bool boots(const struct cvm_platform_host *host, virConnectPtr c, const char *folder)
{
    char uuid[37];
    uuid_t raw;
    uuid_generate(raw);
    uuid_unparse_lower(raw, uuid);
    CVM_AUTO_FREE char *name = cvm_printf("2cvm-kvm-probe-%.8s", uuid);
    CVM_AUTO_FREE char *template = cvm_printf("%s/sim-vm.xml", host->templates);
    CVM_AUTO_FREE char *kernel = cvm_printf("%s/kernel", host->machine_image);
    CVM_AUTO_FREE char *initrd = cvm_printf("%s/initramfs", host->machine_image);
    CVM_AUTO_FREE char *console = cvm_printf("%s/" CVM_MACHINE_CONSOLE, folder);
    const struct cvm_domain_spec spec = {.template_ = template,
                                         .name = name,
                                         .uuid = uuid,
                                         .title = "2cVM: does KVM work here?",
                                         .description = "ends by itself",
                                         .state = "probe",
                                         .manifest = "",
                                         .memory_mib = 256,
                                         .vcpus = 1,
                                         .kernel = kernel,
                                         .initrd = initrd,
                                         .cmdline = "console=ttyS0 loglevel=0",
                                         .console = console,
                                         .kvm = true,
                                         .no_vsock = true};
    CVM_AUTO_FREE char *xml = NULL;
    struct cvm_error err = {0};
    struct cvm_libvirt_waiter w = {.fd = -1};
    if (cvm_domain_xml(&spec, &xml, &err) < 0 || cvm_libvirt_waiter_begin(&w, uuid, &err) < 0)
        return false;
    CVM_AUTO_DOMAIN virDomainPtr d = virDomainCreateXML(c, xml, 0);
    const struct cvm_machine_wait wait = {.folder = folder,
                                          .text = CVM_MACHINE_DEVICE_LINE,
                                          .event_fd = w.fd,
                                          .process_fd = -1,
                                          .there = is_running,
                                          .arg = d,
                                          .timeout_ms = BOOT_MS};
    bool booted = d && cvm_machine_wait_console(&wait, &err) == 1;
    if (d)
        (void)virDomainDestroy(d);
    cvm_libvirt_waiter_end(&w);
    return booted;
}

static bool probe(const struct cvm_platform_host *host, virConnectPtr c, const char *folder)
{
    if (access("/dev/kvm", R_OK | W_OK) < 0)
        return false;
    CVM_AUTO_FREE char *temp = cvm_printf("%s/kvm-probe", folder);
    CVM_AUTO_FREE char *console = cvm_printf("%s/" CVM_MACHINE_CONSOLE, temp);
    if (mkdir(temp, 0700) < 0)
        return false;
    bool works = boots(host, c, temp);
    (void)unlink(console);
    (void)rmdir(temp);
    return works;
}

bool cvm_machine_has_kvm(const struct cvm_platform_host *host, virConnectPtr c, const char *folder)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static bool known, works;
    pthread_mutex_lock(&lock);
    if (!known)
        works = probe(host, c, folder);
    known = true;
    bool verdict = works;
    pthread_mutex_unlock(&lock);
    return verdict;
}
