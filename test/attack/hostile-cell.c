/*
 * A native program in a cell's place: it enters the walls exactly as 2cvm-cell does, then tries one
 * way out of them, named by the number that it reads from descriptor 0. It answers on descriptor 1:
 * a byte 'w' once the walls stand, then 'e' when the attempt failed with an error, or 'o' (open)
 * when it succeeded. When it is killed instead, nothing follows the 'w'.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>

#include "guest-agent/sandbox/sandbox.h"
#include "test/attack/hostile-cell.h"

#define OPEN_IF(cond) return (cond) ? 'o' : 'e'

static char open_at(const char *path, int flags)
{
    OPEN_IF(open(path, flags | O_CLOEXEC, 0600) >= 0);
}

static char big_file(void)
{
    static char page[65536];
    int fd = open("/out/big", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    size_t total = 0;
    if (fd < 0)
        return 'o'; /* writing below /out must work */
    for (int i = 0; i < 4096 && write(fd, page, sizeof page) == sizeof page; i++)
        total += sizeof page;
    OPEN_IF(total > HOSTILE_ROOT_BYTES);
}

static char many_files(void)
{
    char name[32];
    int n = 0;
    for (; n < 4096; n++) {
        (void)snprintf(name, sizeof name, "/out/%d", n);
        int fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        if (fd < 0)
            break;
        close(fd);
    }
    OPEN_IF(n == 4096);
}

static char memory_bomb(void)
{
    size_t total = 0;
    for (; total < 4 * (size_t)HOSTILE_DATA_BYTES; total += 1 << 20) {
        char *p = malloc(1 << 20);
        if (!p)
            break;
        memset(p, 1, 1 << 20);
    }
    OPEN_IF(total > HOSTILE_DATA_BYTES);
}

/* Memory of kinds that RLIMIT_DATA does not count. */
static char uncounted_memory(int flags)
{
    size_t want = 2 * (size_t)HOSTILE_DATA_BYTES;
    char *p = mmap(NULL, want, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);
    if (p == MAP_FAILED)
        return 'e';
    memset(p, 1, want);
    return 'o';
}

/* The stack is one of them, too: here with a piece of it that is made larger elsewhere. */
static char stack_memory(void)
{
    char here;
    char *page = (char *)((uintptr_t)&here & ~(uintptr_t)4095) - (16 << 12);
    memset(page, 1, 1);
    size_t want = 2 * (size_t)HOSTILE_DATA_BYTES;
    char *p = mremap(page, 4096, want, MREMAP_MAYMOVE);
    if (p == MAP_FAILED)
        return 'e';
    memset(p, 1, want);
    return 'o';
}

