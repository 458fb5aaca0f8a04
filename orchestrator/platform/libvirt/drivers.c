/*
 * The drivers for virtual machines: sev-snp, and sim-vm, which is the same without memory
 * encryption and with the software PSP beside it.
 *
 * The domain is transient: libvirt keeps nothing of a machine that has ended, so that nobody can
 * start it a second time by hand, and none starts by itself with the host. Its UUID is the
 * collaboration's; that it is ours is told by the manifest's digest in its metadata, and by
 * HOST_DATA, never by what this daemon remembers.
 */
#include "orchestrator/host/host.h"
#include "orchestrator/platform/libvirt/machine.h"
#include "orchestrator/platform/psp-process.h"

#include <errno.h>
#include <fcntl.h>
#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/un.h>

#define AGENT_PORT 1024
#define READY_MS 180000     /* an emulated processor on a busy host boots slowly */
#define LAUNCHED "launched" /* in the isolate's folder: a machine was started, or was about to */
#define MEMORY_STEP 64      /* MiB: the guest tells its memory rounded up to that */
#define CMDLINE_MAX 2048
#define TEMPLATE_MODEL "EPYC-v4"
#define POLICY_ALWAYS 0x20000 /* bit 17: must be one */
#define POLICY_SMT 0x10000
#define POLICY_SINGLE_SOCKET 0x100000

static bool simulated(const struct cvm_isolate_spec *spec)
{
    return spec->manifest->isolate.simulated;
}

static char *inside(const struct cvm_isolate_spec *spec, const char *name)
{
    return cvm_printf("%s/%s", spec->folder, name);
}

/* ---- what a host must have ---- */

static int need_file(const char *folder, const char *name, int mode, const char *remedy,
                     struct cvm_error *err)
{
    CVM_AUTO_FREE char *path = folder ? cvm_printf("%s/%s", folder, name) : cvm_strdup(name);
    CVM_ENSURE(access(path, mode) == 0, err, CVM_E_PLATFORM, "there is no '%s': %s", path, remedy);
    return 0;
}

