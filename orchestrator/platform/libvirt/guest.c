/* Reaching the guest: its console tells when it listens, its vsock is how it is spoken to. */
#include "orchestrator/platform/libvirt/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/socket.h>
/* behind sys/socket.h */
#include <linux/vm_sockets.h>

#include "core/base/clock.h"
#include "orchestrator/transport/unix-socket.h"

#define CONSOLE_MAX (256 * 1024)
#define HANDSHAKE_MS 10000

static bool says(const char *folder, const char *text)
{
    CVM_AUTO_FREE char *path = cvm_printf("%s/" CVM_MACHINE_CONSOLE, folder);
    CVM_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    CVM_AUTO_BUF struct cvm_buf all = {0};
    char chunk[4096];
    for (ssize_t n; fd >= 0 && all.len < CONSOLE_MAX && (n = read(fd, chunk, sizeof chunk)) > 0;)
        cvm_buf_append(&all, chunk, (size_t)n);
    return all.len > 0 && memmem(all.data, all.len, text, strlen(text));
}

int cvm_machine_wait_console(const struct cvm_machine_wait *w, struct cvm_error *err)
{
    CVM_AUTO_CLOSE int notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (notify < 0 || inotify_add_watch(notify, w->folder, IN_CREATE | IN_MODIFY) < 0)
        return cvm_fail_errno(err, "cannot watch '%s'", w->folder);
    int64_t end = cvm_now_ms() + w->timeout_ms;
    bool look = true;
    for (;;) {
        if (says(w->folder, w->text))
            return 1;
        if (look && !w->there(w->arg))
            return 0;
        CVM_ENSURE(!w->told_to_end || !w->told_to_end(w->arg), err, CVM_E_CONNECTION,
                   "told to end");
        struct pollfd p[4] = {{.fd = notify, .events = POLLIN},
                              {.fd = w->event_fd, .events = POLLIN},
                              {.fd = w->process_fd, .events = POLLIN},
                              {.fd = w->told_to_end ? w->wake_fd : -1, .events = POLLIN}};
        int64_t left = end - cvm_now_ms();
        int rc = poll(p, 4, left > 0 ? (int)left : 0);
        if (rc < 0 && errno == EINTR)
            continue;
        CVM_ENSURE(rc > 0, err, CVM_E_TIMEOUT, "the machine did not come up in %d s",
                   w->timeout_ms / 1000);
        if (p[2].revents)
            return 0;
        char events[4096];
        eventfd_t ignored;
        look = p[1].revents && eventfd_read(w->event_fd, &ignored) == 0;
        if (p[3].revents)
            eventfd_read(w->wake_fd, &ignored);
        if (p[0].revents && read(notify, events, sizeof events) < 0 && errno != EAGAIN)
            return cvm_fail_errno(err, "cannot watch '%s'", w->folder);
    }
}

/* "OK <port>\n"; one byte at a time, since what follows is the agent's. */
static int read_welcome(int fd, struct cvm_error *err)
{
    char text[32];
    int64_t end = cvm_now_ms() + HANDSHAKE_MS;
    for (size_t n = 0; n < sizeof text; n++) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int64_t left = end - cvm_now_ms();
        int rc;
        do
            rc = poll(&p, 1, left > 0 ? (int)left : 0);
        while (rc < 0 && errno == EINTR);
        CVM_ENSURE(rc > 0, err, CVM_E_CONNECTION, "the guest's vsock does not answer");
        CVM_ENSURE(recv(fd, text + n, 1, 0) == 1, err, CVM_E_CONNECTION,
                   "nobody listens in the guest");
        if (text[n] == '\n') {
            CVM_ENSURE(n > 3 && strncmp(text, "OK ", 3) == 0, err, CVM_E_CONNECTION,
                       "the guest's vsock refused the connection");
            return 0;
        }
    }
    return cvm_fail(err, CVM_E_CONNECTION, "the guest's vsock answers in another form");
}

int cvm_machine_connect_user(const char *socket, uint32_t port, struct cvm_error *err)
{
    CVM_AUTO_CLOSE int fd = cvm_unix_connect(socket, err);
    CVM_GUARD(fd);
    char hello[32];
    int n = snprintf(hello, sizeof hello, "CONNECT %u\n", port);
    CVM_ENSURE(send(fd, hello, (size_t)n, MSG_NOSIGNAL) == n, err, CVM_E_CONNECTION,
               "the guest's vsock takes no connection");
    CVM_GUARD(read_welcome(fd, err));
    return CVM_TAKE_FD(fd);
}

int cvm_machine_connect_kernel(uint32_t cid, uint32_t port, struct cvm_error *err)
{
    CVM_AUTO_CLOSE int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr_vm guest = {.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port};
    if (fd < 0 || connect(fd, (const struct sockaddr *)&guest, sizeof guest) < 0)
        return cvm_fail(err, CVM_E_CONNECTION, "the guest at vsock address %u does not answer: %s",
                        cid, strerror(errno));
    return CVM_TAKE_FD(fd);
}
