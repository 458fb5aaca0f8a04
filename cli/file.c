#include "cli/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int read_all(int fd, const char *path, size_t max, struct cvm_buf *ret,
                    struct cvm_error *err)
{
    uint8_t chunk[16384];
    size_t before = ret->len;
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return cvm_fail_errno(err, "reading %s", path);
        if (n == 0)
            break;
        if (ret->len - before + (size_t)n > max) {
            cvm_wipe(chunk, sizeof chunk);
            return cvm_fail(err, CVM_E_TOO_LARGE, "%s is larger than %zu bytes", path, max);
        }
        cvm_buf_append(ret, chunk, (size_t)n);
    }
    (void)cvm_buf_cstr(ret); /* an empty file is no NULL */
    cvm_wipe(chunk, sizeof chunk);
    return 0;
}

static int open_failed(const char *path, struct cvm_error *err)
{
    return errno == ENOENT ? cvm_fail(err, CVM_E_NOT_FOUND, "%s is not there", path)
                           : cvm_fail_errno(err, "opening %s", path);
}

int cli_file_read(const char *path, size_t max, struct cvm_buf *ret, struct cvm_error *err)
{
    CVM_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return open_failed(path, err);
    return read_all(fd, path, max, ret, err);
}

int cli_file_read_private(const char *path, size_t max, struct cvm_buf *ret, struct cvm_error *err)
{
    CVM_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return open_failed(path, err);
    struct stat st;
    if (fstat(fd, &st) < 0)
        return cvm_fail_errno(err, "looking at %s", path);
    CVM_ENSURE(S_ISREG(st.st_mode) && st.st_uid == geteuid(), err, CVM_E_IO,
               "%s is not a plain file of yours", path);
    if (st.st_mode & 077) {
        char got[16];
        snprintf(got, sizeof got, "mode %04o", st.st_mode & 07777);
        return cvm_fail_expected(err, CVM_E_IO, "mode 0600 (chmod 600)", got,
                                 "%s is a secret that others can read", path);
    }
    return read_all(fd, path, max, ret, err);
}

bool cli_file_exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static int sync_folder_of(const char *path, struct cvm_error *err)
{
    CVM_AUTO_FREE char *copy = cvm_strdup(path);
    const char *folder = dirname(copy);
    CVM_AUTO_CLOSE int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        return cvm_fail_errno(err, "making %s durable", folder);
    return 0;
}

int cli_temp_open(struct cli_temp *t, const char *path, unsigned mode, struct cvm_error *err)
{
    uint8_t random[8];
    CVM_GUARD(cvm_random(random, sizeof random, err));
    CVM_AUTO_FREE char *suffix = cvm_hex(random, sizeof random);
    *t = (struct cli_temp){.fd = -1};
    char *temp = cvm_printf("%s.%s.part", path, suffix);
    int fd = open(temp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0) {
        cvm_fail_errno(err, "creating %s", temp);
        free(temp);
        return -1;
    }
    *t = (struct cli_temp){.path = cvm_strdup(path), .temp = temp, .fd = fd};
    return 0;
}

static int commit(struct cli_temp *t, unsigned flags, struct cvm_error *err)
{
    if (fsync(t->fd) < 0)
        return cvm_fail_errno(err, "making %s durable", t->path);
    if (renameat2(AT_FDCWD, t->temp, AT_FDCWD, t->path, flags) < 0) {
        if (errno == EEXIST)
            return cvm_fail(err, CVM_E_EXISTS, "%s is there already", t->path);
        return cvm_fail_errno(err, "naming %s", t->path);
    }
    free(CVM_TAKE(t->temp));
    return sync_folder_of(t->path, err);
}

int cli_temp_commit(struct cli_temp *t, struct cvm_error *err)
{
    return commit(t, 0, err);
}

void cli_temp_drop(struct cli_temp *t)
{
    if (t->temp)
        unlink(t->temp);
    if (t->path && t->fd >= 0)
        close(t->fd);
    free(t->temp);
    free(t->path);
    *t = (struct cli_temp){.fd = -1};
}

static int write_whole(const char *path, const void *data, size_t len, unsigned mode,
                       unsigned flags, struct cvm_error *err)
{
    CLI_AUTO_TEMP struct cli_temp t = {.fd = -1};
    CVM_GUARD(cli_temp_open(&t, path, mode, err));
    for (size_t at = 0; at < len;) {
        ssize_t n = write(t.fd, (const uint8_t *)data + at, len - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return cvm_fail_errno(err, "writing %s", path);
        at += (size_t)n;
    }
    return commit(&t, flags, err);
}

int cli_file_write(const char *path, const void *data, size_t len, unsigned mode,
                   struct cvm_error *err)
{
    return write_whole(path, data, len, mode, 0, err);
}

int cli_file_create(const char *path, const void *data, size_t len, unsigned mode,
                    struct cvm_error *err)
{
    return write_whole(path, data, len, mode, RENAME_NOREPLACE, err);
}

json_t *cli_json_read(const char *path, bool private_file, struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf bytes = {0};
    if ((private_file ? cli_file_read_private : cli_file_read)(path, CLI_FILE_MAX, &bytes, err) < 0)
        return NULL;
    json_t *v = cvm_json_parse(bytes.data, bytes.len, err);
    if (!v)
        cvm_error_wrap(err, "%s", path);
    return v;
}

int cli_json_write(const char *path, const json_t *value, unsigned mode, bool replace,
                   struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf bytes = {0};
    CVM_GUARD(cvm_json_write(value, &bytes, err));
    cvm_buf_append_u8(&bytes, '\n');
    return write_whole(path, bytes.data, bytes.len, mode, replace ? 0 : RENAME_NOREPLACE, err);
}

int cli_folder(const char *path, struct cvm_error *err)
{
    CVM_AUTO_FREE char *copy = cvm_strdup(path);
    for (char *p = copy + 1;; p++) {
        if (*p && *p != '/')
            continue;
        char end = *p;
        *p = 0;
        if (mkdir(copy, 0700) < 0 && errno != EEXIST)
            return cvm_fail_errno(err, "making the folder %s", copy);
        if (!end)
            break;
        *p = end;
    }
    struct stat st;
    if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
        return cvm_fail(err, CVM_E_IO, "%s is not a folder", path);
    return 0;
}
