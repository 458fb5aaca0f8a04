/* The life of a machine as libvirt's test driver plays it: what the sev-snp driver gives to libvirt
 * and takes from it, and the events on the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "orchestrator/platform/libvirt/machine.h"

#define ID "3f8a5a3c-6d5e-4b55-9a35-0c9f6a1f0001"
#define DRIVER (&cvm_platform_sev_snp)

static char folder[64];
static struct cvm_platform_host host;
static struct cvm_manifest *manifest;
static int events;
static volatile int seen[CVM_MACHINE_UNKNOWN + 1];

static void watcher(void *arg, const char *id, enum cvm_machine_event event, const char *detail)
{
    (void)detail;
    assert_ptr_equal(arg, folder);
    if (id && strcmp(id, ID) == 0)
        seen[event]++;
    eventfd_write(events, 1);
}

/* Waits until the event has come. */
static void wait_for(enum cvm_machine_event event)
{
    struct pollfd p = {.fd = events, .events = POLLIN};
    eventfd_t ignored;
    while (!seen[event]) {
        assert_int_equal(poll(&p, 1, 10000), 1);
        eventfd_read(events, &ignored);
    }
    seen[event] = 0;
}

static char *inside(const char *name)
{
    return cvm_printf("%s/%s", folder, name);
}

static const char *const files[] = {"kernel",      "initramfs", "cmdline", "firmware",
                                    "console.log", "launched",  "ended",   "cpu"};

static int setup(void **state)
{
    (void)state;
    struct cvm_error err = {0};
    snprintf(folder, sizeof folder, "/tmp/cvm-drivers-XXXXXX");
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < 4; i++) {
        CVM_AUTO_FREE char *path = inside(files[i]);
        CVM_AUTO_FCLOSE FILE *f = fopen(path, "we");
        fputs("console=ttyS0 a=b\n", f);
    }
    events = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    host = (struct cvm_platform_host){.libvirt = "test:///default",
                                      .machine_image = folder,
                                      .templates = CVM_SOURCE_DIR "/launch-templates"};
    manifest = cvm_alloc(sizeof *manifest);
    snprintf(manifest->collaboration, sizeof manifest->collaboration, "%s", ID);
    manifest->title = "A <title> & more";
    manifest->n_participants = 2;
    snprintf(manifest->participants[0].id, sizeof manifest->participants[0].id, "hospital");
    snprintf(manifest->participants[1].id, sizeof manifest->participants[1].id, "bank");
    manifest->isolate.smt = true;
    memset(manifest->digest.b, 0xfb, sizeof manifest->digest.b);
    return cvm_libvirt_watch(host.libvirt, watcher, folder, &err);
}

static int teardown(void **state)
{
    (void)state;
    cvm_libvirt_unwatch();
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        CVM_AUTO_FREE char *path = inside(files[i]);
        unlink(path);
    }
    free(manifest);
    close(events);
    return rmdir(folder);
}

static struct cvm_isolate_spec spec_of(const char *state)
{
    return (struct cvm_isolate_spec){.host = &host,
                                     .folder = folder,
                                     .host_data = manifest->digest,
                                     .vcpus = 2,
                                     .memory_mib = 512,
                                     .manifest = manifest,
                                     .state = state};
}

static void must(int rc, int expected, const struct cvm_error *err)
{
    if (rc != expected)
        fail_msg("%d in place of %d: %s", rc, expected, err->message);
}

static void shown(virDomainPtr d, const char *title, const char *state)
{
    CVM_AUTO_FREE char *have = virDomainGetMetadata(d, VIR_DOMAIN_METADATA_TITLE, NULL, 0);
    CVM_AUTO_FREE char *text = virDomainGetMetadata(d, VIR_DOMAIN_METADATA_DESCRIPTION, NULL, 0);
    CVM_AUTO_FREE char *element =
        virDomainGetMetadata(d, VIR_DOMAIN_METADATA_ELEMENT, CVM_DOMAIN_URI, 0);
    CVM_AUTO_FREE char *attribute = cvm_printf("state=\"%s\"", state);
    assert_string_equal(have, title);
    assert_non_null(strstr(text, state));
    assert_non_null(strstr(text, ID));
    assert_non_null(strstr(text, "hospital, bank"));
    assert_non_null(strstr(element, attribute));
    assert_non_null(strstr(element, "id=\"bank\""));
    assert_non_null(strstr(element, "manifest=\"sha256:fbfb"));
    assert_non_null(strstr(element, "daemon=\"" CVM_VERSION "\""));
}