static int probe_common(const struct cvm_platform_host *host, const char *template,
                        virConnectPtr *ret, struct cvm_error *err)
{
    CVM_ENSURE(host->libvirt, err, CVM_E_PLATFORM,
               "no libvirt is configured: give --libvirt qemu:///system");
    CVM_ENSURE(host->machine_image, err, CVM_E_PLATFORM,
               "no image of a machine is configured: make one by `./run image`, and name its "
               "folder with --machine-image");
    static const char *const files[] = {"kernel", "initramfs", "cmdline"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        CVM_GUARD(need_file(host->machine_image, files[i], R_OK, "`./run image` makes it", err));
    CVM_GUARD(need_file(host->templates, template, R_OK, "it belongs to --templates", err));
    unsigned long version = 0;
    CVM_AUTO_LIBVIRT virConnectPtr c = NULL;
    CVM_GUARD(cvm_libvirt_open(host->libvirt, false, &c, err));
    if (virConnectGetLibVersion(c, &version) < 0)
        return cvm_libvirt_fail(err, CVM_E_PLATFORM, "libvirt does not tell its version");
    CVM_ENSURE(version >= 10005000, err, CVM_E_PLATFORM,
               "libvirt %lu.%lu is too old: 10.5 or newer is needed", version / 1000000,
               version / 1000 % 1000);
    *ret = CVM_TAKE(c);
    return 0;
}

static int sim_probe(const struct cvm_platform_host *host, struct cvm_error *err)
{
    CVM_AUTO_LIBVIRT virConnectPtr c = NULL;
    CVM_GUARD(probe_common(host, "sim-vm.xml", &c, err));
    CVM_GUARD(need_file(NULL, host->psp, X_OK, "the software PSP belongs to the daemon", err));
    CVM_GUARD(need_file(NULL, host->vsock, X_OK,
                        "`cargo install vhost-device-vsock` makes it; name it with --vsock", err));
    CVM_AUTO_FREE char *capabilities =
        virConnectGetDomainCapabilities(c, NULL, "x86_64", "q35", "qemu", 0);
    return capabilities ? 0 : cvm_libvirt_fail(err, CVM_E_PLATFORM, "libvirt has no QEMU");
}

static int read_line(const char *path, char ret[CMDLINE_MAX + 1], struct cvm_error *err)
{
    CVM_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd < 0 ? -1 : read(fd, ret, CMDLINE_MAX + 1);
    if (n < 0)
        return cvm_fail_errno(err, "cannot read '%s'", path);
    CVM_ENSURE(n <= CMDLINE_MAX, err, CVM_E_TOO_LARGE, "'%s' is above %d bytes", path, CMDLINE_MAX);
    ret[n] = '\0';
    ret[strcspn(ret, "\n")] = '\0';
    return 0;
}

/* The processor's model is measured: an image that was measured for another one would be refused
 * when all is up. */
static int check_model(const struct cvm_platform_host *host, struct cvm_error *err)
{
    CVM_AUTO_FREE char *path = cvm_printf("%s/cpu", host->machine_image);
    char model[CMDLINE_MAX + 1];
    if (access(path, F_OK) < 0)
        return 0;
    CVM_GUARD(read_line(path, model, err));
    CVM_ENSURE(strcmp(model, TEMPLATE_MODEL) == 0, err, CVM_E_PLATFORM,
               "'%s' names the processor model %s, and the domain's template has " TEMPLATE_MODEL,
               path, model);
    return 0;
}

/* What `2cvm doctor` says of this host names the cause; from here only its end is seen. */
static int snp_why_not(const struct cvm_platform_host *host, struct cvm_error *err)
{
    const struct cvm_host_place place = {.machine_image = host->machine_image, .psp = host->psp};
    return cvm_host_check(CVM_PLATFORM_SEV_SNP, &place, err);
}

static int snp_probe(const struct cvm_platform_host *host, struct cvm_error *err)
{
    CVM_AUTO_LIBVIRT virConnectPtr c = NULL;
    CVM_GUARD(probe_common(host, "sev-snp.xml", &c, err));
    CVM_GUARD(need_file(host->machine_image, "firmware", R_OK,
                        "SEV-SNP needs OVMF's AmdSev build there, Debian package ovmf-amdsev",
                        err));
    CVM_GUARD(check_model(host, err));
    if (access("/dev/sev", F_OK) < 0)
        CVM_GUARD(snp_why_not(host, err));
    CVM_GUARD(need_file(NULL, "/dev/sev", F_OK,
                        "the processor or its BIOS settings have no SEV-SNP, or the kernel lacks "
                        "kvm_amd.sev_snp=1",
                        err));
    CVM_GUARD(need_file(NULL, "/dev/vhost-vsock", F_OK, "load the module vhost_vsock", err));
    CVM_AUTO_FREE char *capabilities =
        virConnectGetDomainCapabilities(c, NULL, "x86_64", "q35", "kvm", 0);
    if (!capabilities)
        return cvm_libvirt_fail(err, CVM_E_PLATFORM, "libvirt has no KVM");
    int rc = cvm_domain_capable_of_snp(capabilities, err);
    CVM_GUARD(rc);
    if (rc != 1)
        CVM_GUARD(snp_why_not(host, err));
    CVM_ENSURE(rc == 1, err, CVM_E_PLATFORM,
               "libvirt's domain capabilities list no launchSecurity of type sev-snp: QEMU 9.1 "
               "and a kernel with SEV-SNP (dmesg: \"SEV-SNP API\") are needed; after a change "
               "restart libvirtd, and remove its cache of capabilities");
    return 0;
}

/* ---- finding the machine ---- */

/* *ret is NULL when there is none; a domain of this UUID that is not ours is an error. */
static int lookup(const struct cvm_isolate_spec *spec, virDomainPtr *ret, struct cvm_error *err)
{
    const char *id = spec->manifest->collaboration;
    CVM_AUTO_LIBVIRT virConnectPtr c = NULL;
    CVM_ENSURE(spec->host->libvirt, err, CVM_E_PLATFORM, "no libvirt is configured any more");
    CVM_GUARD(cvm_libvirt_open(spec->host->libvirt, true, &c, err));
    CVM_AUTO_DOMAIN virDomainPtr d = virDomainLookupByUUIDString(c, id);
    *ret = NULL;
    if (!d && virGetLastErrorCode() == VIR_ERR_NO_DOMAIN)
        return 0;
    if (!d)
        return cvm_libvirt_fail(err, CVM_E_CONNECTION, "libvirt does not tell of the machine");
    CVM_AUTO_FREE char *element =
        virDomainGetMetadata(d, VIR_DOMAIN_METADATA_ELEMENT, CVM_DOMAIN_URI, 0);
    if (!element && virGetLastErrorCode() == VIR_ERR_NO_DOMAIN)
        return 0;
    struct cvm_digest manifest;
    CVM_ENSURE(element && cvm_domain_metadata_manifest(element, &manifest, NULL) == 0 &&
                   cvm_equal(&manifest, &spec->host_data, sizeof manifest),
               err, CVM_E_PLATFORM, "libvirt's domain %s is not this collaboration's machine", id);
    *ret = CVM_TAKE(d);
    return 0;
}

static int vm_find(const struct cvm_isolate_spec *spec, struct cvm_error *err)
{
    CVM_AUTO_DOMAIN virDomainPtr d = NULL;
    CVM_GUARD(lookup(spec, &d, err));
    int state = 0;
    if (!d || virDomainGetState(d, &state, NULL, 0) < 0 || state == VIR_DOMAIN_SHUTOFF)
        return 0;
    return state == VIR_DOMAIN_PAUSED ? 2 : 1;
}

/* ---- starting it ---- */

/* The absolute path of the folder that QEMU is told: by a link where the folder's own is too long
 * for the address of a socket. */
static int short_folder(const struct cvm_isolate_spec *spec, char **ret, struct cvm_error *err)
{
    struct sockaddr_un sa;
    const size_t room = sizeof sa.sun_path - sizeof CVM_MACHINE_VHOST - 1;
    const char *runtime = spec->host->runtime;
    char *path = runtime ? cvm_printf("%s/%s", runtime, spec->manifest->collaboration)
                         : cvm_strdup(spec->folder);
    if (strlen(path) > room) {
        cvm_fail(err, CVM_E_PLATFORM,
                 "'%s' is too long for a socket's path: give --runtime a folder with a short one",
                 path);
        free(path);
        return -1;
    }
    *ret = path;
    return 0;
}

static int make_link(const struct cvm_isolate_spec *spec, const char *path, struct cvm_error *err)
{
    if (spec->host->runtime && symlink(spec->folder, path) < 0 && errno != EEXIST)
        return cvm_fail_errno(err, "cannot make the link '%s'", path);
    return 0;
}

static int run_psp(const struct cvm_isolate_spec *spec, const char *vhost, struct cvm_error *err)
{
    CVM_AUTO_FREE char *host_data = cvm_hex(spec->host_data.b, sizeof spec->host_data.b);
    char *argv[] = {(char *)spec->host->psp,
                    (char *)"--machine",
                    (char *)vhost,
                    (char *)"--backend",
                    (char *)spec->host->vsock,
                    (char *)"--image",
                    (char *)spec->host->machine_image,
                    (char *)"--host-data",
                    host_data,
                    (char *)"--state-dir",
                    (char *)".",
                    (char *)"--background",
                    NULL};
    return cvm_psp_start(spec->host->psp, spec->folder, argv, err);
}

/* What administrators read. The participants wrote the title: libvirt takes no line break in it,
 * and neither does the manifest. */
struct words {
    char *title, *description, manifest[CVM_DIGEST_TEXT];
    const char *participants[CVM_PARTICIPANTS_MAX];
};

static void words_of(const struct cvm_isolate_spec *spec, struct words *w)
{
    const struct cvm_manifest *m = spec->manifest;
    CVM_AUTO_BUF struct cvm_buf people = {0};
    for (uint32_t i = 0; i < m->n_participants; i++) {
        w->participants[i] = m->participants[i].id;
        cvm_buf_append_str(&people, i ? ", " : "");
        cvm_buf_append_str(&people, m->participants[i].id);
    }
    cvm_digest_text(&m->digest, w->manifest);
    w->title = cvm_printf("%s: %s", m->title, spec->state);
    w->description = cvm_printf("2cVM %s collaboration %s, %s; participants %s; manifest %s; "
                                "managed by 2cvmd: end it with `2cvm close`",
                                simulated(spec) ? "SIMULATED" : "confidential", m->collaboration,
                                spec->state, cvm_buf_cstr(&people), w->manifest);
}

static void words_free(struct words *w)
{
    free(w->title);
    free(w->description);
}

static uint64_t policy_of(const struct cvm_isolate *i)
{
    uint64_t policy = POLICY_ALWAYS | (uint64_t)i->abi_major << 8 | (uint64_t)i->abi_minor;
    return policy | (i->smt ? POLICY_SMT : 0) | (i->single_socket ? POLICY_SINGLE_SOCKET : 0);
}

/* Pre-made, so that this user may read it whoever writes it. */
static int make_console(const char *path, struct cvm_error *err)
{
    CVM_AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd < 0 ? cvm_fail_errno(err, "cannot make '%s'", path) : 0;
}

/* From here on a machine may run; never again is one started in this folder. */
static int mark_launched(const char *path, struct cvm_error *err)
{
    CVM_AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 && errno == EEXIST)
        return cvm_fail(err, CVM_E_ISOLATE_LOST, "a machine was started here and has ended");
    if (fd < 0 || fsync(fd) < 0)
        return cvm_fail_errno(err, "cannot make '%s'", path);
    return 0;
}

