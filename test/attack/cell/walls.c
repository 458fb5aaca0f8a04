/*
 * Starts test/attack/cell/hostile-cell.c once for each attempt and judges how it ended:
 *
 *   walls HOSTILE-CELL GROUP     all of a group: with every protection, as nobody, and with each
 *                                protection missing that a manifest may waive
 *   walls [GROUP]                as the first process of a machine: all groups or one, without
 *                                seccomp and without a cgroup once more, then power off
 *
 * A line for each attempt that ended wrongly; the last line is "walls: N attempts, N wrong".
 */
#include <arpa/inet.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "guest-agent/sandbox/sandbox.h"
#include "test/attack/cell/hostile.h"

#define NOBODY 65534
#define GROUP_BYTES (HOSTILE_DATA_BYTES + HOSTILE_ROOT_BYTES + (8u << 20))
#ifndef PR_GET_MDWE /* younger than the headers of Debian 12 */
#define PR_GET_MDWE 66
#endif
#define NO_ATTEMPT 0xffffffffu

#define X(name) &hostile_##name,
static const struct hostile_group *const groups[] = {HOSTILE_GROUPS(X)};
#undef X
#define GROUPS (sizeof groups / sizeof groups[0])

static char secret[16] = "fifteen letters";
static struct hostile_order order;
static unsigned tried, wrong, number;

static void must(bool good, const char *what)
{
    if (good)
        return;
    printf("walls: %s: %s\n", what, strerror(errno));
    exit(2);
}

struct cell {
    struct cvm_sandbox_child child;
    int in, out, bell, parent, leaf;
    char name[24];
};

static void begin(int program, unsigned have, uint32_t attempt, struct cell *ret)
{
    struct cvm_error err = {0};
    int in[2], out[2], bell[2] = {-1, -1};
    *ret = (struct cell){.parent = -1, .leaf = -1};
    must(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0, "pipe");
    int region = memfd_create("region", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    must(region >= 0 && ftruncate(region, HOSTILE_REGION_BYTES) == 0 &&
             fcntl(region, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0,
         "region");
    /* A kernel without Unix sockets has no doorbell that could be attacked. */
    must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, bell) == 0 || errno == EAFNOSUPPORT,
         "doorbell");
    if (have >> CVM_PROTECTION_CGROUP & 1) {
        snprintf(ret->name, sizeof ret->name, "cell-%u", ++number);
        must(cvm_cgroup_root(&ret->parent, &err) == 0 &&
                 cvm_cgroup_create(ret->parent, ret->name, GROUP_BYTES, 1, &ret->leaf, &err) == 0,
             err.message);
    }
    int stray = dup(1); /* without close-on-exec: has to be closed all the same */
    struct cvm_sandbox_fd fds[] = {
        {in[0], 0}, {out[1], 1}, {region, HOSTILE_REGION}, {bell[1], HOSTILE_BELL}};
    struct cvm_sandbox_spawn spec = {.program = program,
                                     .name = "hostile-cell",
                                     .have = have,
                                     .fds = fds,
                                     .n_fds = bell[1] >= 0 ? 4 : 3,
                                     .data_bytes = HOSTILE_DATA_BYTES,
                                     .cpu_seconds = 1,
                                     .cgroup = ret->leaf,
                                     .proc = -1};
    if (cvm_sandbox_spawn(&spec, &ret->child, &err) < 0) {
        printf("walls: %s\n", err.message);
        exit(2);
    }
    close(stray);
    close(in[0]);
    close(out[1]);
    if (bell[1] >= 0)
        close(bell[1]);
    close(region);
    ret->bell = bell[0];
    ret->in = in[1];
    ret->out = out[0];
    order.attempt = attempt;
    must(write(ret->in, &order, sizeof order) == sizeof order, "order");
}

static int end(struct cell *c)
{
    int status;
    struct pollfd ended = {.fd = c->child.pidfd, .events = POLLIN};
    must(poll(&ended, 1, 120000) == 1, "a cell that does not end");
    must(waitpid(c->child.pid, &status, 0) == c->child.pid, "wait");
    close(c->child.pidfd);
    if (c->in >= 0)
        close(c->in);
    close(c->out);
    if (c->bell >= 0)
        close(c->bell);
    if (c->leaf >= 0) {
        cvm_cgroup_remove(c->parent, c->name, c->leaf);
        close(c->leaf);
        close(c->parent);
    }
    return status;
}

