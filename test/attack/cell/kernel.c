/*
 * Group: the kernel itself. Catches missing: the seccomp allow-list, the check of the architecture
 * in it, dropped capabilities, no_new_privs.
 */
#include "test/attack/cell/hostile.h"

#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <sys/prctl.h>
#include <sys/utsname.h>

static char bpf_map(const struct hostile_order *order)
{
    (void)order;
    union bpf_attr a = {
        .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
    OPEN_IF(syscall(SYS_bpf, BPF_MAP_CREATE, &a, sizeof a) >= 0);
}

/* The kernel's own counters: what others do would show. */
static char perf_of_kernel(const struct hostile_order *order)
{
    (void)order;
    struct perf_event_attr a = {.type = PERF_TYPE_SOFTWARE, .size = sizeof a};
    OPEN_IF(syscall(SYS_perf_event_open, &a, -1, 0, -1, 0) >= 0);
}

static char old_entry(const struct hostile_order *order)
{
    (void)order;
    /* int 0x80 enters the kernel as a 32-bit call: number 20 there is getpid, here it is writev. */
    long r;
    __asm__ volatile("int $0x80" : "=a"(r) : "a"(20) : "memory");
    OPEN_IF(r > 0);
}

ATTEMPT(x32, 0x40000000 | SYS_getpid)
ATTEMPT(no_such_call, 4711)
ATTEMPT(io_uring, SYS_io_uring_setup, 1, NULL)
ATTEMPT(userfaultfd, SYS_userfaultfd, 0)
ATTEMPT(keyctl, SYS_keyctl, 0, -3, 1, 0, 0)
ATTEMPT(add_key, SYS_add_key, "user", "a", "b", 1, -3)
ATTEMPT(request_key, SYS_request_key, "user", "a", NULL, -3)
ATTEMPT(kexec, SYS_kexec_load, 0, 0, NULL, 0)
ATTEMPT(kexec_file, SYS_kexec_file_load, 0, 0, 0, NULL, 0)
ATTEMPT(load_module, SYS_init_module, NULL, 0, "")
ATTEMPT(load_module_file, SYS_finit_module, 0, "", 0)
ATTEMPT(unload_module, SYS_delete_module, "x", 0)
ATTEMPT(stop_machine, SYS_reboot, 0, 0, 0, NULL)
ATTEMPT(messages, SYS_syslog, 3, NULL, 0)
ATTEMPT(ports, SYS_iopl, 3)
ATTEMPT(some_ports, SYS_ioperm, 0x80, 1, 1)
ATTEMPT(segments, SYS_modify_ldt, 1, NULL, 0)
ATTEMPT(swap, SYS_swapon, "/out", 0)
ATTEMPT(accounting, SYS_acct, NULL)
ATTEMPT(set_name, SYS_sethostname, "x", 1)
ATTEMPT(machine_name, SYS_uname, &(struct utsname){0})
ATTEMPT(system_info, SYS_sysinfo, NULL)
ATTEMPT(new_filter, SYS_seccomp, 2, 0, NULL)
ATTEMPT(dumpable, SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0)
ATTEMPT(tracer, SYS_prctl, PR_SET_PTRACER, -1, 0, 0, 0)
ATTEMPT(speculate, SYS_prctl, PR_SET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, PR_SPEC_ENABLE, 0, 0)
ATTEMPT(capabilities, SYS_capset, NULL, NULL)
ATTEMPT(user, SYS_setresuid, 1, 1, 1)
ATTEMPT(groups, SYS_setgroups, 0, NULL)
ATTEMPT(personality, SYS_personality, 0x0400000)

static const struct hostile_attempt attempts[] = {
    {"bpf", bpf_map, KILLED, OPEN}, /* what a user without rights may do is the kernel's setting */
    {"perf of the kernel", perf_of_kernel, KILLED, REFUSED},
    {"32-bit entry", old_entry, KILLED, OPEN},
    {"x32 call", x32, KILLED, OPEN},
    {"a call that does not exist", no_such_call, KILLED, REFUSED},
    {"io_uring", io_uring, KILLED, REFUSED},
    {"userfaultfd", userfaultfd, KILLED, OPEN},
    {"keyctl", keyctl, KILLED, OPEN},
    {"add_key", add_key, KILLED, OPEN},
    {"request_key", request_key, KILLED, OPEN},
    {"kexec", kexec, KILLED, REFUSED},
    {"kexec by file", kexec_file, KILLED, REFUSED},
    {"load a module", load_module, KILLED, REFUSED},
    {"load a module by file", load_module_file, KILLED, REFUSED},
    {"unload a module", unload_module, KILLED, REFUSED},
    {"stop the machine", stop_machine, KILLED, REFUSED},
    {"kernel messages", messages, KILLED, REFUSED},
    {"all ports", ports, KILLED, REFUSED},
    {"one port", some_ports, KILLED, REFUSED},
    {"segments", segments, KILLED, OPEN},
    {"swap", swap, KILLED, REFUSED},
    {"accounting", accounting, KILLED, REFUSED},
    {"name the machine", set_name, KILLED, REFUSED},
    {"the machine's name", machine_name, KILLED, OPEN},
    {"the machine's load", system_info, KILLED, OPEN},
    {"another filter", new_filter, KILLED, REFUSED},
    {"become dumpable", dumpable, KILLED, OPEN},
    {"choose a tracer", tracer, KILLED, OPEN},
    {"speculate again", speculate, KILLED, OPEN},
    {"capabilities", capabilities, KILLED, REFUSED},
    {"another user", user, KILLED, REFUSED},
    {"other groups", groups, KILLED, REFUSED},
    {"readable means executable", personality, KILLED, OPEN},
};
HOSTILE_GROUP(kernel);