static bool is_system(virConnectPtr c)
{
    CVM_AUTO_FREE char *uri = virConnectGetURI(c);
    return uri && strstr(uri, "/system");
}

static int create(const struct cvm_isolate_spec *spec, virConnectPtr c, struct cvm_domain_spec *d,
                  struct cvm_error *err)
{
    struct words w = {0};
    words_of(spec, &w);
    CVM_AUTO_FREE char *name = cvm_printf("2cvm-%s", spec->manifest->collaboration);
    CVM_AUTO_FREE char *console = inside(spec, CVM_MACHINE_CONSOLE);
    CVM_AUTO_FREE char *launched = inside(spec, LAUNCHED);
    CVM_AUTO_FREE char *xml = NULL;
    d->name = name;
    d->uuid = spec->manifest->collaboration;
    d->title = w.title;
    d->description = w.description;
    d->state = spec->state;
    d->manifest = w.manifest;
    d->participants = w.participants;
    d->n_participants = spec->manifest->n_participants;
    d->memory_mib = spec->memory_mib;
    d->vcpus = spec->vcpus;
    d->console = console;
    d->host_data = spec->host_data;
    int rc = make_console(console, err);
    if (rc == 0)
        rc = cvm_domain_xml(d, &xml, err);
    words_free(&w);
    if (rc == 0)
        rc = mark_launched(launched, err);
    CVM_GUARD(rc);
    CVM_AUTO_DOMAIN virDomainPtr domain = virDomainCreateXML(c, xml, 0);
    return domain ? 0 : cvm_libvirt_fail(err, CVM_E_PLATFORM, "libvirt cannot start the machine");
}

