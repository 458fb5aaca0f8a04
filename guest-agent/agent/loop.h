/*
 * The agent's only loop: descriptors and what to do when they are ready. One event is taken from
 * the kernel at a time, so that a handler may end any other source without leaving a stale event
 * behind; the kernel serves ready descriptors in turn.
 */
#ifndef CVM_AGENT_LOOP_H
#define CVM_AGENT_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "core/base/error.h"

/* Embedded in what owns it. `fd` stays the owner's; it is -1 while the source is not watched. */
struct cvm_source {
    int fd;
    uint32_t events;
    void (*ready)(struct cvm_source *source, uint32_t events);
    void *owner;
};

struct cvm_loop {
    int epoll;
    bool stop;
};

int cvm_loop_open(struct cvm_loop *ret, struct cvm_error *err) CVM_MUST_USE;
void cvm_loop_close(struct cvm_loop *loop);

/* Watches `fd` for `events` (EPOLLIN, …). */
int cvm_loop_add(struct cvm_loop *loop, struct cvm_source *source, int fd, uint32_t events,
                 struct cvm_error *err) CVM_MUST_USE;
int cvm_loop_change(struct cvm_loop *loop, struct cvm_source *source, uint32_t events,
                    struct cvm_error *err) CVM_MUST_USE;
/* Before the descriptor is closed; fine when not watched. */
void cvm_loop_remove(struct cvm_loop *loop, struct cvm_source *source);

/* Until loop->stop. Fails only when the kernel refuses to wait. */
int cvm_loop_run(struct cvm_loop *loop, struct cvm_error *err) CVM_MUST_USE;
/* Serves one event, waiting at most `timeout_ms` (-1: for ever). 1: served, 0: nothing came. */
int cvm_loop_step(struct cvm_loop *loop, int timeout_ms, struct cvm_error *err) CVM_MUST_USE;

#endif
