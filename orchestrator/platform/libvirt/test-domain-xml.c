/* What we write is held against libvirt's own schema and its test driver, not against our reader.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "orchestrator/platform/libvirt/domain-xml.h"

#define VALIDATOR "/usr/bin/virt-xml-validate"
#define SNP CVM_SOURCE_DIR "/launch-templates/sev-snp.xml"
#define SIM CVM_SOURCE_DIR "/launch-templates/sim-vm.xml"
#define HOSTILE "<a> & \"b\" ']]></title><devices/> <!-- \xc3\xa9"

static const char *const participants[] = {"hospital", "bank"};

static struct cvm_domain_spec spec_of(const char *file)
{
    struct cvm_domain_spec s = {
        .template_ = file,
        .name = "2cvm-0123456789abcdef",
        .uuid = "3f8a5a3c-6d5e-4b55-9a35-0c9f6a1f0001",
        .title = HOSTILE,
        .description = HOSTILE,
        .state = "running",
        .manifest = "sha256:00",
        .participants = participants,
        .n_participants = 2,
        .memory_mib = 1536,
        .vcpus = 2,
        .kernel = "/images/a & b/kernel",
        .initrd = "/images/initramfs",
        .cmdline = "console=ttyS0 loglevel=0",
        .console = "/state/console.log",
        .policy = 0x30000,
    };
    for (size_t i = 0; i < sizeof s.host_data.b; i++) /* with '+' and '/' in its base64 */
        s.host_data.b[i] = (uint8_t)(0xfb + 7 * i);
    if (strcmp(file, SNP) == 0)
        s.loader = "/usr/share/ovmf/OVMF.amdsev.fd";
    return s;
}

static char *made(const struct cvm_domain_spec *s)
{
    char *xml = NULL;
    struct cvm_error err = {0};
    if (cvm_domain_xml(s, &xml, &err) < 0)
        fail_msg("%s", err.message);
    return xml;
}

