/*
 * Group: network. Catches missing: the seccomp list (no socket of any kind), the network namespace
 * and landlock's scopes behind it. The judge listens on the loopback address and at an abstract
 * name.
 */
#include "test/attack/cell/hostile.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

static char reach(int family, int type, const void *to, size_t len)
{
    int fd = socket(family, type | SOCK_CLOEXEC, 0);
    OPEN_IF(fd >= 0 && connect(fd, to, (socklen_t)len) == 0);
}

static struct sockaddr_in loopback(const struct hostile_order *order)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(order->tcp_port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

static char tcp(const struct hostile_order *order)
{
    struct sockaddr_in to = loopback(order);
    return reach(AF_INET, SOCK_STREAM, &to, sizeof to);
}

static char udp(const struct hostile_order *order)
{
    struct sockaddr_in to = loopback(order);
    return reach(AF_INET, SOCK_DGRAM, &to, sizeof to);
}

static char listen_tcp(const struct hostile_order *order)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    (void)order;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    OPEN_IF(fd >= 0 && bind(fd, (void *)&at, sizeof at) == 0 && listen(fd, 1) == 0);
}

static char abstract(const struct hostile_order *order)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t n = strlen(order->unix_name);
    memcpy(to.sun_path + 1, order->unix_name, n);
    return reach(AF_UNIX, SOCK_STREAM, &to, offsetof(struct sockaddr_un, sun_path) + 1 + n);
}

static char named(const struct hostile_order *order)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = "/run/systemd/private"};
    (void)order;
    return reach(AF_UNIX, SOCK_STREAM, &to, sizeof to);
}

static char host(const struct hostile_order *order)
{
    struct sockaddr_vm to = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_HOST, .svm_port = 1025};
    (void)order;
    return reach(AF_VSOCK, SOCK_STREAM, &to, sizeof to);
}

static char packets(const struct hostile_order *order)
{
    (void)order;
    OPEN_IF(socket(AF_PACKET, SOCK_RAW, 0) >= 0);
}

static char netlink(const struct hostile_order *order)
{
    (void)order;
    OPEN_IF(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) >= 0);
}

static char algorithm(const struct hostile_order *order)
{
    (void)order;
    OPEN_IF(socket(AF_ALG, SOCK_SEQPACKET, 0) >= 0);
}

static char pair(const struct hostile_order *order)
{
    int two[2];
    (void)order;
    OPEN_IF(socketpair(AF_UNIX, SOCK_STREAM, 0, two) == 0);
}

static const struct hostile_attempt attempts[] = {
    {"TCP to the judge", tcp, KILLED, REFUSED},
    {"UDP to the judge", udp, KILLED, REFUSED},
    {"listen", listen_tcp, KILLED, OPEN}, /* landlock refuses binding from ABI 4 on; the port is in
                                             a network without anybody */
    {"the judge's abstract socket", abstract, KILLED, REFUSED},
    {"a socket by its name", named, KILLED, REFUSED},
    {"vsock to the host", host, KILLED, OPEN}, /* vsock knows no namespaces */
    {"raw packets", packets, KILLED, REFUSED},
    {"netlink", netlink, KILLED, OPEN},
    {"the kernel's ciphers", algorithm, KILLED, OPEN},
    {"a pair of sockets", pair, KILLED, OPEN},
};
HOSTILE_GROUP(network);
