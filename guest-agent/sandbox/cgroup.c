#include "guest-agent/sandbox/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define CGROUP2_MAGIC 0x63677270

static int write_file(int dir, const char *name, const char *text)
{
    CVM_AUTO_CLOSE int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    return write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

static int write_number(int dir, const char *name, uint64_t value)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    return write_file(dir, name, text);
}

static bool has_word(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; (p = strstr(p, word)); p += n)
        if ((p == list || p[-1] == ' ') && (p[n] == 0 || p[n] == ' ' || p[n] == '\n'))
            return true;
    return false;
}

static bool has_controllers(int dir, const char *file)
{
    char list[256] = "";
    CVM_AUTO_CLOSE int fd = openat(dir, file, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, list, sizeof list - 1) < 0)
        return false;
    return has_word(list, "memory") && has_word(list, "cpu") && has_word(list, "pids");
}

/* The path of our own group, from the line "0::/…" of /proc/self/cgroup. */
static int own_group(char *out, size_t size)
{
    char text[4096] = "";
    CVM_AUTO_CLOSE int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof text - 1) < 0)
        return -1;
    const char *line = text;
    while (line && strncmp(line, "0::", 3) != 0)
        line = (line = strchr(line, '\n')) ? line + 1 : NULL;
    if (!line)
        return -1;
    line += 3;
    int n = (int)strcspn(line, "\n");
    return snprintf(out, size, "/sys/fs/cgroup%.*s", n, line) < (int)size ? 0 : -1;
}

int cvm_cgroup_root(int *ret_parent, struct cvm_error *err)
{
    char path[4200];
    struct statfs fs;
    if (own_group(path, sizeof path) < 0)
        return cvm_fail(err, CVM_E_UNSUPPORTED, "this process is in no group of cgroup v2");
    CVM_AUTO_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstatfs(fd, &fs) < 0 || fs.f_type != CGROUP2_MAGIC ||
        !has_controllers(fd, "cgroup.controllers"))
        return cvm_fail(err, CVM_E_UNSUPPORTED,
                        "no cgroup v2 with the controllers memory, cpu and pids");
    /*
     * Controllers can only be handed down from a group that holds no process (but the root): we
     * move into a leaf of our own first. A second call finds that done.
     */
    if (!has_controllers(fd, "cgroup.subtree_control")) {
        if (write_file(fd, "cgroup.subtree_control", "+memory +cpu +pids") < 0) {
            if ((mkdirat(fd, "agent", 0755) < 0 && errno != EEXIST) ||
                write_file(fd, "agent/cgroup.procs", "0") < 0 ||
                write_file(fd, "cgroup.subtree_control", "+memory +cpu +pids") < 0)
                return cvm_fail(err, CVM_E_UNSUPPORTED,
                                "the cgroup may not be divided by this process: %s",
                                strerror(errno));
        }
    }
    *ret_parent = CVM_TAKE_FD(fd);
    return 0;
}

int cvm_cgroup_create(int parent, const char *name, uint64_t memory_bytes, unsigned pids,
                      int *ret_leaf, struct cvm_error *err)
{
    if (mkdirat(parent, name, 0755) < 0)
        return cvm_fail(err, CVM_E_SANDBOX, "cgroup %s: %s", name, strerror(errno));
    CVM_AUTO_CLOSE int leaf = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (leaf < 0 || write_number(leaf, "memory.max", memory_bytes) < 0 ||
        write_number(leaf, "pids.max", pids) < 0 || write_file(leaf, "memory.oom.group", "1") < 0) {
        int saved = errno;
        (void)unlinkat(parent, name, AT_REMOVEDIR);
        return cvm_fail(err, CVM_E_SANDBOX, "cgroup %s: %s", name, strerror(saved));
    }
    (void)write_file(leaf, "memory.swap.max", "0"); /* absent where there is no swap */
    *ret_leaf = CVM_TAKE_FD(leaf);
    return 0;
}

void cvm_cgroup_remove(int parent, const char *name, int leaf)
{
    (void)write_file(leaf, "cgroup.kill", "1");
    /* It is removable once its last process is gone: cgroup.events tells, by POLLPRI, when
     * "populated" changes. */
    CVM_AUTO_CLOSE int events = openat(leaf, "cgroup.events", O_RDONLY | O_CLOEXEC);
    for (int i = 0; i < 100 && unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno == EBUSY; i++) {
        struct pollfd p = {.fd = events, .events = POLLPRI};
        char text[128];
        if (events < 0 || pread(events, text, sizeof text, 0) < 0 || poll(&p, 1, 100) < 0)
            return;
    }
}
