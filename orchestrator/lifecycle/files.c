#include "orchestrator/lifecycle/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/descriptor.h"

int cvm_folder_sync(const char *path, struct cvm_error *err)
{
    CVM_AUTO_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        return cvm_fail_errno(err, "cannot sync the folder '%s'", path);
    return 0;
}

static int sync_parent(const char *path, struct cvm_error *err)
{
    CVM_AUTO_FREE char *copy = cvm_strdup(path);
    return cvm_folder_sync(dirname(copy), err);
}

int cvm_folder_make(const char *path, struct cvm_error *err)
{
    if (mkdir(path, 0700) < 0) {
        struct stat st;
        if (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
            return 0;
        return cvm_fail_errno(err, "cannot make the folder '%s'", path);
    }
    return sync_parent(path, err);
}

int cvm_temp_open(const char *folder, char **ret_path, struct cvm_error *err)
{
    CVM_AUTO_FREE char *path = cvm_printf("%s/" CVM_TEMP_PREFIX "XXXXXX", folder);
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return cvm_fail_errno(err, "cannot make a file in '%s'", folder);
    *ret_path = CVM_TAKE(path);
    return fd;
}

int cvm_temp_commit(int fd, const char *temp, const char *path, struct cvm_error *err)
{
    if (fsync(fd) < 0)
        return cvm_fail_errno(err, "cannot sync '%s'", temp);
    return cvm_file_rename(temp, path, err);
}

int cvm_file_rename(const char *from, const char *to, struct cvm_error *err)
{
    if (rename(from, to) < 0)
        return cvm_fail_errno(err, "cannot rename to '%s'", to);
    return sync_parent(to, err);
}

static void cleanup_dir(DIR **d)
{
    if (*d)
        closedir(*d);
}

int cvm_temp_sweep(const char *folder, struct cvm_error *err)
{
    CVM_CLEANUP(cleanup_dir) DIR *d = opendir(folder);
    if (!d)
        return errno == ENOENT ? 0 : cvm_fail_errno(err, "cannot read the folder '%s'", folder);
    struct dirent *e;
    while ((e = readdir(d)))
        if (strncmp(e->d_name, CVM_TEMP_PREFIX, strlen(CVM_TEMP_PREFIX)) == 0 &&
            unlinkat(dirfd(d), e->d_name, 0) < 0 && errno != ENOENT && errno != EISDIR)
            return cvm_fail_errno(err, "cannot remove '%s/%s'", folder, e->d_name);
    return 0;
}

int cvm_file_write(const char *path, const void *data, size_t len, struct cvm_error *err)
{
    CVM_AUTO_FREE char *copy = cvm_strdup(path);
    CVM_AUTO_FREE char *temp = NULL;
    CVM_AUTO_CLOSE int fd = cvm_temp_open(dirname(copy), &temp, err);
    CVM_GUARD(fd);
    if (cvm_fd_write(fd, data, len, err) < 0 || cvm_temp_commit(fd, temp, path, err) < 0) {
        unlink(temp);
        return -1;
    }
    return 0;
}

int cvm_file_read(const char *path, size_t max, struct cvm_buf *ret, struct cvm_error *err)
{
    CVM_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    if (fd < 0 && errno == ENOENT)
        return cvm_fail(err, CVM_E_NOT_FOUND, "'%s' is not there", path);
    if (fd < 0 || fstat(fd, &st) < 0)
        return cvm_fail_errno(err, "cannot open '%s'", path);
    CVM_ENSURE(S_ISREG(st.st_mode), err, CVM_E_IO, "'%s' is no file", path);
    CVM_ENSURE((uint64_t)st.st_size <= max, err, CVM_E_TOO_LARGE, "'%s' has %lld bytes", path,
               (long long)st.st_size);
    size_t len = (size_t)st.st_size, at = 0;
    uint8_t *p = cvm_buf_extend(ret, len);
    while (at < len) {
        ssize_t n = read(fd, p + at, len - at);
        if (n < 0 && errno == EINTR)
            continue;
        CVM_ENSURE(n > 0, err, CVM_E_IO, "cannot read all of '%s'", path);
        at += (size_t)n;
    }
    return 0;
}
