/*
 * Group: namespaces and mounts. Catches missing: dropped capabilities and no_new_privs, the root
 * that cannot be left, the seccomp rows.
 */
#include "test/attack/cell/hostile.h"

#include <linux/mount.h>
#include <sched.h>
#include <stdlib.h>

#define MOUNT_DETACH 2

/* The classic way out of a chroot: one folder deeper, then up as often as it goes. */
static char climb(const struct hostile_order *order)
{
    (void)order;
    if (chroot("/out") < 0)
        return 'e';
    for (int i = 0; i < 64; i++)
        if (chdir("..") < 0)
            return 'e';
    OPEN_IF(chroot(".") == 0 && access("proc", F_OK) == 0);
}

/* Rights of a user namespace of one's own, and with them a mount. */
static char own_namespace(const struct hostile_order *order)
{
    (void)order;
    OPEN_IF(unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
            syscall(SYS_mount, "none", "/out", "tmpfs", 0, NULL) == 0);
}

ATTEMPT(unshare_mounts, SYS_unshare, CLONE_NEWNS)
ATTEMPT(unshare_processes, SYS_unshare, CLONE_NEWPID)
ATTEMPT(unshare_network, SYS_unshare, CLONE_NEWNET)
ATTEMPT(join, SYS_setns, 0, 0)
ATTEMPT(mount_proc, SYS_mount, "none", "/out", "proc", 0, NULL)
ATTEMPT(remount_in, SYS_mount, NULL, "/in", NULL, 0x20 | 0x1000, NULL)
ATTEMPT(unmount_in, SYS_umount2, "/in", MOUNT_DETACH)
ATTEMPT(unmount_root, SYS_umount2, "/", MOUNT_DETACH)
ATTEMPT(pivot, SYS_pivot_root, "/out", "/out")
ATTEMPT(move, SYS_move_mount, AT_FDCWD, "/in", AT_FDCWD, "/out", 0)
ATTEMPT(copy_tree, SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE)
ATTEMPT(new_system, SYS_fsopen, "tmpfs", 0)
ATTEMPT(set_attributes, SYS_mount_setattr, AT_FDCWD, "/in", 0, (uint64_t[4]){0, 1, 0, 0}, 32)

static const struct hostile_attempt attempts[] = {
    {"climb out of the root", climb, KILLED, REFUSED},
    {"a user namespace with rights", own_namespace, KILLED, REFUSED},
    {"own mounts", unshare_mounts, KILLED, REFUSED},
    {"own processes", unshare_processes, KILLED, REFUSED},
    {"own network", unshare_network, KILLED, REFUSED},
    {"join a namespace", join, KILLED, REFUSED},
    {"mount proc", mount_proc, KILLED, REFUSED},
    {"make /in writable", remount_in, KILLED, REFUSED},
    {"unmount /in", unmount_in, KILLED, REFUSED},
    {"unmount the root", unmount_root, KILLED, REFUSED},
    {"pivot_root", pivot, KILLED, REFUSED},
    {"move a mount", move, KILLED, REFUSED},
    {"copy the mounts", copy_tree, KILLED, REFUSED},
    {"a new file system", new_system, KILLED, REFUSED},
    {"attributes of a mount", set_attributes, KILLED, REFUSED},
};
HOSTILE_GROUP(namespaces);