static int start_common(const struct cvm_isolate_spec *spec, virConnectPtr *ret,
                        struct cvm_error *err)
{
    int alive = vm_find(spec, err);
    CVM_GUARD(alive);
    CVM_ENSURE(!alive, err, CVM_E_EXISTS, "the machine of '%s' runs already", spec->folder);
    CVM_AUTO_FREE char *launched = inside(spec, LAUNCHED);
    CVM_ENSURE(access(launched, F_OK) != 0, err, CVM_E_ISOLATE_LOST,
               "a machine was started in '%s' and has ended", spec->folder);
    CVM_ENSURE(spec->memory_mib % MEMORY_STEP == 0, err, CVM_E_PLATFORM,
               "a machine's memory must be a multiple of %d MiB, and the manifest's memory_mib is "
               "%llu",
               MEMORY_STEP, (unsigned long long)spec->memory_mib);
    return cvm_libvirt_open(spec->host->libvirt, true, ret, err);
}

static int sim_start(const struct cvm_isolate_spec *spec, struct cvm_error *err)
{
    CVM_AUTO_LIBVIRT virConnectPtr c = NULL;
    CVM_AUTO_FREE char *folder = NULL;
    CVM_GUARD(start_common(spec, &c, err));
    CVM_GUARD(short_folder(spec, &folder, err));
    CVM_GUARD(make_link(spec, folder, err));
    CVM_AUTO_FREE char *vhost = cvm_printf("%s/" CVM_MACHINE_VHOST, folder);
    /* One of an earlier daemon, killed before it had the machine started, still waits for it. */
    if (cvm_psp_holder(spec->folder) <= 0)
        CVM_GUARD(run_psp(spec, vhost, err));
    CVM_AUTO_FREE char *template = cvm_printf("%s/sim-vm.xml", spec->host->templates);
    CVM_AUTO_FREE char *kernel = inside(spec, "kernel");
    CVM_AUTO_FREE char *initrd = inside(spec, "initramfs");
    CVM_AUTO_FREE char *cmdline_path = inside(spec, "cmdline");
    CVM_AUTO_FREE char *user = cvm_printf("+%u:+%u", geteuid(), getegid());
    char cmdline[CMDLINE_MAX + 1];
    CVM_GUARD(read_line(cmdline_path, cmdline, err));
    struct cvm_domain_spec d = {.template_ = template,
                                .kernel = kernel,
                                .initrd = initrd,
                                .cmdline = cmdline,
                                .kvm = cvm_machine_has_kvm(spec->host, c, spec->folder),
                                .vsock_socket = vhost,
                                .user = is_system(c) ? user : NULL};
    return create(spec, c, &d, err);
}