static bool ended_as(enum hostile_end how, unsigned have, const char *said, int status)
{
    bool killed = !strcmp(said, "w") && WIFSIGNALED(status) && !WCOREDUMP(status);
    switch (how) {
    case KILLED:
        return killed;
    case SEALED_KILLED:
        return killed || order.place == IN_LOADING_CELL;
    case REFUSED:
        if (order.place == IN_COMPILER && killed)
            return true; /* it may open no file at all */
        return !strcmp(said, "we") && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    case NEW_CODE:
        return prctl(PR_GET_MDWE, 0, 0, 0, 0) < 0 || !strcmp(said, "we");
    case CGROUP_KILLED:
        return !(have >> CVM_PROTECTION_CGROUP & 1) || (killed && WTERMSIG(status) == SIGKILL);
    case OPEN:
        return true;
    }
    return false;
}

static void judge(int program, unsigned have, uint32_t index, const struct hostile_attempt *a,
                  const char *with)
{
    bool filtered = have >> CVM_PROTECTION_SECCOMP & 1;
    enum hostile_end how = filtered ? a->walls : a->behind;
    if (how == OPEN)
        return;
    struct cell c;
    char said[400];
    size_t n = 0;
    ssize_t r;
    begin(program, have, index, &c);
    while (n < sizeof said - 1 && (r = read(c.out, said + n, sizeof said - 1 - n)) > 0)
        n += (size_t)r;
    said[n] = 0;
    int status = end(&c);
    tried++;
    if (ended_as(how, have, said, status) && !memcmp(secret, "fifteen letters", sizeof secret))
        return;
    wrong++;
    printf("  WRONG %s, %s: said \"%s\", status %x\n", a->name, with, said, (unsigned)status);
}

/* A line of /proc/PID/status; empty when it is not there. */
static const char *status_of(pid_t pid, const char *name)
{
    static char line[256];
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    FILE *f = fopen(path, "re");
    must(f, path);
    size_t n = strlen(name);
    while (fgets(line, sizeof line, f))
        if (!strncmp(line, name, n) && line[n] == ':') {
            fclose(f);
            line[strcspn(line, "\n")] = 0;
            return line + n + 1 + strspn(line + n + 1, " \t");
        }
    fclose(f);
    return "";
}

static void expect(bool good, const char *what, const char *with)
{
    tried++;
    if (good)
        return;
    wrong++;
    printf("  WRONG %s, %s\n", what, with);
}

/* 0 where no core has two threads, or no cookie was given; UINT64_MAX where it may not be asked. */
static uint64_t core_cookie(pid_t pid)
{
    uint64_t cookie __attribute__((aligned(8))) = 0;
    if (prctl(PR_SCHED_CORE, PR_SCHED_CORE_GET, pid, PR_SCHED_CORE_SCOPE_THREAD, &cookie) == 0)
        return cookie;
    return errno == ENODEV ? 0 : UINT64_MAX;
}

/* What the kernel says of two cells while they stand. */
static void look_at(const struct cell *a, const struct cell *b, unsigned have, const char *with)
{
    pid_t pid = a->child.pid;
    expect(!strcmp(status_of(pid, "NoNewPrivs"), "1"), "a cell may gain rights", with);
    expect(strspn(status_of(pid, "CapBnd"), "0") == 16, "a cell could have capabilities", with);
    expect(strspn(status_of(pid, "CapPrm"), "0") == 16, "a cell has capabilities", with);
    if (have >> CVM_PROTECTION_SECCOMP & 1)
        expect(!strcmp(status_of(pid, "Seccomp"), "2"), "a cell without a filter", with);
    if (have >> CVM_PROTECTION_SPECULATION_CONTROL & 1) {
        const char *s = status_of(pid, "Speculation_Store_Bypass");
        expect(strcmp(s, "vulnerable") && strcmp(s, "thread vulnerable"), "store bypass", with);
        s = status_of(pid, "SpeculationIndirectBranch");
        expect(!strstr(s, "enabled"), "indirect-branch prediction", with);
    }
    bool smt =
        prctl(PR_SCHED_CORE, PR_SCHED_CORE_GET, 0, PR_SCHED_CORE_SCOPE_THREAD, &(uint64_t){0}) == 0;
    if (smt && have >> CVM_PROTECTION_CORE_SCHEDULING & 1) {
        uint64_t first = core_cookie(pid), second = core_cookie(b->child.pid);
        if (first == UINT64_MAX)
            return; /* not asked by root */
        expect(first && second && first != second, "two cells may share a core", with);
        printf("  %s: cells have core-scheduling cookies of their own\n", with);
    }
}

