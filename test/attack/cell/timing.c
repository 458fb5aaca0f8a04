/*
 * Group: what tells when others work. Catches missing: the private root (no /proc, no /sys), and
 * the seccomp rows' arguments for clocks. Time itself cannot be kept from native code: the
 * processor's counter is always there (doc/THREATS.md).
 */
#include "test/attack/cell/hostile.h"

#include <sys/resource.h>
#include <sys/timex.h>
#include <time.h>

#define CAN_READ(name, path)                                                                       \
    static char name(const struct hostile_order *order)                                            \
    {                                                                                              \
        (void)order;                                                                               \
        OPEN_IF(open(path, O_RDONLY | O_CLOEXEC) >= 0);                                            \
    }
CAN_READ(timers, "/proc/timer_list")
CAN_READ(interrupts, "/proc/interrupts")
CAN_READ(load, "/proc/stat")
CAN_READ(scheduler, "/proc/schedstat")
CAN_READ(memory_use, "/proc/meminfo")
CAN_READ(page_map, "/proc/self/pagemap")
CAN_READ(cpu_folder, "/sys/devices/system/cpu")
CAN_READ(energy, "/sys/class/powercap/intel-rapl:0/energy_uj")

/* The number of a clock that counts another process's CPU time. */
static char cpu_clock_of(int pid)
{
    struct timespec t;
    OPEN_IF(syscall(SYS_clock_gettime, ((~(unsigned)pid) << 3) | 2, &t) == 0);
}

static char clock_of_neighbour(const struct hostile_order *order)
{
    return cpu_clock_of(order->neighbour);
}

static char clock_of_judge(const struct hostile_order *order)
{
    return cpu_clock_of(order->judge);
}

static char clock_of_device(const struct hostile_order *order)
{
    (void)order;
    struct timespec t;
    OPEN_IF(syscall(SYS_clock_gettime, ((~0u) << 3) | 3, &t) == 0);
}

ATTEMPT(adjust, SYS_adjtimex, &(struct timex){.modes = ADJ_TICK, .tick = 9000})
ATTEMPT(set_clock, SYS_clock_settime, CLOCK_REALTIME, &(struct timespec){0})
ATTEMPT(usage, SYS_getrusage, RUSAGE_CHILDREN, &(struct rusage){0})
ATTEMPT(timer_file, SYS_timerfd_create, CLOCK_MONOTONIC, 0)
ATTEMPT(processor, SYS_getcpu, (unsigned[1]){0}, NULL, NULL)
ATTEMPT(resident, SYS_mincore, NULL, 0, NULL)
ATTEMPT(cache_use, SYS_readahead, 0, 0, 0)

static const struct hostile_attempt attempts[] = {
    {"/proc/timer_list", timers, REFUSED, REFUSED},
    {"/proc/interrupts", interrupts, REFUSED, REFUSED},
    {"/proc/stat", load, REFUSED, REFUSED},
    {"/proc/schedstat", scheduler, REFUSED, REFUSED},
    {"/proc/meminfo", memory_use, REFUSED, REFUSED},
    {"/proc/self/pagemap", page_map, REFUSED, REFUSED},
    {"/sys/devices/system/cpu", cpu_folder, REFUSED, REFUSED},
    {"energy counter", energy, REFUSED, REFUSED},
    {"CPU clock of another cell", clock_of_neighbour, KILLED, REFUSED},
    {"CPU clock of the judge", clock_of_judge, KILLED, REFUSED},
    {"clock of a device", clock_of_device, KILLED, REFUSED},
    {"steer the clock", adjust, KILLED, REFUSED},
    {"set the clock", set_clock, KILLED, REFUSED},
    {"what children used", usage, KILLED, OPEN},
    {"timer descriptor", timer_file, KILLED, OPEN},
    {"which processor", processor, KILLED, OPEN},
    {"which pages are in memory", resident, KILLED, OPEN},
    {"page cache", cache_use, KILLED, OPEN},
};
HOSTILE_GROUP(timing);
