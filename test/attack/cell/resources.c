/*
 * Group: exhaustion of what all share. Catches missing: rlimits, the size and inodes of the root,
 * the CPU limit, and the seccomp rows for what no limit counts.
 */
#include "test/attack/cell/hostile.h"

#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

static char big_file(const struct hostile_order *order)
{
    (void)order;
    static char page[65536];
    int fd = open("/out/big", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    size_t total = 0;
    if (fd < 0)
        return 'o'; /* writing below /out must work */
    for (int i = 0; i < 4096 && write(fd, page, sizeof page) == sizeof page; i++)
        total += sizeof page;
    OPEN_IF(total > HOSTILE_ROOT_BYTES);
}

/* As large as it says, without a byte in it. */
static char long_file(const struct hostile_order *order)
{
    (void)order;
    int fd = open("/out/long", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    OPEN_IF(fd < 0 || ftruncate(fd, 1LL << 40) == 0);
}

static char many_files(const struct hostile_order *order)
{
    (void)order;
    char name[32];
    int n = 0;
    for (; n < 4096; n++) {
        (void)snprintf(name, sizeof name, "/out/%d", n);
        int fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        if (fd < 0)
            break;
        close(fd);
    }
    OPEN_IF(n > HOSTILE_INODES);
}

static char many_folders(const struct hostile_order *order)
{
    (void)order;
    char name[32];
    int n = 0;
    for (; n < 4096; n++) {
        (void)snprintf(name, sizeof name, "/out/%d", n);
        if (mkdirat(AT_FDCWD, name, 0700) < 0)
            break;
    }
    OPEN_IF(n > HOSTILE_INODES);
}

static char many_links(const struct hostile_order *order)
{
    (void)order;
    char name[32];
    int n = 0;
    for (; n < 4096; n++) {
        (void)snprintf(name, sizeof name, "/out/%d", n);
        if (symlinkat("x", AT_FDCWD, name) < 0)
            break;
    }
    OPEN_IF(n > HOSTILE_INODES);
}

static char many_descriptors(const struct hostile_order *order)
{
    (void)order;
    int n = 0;
    while (n < 5000 && fcntl(0, F_DUPFD_CLOEXEC, 0) >= 0)
        n++;
    OPEN_IF(n > 1024);
}

/* Not the processor's time but the clock's: the judge has allowed one second. */
static char loop(const struct hostile_order *order)
{
    while (order)
        __asm__ volatile("" : "+r"(order));
    return 'o';
}

/* Faults that are handled, for ever, count as its time, too. */
static char fault_loop(const struct hostile_order *order)
{
    while (order)
        (void)!write(1, NULL, 0);
    return 'o';
}

static char lock_file(const struct hostile_order *order)
{
    (void)order;
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    int fd = open("/out/locks", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    OPEN_IF(fd < 0 || fcntl(fd, F_SETLK, &l) == 0);
}

static char real_time(const struct hostile_order *order)
{
    (void)order;
    struct sched_param p = {.sched_priority = 1};
    OPEN_IF(sched_setscheduler(0, SCHED_FIFO, &p) == 0);
}

/* Locks that lend priorities, and those that other processes could see. */
static char lending_lock(const struct hostile_order *order)
{
    (void)order;
    static int word;
    OPEN_IF(syscall(SYS_futex, &word, 6 | 128, 0, NULL, NULL, 0) == 0);
}

static char public_lock(const struct hostile_order *order)
{
    (void)order;
    static int word;
    OPEN_IF(syscall(SYS_futex, &word, 1, 1, NULL, NULL, 0) >= 0);
}

ATTEMPT(timer, SYS_timer_create, CLOCK_MONOTONIC, NULL, (int[1]){0})
ATTEMPT(alarm_clock, SYS_setitimer, 0, (long[4]){0}, NULL)
ATTEMPT(raise_limit, SYS_prlimit64, 0, RLIMIT_NOFILE, (uint64_t[2]){1 << 20, 1 << 20}, NULL)
ATTEMPT(niceness, SYS_setpriority, PRIO_PROCESS, 0, -10)
ATTEMPT(asynchronous, SYS_io_setup, 1, (unsigned long[1]){0})
ATTEMPT(whole_lock, SYS_flock, 0, 2)

static const struct hostile_attempt attempts[] = {
    {"big file", big_file, REFUSED, REFUSED},
    {"long file", long_file, REFUSED, REFUSED},
    {"many files", many_files, REFUSED, REFUSED},
    {"many folders", many_folders, REFUSED, REFUSED},
    {"many links", many_links, REFUSED, REFUSED},
    {"many descriptors", many_descriptors, REFUSED, REFUSED},
    {"endless loop", loop, KILLED, KILLED},
    {"endless system calls", fault_loop, KILLED, KILLED},
    {"locks", lock_file, KILLED, OPEN},
    {"a lock on a descriptor", whole_lock, KILLED, OPEN},
    {"a lock that lends its priority", lending_lock, KILLED, OPEN},
    {"a lock that others see", public_lock, KILLED, OPEN},
    {"real-time priority", real_time, KILLED, REFUSED},
    {"better priority", niceness, KILLED, REFUSED},
    {"timer", timer, KILLED, OPEN},
    {"interval timer", alarm_clock, KILLED, OPEN},
    {"raise a limit", raise_limit, KILLED, REFUSED},
    {"asynchronous files", asynchronous, KILLED, OPEN},
};
HOSTILE_GROUP(resources);
