#include "core/base/descriptor.h"

#include <errno.h>
#include <sys/stat.h>

int cvm_fd_write(int fd, const void *data, size_t len, struct cvm_error *err)
{
    const uint8_t *p = data;
    while (len) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return cvm_fail_errno(err, "writing");
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

int cvm_fd_read(int fd, void *out, size_t len, size_t *ret_len, struct cvm_error *err)
{
    size_t at = 0;
    while (at < len) {
        ssize_t n = read(fd, (uint8_t *)out + at, len - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return cvm_fail_errno(err, "reading");
        if (n == 0)
            break;
        at += (size_t)n;
    }
    *ret_len = at;
    return 0;
}

int cvm_fd_left(int fd, uint64_t *ret, struct cvm_error *err)
{
    struct stat st;
    off_t at = lseek(fd, 0, SEEK_CUR);
    if (at < 0 || fstat(fd, &st) < 0)
        return cvm_fail_errno(err, "looking for the length");
    CVM_ENSURE(S_ISREG(st.st_mode) && st.st_size >= at, err, CVM_E_IO, "not a regular file");
    *ret = (uint64_t)(st.st_size - at);
    return 0;
}
