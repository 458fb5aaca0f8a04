/* Helpers of the tests of this folder: files in memory, hex, and what must fail with which code. */
#ifndef CVM_SEAL_TEST_SUPPORT_H
#define CVM_SEAL_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "core/base/encode.h"
#include "core/base/descriptor.h"

#define OK(call)                                                                                   \
    do {                                                                                           \
        struct cvm_error err = {0};                                                                \
        if ((call) < 0)                                                                            \
            fail_msg("%s: %s", cvm_code_info(err.code)->name, err.message);                        \
    } while (0)

#define REFUSED(wanted, call)                                                                      \
    do {                                                                                           \
        struct cvm_error err = {0};                                                                \
        if ((call) >= 0)                                                                           \
            fail_msg("accepted, but %s is due", cvm_code_info(wanted)->name);                      \
        assert_string_equal(cvm_code_info(err.code)->name, cvm_code_info(wanted)->name);           \
    } while (0)

static inline struct cvm_buf from_hex(const char *hex)
{
    struct cvm_buf b = {0};
    size_t len = strlen(hex) / 2;
    OK(cvm_hex_decode(hex, cvm_buf_extend(&b, len), len, &err));
    return b;
}

static inline int file_of(const void *data, size_t len)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_true(fd >= 0);
    OK(cvm_fd_write(fd, data, len, &err));
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

/* All bytes of the file; closes it. */
static inline struct cvm_buf contents(int fd)
{
    struct cvm_buf b = {0};
    uint64_t size;
    size_t n;
    lseek(fd, 0, SEEK_SET);
    OK(cvm_fd_left(fd, &size, &err));
    OK(cvm_fd_read(fd, cvm_buf_extend(&b, size), size, &n, &err));
    assert_int_equal(n, size);
    close(fd);
    return b;
}

#endif