static void test_life(void **state)
{
    (void)state;
    struct cvm_error err = {0};
    struct cvm_isolate_spec s = spec_of("launching");
    must(DRIVER->find(&s, &err), 0, &err);
    must(DRIVER->start(&s, &err), 0, &err);
    must(DRIVER->find(&s, &err), 1, &err);
    assert_int_equal(DRIVER->start(&s, &err), -1);
    assert_int_equal(err.code, CVM_E_EXISTS);

    /* What an administrator of this libvirt sees. */
    CVM_AUTO_LIBVIRT virConnectPtr c = virConnectOpen(host.libvirt);
    CVM_AUTO_DOMAIN virDomainPtr d = virDomainLookupByName(c, "2cvm-" ID);
    assert_non_null(d);
    shown(d, "A <title> & more: launching", "launching");
    assert_int_equal(virDomainIsPersistent(d), 0);
    CVM_AUTO_FREE char *xml = virDomainGetXMLDesc(d, 0);
    assert_non_null(strstr(xml, "<cmdline>console=ttyS0 a=b</cmdline>")); /* no newline */
    assert_non_null(strstr(xml, "30000</policy>"));
    struct cvm_digest host_data;
    must(cvm_domain_host_data(xml, &host_data, &err), 0, &err);
    assert_memory_equal(host_data.b, manifest->digest.b, sizeof host_data.b);
    s = spec_of("running");
    must(DRIVER->moved(&s, &err), 0, &err);
    shown(d, "A <title> & more: running", "running");

    assert_int_equal(virDomainSuspend(d), 0);
    wait_for(CVM_MACHINE_SUSPENDED);
    must(DRIVER->find(&s, &err), 2, &err);
    assert_int_equal(virDomainResume(d), 0);
    wait_for(CVM_MACHINE_RESUMED);
    must(DRIVER->find(&s, &err), 1, &err);

    /* Another manifest's machine of the same name is none of ours, in no way. */
    s.host_data.b[0] ^= 1;
    assert_int_equal(DRIVER->find(&s, &err), -1);
    assert_int_equal(DRIVER->moved(&s, &err), -1);
    assert_int_equal(DRIVER->connect(&s, &err), -1);
    assert_int_equal(DRIVER->stop(&s, &err), -1);
    assert_int_equal(err.code, CVM_E_PLATFORM);
    s.host_data.b[0] ^= 1;
    must(DRIVER->find(&s, &err), 1, &err);

    must(DRIVER->stop(&s, &err), 0, &err);
    wait_for(CVM_MACHINE_ENDED);
    must(DRIVER->find(&s, &err), 0, &err);
    must(DRIVER->moved(&s, &err), 0, &err); /* nothing to show it at */
    must(DRIVER->stop(&s, &err), 0, &err);
    assert_int_equal(DRIVER->connect(&s, &err), -1);
    assert_int_equal(err.code, CVM_E_ISOLATE_LOST);
    /* Never a second one in the same folder. */
    assert_int_equal(DRIVER->start(&s, &err), -1);
    assert_int_equal(err.code, CVM_E_ISOLATE_LOST);
}

static void test_destroyed(void **state)
{
    (void)state;
    struct cvm_error err = {0};
    struct cvm_isolate_spec s = spec_of("launching");
    must(DRIVER->start(&s, &err), 0, &err);
    CVM_AUTO_LIBVIRT virConnectPtr c = virConnectOpen(host.libvirt);
    CVM_AUTO_DOMAIN virDomainPtr d = virDomainLookupByUUIDString(c, ID);
    assert_int_equal(virDomainDestroy(d), 0);
    wait_for(CVM_MACHINE_ENDED);
    must(DRIVER->find(&s, &err), 0, &err);
    assert_int_equal(DRIVER->start(&s, &err), -1);
    assert_int_equal(err.code, CVM_E_ISOLATE_LOST);
    must(DRIVER->stop(&s, &err), 0, &err);
}

static void test_refused(void **state)
{
    (void)state;
    struct cvm_error err = {0};
    struct cvm_isolate_spec s = spec_of("launching");
    s.memory_mib = 520;
    assert_int_equal(DRIVER->start(&s, &err), -1);
    assert_non_null(strstr(err.message, "multiple of 64"));
    must(DRIVER->find(&s, &err), 0, &err);
    s.memory_mib = 512;
    CVM_AUTO_FREE char *cpu = inside("cpu");
    CVM_AUTO_FCLOSE FILE *f = fopen(cpu, "we");
    fputs("EPYC-Milan\n", f);
    fflush(f);
    assert_int_equal(DRIVER->probe(&host, &err), -1);
    assert_non_null(strstr(err.message, "EPYC-Milan"));
    host.machine_image = "/nowhere";
    assert_int_equal(DRIVER->start(&s, &err), -1);
    host.machine_image = folder;
    must(DRIVER->find(&s, &err), 0, &err);
    /* An ended one of an earlier daemon needs no libvirt to be left alone. */
    host.libvirt = NULL;
    must(DRIVER->stop(&s, &err), 0, &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_life, setup, teardown),
        cmocka_unit_test_setup_teardown(test_destroyed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
