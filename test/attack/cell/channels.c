/*
 * Group: descriptors, among them a doorbell and a sealed region as cells that call have. Catches
 * missing: the closing of all that was not given (spawn.c), the seals of a region, and the seccomp
 * rows without which a channel could carry descriptors, memory or signals.
 */
#include "test/attack/cell/hostile.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* Only 0, 1, the doorbell and the region were given; all others have to be closed, also one that
 * the judge left without close-on-exec. */
static char stray(const struct hostile_order *order)
{
    (void)order;
    for (int fd = 2; fd < 1024; fd++)
        if (fd != HOSTILE_BELL && fd != HOSTILE_REGION && fcntl(fd, F_GETFD) >= 0)
            return 'o';
    return 'e';
}

/* Over the doorbell, into the agent. */
static char pass_descriptor(const struct hostile_order *order)
{
    (void)order;
    int fd = HOSTILE_REGION;
    char byte = 0, control[CMSG_SPACE(sizeof fd)] = {0};
    struct iovec v = {&byte, 1};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    OPEN_IF(sendmsg(HOSTILE_BELL, &m, 0) >= 0);
}

static char gift_pages(const struct hostile_order *order)
{
    (void)order;
    static char page[4096];
    struct iovec v = {page, sizeof page};
    OPEN_IF(vmsplice(1, &v, 1, SPLICE_F_GIFT) >= 0);
}

static char memory_file_that_runs(const struct hostile_order *order)
{
    (void)order;
    char *none[] = {NULL};
    int fd = memfd_create("x", 0);
    OPEN_IF(fd >= 0 && write(fd, "#!/in/rows", 10) == 10 &&
            syscall(SYS_execveat, fd, "", none, none, AT_EMPTY_PATH) == 0);
}

static char grab_descriptor(const struct hostile_order *order)
{
    int pid = (int)syscall(SYS_pidfd_open, order->judge, 0);
    OPEN_IF(pid >= 0 && syscall(SYS_pidfd_getfd, pid, 0, 0) >= 0);
}

/* Whoever else has the region mapped would be killed by what is cut off. */
static char cut_region(const struct hostile_order *order)
{
    (void)order;
    OPEN_IF(ftruncate(HOSTILE_REGION, 0) == 0);
}

static char grow_region(const struct hostile_order *order)
{
    (void)order;
    OPEN_IF(ftruncate(HOSTILE_REGION, 1 << 24) == 0);
}

static char write_behind_region(const struct hostile_order *order)
{
    (void)order;
    OPEN_IF(pwrite(HOSTILE_REGION, "x", 1, HOSTILE_REGION_BYTES) > 0);
}

static char large_message(const struct hostile_order *order)
{
    (void)order;
    static char message[4 << 20];
    OPEN_IF(write(HOSTILE_BELL, message, sizeof message) > 0);
}

/* The agent reads nothing here; what waits must have an end. */
static char many_messages(const struct hostile_order *order)
{
    (void)order;
    int n = 0;
    if (fcntl(HOSTILE_BELL, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
        return errno == EBADF ? 'e' : 'o';
    while (n < 100000 && write(HOSTILE_BELL, "sixteen letters", 16) == 16)
        n++;
    OPEN_IF(n == 100000);
}

ATTEMPT(unseal_region, SYS_fcntl, HOSTILE_REGION, F_ADD_SEALS, F_SEAL_WRITE)
ATTEMPT(map_region_again, SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, HOSTILE_REGION,
        0)
ATTEMPT(half_close, SYS_shutdown, HOSTILE_BELL, SHUT_RDWR)
ATTEMPT(larger_buffer, SYS_setsockopt, HOSTILE_BELL, SOL_SOCKET, SO_SNDBUFFORCE, &(int){1 << 30},
        sizeof(int))
ATTEMPT(who_is_there, SYS_getsockopt, HOSTILE_BELL, SOL_SOCKET, SO_PEERCRED, &(int[3]){0},
        &(int){12})
ATTEMPT(make_pipe, SYS_pipe2, (int[2]){0}, 0)
ATTEMPT(pipe_size, SYS_fcntl, 1, F_SETPIPE_SZ, 1 << 20)
ATTEMPT(owner, SYS_fcntl, 1, F_SETOWN, 1)
ATTEMPT(signal_number, SYS_fcntl, 1, F_SETSIG, 9)
ATTEMPT(lease, SYS_fcntl, 1, F_SETLEASE, F_RDLCK)
ATTEMPT(notify, SYS_fcntl, 1, F_NOTIFY, 0)
ATTEMPT(seal, SYS_fcntl, 1, F_ADD_SEALS, F_SEAL_WRITE)
ATTEMPT(receive, SYS_recvmsg, 0, &(struct msghdr){0}, MSG_DONTWAIT)
ATTEMPT(splice_out, SYS_splice, 0, NULL, 1, NULL, 1, SPLICE_F_NONBLOCK)
ATTEMPT(tee_out, SYS_tee, 0, 1, 1, SPLICE_F_NONBLOCK)
ATTEMPT(type_ahead, SYS_ioctl, 0, 0x5412, "x")
ATTEMPT(how_much, SYS_ioctl, 0, 0x541b, &(int){0})
ATTEMPT(epoll, SYS_epoll_create1, 0)
ATTEMPT(event, SYS_eventfd2, 0, 0)
ATTEMPT(exec_itself, SYS_execveat, 0, "", (char *[]){NULL}, (char *[]){NULL}, AT_EMPTY_PATH)

static const struct hostile_attempt attempts[] = {
    {"stray descriptor", stray, REFUSED, REFUSED},
    {"send a descriptor", pass_descriptor, KILLED, OPEN},
    {"cut the region", cut_region, REFUSED, REFUSED},
    {"make the region larger", grow_region, REFUSED, REFUSED},
    {"write behind the region", write_behind_region, REFUSED, REFUSED},
    {"seal the region", unseal_region, KILLED, REFUSED},
    {"map the region again", map_region_again, KILLED, OPEN}, /* it is the cell's own */
    {"a message of 4 MiB", large_message, REFUSED, REFUSED},
    {"messages without end", many_messages, REFUSED, REFUSED},
    {"close the doorbell by halves", half_close, KILLED, OPEN},
    {"a larger doorbell", larger_buffer, KILLED, REFUSED},
    {"who is behind the doorbell", who_is_there, KILLED, OPEN},
    {"give pages away", gift_pages, KILLED, OPEN},
    {"run a memory file", memory_file_that_runs, KILLED, REFUSED},
    {"take a descriptor out of the judge", grab_descriptor, KILLED, REFUSED},
    {"make a pipe", make_pipe, KILLED, OPEN},
    {"make a pipe larger", pipe_size, KILLED, OPEN},
    {"own a descriptor's signals", owner, KILLED, OPEN},
    {"choose a descriptor's signal", signal_number, KILLED, OPEN},
    {"lease", lease, KILLED, REFUSED},
    {"watch a folder", notify, KILLED, OPEN},
    {"seal a channel", seal, KILLED, REFUSED},
    {"receive a descriptor", receive, KILLED, REFUSED},
    {"splice", splice_out, KILLED, OPEN},
    {"tee", tee_out, KILLED, OPEN},
    {"type at a terminal", type_ahead, KILLED, REFUSED},
    {"ioctl", how_much, KILLED, OPEN},
    {"epoll", epoll, KILLED, OPEN},
    {"eventfd", event, KILLED, OPEN},
    {"run a descriptor", exec_itself, KILLED, REFUSED},
};
HOSTILE_GROUP(channels);
