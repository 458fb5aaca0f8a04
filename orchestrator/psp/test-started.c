/* The arguments as libvirt 11.3 gives them to QEMU 7.2, and as somebody would who wants to be
 * measured as something else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "orchestrator/psp/machine.h"

#define VHOST "/run/x/vhost"
#define CHARDEV "-chardev", "socket,id=vs0,reconnect=0,path=" VHOST
#define KERNEL "-kernel", "/s/kernel", "-initrd", "/s/initramfs", "-append", "console=ttyS0 a=b"
#define SIZES "-m", "size=524288k", "-smp", "2,sockets=2,cores=1,threads=1"

static int started(const char *const *words, struct cvm_psp_started *ret, struct cvm_error *err)
{
    static struct cvm_buf text;
    cvm_buf_free(&text);
    for (size_t i = 0; words[i]; i++)
        cvm_buf_append(&text, words[i], strlen(words[i]) + 1);
    return cvm_psp_started((const char *)text.data, text.len, VHOST, ret, err);
}
#define STARTED(ret, err, ...) started((const char *const[]){"qemu", __VA_ARGS__, NULL}, ret, err)

static void test_good(void **state)
{
    (void)state;
    struct cvm_psp_started s = {0};
    struct cvm_error err = {0};
    assert_int_equal(STARTED(&s, &err, "-S", SIZES, KERNEL, CHARDEV, "-msg", "timestamp=on"), 1);
    assert_string_equal(s.kernel, "/s/kernel");
    assert_string_equal(s.initrd, "/s/initramfs");
    assert_string_equal(s.append, "console=ttyS0 a=b");
    assert_int_equal(s.vcpus, 2);
    assert_int_equal(s.memory_mib, 512);
    assert_int_equal(STARTED(&s, &err, "-m", "1024M", "-smp", "16,sockets=16", KERNEL, CHARDEV), 1);
    assert_int_equal(s.vcpus, 16);
    assert_int_equal(s.memory_mib, 1024);
}

static void test_other(void **state)
{
    (void)state;
    struct cvm_psp_started s;
    struct cvm_error err = {0};
    assert_int_equal(STARTED(&s, &err, SIZES, KERNEL), 0);
    assert_int_equal(STARTED(&s, &err, SIZES, KERNEL, "-chardev", "socket,id=vs0,path=/y/vhost"),
                     0);
    assert_int_equal(STARTED(&s, &err, SIZES, KERNEL, "-x", "socket,id=a,path=" VHOST), 0);
    assert_int_equal(STARTED(&s, &err, SIZES, KERNEL, "-chardev", "socket,id=a,path=/a" VHOST), 0);
    assert_int_equal(STARTED(&s, &err, SIZES, KERNEL, "-chardev"), 0);
    assert_int_equal(cvm_psp_started("", 0, VHOST, &s, &err), 0);
    assert_int_equal(cvm_psp_started("no end", 6, VHOST, &s, &err), 0);
}

static void test_refused(void **state)
{
    (void)state;
    struct cvm_psp_started s;
    struct cvm_error err = {0};
    /* Twice: which one counts is QEMU's business. */
    assert_int_equal(STARTED(&s, &err, SIZES, KERNEL, CHARDEV, "-append", "init=/x"), -1);
    assert_int_equal(err.code, CVM_E_PLATFORM);
    assert_int_equal(STARTED(&s, &err, SIZES, KERNEL, CHARDEV, "-kernel", "/y"), -1);
    assert_int_equal(STARTED(&s, &err, SIZES, KERNEL, CHARDEV, "-initrd", "/y"), -1);
    assert_int_equal(STARTED(&s, &err, SIZES, KERNEL, CHARDEV, "-m", "1024M"), -1);
    assert_int_equal(STARTED(&s, &err, SIZES, KERNEL, CHARDEV, "-smp", "1"), -1);
    /* Missing. */
    assert_int_equal(STARTED(&s, &err, SIZES, CHARDEV), -1);
    assert_int_equal(STARTED(&s, &err, SIZES, "-kernel", "/k", CHARDEV), -1);
    assert_int_equal(STARTED(&s, &err, KERNEL, CHARDEV), -1);
    /* Sizes of another form, or that may grow. */
    static const char *const memory[] = {"",
                                         "512",
                                         "size=512",
                                         "size=524289k",
                                         "-512M",
                                         "512G",
                                         "512M,slots=2",
                                         "size=512M,maxmem=1G",
                                         "0M",
                                         "size=",
                                         "k",
                                         "99999999999999999999M"};
    for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++)
        assert_int_equal(STARTED(&s, &err, "-m", memory[i], "-smp", "2", KERNEL, CHARDEV), -1);
    static const char *const processors[] = {"", "0", "two", "513", "2x", "2,maxcpus=4", "cpus=2"};
    for (size_t i = 0; i < sizeof processors / sizeof processors[0]; i++)
        assert_int_equal(STARTED(&s, &err, "-m", "512M", "-smp", processors[i], KERNEL, CHARDEV),
                         -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_other),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
