/* What is read of libvirt's documents, and how the guest is waited for and reached, against a fake
 * of vhost-device-vsock's socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "orchestrator/platform/libvirt/machine.h"
#include "orchestrator/transport/unix-socket.h"

#define DIGEST "sha256:4d8c8b9e4f0a6d3b2c1e0f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c4d3e2f1a0b9c"

static void test_documents(void **state)
{
    (void)state;
    struct cvm_digest d;
    char text[CVM_DIGEST_TEXT];
    assert_int_equal(cvm_domain_metadata_manifest(
                         "<collaboration manifest=\"" DIGEST "\" state=\"running\"/>", &d, NULL),
                     0);
    assert_string_equal(cvm_digest_text(&d, text), DIGEST);
    static const char *const bad[] = {"", "<x", "<other manifest=\"" DIGEST "\"/>",
                                      "<collaboration/>",
                                      "<collaboration manifest=\"sha256:00\"/>"};
    struct cvm_error err = {0};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(cvm_domain_metadata_manifest(bad[i], &d, &err), -1);

    uint32_t cid = 0;
#define VSOCK(cid) "<domain><devices><vsock><cid auto=\"yes\" " cid "/></vsock></devices></domain>"
    assert_int_equal(cvm_domain_cid(VSOCK("address=\"17\""), &cid, &err), 0);
    assert_int_equal(cid, 17);
    static const char *const none[] = {VSOCK(""), VSOCK("address=\"2\""), VSOCK("address=\"x\""),
                                       VSOCK("address=\"4294967295\""), "<domain/>"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        assert_int_equal(cvm_domain_cid(none[i], &cid, &err), -1);
        assert_int_equal(err.code, CVM_E_NOT_FOUND);
    }
}

#define CAPABLE(body) "<domainCapabilities><features>" body "</features></domainCapabilities>"

static void test_capabilities(void **state)
{
    (void)state;
    struct cvm_error err = {0};
    static const char *const yes =
        CAPABLE("<sev supported='yes'/><launchSecurity supported='yes'><enum name='sectype'>"
                "<value>sev</value><value>sev-snp</value></enum></launchSecurity>");
    static const char *const no[] = {
        CAPABLE("<launchSecurity supported='no'/>"),
        CAPABLE("<launchSecurity supported='no'><enum><value>sev-snp</value></enum>"
                "</launchSecurity>"),
        CAPABLE("<launchSecurity supported='yes'><enum name='sectype'><value>sev</value></enum>"
                "</launchSecurity>"),
        CAPABLE("<sev supported='yes'/>"),
        "<domainCapabilities/>",
    };
    assert_int_equal(cvm_domain_capable_of_snp(yes, &err), 1);
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        assert_int_equal(cvm_domain_capable_of_snp(no[i], &err), 0);
    assert_int_equal(cvm_domain_capable_of_snp("<x", &err), -1);
}

/* ---- the console ---- */

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/cvm-machine-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    CVM_AUTO_FREE char *console = cvm_printf("%s/" CVM_MACHINE_CONSOLE, folder);
    CVM_AUTO_FREE char *socket = cvm_printf("%s/vsock", folder);
    unlink(console);
    unlink(socket);
    return rmdir(folder);
}

