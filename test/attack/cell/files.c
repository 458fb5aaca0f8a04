/*
 * Group: files. Catches missing: the private root (root.c), the read-only mount of /in, landlock,
 * nodev and noexec mounts, and the seccomp rows for what changes more than content.
 */
#include "test/attack/cell/hostile.h"

#include <linux/openat2.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

static char can_open(const char *path, int flags)
{
    OPEN_IF(open(path, flags | O_CLOEXEC, 0600) >= 0);
}

#define CAN_OPEN(name, path, flags)                                                                \
    static char name(const struct hostile_order *order)                                            \
    {                                                                                              \
        (void)order;                                                                               \
        return can_open(path, flags);                                                              \
    }
CAN_OPEN(own_memory, "/proc/self/mem", O_RDWR)
CAN_OPEN(proc, "/proc", O_RDONLY)
CAN_OPEN(sys, "/sys", O_RDONLY)
CAN_OPEN(passwords, "/etc/passwd", O_RDONLY)
CAN_OPEN(above, "/in/../../etc/passwd", O_RDONLY)
CAN_OPEN(null, "/dev/null", O_RDWR)
CAN_OPEN(kernel_memory, "/dev/mem", O_RDWR)
CAN_OPEN(evidence_device, "/dev/sev-guest", O_RDWR)
CAN_OPEN(console, "/dev/console", O_WRONLY)
CAN_OPEN(write_in, "/in/x", O_CREAT | O_WRONLY)
CAN_OPEN(change_in, "/in/rows", O_WRONLY)
CAN_OPEN(truncate_in, "/in/rows", O_RDONLY | O_TRUNC)
CAN_OPEN(write_root, "/x", O_CREAT | O_WRONLY)
CAN_OPEN(nameless_in_root, "/", O_TMPFILE | O_RDWR)

/* Even where it can be listed there is nothing but the two folders. */
static char list_root(const struct hostile_order *order)
{
    (void)order;
    char entries[4096];
    int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    long n = fd < 0 ? -1 : syscall(SYS_getdents64, fd, entries, sizeof entries);
    int others = 0;
    for (long at = 0; at < n;) {
        const char *name = entries + at + 19; /* struct linux_dirent64 */
        others +=
            strcmp(name, ".") && strcmp(name, "..") && strcmp(name, "in") && strcmp(name, "out");
        uint16_t length;
        memcpy(&length, entries + at + 16, sizeof length);
        at += length;
    }
    OPEN_IF(others);
}

static char through_link(const struct hostile_order *order)
{
    (void)order;
    OPEN_IF(symlinkat("/proc/self/mem", AT_FDCWD, "/out/l") == 0 && open("/out/l", O_RDWR) >= 0);
}

static char through_dots(const struct hostile_order *order)
{
    (void)order;
    int folder = open("/out", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY};
    char path[] = "../../../../../../etc";
    OPEN_IF(syscall(SYS_openat2, folder, path, &how, sizeof how) >= 0);
}

static char link_input(const struct hostile_order *order)
{
    (void)order;
    OPEN_IF(linkat(AT_FDCWD, "/in/rows", AT_FDCWD, "/out/rows", 0) == 0);
}

static char move_input(const struct hostile_order *order)
{
    (void)order;
    OPEN_IF(renameat(AT_FDCWD, "/in/rows", AT_FDCWD, "/out/rows") == 0);
}

static char whiteout(const struct hostile_order *order)
{
    (void)order;
    close(open("/out/a", O_CREAT | O_WRONLY, 0600));
    OPEN_IF(syscall(SYS_renameat2, AT_FDCWD, "/out/a", AT_FDCWD, "/out/b", 4) == 0);
}

static char run_file(const struct hostile_order *order)
{
    (void)order;
    int fd = open("/out/code", O_CREAT | O_RDWR, 0700);
    OPEN_IF(fd < 0 || (ftruncate(fd, 4096) == 0 &&
                       mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) != MAP_FAILED));
}

/* A cell has to be able to write below /out, or the others here show nothing. */
static char write_out(const struct hostile_order *order)
{
    (void)order;
    return can_open("/out/mine", O_CREAT | O_WRONLY) == 'o' ? 'e' : 'o';
}