static char stray_descriptor(void)
{
    /* Only 0 and 1 were given; 2 and all others have to be closed. */
    for (int fd = 2; fd < 1024; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            return 'o';
    return 'e';
}

static char write_exec(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    OPEN_IF(p != MAP_FAILED && mprotect(p, 4096, PROT_READ | PROT_EXEC) == 0);
}

static char parent_is_there(void)
{
    /* By number, as far as kill() would reach: the caller's processes have no number in here. */
    for (int pid = 2; pid < 70000; pid++)
        if (kill(pid, 0) == 0 || errno == EPERM)
            return 'o';
    return 'e';
}

static char sixteen_bit_call(void)
{
    /* int 0x80 enters the kernel as a 32-bit call: number 20 there is getpid, here it is writev. */
    long r;
    __asm__ volatile("int $0x80" : "=a"(r) : "a"(20) : "memory");
    OPEN_IF(r > 0);
}

static char x32_call(void)
{
    OPEN_IF(syscall(0x40000000 | SYS_getpid) > 0);
}

static char tcp(void)
{
    OPEN_IF(socket(AF_INET, SOCK_STREAM, 0) >= 0);
}

static char attempt(int which)
{
    union bpf_attr bpf = {
        .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
    struct perf_event_attr perf = {.type = PERF_TYPE_SOFTWARE, .size = sizeof perf};
    struct iovec v = {.iov_base = &bpf, .iov_len = 1};
    char *none[] = {NULL};
    switch ((enum hostile)which) {
    case HOSTILE_TCP:
        return tcp();
    case HOSTILE_UNIX:
        OPEN_IF(socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
    case HOSTILE_VSOCK:
        OPEN_IF(socket(40, SOCK_STREAM, 0) >= 0);
    case HOSTILE_NETLINK:
        OPEN_IF(socket(AF_NETLINK, SOCK_RAW, 0) >= 0);
    case HOSTILE_EXEC:
        OPEN_IF(execve("/bin/sh", none, none) == 0);
    case HOSTILE_EXEC_SELF:
        OPEN_IF(syscall(SYS_execveat, 0, "", none, none, AT_EMPTY_PATH) == 0);
    case HOSTILE_FORK:
        OPEN_IF(fork() >= 0);
    case HOSTILE_CLONE:
        OPEN_IF(syscall(SYS_clone, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND, 0, 0, 0, 0) >= 0);
    case HOSTILE_CLONE3:
        OPEN_IF(syscall(SYS_clone3, NULL, 0) >= 0);
    case HOSTILE_UNSHARE:
        OPEN_IF(unshare(CLONE_NEWUSER) == 0);
    case HOSTILE_SETNS:
        OPEN_IF(setns(0, 0) == 0);
    case HOSTILE_PTRACE:
        OPEN_IF(ptrace(PTRACE_TRACEME, 0, 0, 0) == 0);
    case HOSTILE_READ_PROCESS:
        OPEN_IF(process_vm_readv(1, &v, 1, &v, 1, 0) >= 0);
    case HOSTILE_KILL:
        return parent_is_there();
    case HOSTILE_PIDFD:
        OPEN_IF(syscall(SYS_pidfd_open, 1, 0) >= 0);
    case HOSTILE_PROC:
        return open_at("/proc/self/mem", O_RDWR);
    case HOSTILE_PROC_DIR:
        return open_at("/proc", O_RDONLY);
    case HOSTILE_ETC:
        return open_at("/etc/passwd", O_RDONLY);
    case HOSTILE_DOT_DOT:
        return open_at("/in/../../etc/passwd", O_RDONLY);
    case HOSTILE_DEV:
        return open_at("/dev/null", O_RDWR);
    case HOSTILE_WRITE_IN:
        return open_at("/in/x", O_CREAT | O_WRONLY);
    case HOSTILE_WRITE_ROOT:
        return open_at("/x", O_CREAT | O_WRONLY);
    case HOSTILE_LIST_ROOT:
        return open_at("/", O_RDONLY | O_DIRECTORY);
    case HOSTILE_BIG_FILE:
        return big_file();
    case HOSTILE_MANY_FILES:
        return many_files();
    case HOSTILE_MKNOD:
        OPEN_IF(mknod("/out/null", S_IFCHR | 0666, 0x103) == 0);
    case HOSTILE_MOUNT:
        OPEN_IF(mount("none", "/out", "tmpfs", 0, NULL) == 0);
    case HOSTILE_UMOUNT:
        OPEN_IF(umount2("/in", MNT_DETACH) == 0);
    case HOSTILE_CHROOT:
        OPEN_IF(chroot("/out") == 0);
    case HOSTILE_SETUID:
        OPEN_IF(syscall(SYS_setresuid, 1, 1, 1) == 0);
    case HOSTILE_CAPSET:
        OPEN_IF(syscall(SYS_capset, NULL, NULL) == 0);
    case HOSTILE_PRCTL:
        OPEN_IF(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0);
    case HOSTILE_RLIMIT: {
        struct rlimit r = {1, 1};
        OPEN_IF(setrlimit(RLIMIT_NOFILE, &r) == 0);
    }
    case HOSTILE_MPROTECT_EXEC:
        return write_exec();
    case HOSTILE_MMAP_EXEC:
        OPEN_IF(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
                MAP_FAILED);
    case HOSTILE_PKEY:
        OPEN_IF(syscall(SYS_pkey_mprotect, 0, 0, PROT_EXEC, -1) == 0);
    case HOSTILE_SHM:
        OPEN_IF(syscall(SYS_shmget, 1, 4096, 01600) >= 0);
    case HOSTILE_MQ:
        OPEN_IF(syscall(SYS_mq_open, "x", O_CREAT | O_RDWR, 0600, NULL) >= 0);
    case HOSTILE_MEMFD:
        OPEN_IF(syscall(SYS_memfd_create, "x", 0) >= 0);
    case HOSTILE_IO_URING:
        OPEN_IF(syscall(SYS_io_uring_setup, 1, NULL) >= 0);
    case HOSTILE_USERFAULTFD:
        OPEN_IF(syscall(SYS_userfaultfd, 0) >= 0);
    case HOSTILE_KEYCTL:
        OPEN_IF(syscall(SYS_keyctl, 0, -3, 1, 0, 0) >= 0);
    case HOSTILE_ADD_KEY:
        OPEN_IF(syscall(SYS_add_key, "user", "a", "b", 1, -3) >= 0);
    case HOSTILE_BPF:
        OPEN_IF(syscall(SYS_bpf, BPF_MAP_CREATE, &bpf, sizeof bpf) >= 0);
    case HOSTILE_PERF:
        OPEN_IF(syscall(SYS_perf_event_open, &perf, 0, -1, -1, 0) >= 0);
    case HOSTILE_UNAME: {
        struct utsname u;
        OPEN_IF(uname(&u) == 0);
    }
    case HOSTILE_SECCOMP:
        OPEN_IF(syscall(SYS_seccomp, 2, 0, NULL) == 0);
    case HOSTILE_IOCTL:
        OPEN_IF(syscall(SYS_ioctl, 0, 0x5412, "x") == 0);
    case HOSTILE_MODULE:
        OPEN_IF(syscall(SYS_init_module, NULL, 0, "") == 0);
    case HOSTILE_REBOOT:
        OPEN_IF(syscall(SYS_reboot, 0, 0, 0, NULL) == 0);
    case HOSTILE_I386:
        return sixteen_bit_call();
    case HOSTILE_X32:
        return x32_call();
    case HOSTILE_MEMORY:
        return memory_bomb();
    case HOSTILE_SHARED_MEMORY:
        return uncounted_memory(MAP_SHARED);
    case HOSTILE_SHARED_VALIDATED:
        return uncounted_memory(MAP_SHARED_VALIDATE);
    case HOSTILE_GROWING_MEMORY:
        return uncounted_memory(MAP_PRIVATE | MAP_GROWSDOWN);
    case HOSTILE_STACK_MEMORY:
        return stack_memory();
    case HOSTILE_DESCRIPTORS:
        return stray_descriptor();
    case HOSTILE_LOOP:
        for (;;)
            __asm__ volatile("");
    case HOSTILE_NOTHING:
        return 'e';
    case HOSTILE_COUNT:
        break;
    }
    return 'o';
}

int main(int argc, char **argv)
{
    struct cvm_error err = {0};
    struct cvm_sandbox_enter spec = {.profile = CVM_SANDBOX_CELL,
                                     .root_bytes = HOSTILE_ROOT_BYTES,
                                     .root_inodes = 64,
                                     .file_bytes = 2 * HOSTILE_ROOT_BYTES};
    unsigned char which;
    if (cvm_sandbox_have(argc, argv, &spec.have, &err) < 0 || read(0, &which, 1) != 1 ||
        cvm_sandbox_enter(&spec, &err) < 0 || cvm_sandbox_confine(&spec, &err) < 0 ||
        cvm_sandbox_seal(&spec, &err) < 0) {
        (void)dprintf(1, "%s (expected %s, got %s)", err.message, err.expected, err.got);
        return 2;
    }
    if (write(1, "w", 1) != 1)
        return 2;
    char answer = attempt(which);
    return write(1, &answer, 1) == 1 ? 0 : 2;
}