static void print_on_console(const char *text)
{
    CVM_AUTO_FREE char *path = cvm_printf("%s/" CVM_MACHINE_CONSOLE, folder);
    CVM_AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static bool there_answer;
static bool there(void *arg)
{
    (void)arg;
    return there_answer;
}

static void *print_later(void *arg)
{
    (void)arg;
    print_on_console("2cvm-init: memory\n2cvm-agent: rea");
    print_on_console("dy\n");
    return NULL;
}

static void *end_later(void *arg)
{
    there_answer = false;
    eventfd_write(*(int *)arg, 1);
    return NULL;
}

static bool told;

static bool told_to_end(void *arg)
{
    (void)arg;
    return told;
}

static void *tell_later(void *arg)
{
    usleep(50000);
    eventfd_write(*(int *)arg, 1); /* rung for another reason: the wait goes on */
    usleep(50000);
    told = true;
    eventfd_write(*(int *)arg, 1);
    return NULL;
}

static void test_told_to_end(void **state)
{
    (void)state;
    struct cvm_error err = {0};
    CVM_AUTO_CLOSE int event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    CVM_AUTO_CLOSE int wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    struct cvm_machine_wait w = {.folder = folder,
                                 .text = "never said",
                                 .event_fd = event,
                                 .process_fd = -1,
                                 .wake_fd = wake,
                                 .there = there,
                                 .told_to_end = told_to_end,
                                 .timeout_ms = 20000};
    pthread_t t;
    there_answer = true;
    assert_int_equal(pthread_create(&t, NULL, tell_later, &wake), 0);
    assert_int_equal(cvm_machine_wait_console(&w, &err), -1);
    assert_int_equal(err.code, CVM_E_CONNECTION);
    assert_true(told);
    pthread_join(t, NULL);
}

static void test_console(void **state)
{
    (void)state;
    struct cvm_error err = {0};
    CVM_AUTO_CLOSE int event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    struct cvm_machine_wait w = {.folder = folder,
                                 .text = "2cvm-agent: ready",
                                 .event_fd = event,
                                 .process_fd = -1,
                                 .there = there,
                                 .timeout_ms = 100};
    pthread_t t;
    there_answer = false;
    assert_int_equal(cvm_machine_wait_console(&w, &err), 0);
    there_answer = true;
    assert_int_equal(cvm_machine_wait_console(&w, &err), -1);
    assert_int_equal(err.code, CVM_E_TIMEOUT);
    w.timeout_ms = 20000;
    assert_int_equal(pthread_create(&t, NULL, end_later, &event), 0);
    assert_int_equal(cvm_machine_wait_console(&w, &err), 0);
    pthread_join(t, NULL);
    there_answer = true;
    int gone[2];
    assert_int_equal(pipe(gone), 0);
    close(gone[1]); /* as a pidfd: readable when the process has ended */
    w.process_fd = gone[0];
    assert_int_equal(cvm_machine_wait_console(&w, &err), 0);
    close(gone[0]);
    w.process_fd = -1;
    assert_int_equal(pthread_create(&t, NULL, print_later, NULL), 0);
    assert_int_equal(cvm_machine_wait_console(&w, &err), 1);
    pthread_join(t, NULL);
}

/* ---- the vsock ---- */

struct fake {
    int listener;
    const char *answer;
};

static void *serve(void *arg)
{
    struct fake *f = arg;
    char request[64] = "";
    CVM_AUTO_CLOSE int fd = accept(f->listener, NULL, NULL);
    ssize_t n = recv(fd, request, sizeof request - 1, 0);
    if (n > 0 && strcmp(request, "CONNECT 1024\n") == 0 && f->answer)
        (void)send(fd, f->answer, strlen(f->answer), MSG_NOSIGNAL);
    return NULL;
}

static int reached(const char *answer, struct cvm_error *err)
{
    CVM_AUTO_FREE char *path = cvm_printf("%s/vsock", folder);
    CVM_AUTO_CLOSE int listener = cvm_unix_listen(path, err);
    assert_true(listener >= 0);
    assert_int_equal(fcntl(listener, F_SETFL, 0), 0);
    struct fake f = {listener, answer};
    pthread_t t;
    assert_int_equal(pthread_create(&t, NULL, serve, &f), 0);
    int fd = cvm_machine_connect_user(path, 1024, err);
    pthread_join(t, NULL);
    return fd;
}

static void test_connect(void **state)
{
    (void)state;
    struct cvm_error err = {0};
    CVM_AUTO_CLOSE int fd = reached("OK 1073741824\nagent", &err);
    assert_true(fd >= 0);
    char rest[16];
    assert_int_equal(recv(fd, rest, sizeof rest, 0), 5); /* nothing of it was swallowed */
    assert_memory_equal(rest, "agent", 5);
    static const char *const bad[] = {
        NULL, "", "NO\n", "OK ", "OK \n", "OK 111111111111111111111111111111111111111\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        err = (struct cvm_error){0};
        assert_int_equal(reached(bad[i], &err), -1);
        assert_int_equal(err.code, CVM_E_CONNECTION);
    }
    CVM_AUTO_FREE char *nobody = cvm_printf("%s/nobody", folder);
    assert_int_equal(cvm_machine_connect_user(nobody, 1024, &err), -1);
    assert_int_equal(err.code, CVM_E_CONNECTION);
}

/* ---- refusals before anything is asked of libvirt ---- */

static void test_probe(void **state)
{
    (void)state;
    struct cvm_error err = {0};
    struct cvm_platform_host host = {.image = "/", .psp = "/bin/true"};
    assert_int_equal(cvm_platform_sim_vm.probe(&host, &err), -1);
    assert_int_equal(err.code, CVM_E_PLATFORM);
    assert_non_null(strstr(err.message, "--libvirt"));
    host.libvirt = "test:///default";
    assert_int_equal(cvm_platform_sev_snp.probe(&host, &err), -1);
    assert_non_null(strstr(err.message, "--machine-image"));
    host.machine_image = folder;
    host.templates = CVM_SOURCE_DIR "/launch-templates";
    assert_int_equal(cvm_platform_sev_snp.probe(&host, &err), -1);
    assert_non_null(strstr(err.message, "/kernel'"));
    static const char *const names[] = {"kernel", "initramfs", "cmdline", "firmware"};
    for (size_t i = 0; i < 4; i++) {
        CVM_AUTO_FREE char *path = cvm_printf("%s/%s", folder, names[i]);
        if (i == 3) { /* the firmware is still missing */
            host.libvirt = "no-such-driver:///x";
            assert_int_equal(cvm_platform_sim_vm.probe(&host, &err), -1);
            assert_int_equal(err.code, CVM_E_CONNECTION);
            host.libvirt = "test:///default";
            assert_int_equal(cvm_platform_sev_snp.probe(&host, &err), -1);
            assert_non_null(strstr(err.message, "ovmf-amdsev"));
        }
        close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    }
    err = (struct cvm_error){0};
    /* This host has no SEV-SNP, or libvirt's test driver knows none: never a yes. */
    assert_int_equal(cvm_platform_sev_snp.probe(&host, &err), -1);
    assert_int_equal(err.code, CVM_E_PLATFORM);
    for (size_t i = 0; i < 4; i++) {
        CVM_AUTO_FREE char *path = cvm_printf("%s/%s", folder, names[i]);
        unlink(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_capabilities),
        cmocka_unit_test_setup_teardown(test_console, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_told_to_end, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_connect, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_probe, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
