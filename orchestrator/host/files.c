/* Files of the host that is judged: the machine's own, or those of a recording. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "core/base/descriptor.h"
#include "orchestrator/host/internal.h"

const char *const cvm_host_qemu_programs[] = {"/usr/bin/qemu-system-x86_64",
                                              "/usr/local/bin/qemu-system-x86_64",
                                              "/usr/libexec/qemu-kvm", NULL};
const char *const cvm_host_vsock_programs[] = {"/usr/bin/vhost-device-vsock",
                                               "/usr/local/bin/vhost-device-vsock",
                                               "/usr/libexec/vhost-device-vsock", NULL};

int cvm_host_open(const struct cvm_host *h, const char *path, int flags)
{
    flags |= O_CLOEXEC | (flags & O_PATH ? 0 : O_NOCTTY | O_NONBLOCK);
    if (h->root < 0)
        return open(path, flags);
    struct open_how how = {.flags = (uint64_t)flags, .resolve = RESOLVE_IN_ROOT};
    return (int)syscall(SYS_openat2, h->root, path, &how, sizeof how);
}

bool cvm_host_exists(const struct cvm_host *h, const char *path)
{
    CVM_AUTO_CLOSE int fd = cvm_host_open(h, path, O_PATH);
    return fd >= 0;
}

bool cvm_host_text(const struct cvm_host *h, const char *path, char *out, size_t size)
{
    size_t len = 0;
    out[0] = '\0';
    CVM_AUTO_CLOSE int fd = cvm_host_open(h, path, O_RDONLY);
    if (fd < 0 || cvm_fd_read(fd, out, size - 1, &len, NULL) < 0)
        return false;
    out[len] = '\0';
    return true;
}

bool cvm_host_field(const char *text, const char *key, char *out, size_t size)
{
    size_t n = strlen(key);
    for (const char *line = text; line; line = (line = strchr(line, '\n')) ? line + 1 : NULL) {
        if (strncmp(line, key, n) != 0)
            continue;
        const char *p = line + n + strspn(line + n, " \t");
        if (*p != ':')
            continue;
        p += 1 + strspn(p + 1, " \t");
        snprintf(out, size, "%.*s", (int)strcspn(p, "\n"), p);
        return true;
    }
    out[0] = '\0';
    return false;
}

bool cvm_host_word(const char *text, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = text; *p;) {
        p += strspn(p, " \t\n");
        size_t len = strcspn(p, " \t\n");
        if (len == n && strncmp(p, word, n) == 0)
            return true;
        p += len;
    }
    return false;
}

const char *cvm_host_program(const struct cvm_host *h, const char *chosen, const char *const *usual)
{
    const char *const only[] = {chosen, NULL};
    for (const char *const *p = chosen ? only : usual; *p; p++) {
        CVM_AUTO_CLOSE int fd = cvm_host_open(h, *p, O_PATH);
        struct stat st;
        if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111))
            return *p;
    }
    return NULL;
}

const char *cvm_host_node(const struct cvm_host *h, const char *path)
{
    return json_string_value(json_object_get(h->nodes, path));
}