static void wait_until_it_stands(struct cell *c, const char *with)
{
    char ready;
    if (read(c->out, &ready, 1) == 1 && ready == 'w')
        return;
    printf("walls: the neighbour does not stand (%s)\n", with);
    exit(2);
}

static void look(int program, unsigned have, const struct cell *neighbour, const char *with)
{
    struct cell second;
    begin(program, have, NO_ATTEMPT, &second);
    wait_until_it_stands(&second, with);
    look_at(neighbour, &second, have, with);
    close(second.in);
    second.in = -1;
    end(&second);
}

static void attack(int program, unsigned have, const char *group, const char *with)
{
    struct cell neighbour;
    uint32_t index = 0;
    unsigned before = tried, bad = wrong;
    begin(program, have, NO_ATTEMPT, &neighbour);
    wait_until_it_stands(&neighbour, with);
    order.neighbour = neighbour.child.pid;
    look(program, have, &neighbour, with);
    for (size_t g = 0; g < GROUPS; g++)
        for (uint32_t i = 0; i < groups[g]->n; i++, index++)
            if (!group || !strcmp(group, groups[g]->name))
                judge(program, have, index, &groups[g]->attempts[i], with);
    /* It was attacked all the time, and has noticed nothing. */
    struct pollfd alive = {.fd = neighbour.child.pidfd, .events = POLLIN};
    if (poll(&alive, 1, 0) != 0) {
        wrong++;
        printf("  WRONG the neighbour was ended, %s\n", with);
    }
    close(neighbour.in);
    neighbour.in = -1;
    end(&neighbour);
    printf("  %s: %u attempts, %u wrong\n", with, tried - before, wrong - bad);
}

static unsigned probe(void)
{
    struct cvm_error err = {0};
    unsigned have = 0;
    if (cvm_sandbox_probe(&have, &err) < 0) {
        printf("walls: %s\n", err.message);
        exit(2);
    }
    return have;
}

/* What a cell may try to reach: where there is an IP, and where there are Unix sockets. */
static void listen_for_cells(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    socklen_t len = sizeof in;
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (tcp >= 0 && bind(tcp, (void *)&in, sizeof in) == 0 && listen(tcp, 9) == 0 &&
        getsockname(tcp, (void *)&in, &len) == 0)
        order.tcp_port = ntohs(in.sin_port);
    snprintf(order.unix_name, sizeof order.unix_name, "2cvm-attack-%ld", (long)getpid());
    size_t n = strlen(order.unix_name);
    memcpy(un.sun_path + 1, order.unix_name, n);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 &&
        bind(fd, (void *)&un, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n)) == 0)
        must(listen(fd, 9) == 0, "listen");
}

/* Each protection that can be waived is left out once; the mount namespace cannot. A machine, which
 * is slow when it is emulated, tries those of which only it has all. */
static void with_one_missing(int program, unsigned have, const char *group, bool on_machine)
{
    char with[64];
    for (int p = 0; p < CVM_PROTECTION_COUNT; p++) {
        bool here = !on_machine || p == CVM_PROTECTION_SECCOMP || p == CVM_PROTECTION_CGROUP;
        if (!(have >> p & 1) || p == CVM_PROTECTION_MOUNT_NAMESPACE || !here ||
            (p == CVM_PROTECTION_USER_NAMESPACE && geteuid() != 0))
            continue;
        snprintf(with, sizeof with, "without %s", cvm_protection_word((enum cvm_protection)p));
        attack(program, have & ~(1u << p), group, with);
    }
}

