#include "guest-agent/sandbox/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* linux-libc-dev and glibc of Debian 12 disagree about which header has these; so the plain system
 * calls. */
static int fs_set(int fs, const char *key, uint64_t value)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    return (int)syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, key, text, 0);
}

static int detached_tmpfs(uint64_t bytes, uint64_t inodes)
{
    CVM_AUTO_CLOSE int fs = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
    if (fs < 0)
        return -1;
    if (fs_set(fs, "size", bytes) < 0 || fs_set(fs, "nr_inodes", inodes) < 0 ||
        syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "mode", "0755", 0) < 0 ||
        syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -1;
    return (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC,
                        MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

int cvm_sandbox_new_root(uint64_t bytes, uint64_t inodes, struct cvm_error *err)
{
    /* Nothing that is mounted here may reach any other namespace. */
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return cvm_fail(err, CVM_E_SANDBOX, "mounts could not be made private: %s",
                        strerror(errno));
    CVM_AUTO_CLOSE int root = detached_tmpfs(bytes, inodes);
    if (root < 0)
        return cvm_fail(err, CVM_E_SANDBOX, "no tmpfs for the root: %s", strerror(errno));
    /* Over the old root, then into it by its descriptor, then the old one is taken out from below.
     */
    if (syscall(SYS_move_mount, root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0 ||
        fchdir(root) < 0)
        return cvm_fail(err, CVM_E_SANDBOX, "the new root could not be mounted: %s",
                        strerror(errno));
    if (syscall(SYS_pivot_root, ".", ".") == 0) {
        /* "." is still the new root, with the old one stacked on it. */
        if (umount2(".", MNT_DETACH) < 0)
            return cvm_fail(err, CVM_E_SANDBOX, "the old root could not be detached: %s",
                            strerror(errno));
    } else if (errno == EINVAL) {
        /*
         * The kernel's first root (an initramfs that nobody left) cannot be pivoted away. There it
         * stays, covered and without a name: leaving a root needs CAP_SYS_CHROOT, which is dropped
         * before anything foreign is read.
         */
        if (chroot(".") < 0)
            return cvm_fail(err, CVM_E_SANDBOX, "chroot: %s", strerror(errno));
    } else {
        return cvm_fail(err, CVM_E_SANDBOX, "pivot_root: %s", strerror(errno));
    }
    if (chdir("/") < 0)
        return cvm_fail(err, CVM_E_SANDBOX, "chdir: %s", strerror(errno));
    return 0;
}
