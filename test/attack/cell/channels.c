/*
 * Group: descriptors. Catches missing: the closing of all that was not given (spawn.c), and the
 * seccomp rows without which a channel could carry descriptors, memory or signals.
 */
#include "test/attack/cell/hostile.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* Only 0 and 1 were given; 2 and all others have to be closed, also one that the judge left without
 * close-on-exec. */
static char stray(const struct hostile_order *order)
{
    (void)order;
    for (int fd = 2; fd < 1024; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            return 'o';
    return 'e';
}

static char pass_descriptor(const struct hostile_order *order)
{
    (void)order;
    int fd = 0;
    char byte = 0, control[CMSG_SPACE(sizeof fd)] = {0};
    struct iovec v = {&byte, 1};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    OPEN_IF(sendmsg(1, &m, 0) >= 0);
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
    {"send a descriptor", pass_descriptor, KILLED, REFUSED},
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
