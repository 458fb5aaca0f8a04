#include "guest-agent/agent/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CHUNK 65536 /* moved an event: other sources get their turn */

static void end_side(struct cvm_stream *s, struct cvm_source *source, int *fd)
{
    cvm_loop_remove(&s->agent->loop, source);
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void forget_queue(struct cvm_stream *s)
{
    cvm_buf_free(&s->queue);
    s->taken = 0;
}

static void finish(struct cvm_stream *s)
{
    end_side(s, &s->readable, &s->from);
    end_side(s, &s->writable, &s->to);
    forget_queue(s);
}

static void break_off(struct cvm_stream *s)
{
    s->broken = true;
    finish(s); /* with our end of its pipe closed, the writer's next write fails */
}

/* Waits for one side and not for the other; a side that is not waited for is not watched, because
 * the kernel tells of a hang-up whatever was asked. */
static void wait_for(struct cvm_stream *s, struct cvm_source *side)
{
    struct cvm_source *other = side == &s->readable ? &s->writable : &s->readable;
    struct cvm_error err;
    cvm_loop_remove(&s->agent->loop, other);
    if (side->fd >= 0)
        return;
    int fd = side == &s->readable ? s->from : s->to;
    if (cvm_loop_add(&s->agent->loop, side, fd, side == &s->readable ? EPOLLIN : EPOLLOUT, &err) <
        0)
        s->refused(s, err.code);
}

static size_t unread(int fd)
{
    int n = 0;
    return ioctl(fd, FIONREAD, &n) == 0 && n > 0 ? (size_t)n : 0;
}

/* Spends for what lies in the pipe and was not spent for: all of it will be moved. */
static bool pay(struct cvm_stream *s, size_t waiting)
{
    if (waiting <= s->paid)
        return true;
    struct cvm_policy_request q = {
        .kind = CVM_REQUEST_STREAM, .channel = s->channel, .bytes = waiting - s->paid};
    struct cvm_error err;
    if (cvm_agent_ask(s->agent, &q, &err) < 0) {
        finish(s);
        s->refused(s, err.code);
        return false;
    }
    s->paid = waiting;
    return true;
}

static void move(struct cvm_stream *s)
{
    size_t waiting = unread(s->from);
    if (waiting == 0) {
        if (s->complete)
            finish(s);
        else
            wait_for(s, &s->readable);
        return;
    }
    if (!pay(s, waiting))
        return;
    ssize_t n = splice(s->from, NULL, s->to, NULL, s->paid < CHUNK ? s->paid : CHUNK,
                       SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    if (n > 0)
        s->paid -= (uint64_t)n;
    else if (n < 0 && errno == EAGAIN)
        wait_for(s, &s->writable);
    else if (n < 0 && errno != EINTR)
        break_off(s);
    else
        wait_for(s, &s->readable);
}

static void move_queue(struct cvm_stream *s)
{
    size_t left = s->queue.len - s->taken;
    if (left == 0) {
        cvm_loop_remove(&s->agent->loop, &s->writable);
        forget_queue(s);
        if (s->complete)
            finish(s);
        return;
    }
    ssize_t n = write(s->to, s->queue.data + s->taken, left < CHUNK ? left : CHUNK);
    if (n >= 0)
        s->taken += (size_t)n;
    else if (errno != EAGAIN && errno != EINTR) {
        break_off(s);
        return;
    }
    wait_for(s, &s->writable);
}

static bool is_open_input(const struct cvm_stream *s)
{
    return s->agent->manifest.channels[s->channel].from_data >= 0;
}

static void go_on(struct cvm_stream *s)
{
    if (s->to < 0)
        return;
    if (is_open_input(s))
        move_queue(s);
    else if (s->from >= 0)
        move(s);
}

static void on_writable(struct cvm_source *source, uint32_t events)
{
    (void)events;
    go_on(source->owner);
}

/* A writer that has closed its end, but not ended, is waited for by its cell, not by its pipe. */
static void on_readable(struct cvm_source *source, uint32_t events)
{
    struct cvm_stream *s = source->owner;
    bool closed = (events & EPOLLHUP) && unread(s->from) == 0;
    if (closed && !s->complete)
        cvm_loop_remove(&s->agent->loop, source);
    else
        go_on(s);
}

void cvm_stream_open(struct cvm_stream *s, struct cvm_agent *a, uint32_t channel)
{
    *s = (struct cvm_stream){.agent = a, .channel = channel, .from = -1, .to = -1};
    s->readable = (struct cvm_source){.fd = -1, .ready = on_readable, .owner = s};
    s->writable = (struct cvm_source){.fd = -1, .ready = on_writable, .owner = s};
}

/* Our end never blocks; the cell's does, so that it waits in the kernel. */
static int pipe_for(int *ours, int which, struct cvm_error *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return cvm_fail_errno(err, "no pipe for a stream");
    if (fcntl(ends[which], F_SETFL, O_NONBLOCK) < 0) {
        close(ends[0]);
        close(ends[1]);
        return cvm_fail_errno(err, "no pipe for a stream");
    }
    *ours = ends[which];
    return ends[!which];
}

int cvm_stream_writer(struct cvm_stream *s, struct cvm_error *err)
{
    int fd = pipe_for(&s->from, 0, err);
    CVM_GUARD(fd);
    if (s->broken)
        break_off(s); /* the reader ended before the writer began */
    go_on(s);
    return fd;
}

int cvm_stream_reader(struct cvm_stream *s, struct cvm_error *err)
{
    int fd = pipe_for(&s->to, 1, err);
    CVM_GUARD(fd);
    go_on(s);
    return fd;
}

void cvm_stream_writer_ended(struct cvm_stream *s)
{
    s->complete = true;
    go_on(s);
}

void cvm_stream_reader_ended(struct cvm_stream *s)
{
    break_off(s);
}

enum cvm_code cvm_stream_can_feed(const struct cvm_stream *s, size_t len)
{
    size_t held = s->queue.len - s->taken;
    if (s->broken || s->complete)
        return CVM_E_INPUT_ENDED;
    return len <= CVM_STREAM_QUEUE_MAX && held <= CVM_STREAM_QUEUE_MAX - len ? CVM_OK
                                                                             : CVM_E_STREAM_FULL;
}

int cvm_stream_feed(struct cvm_stream *s, const void *data, size_t len, bool end,
                    struct cvm_error *err)
{
    enum cvm_code code = cvm_stream_can_feed(s, len);
    CVM_ENSURE(code == CVM_OK, err, code, "channels[%u]", s->channel);
    CVM_AUTO_BUF struct cvm_buf old = s->queue;
    s->queue = (struct cvm_buf){0};
    cvm_buf_append(&s->queue, old.data + s->taken, old.len - s->taken);
    cvm_buf_append(&s->queue, data, len);
    s->taken = 0;
    s->complete = end;
    go_on(s);
    return 0;
}

void cvm_stream_close(struct cvm_stream *s)
{
    if (s->agent)
        finish(s);
}