static int snp_start(const struct cvm_isolate_spec *spec, struct cvm_error *err)
{
    CVM_AUTO_LIBVIRT virConnectPtr c = NULL;
    CVM_GUARD(start_common(spec, &c, err));
    const char *image = spec->host->machine_image;
    CVM_AUTO_FREE char *template = cvm_printf("%s/sev-snp.xml", spec->host->templates);
    CVM_AUTO_FREE char *firmware = cvm_printf("%s/firmware", image);
    CVM_AUTO_FREE char *kernel = cvm_printf("%s/kernel", image);
    CVM_AUTO_FREE char *initrd = cvm_printf("%s/initramfs", image);
    CVM_AUTO_FREE char *cmdline_path = cvm_printf("%s/cmdline", image);
    char cmdline[CMDLINE_MAX + 1];
    CVM_GUARD(read_line(cmdline_path, cmdline, err));
    struct cvm_domain_spec d = {.template_ = template,
                                .loader = firmware,
                                .kernel = kernel,
                                .initrd = initrd,
                                .cmdline = cmdline,
                                .policy = policy_of(&spec->manifest->isolate)};
    CVM_GUARD(create(spec, c, &d, err));
    /* What libvirt took is what counts, not what it was given. */
    CVM_AUTO_DOMAIN virDomainPtr domain = NULL;
    CVM_GUARD(lookup(spec, &domain, err));
    CVM_AUTO_FREE char *xml = domain ? virDomainGetXMLDesc(domain, 0) : NULL;
    struct cvm_digest host_data;
    CVM_ENSURE(xml && cvm_domain_host_data(xml, &host_data, err) == 0 &&
                   cvm_equal(&host_data, &spec->host_data, sizeof host_data),
               err, CVM_E_PLATFORM, "libvirt has not taken HOST_DATA as it was given");
    return 0;
}

/* ---- reaching and ending it ---- */

static bool still_there(void *arg)
{
    struct cvm_error err = {0};
    int rc = vm_find(arg, &err);
    return rc != 0; /* a libvirtd that does not answer says nothing about the machine */
}

static bool told_to_end(void *arg)
{
    const struct cvm_isolate_spec *spec = arg;
    return spec->told_to_end && spec->told_to_end(spec->arg);
}

/* A guest that has not come up in all that time never will: it is given up, not waited for again.
 */
static int wait_ready(const struct cvm_isolate_spec *spec, int psp, struct cvm_error *err)
{
    struct cvm_libvirt_waiter w = {.fd = -1};
    CVM_GUARD(cvm_libvirt_waiter_begin(&w, spec->manifest->collaboration, err));
    const struct cvm_machine_wait wait = {.folder = spec->folder,
                                          .text = "2cvm-agent: ready",
                                          .event_fd = w.fd,
                                          .process_fd = psp,
                                          .wake_fd = spec->wake,
                                          .there = still_there,
                                          .told_to_end = told_to_end,
                                          .arg = (void *)spec,
                                          .timeout_ms = READY_MS};
    int rc = cvm_machine_wait_console(&wait, err);
    cvm_libvirt_waiter_end(&w);
    CVM_ENSURE(rc != 0, err, CVM_E_ISOLATE_LOST,
               "the machine has ended before its agent listened: see " CVM_MACHINE_CONSOLE
               " and psp.log in the isolate's folder");
    if (rc < 0 && err->code == CVM_E_TIMEOUT)
        err->code = CVM_E_ISOLATE_LOST;
    return rc < 0 ? -1 : 0;
}

static int ensure_there(const struct cvm_isolate_spec *spec, struct cvm_error *err)
{
    int alive = vm_find(spec, err);
    CVM_GUARD(alive);
    CVM_ENSURE(alive, err, CVM_E_ISOLATE_LOST, "libvirt has no such machine any more");
    return 0;
}