/* Without root, as a user that is nobody. */
static void as_nobody(int program, const char *group)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        must(setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
                 setresuid(NOBODY, NOBODY, NOBODY) == 0,
             "nobody");
        (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* as the agent does */
        unsigned have = probe();
        order.judge = getpid();
        wrong = 0;
        if (have >> CVM_PROTECTION_USER_NAMESPACE & 1)
            attack(program, have, group, "as nobody");
        fflush(stdout);
        _exit(wrong != 0);
    }
    int status;
    must(waitpid(pid, &status, 0) == pid, "wait");
    if (status) {
        wrong++;
        printf("  WRONG as nobody\n");
    }
}

/* The mounts that 2cvm-agent makes as the first process. */
static void make_machine(void)
{
    must(mount("root", "/root", "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,mode=0755") == 0 &&
             chdir("/root") == 0 && mkdir("proc", 0555) == 0 && mkdir("sys", 0555) == 0 &&
             mkdir("dev", 0755) == 0 && mount(".", "/", NULL, MS_MOVE, NULL) == 0 &&
             chroot(".") == 0 && chdir("/") == 0 && mount("proc", "/proc", "proc", 0, NULL) == 0 &&
             mount("sysfs", "/sys", "sysfs", 0, NULL) == 0 &&
             mount("devtmpfs", "/dev", "devtmpfs", 0, NULL) == 0 &&
             mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL) == 0,
         "mounts");
    int console = open("/dev/console", O_WRONLY | O_NOCTTY);
    must(console >= 0 && dup2(console, 1) == 1 && dup2(console, 2) == 2, "console");
}

/* The judge must not have the number that every cell has in its own namespace. */
static void stay_first(void)
{
    pid_t pid = fork();
    must(pid >= 0, "fork");
    if (pid == 0)
        return;
    while (waitpid(-1, NULL, 0) != pid)
        ;
    reboot(RB_POWER_OFF);
    abort();
}

static void prepare(void)
{
    struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
    (void)setrlimit(RLIMIT_CORE, &none); /* so that a dump would be seen */
    (void)signal(SIGPIPE, SIG_IGN);
    order.judge = getpid();
    order.secret = (uint64_t)(uintptr_t)secret;
    listen_for_cells();
}

/* What the kernel says at its start of when it wipes memory; lockdown lets nobody else look. */
static void say_wiping(void)
{
    char line[4096];
    ssize_t n;
    int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    while (log >= 0 && ((n = read(log, line, sizeof line - 1)) > 0 || errno == EPIPE)) {
        line[n < 0 ? 0 : n] = 0;
        const char *found = strstr(line, "mem auto-init:");
        if (found)
            printf("  %.*s\n", (int)strcspn(found, "\n"), found);
    }
    if (log >= 0)
        close(log);
}

static void say_probe(unsigned have)
{
    for (int p = 0; p < CVM_PROTECTION_COUNT; p++)
        printf("  %-20s %s\n", cvm_protection_word((enum cvm_protection)p),
               have >> p & 1 ? "works" : "MISSING");
}

int main(int argc, char **argv)
{
    bool first = getpid() == 1 && argc <= 2;
    int program = open(first ? "/2cvm-cell" : argc == 3 ? argv[1] : "", O_RDONLY | O_CLOEXEC);
    if (first) {
        make_machine();
        stay_first();
    }
    if (program < 0) {
        fputs("usage: walls HOSTILE-CELL GROUP\n", stderr);
        return 2;
    }
    prepare();
    unsigned have = probe();
    if (first) {
        say_wiping();
        say_probe(have);
    }
    const char *group = argc > 1 ? argv[argc - 1] : NULL;
    attack(program, have, group, "all protections");
    order.place = IN_LOADING_CELL;
    attack(program, have, group, "while the code is loaded");
    order.place = IN_COMPILER;
    attack(program, have, group, "in the compiler's place");
    order.place = IN_CELL;
    if (!first && geteuid() == 0)
        as_nobody(program, group);
    with_one_missing(program, have, group, first);
    printf("walls: %u attempts, %u wrong\n", tried, wrong);
    fflush(stdout);
    return wrong || !tried;
}