static int valid(const char *xml)
{
    char path[] = "/tmp/cvm-domain-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, xml, strlen(xml)), (ssize_t)strlen(xml));
    close(fd);
    char *argv[] = {(char *)VALIDATOR, path, (char *)"domain", NULL};
    pid_t pid;
    int status = -1;
    assert_int_equal(posix_spawn(&pid, VALIDATOR, NULL, NULL, argv, environ), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    unlink(path);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void test_schema(void **state)
{
    (void)state;
    if (access(VALIDATOR, X_OK) != 0) {
        print_message("skipped: no %s on this machine\n", VALIDATOR);
        skip();
    }
    struct cvm_domain_spec s = spec_of(SNP);
    CVM_AUTO_FREE char *snp = made(&s);
    assert_true(valid(snp));
    s = spec_of(SIM);
    CVM_AUTO_FREE char *sim = made(&s);
    assert_true(valid(sim));
    s.vsock_socket = "/state/vsock";
    s.kvm = true;
    CVM_AUTO_FREE char *user = made(&s);
    assert_true(valid(user));
    assert_null(strstr(user, "<vsock"));
    assert_non_null(strstr(user, "path=/state/vsock"));
    /* That the validator refuses at all. */
    char *attribute = strstr(user, "placement=");
    memcpy(attribute, "placemenX=", 10);
    assert_false(valid(user));
}

static void silent(void *data, virErrorPtr error)
{
    (void)data;
    (void)error;
}

/* libvirt's view of the domain; what it read is what counts. */
static void test_read_back(void **state)
{
    (void)state;
    virSetErrorFunc(NULL, silent);
    virConnectPtr c = virConnectOpen("test:///default");
    assert_non_null(c);
    struct cvm_domain_spec s = spec_of(SNP);
    CVM_AUTO_FREE char *xml = made(&s);
    virDomainPtr d = virDomainDefineXML(c, xml);
    if (!d)
        fail_msg("%s", virGetLastErrorMessage());
    CVM_AUTO_FREE char *back = virDomainGetXMLDesc(d, 0);
    assert_non_null(back);
    struct cvm_digest host_data;
    assert_int_equal(cvm_domain_host_data(back, &host_data, NULL), 0);
    assert_memory_equal(host_data.b, s.host_data.b, sizeof host_data.b);
    CVM_AUTO_FREE char *title = virDomainGetMetadata(d, VIR_DOMAIN_METADATA_TITLE, NULL, 0);
    assert_string_equal(title, HOSTILE);
    CVM_AUTO_FREE char *meta =
        virDomainGetMetadata(d, VIR_DOMAIN_METADATA_ELEMENT, CVM_DOMAIN_URI, 0);
    assert_non_null(strstr(meta, "state=\"running\""));
    assert_non_null(strstr(meta, "id=\"bank\""));

    s.state = "released";
    CVM_AUTO_FREE char *next = NULL;
    assert_int_equal(cvm_domain_metadata(&s, &next, NULL), 0);
    if (virDomainSetMetadata(d, VIR_DOMAIN_METADATA_ELEMENT, next, "c", CVM_DOMAIN_URI,
                             VIR_DOMAIN_AFFECT_CONFIG) < 0)
        fail_msg("%s in %s", virGetLastErrorMessage(), next);
    CVM_AUTO_FREE char *moved =
        virDomainGetMetadata(d, VIR_DOMAIN_METADATA_ELEMENT, CVM_DOMAIN_URI, 0);
    assert_non_null(strstr(moved, "state=\"released\""));
    virDomainUndefine(d);
    virDomainFree(d);
    virConnectClose(c);
}

static void refused_host_data(const char *text, enum cvm_code code)
{
    CVM_AUTO_FREE char *xml =
        cvm_printf("<domain><launchSecurity>%s</launchSecurity></domain>", text);
    struct cvm_digest d;
    struct cvm_error err = {0};
    assert_int_equal(cvm_domain_host_data(xml, &d, &err), -1);
    assert_int_equal(err.code, code);
}

/* All of the first group but the last two are taken by libvirt. */
static void test_host_data_forms(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "T0RI!!!!xn88jfyN6KXjcSXYB9rcxB8GzyP2FdvVLux3fRA=",
        " T0RIxn88jfyN6KXjcSXYB9rcxB8GzyP2FdvVLux3fRA=",
        "T0RIxn88jfyN6KXjcSXYB9rcxB8GzyP2FdvVLux3fRB=",
        "T0RIxn88jfyN6KXjcSXYB9rcxB8GzyP2FdvVLux3fRA",
        "T0RIxn88jfyN6KXjcSXYB9rcxB8GzyP2FdvVLux3fQ==",
        "",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CVM_AUTO_FREE char *element = cvm_printf("<hostData>%s</hostData>", bad[i]);
        refused_host_data(element, CVM_E_BAD_ENCODING);
    }
    refused_host_data("", CVM_E_NOT_FOUND);
    refused_host_data("<hostData>T0RIxn88jfyN6KXjcSXYB9rcxB8GzyP2FdvVLux3fRA=</hostData>"
                      "<hostData/>",
                      CVM_E_NOT_FOUND);
    refused_host_data("<hostData>", CVM_E_BAD_ENCODING);
}

static void refused(const struct cvm_domain_spec *s, enum cvm_code code)
{
    char *xml = NULL;
    struct cvm_error err = {0};
    assert_int_equal(cvm_domain_xml(s, &xml, &err), -1);
    assert_int_equal(err.code, code);
    assert_null(xml);
}

static void test_refusals(void **state)
{
    (void)state;
    struct cvm_domain_spec s = spec_of(SNP);
    s.title = "bell \a";
    refused(&s, CVM_E_USAGE);
    s.title = "half \xc3";
    refused(&s, CVM_E_USAGE);
    s.title = "no character \xef\xbf\xbf";
    refused(&s, CVM_E_USAGE);
    s = spec_of(SNP);
    s.participants = (const char *const[]){"x\"/>", "bank"};
    refused(&s, CVM_E_USAGE);
    s = spec_of(SNP);
    s.loader = NULL;
    refused(&s, CVM_E_PLATFORM);
    s = spec_of(SNP);
    s.vsock_socket = "/state/vsock"; /* memory of a SEV-SNP machine is not shared with a program */
    refused(&s, CVM_E_PLATFORM);
    s = spec_of(SIM);
    s.vsock_socket = "/state/a,server=on";
    refused(&s, CVM_E_PLATFORM);
    s = spec_of(SIM);
    s.loader = "/usr/share/ovmf/OVMF.fd"; /* the template has no place for it */
    refused(&s, CVM_E_PLATFORM);
    s = spec_of(CVM_SOURCE_DIR "/LICENSE");
    refused(&s, CVM_E_PLATFORM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schema),
        cmocka_unit_test(test_read_back),
        cmocka_unit_test(test_host_data_forms),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