ATTEMPT(device, SYS_mknodat, AT_FDCWD, "/out/null", S_IFCHR | 0666, 0x103)
ATTEMPT(fifo, SYS_mknodat, AT_FDCWD, "/out/fifo", S_IFIFO | 0600, 0)
ATTEMPT(node_socket, SYS_mknodat, AT_FDCWD, "/out/socket", S_IFSOCK | 0600, 0)
ATTEMPT(set_mode, SYS_fchmodat, AT_FDCWD, "/in/rows", 0666)
ATTEMPT(set_owner, SYS_fchownat, AT_FDCWD, "/in/rows", 1, 1, 0)
ATTEMPT(set_time, SYS_utimensat, AT_FDCWD, "/in/rows", NULL, 0)
ATTEMPT(remove_input, SYS_unlinkat, AT_FDCWD, "/in/rows", 0)
ATTEMPT(remove_in, SYS_unlinkat, AT_FDCWD, "/in", AT_REMOVEDIR)
ATTEMPT(attribute, SYS_setxattr, "/out", "user.x", "x", 1, 0)
ATTEMPT(by_handle, SYS_open_by_handle_at, AT_FDCWD, NULL, O_RDONLY)
ATTEMPT(link_descriptor, SYS_linkat, 0, "", AT_FDCWD, "/out/zero", AT_EMPTY_PATH)
ATTEMPT(inotify, SYS_inotify_init1, 0)
ATTEMPT(fanotify, SYS_fanotify_init, 0, 0)
ATTEMPT(change_folder, SYS_chdir, "/out")

static const struct hostile_attempt attempts[] = {
    {"write below /out (must work)", write_out, REFUSED, REFUSED},
    {"/proc/self/mem", own_memory, REFUSED, REFUSED},
    {"/proc", proc, REFUSED, REFUSED},
    {"/sys", sys, REFUSED, REFUSED},
    {"/etc/passwd", passwords, REFUSED, REFUSED},
    {"a path upwards", above, REFUSED, REFUSED},
    {"/dev/null", null, REFUSED, REFUSED},
    {"/dev/mem", kernel_memory, REFUSED, REFUSED},
    {"/dev/sev-guest", evidence_device, REFUSED, REFUSED},
    {"/dev/console", console, REFUSED, REFUSED},
    {"write below /in", write_in, REFUSED, REFUSED},
    {"change an input", change_in, REFUSED, REFUSED},
    {"cut an input", truncate_in, REFUSED, REFUSED},
    {"write in the root", write_root, REFUSED, REFUSED},
    {"list the root", list_root, REFUSED, REFUSED},
    {"a file without a name in the root", nameless_in_root, REFUSED, REFUSED},
    {"a link out of /out", through_link, REFUSED, REFUSED},
    {"openat2 upwards", through_dots, REFUSED, REFUSED},
    {"link an input into /out", link_input, REFUSED, REFUSED},
    {"move an input into /out", move_input, REFUSED, REFUSED},
    {"a device by RENAME_WHITEOUT", whiteout, KILLED, OPEN},
    {"map a file as code", run_file, SEALED_KILLED, REFUSED},
    {"make a device", device, KILLED, REFUSED},
    {"make a FIFO", fifo, KILLED, REFUSED},
    {"make a socket's name", node_socket, KILLED, REFUSED},
    {"change an input's mode", set_mode, KILLED, REFUSED},
    {"change an input's owner", set_owner, KILLED, REFUSED},
    {"change an input's times", set_time, REFUSED, REFUSED},
    {"remove an input", remove_input, REFUSED, REFUSED},
    {"remove /in", remove_in, REFUSED, REFUSED},
    {"extended attribute", attribute, KILLED, OPEN},
    {"open by handle", by_handle, KILLED, REFUSED},
    {"link a descriptor", link_descriptor, KILLED, REFUSED},
    {"inotify", inotify, KILLED, OPEN},
    {"fanotify", fanotify, KILLED, OPEN},
    {"change folder", change_folder, KILLED, OPEN},
};
HOSTILE_GROUP(files);
