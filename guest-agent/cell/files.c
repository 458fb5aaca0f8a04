#include "guest-agent/cell/cell.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define PAGE 4096u
#define PART (256u << 10) /* bytes copied at a time */
#define INODES 8192u      /* files and folders that a cell may have beside its channels */

static uint64_t pages(uint64_t bytes)
{
    return (bytes + PAGE - 1) / PAGE * PAGE;
}

static bool is_stdout(const struct cvm_cell_output *out)
{
    return !strcmp(out->path, CVM_CELL_STDOUT);
}

int cvm_cell_files_size(const struct cvm_cell_spec *spec, struct cvm_sandbox_enter *ret,
                        struct cvm_error *err)
{
    uint64_t total = pages(spec->scratch_bytes) + 16 * PAGE, largest = spec->scratch_bytes;
    for (size_t i = 0; i < spec->n_inputs; i++) {
        struct stat st;
        if (fstat(spec->inputs[i].fd, &st) < 0)
            return cvm_fail_errno(err, "input %zu", i);
        uint64_t size = (uint64_t)st.st_size;
        total += pages(size) + PAGE;
        largest = size > largest ? size : largest;
    }
    for (size_t i = 0; i < spec->n_outputs; i++) {
        uint64_t size = spec->outputs[i].max_bytes;
        total += pages(size) + PAGE;
        largest = size > largest ? size : largest;
    }
    ret->root_bytes = total;
    ret->root_inodes = INODES + 16 * (spec->n_inputs + spec->n_outputs);
    /* One byte more than the largest channel, so that a file above its limit is seen to be that. */
    ret->file_bytes = largest + 1;
    return 0;
}

/*
 * Makes the folders above a path of the form "in/a/b". They belong to whom the first belongs:
 * without a user namespace the cell leaves root later, and still has to write under out/.
 */
static int make_folders(const char *path, struct cvm_error *err)
{
    char part[1024];
    struct stat first = {.st_uid = geteuid(), .st_gid = getegid()};
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        if (snprintf(part, sizeof part, "/%.*s", (int)(slash - path), path) >= (int)sizeof part)
            return cvm_fail(err, CVM_E_INTERNAL, "a path is too long");
        bool made = mkdir(part, 0755) == 0;
        if (!made && (errno != EEXIST || lstat(part, &first) < 0))
            return cvm_fail_errno(err, "a folder of a channel");
        if (made && first.st_uid != geteuid() && lchown(part, first.st_uid, first.st_gid) < 0)
            return cvm_fail_errno(err, "a folder of a channel");
    }
    return 0;
}

/*
 * `give_back`: the source's pages are freed as they are copied, so that a large input does not
 * stand in memory twice. A source that may not be punched (sealed, or open for reading only) just
 * stays.
 */
static int copy(int from, int to, uint64_t len, bool give_back, struct cvm_error *err)
{
    static uint8_t part[PART];
    for (uint64_t at = 0; at < len;) {
        size_t want = len - at < PART ? (size_t)(len - at) : PART;
        ssize_t n = pread(from, part, want, (off_t)at);
        if (n <= 0)
            return cvm_fail_errno(err, "reading a channel");
        for (ssize_t done = 0, w; done < n; done += w) {
            w = pwrite(to, part + done, (size_t)(n - done), (off_t)at + done);
            if (w <= 0)
                return cvm_fail_errno(err, "writing a channel");
        }
        if (give_back)
            (void)fallocate(from, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at, n);
        at += (uint64_t)n;
    }
    return 0;
}

static int fill_one(const struct cvm_cell_input *in, struct cvm_error *err)
{
    char path[1024];
    struct stat st;
    CVM_ENSURE(!strncmp(in->path, "in/", 3), err, CVM_E_INTERNAL, "an input is not below in/");
    CVM_GUARD(make_folders(in->path, err));
    CVM_ENSURE(snprintf(path, sizeof path, "/%s", in->path) < (int)sizeof path, err, CVM_E_INTERNAL,
               "a path is too long");
    if (fstat(in->fd, &st) < 0)
        return cvm_fail_errno(err, "an input");
    CVM_AUTO_CLOSE int to = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0444);
    if (to < 0)
        return cvm_fail_errno(err, "an input's file");
    CVM_GUARD(copy(in->fd, to, (uint64_t)st.st_size, in->last, err));
    /* A file's times would be a clock. */
    const struct timespec never[2] = {{0, 0}, {0, 0}};
    if (futimens(to, never) < 0)
        return cvm_fail_errno(err, "an input's times");
    return 0;
}

int cvm_cell_files_fill(const struct cvm_cell_spec *spec, struct cvm_error *err)
{
    for (size_t i = 0; i < spec->n_inputs; i++) {
        CVM_GUARD(fill_one(&spec->inputs[i], err));
        close(spec->inputs[i].fd);
    }
    for (size_t i = 0; i < spec->n_outputs; i++) {
        if (is_stdout(&spec->outputs[i]))
            continue;
        CVM_ENSURE(!strncmp(spec->outputs[i].path, "out/", 4), err, CVM_E_INTERNAL,
                   "an output is not below out/");
        CVM_GUARD(make_folders(spec->outputs[i].path, err));
    }
    return 0;
}

/* The file that the component left: no link of any kind on the way. */
static int open_left(const char *path)
{
    struct open_how how = {.flags = O_RDWR | O_NONBLOCK | O_CLOEXEC,
                           .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
                                      RESOLVE_NO_XDEV | RESOLVE_BENEATH};
    CVM_AUTO_CLOSE int folder = open("/out", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return -1;
    return (int)syscall(SYS_openat2, folder, path + 4, &how, sizeof how);
}

static void wrong(struct cvm_cell_result *result, size_t i, bool too_large)
{
    result->end = CVM_CELL_OUTPUT;
    result->which = (uint32_t)i;
    result->too_large = too_large;
}

int cvm_cell_files_collect(const struct cvm_cell_spec *spec, uint64_t stdout_bytes,
                           struct cvm_cell_result *result, struct cvm_error *err)
{
    for (size_t i = 0; i < spec->n_outputs && result->end == CVM_CELL_OK; i++) {
        const struct cvm_cell_output *out = &spec->outputs[i];
        struct stat st = {0};
        CVM_AUTO_CLOSE int fd = -1;
        uint64_t size = stdout_bytes;
        if (!is_stdout(out)) {
            fd = open_left(out->path);
            if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
                wrong(result, i, false);
                return 0;
            }
            size = (uint64_t)st.st_size;
        }
        if (size > out->max_bytes) {
            wrong(result, i, true);
            return 0;
        }
        if (fd >= 0)
            CVM_GUARD(copy(fd, out->fd, size, true, err));
        result->output_bytes[i] = size;
    }
    return 0;
}
