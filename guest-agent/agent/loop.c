#include "guest-agent/agent/loop.h"

#include <errno.h>
#include <unistd.h>

int cvm_loop_open(struct cvm_loop *ret, struct cvm_error *err)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0)
        return cvm_fail_errno(err, "no event queue");
    *ret = (struct cvm_loop){.epoll = fd};
    return 0;
}

void cvm_loop_close(struct cvm_loop *loop)
{
    if (loop->epoll >= 0)
        close(loop->epoll);
    loop->epoll = -1;
}

int cvm_loop_add(struct cvm_loop *loop, struct cvm_source *source, int fd, uint32_t events,
                 struct cvm_error *err)
{
    struct epoll_event e = {.events = events, .data.ptr = source};
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &e) < 0)
        return cvm_fail_errno(err, "a descriptor can't be watched");
    source->fd = fd;
    source->events = events;
    return 0;
}

int cvm_loop_change(struct cvm_loop *loop, struct cvm_source *source, uint32_t events,
                    struct cvm_error *err)
{
    if (source->events == events)
        return 0;
    struct epoll_event e = {.events = events, .data.ptr = source};
    if (epoll_ctl(loop->epoll, EPOLL_CTL_MOD, source->fd, &e) < 0)
        return cvm_fail_errno(err, "a descriptor can't be watched");
    source->events = events;
    return 0;
}

void cvm_loop_remove(struct cvm_loop *loop, struct cvm_source *source)
{
    if (source->fd < 0)
        return;
    epoll_ctl(loop->epoll, EPOLL_CTL_DEL, source->fd, NULL);
    source->fd = -1;
}

int cvm_loop_step(struct cvm_loop *loop, int timeout_ms, struct cvm_error *err)
{
    struct epoll_event e;
    int n = epoll_wait(loop->epoll, &e, 1, timeout_ms);
    if (n < 0 && errno == EINTR)
        return 0;
    if (n < 0)
        return cvm_fail_errno(err, "waiting for events failed");
    if (n == 0)
        return 0;
    struct cvm_source *source = e.data.ptr;
    source->ready(source, e.events);
    return 1;
}

int cvm_loop_run(struct cvm_loop *loop, struct cvm_error *err)
{
    while (!loop->stop)
        CVM_GUARD(cvm_loop_step(loop, -1, err));
    return 0;
}
