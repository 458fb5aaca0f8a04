#include "guest-agent/sandbox/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/syscall.h>

/* Younger than the headers of Debian 12; numbers are the kernel's ABI. */
#define FS_TRUNCATE (1ULL << 14)            /* ABI 3 */
#define FS_IOCTL_DEV (1ULL << 15)           /* ABI 5 */
#define NET_TCP ((1ULL << 0) | (1ULL << 1)) /* ABI 4: bind, connect */
#define SCOPES ((1ULL << 0) | (1ULL << 1))  /* ABI 6: abstract sockets, signals */

struct ruleset { /* struct landlock_ruleset_attr of ABI 6 */
    uint64_t fs, net, scoped;
};

#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_CHANGE                                                                                  \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                               \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |  \
     LANDLOCK_ACCESS_FS_MAKE_SYM)

static int allow(int ruleset, const char *path, uint64_t access)
{
    CVM_AUTO_CLOSE int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return -1;
    struct landlock_path_beneath_attr rule = {.allowed_access = access, .parent_fd = fd};
    return (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

int cvm_sandbox_landlock(enum cvm_sandbox_profile profile, struct cvm_error *err)
{
    int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1)
        return cvm_fail(err, CVM_E_SANDBOX, "landlock: %s", strerror(errno));
    uint64_t can_refer = abi >= 2 ? LANDLOCK_ACCESS_FS_REFER : 0;
    uint64_t can_truncate = abi >= 3 ? FS_TRUNCATE : 0;
    struct ruleset handled = {
        .fs = ((1ULL << 13) - 1) | can_refer | can_truncate | (abi >= 5 ? FS_IOCTL_DEV : 0),
        .net = abi >= 4 ? NET_TCP : 0,
        .scoped = abi >= 6 ? SCOPES : 0,
    };
    size_t size = abi >= 6 ? sizeof handled : abi >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
    CVM_AUTO_CLOSE int ruleset = (int)syscall(SYS_landlock_create_ruleset, &handled, size, 0);
    if (ruleset < 0)
        return cvm_fail(err, CVM_E_SANDBOX, "landlock: %s", strerror(errno));
    if (profile == CVM_SANDBOX_CELL &&
        (allow(ruleset, "/in", FS_READ) < 0 ||
         allow(ruleset, "/out", FS_READ | FS_CHANGE | can_refer | can_truncate) < 0))
        return cvm_fail(err, CVM_E_SANDBOX, "landlock rule: %s", strerror(errno));
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        return cvm_fail(err, CVM_E_SANDBOX, "landlock: %s", strerror(errno));
    return 0;
}
