#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "guest-agent/agent/init.h"

static void test_memory(void **state)
{
    (void)state;
    /* QEMU's q35 with 512 MiB: a little is the firmware's. */
    assert_int_equal(cvm_init_memory_mib("00000000-00000fff : Reserved\n"
                                         "00001000-0009fbff : System RAM\n"
                                         "000f0000-000fffff : Reserved\n"
                                         "00100000-1ffdefff : System RAM\n"
                                         "  01000000-0175ffff : Kernel code\n"
                                         "  01800000-0199cfff : System RAM\n"
                                         "1ffdf000-1fffffff : Reserved\n"),
                     512);
    /* Above 4 GiB, and exactly on the boundary. */
    assert_int_equal(cvm_init_memory_mib("00000000-7fffffff : System RAM\n"
                                         "100000000-17fffffff : System RAM\n"),
                     4096);
    assert_int_equal(cvm_init_memory_mib("00000000-04000000 : System RAM\n"), 128);
    /* Nothing that only looks like it; zeros are what a user without rights is shown. */
    assert_int_equal(cvm_init_memory_mib(""), 0);
    assert_int_equal(cvm_init_memory_mib("\n\n"), 0);
    assert_int_equal(cvm_init_memory_mib("00000000-00000000 : System RAM\n"), 0);
    assert_int_equal(cvm_init_memory_mib("00001000-0009fbff : System RAM (kexec)\n"), 0);
    assert_int_equal(cvm_init_memory_mib("20000000-1000 : System RAM\n"), 0);
    assert_int_equal(cvm_init_memory_mib("System RAM\nx-y : System RAM\n"), 0);
    assert_int_equal(cvm_init_memory_mib("00000000-3fffffff : System RAM"), 0); /* cut */
}

/* Only the first process of a guest, and never one that was given arguments. */
static void test_wanted(void **state)
{
    (void)state;
    assert_false(cvm_init_wanted(1));
    assert_false(cvm_init_wanted(5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