static int sim_connect(const struct cvm_isolate_spec *spec, struct cvm_error *err)
{
    CVM_GUARD(ensure_there(spec, err));
    pid_t pid = cvm_psp_holder(spec->folder);
    CVM_AUTO_CLOSE int psp = pid > 0 ? pidfd_open(pid, 0) : -1;
    CVM_ENSURE(psp >= 0, err, CVM_E_ISOLATE_LOST, "the machine's software PSP has ended");
    CVM_GUARD(wait_ready(spec, psp, err));
    CVM_AUTO_FREE char *socket = inside(spec, CVM_MACHINE_VSOCK);
    return cvm_machine_connect_user(socket, AGENT_PORT, err);
}

static int snp_connect(const struct cvm_isolate_spec *spec, struct cvm_error *err)
{
    CVM_AUTO_DOMAIN virDomainPtr d = NULL;
    CVM_GUARD(lookup(spec, &d, err));
    CVM_ENSURE(d, err, CVM_E_ISOLATE_LOST, "libvirt has no such machine any more");
    CVM_AUTO_FREE char *xml = virDomainGetXMLDesc(d, 0);
    CVM_ENSURE(xml, err, CVM_E_ISOLATE_LOST, "libvirt has no such machine any more");
    uint32_t cid = 0;
    CVM_GUARD(cvm_domain_cid(xml, &cid, err));
    CVM_GUARD(wait_ready(spec, -1, err));
    return cvm_machine_connect_kernel(cid, AGENT_PORT, err);
}

static int vm_stop(const struct cvm_isolate_spec *spec, struct cvm_error *err)
{
    CVM_AUTO_FREE char *launched = inside(spec, LAUNCHED);
    CVM_AUTO_FREE char *ended = inside(spec, "ended");
    /* Nothing is asked of libvirt for what never began, or is known to have ended. */
    if (access(launched, F_OK) == 0 && access(ended, F_OK) != 0) {
        CVM_AUTO_DOMAIN virDomainPtr d = NULL;
        CVM_GUARD(lookup(spec, &d, err));
        if (d && virDomainDestroy(d) < 0) {
            int alive = vm_find(spec, err);
            CVM_GUARD(alive);
            CVM_ENSURE(!alive, err, CVM_E_PLATFORM, "libvirt does not end the machine");
        }
        CVM_AUTO_CLOSE int fd = open(ended, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
            return cvm_fail_errno(err, "cannot make '%s'", ended);
    }
    CVM_GUARD(cvm_psp_stop(spec->folder, err));
    if (spec->host->runtime) {
        CVM_AUTO_FREE char *link =
            cvm_printf("%s/%s", spec->host->runtime, spec->manifest->collaboration);
        (void)unlink(link);
    }
    return 0;
}

static int vm_moved(const struct cvm_isolate_spec *spec, struct cvm_error *err)
{
    CVM_AUTO_DOMAIN virDomainPtr d = NULL;
    CVM_GUARD(lookup(spec, &d, err));
    if (!d)
        return 0;
    struct words w = {0};
    words_of(spec, &w);
    const struct cvm_domain_spec s = {.state = spec->state,
                                      .manifest = w.manifest,
                                      .participants = w.participants,
                                      .n_participants = spec->manifest->n_participants};
    CVM_AUTO_FREE char *element = NULL;
    int rc = cvm_domain_metadata(&s, &element, err);
    const unsigned live = VIR_DOMAIN_AFFECT_LIVE;
    if (rc == 0 &&
        (virDomainSetMetadata(d, VIR_DOMAIN_METADATA_ELEMENT, element, "c", CVM_DOMAIN_URI, live) <
             0 ||
         virDomainSetMetadata(d, VIR_DOMAIN_METADATA_DESCRIPTION, w.description, NULL, NULL, live) <
             0 ||
         virDomainSetMetadata(d, VIR_DOMAIN_METADATA_TITLE, w.title, NULL, NULL, live) < 0) &&
        virDomainIsActive(d) == 1)
        rc = cvm_libvirt_fail(err, CVM_E_PLATFORM, "libvirt does not take the machine's state");
    words_free(&w);
    return rc;
}

const struct cvm_platform_driver cvm_platform_sim_vm = {
    .platform = CVM_PLATFORM_SIM_VM,
    .machine = true,
    .probe = sim_probe,
    .start = sim_start,
    .find = vm_find,
    .connect = sim_connect,
    .stop = vm_stop,
    .moved = vm_moved,
};

const struct cvm_platform_driver cvm_platform_sev_snp = {
    .platform = CVM_PLATFORM_SEV_SNP,
    .machine = true,
    .probe = snp_probe,
    .start = snp_start,
    .find = vm_find,
    .connect = snp_connect,
    .stop = vm_stop,
    .moved = vm_moved,
};
