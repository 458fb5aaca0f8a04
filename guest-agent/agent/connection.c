#include "guest-agent/agent/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "core/base/json.h"

static void drop(struct cvm_connection *c, const struct cvm_error *why)
{
    if (c->state == CVM_CONNECTION_CLOSED)
        return;
    int fd = c->source.fd;
    cvm_loop_remove(c->loop, &c->source);
    close(fd);
    c->state = CVM_CONNECTION_CLOSED;
    cvm_buf_free(&c->out);
    cvm_buf_free(&c->answer);
    c->out_at = 0;
    c->answer_fd = -1;
    c->answer_at = c->answer_len = 0;
    c->stream = c->last_stream = 0;
    c->body_left = 0;
    c->calls->lost(c->owner, why);
    if (c->ending)
        c->loop->stop = true;
}

static void refuse_frame(struct cvm_connection *c, enum cvm_code code, const char *what)
{
    struct cvm_error why;
    cvm_fail(&why, code, "%s", what);
    drop(c, &why);
}

static size_t waiting(const struct cvm_connection *c)
{
    return c->out.len - c->out_at;
}

/* Watches for what can be done now; a queue that is full stops the reading. */
static void watch(struct cvm_connection *c)
{
    if (c->state == CVM_CONNECTION_CLOSED)
        return;
    uint32_t events = 0;
    if (waiting(c) < CVM_CONNECTION_QUEUE && !c->ending)
        events |= EPOLLIN | EPOLLRDHUP;
    if (waiting(c) || c->state == CVM_CONNECTION_ANSWERING || c->ending)
        events |= EPOLLOUT;
    struct cvm_error err;
    if (cvm_loop_change(c->loop, &c->source, events, &err) < 0)
        drop(c, &err);
}

static void put(struct cvm_connection *c, enum cvm_frame_type type, uint32_t stream,
                const void *data, size_t len)
{
    if (c->state == CVM_CONNECTION_CLOSED)
        return;
    if (c->out_at == c->out.len || c->out_at > CVM_CONNECTION_QUEUE) {
        if (waiting(c))
            memmove(c->out.data, c->out.data + c->out_at, waiting(c));
        c->out.len -= c->out_at;
        c->out_at = 0;
    }
    struct cvm_error err;
    if (cvm_frame_encode(&c->out, type, stream, data, len, &err) < 0)
        drop(c, &err);
}

static void put_json(struct cvm_connection *c, enum cvm_frame_type type, uint32_t stream,
                     const json_t *control)
{
    CVM_AUTO_BUF struct cvm_buf text = {0};
    struct cvm_error err;
    if (cvm_json_write(control, &text, &err) < 0) {
        drop(c, &err);
        return;
    }
    put(c, type, stream, text.data, text.len);
}

static void answered(struct cvm_connection *c, const json_t *control)
{
    if (c->state == CVM_CONNECTION_CLOSED || c->state == CVM_CONNECTION_IDLE)
        return;
    put_json(c, CVM_FRAME_RESPONSE, c->stream, control);
    if (c->state != CVM_CONNECTION_CLOSED)
        c->state = CVM_CONNECTION_IDLE;
}

void cvm_connection_answer(struct cvm_connection *c, const json_t *control)
{
    answered(c, control);
    watch(c);
}

static void answer_body(struct cvm_connection *c, const json_t *control, uint64_t len)
{
    answered(c, control);
    if (c->state != CVM_CONNECTION_IDLE)
        return;
    c->state = CVM_CONNECTION_ANSWERING;
    c->answer_at = 0;
    c->answer_len = len;
    watch(c);
}

void cvm_connection_answer_bytes(struct cvm_connection *c, const json_t *control,
                                 struct cvm_buf *body)
{
    if (c->state != CVM_CONNECTION_CLOSED) {
        cvm_buf_free(&c->answer);
        c->answer = *body;
        *body = (struct cvm_buf){0};
        c->answer_fd = -1;
    }
    answer_body(c, control, c->answer.len);
}

void cvm_connection_answer_file(struct cvm_connection *c, const json_t *control, int fd,
                                uint64_t len)
{
    c->answer_fd = fd;
    answer_body(c, control, len);
}

void cvm_connection_refuse(struct cvm_connection *c, const struct cvm_error *err)
{
    if (c->state == CVM_CONNECTION_CLOSED || c->state == CVM_CONNECTION_IDLE)
        return;
    bool more = c->state == CVM_CONNECTION_BODY;
    CVM_AUTO_JSON json_t *control = json_pack(
        "{s:b, s:{s:s, s:s, s:s, s:s}}", "ok", 0, "error", "code", cvm_code_info(err->code)->name,
        "message", err->message, "expected", err->expected, "got", err->got);
    answered(c, control);
    if (more && c->state == CVM_CONNECTION_IDLE)
        c->state = CVM_CONNECTION_DROPPING;
    watch(c);
}

void cvm_connection_event(struct cvm_connection *c, const json_t *control)
{
    put_json(c, CVM_FRAME_EVENT, 0, control);
    watch(c);
}

void cvm_connection_finish(struct cvm_connection *c)
{
    c->ending = true;
    if (c->state == CVM_CONNECTION_CLOSED)
        c->loop->stop = true;
    watch(c);
}

/* The next DATA frame of the answer's body, or its END. */
static void put_answer(struct cvm_connection *c)
{
    uint64_t left = c->answer_len - c->answer_at;
    if (!left) {
        put(c, CVM_FRAME_END, c->stream, NULL, 0);
        cvm_buf_free(&c->answer);
        c->answer_fd = -1;
        if (c->state == CVM_CONNECTION_ANSWERING)
            c->state = CVM_CONNECTION_IDLE;
        return;
    }
    size_t n = left < CVM_FRAME_PAYLOAD_MAX ? (size_t)left : CVM_FRAME_PAYLOAD_MAX;
    if (c->answer_fd < 0) {
        put(c, CVM_FRAME_DATA, c->stream, c->answer.data + c->answer_at, n);
        c->answer_at += n;
        return;
    }
    uint8_t bytes[CVM_FRAME_PAYLOAD_MAX];
    ssize_t got = pread(c->answer_fd, bytes, n, (off_t)c->answer_at);
    if (got <= 0) {
        refuse_frame(c, CVM_E_IO, "the body of the answer can't be read");
        return;
    }
    put(c, CVM_FRAME_DATA, c->stream, bytes, (size_t)got);
    c->answer_at += (uint64_t)got;
}

/* One write, so that other descriptors get their turn. */
static void write_some(struct cvm_connection *c)
{
    if (c->state == CVM_CONNECTION_ANSWERING && waiting(c) < CVM_CONNECTION_WRITE)
        put_answer(c);
    if (c->state == CVM_CONNECTION_CLOSED)
        return;
    size_t n = waiting(c) < CVM_CONNECTION_WRITE ? waiting(c) : CVM_CONNECTION_WRITE;
    if (n) {
        ssize_t done = send(c->source.fd, c->out.data + c->out_at, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (done < 0 && errno != EAGAIN && errno != EINTR) {
            refuse_frame(c, CVM_E_CONNECTION, "the host does not take the answer");
            return;
        }
        if (done > 0)
            c->out_at += (size_t)done;
    }
    if (!waiting(c) && c->state != CVM_CONNECTION_ANSWERING && c->ending)
        refuse_frame(c, CVM_E_CONNECTION, "the isolate ends");
}

static void take_request(struct cvm_connection *c, const struct cvm_frame *f)
{
    struct cvm_error err;
    if (c->state != CVM_CONNECTION_IDLE) {
        refuse_frame(c, CVM_E_FRAME_ORDER, "a request while another is open");
        return;
    }
    if (f->stream <= c->last_stream) {
        refuse_frame(c, CVM_E_FRAME_STREAM, "a request on a stream number that does not grow");
        return;
    }
    CVM_AUTO_JSON json_t *control = cvm_json_parse_canonical(f->payload, f->len, &err);
    if (!control || !json_is_object(control)) {
        refuse_frame(c, CVM_E_FRAME_FORMAT, "a request that is no canonical JSON object");
        return;
    }
    const json_t *bytes = json_object_get(control, "bytes");
    if (bytes && (!json_is_integer(bytes) || json_integer_value(bytes) < 0)) {
        refuse_frame(c, CVM_E_FRAME_FORMAT, "a request whose body has no length");
        return;
    }
    c->stream = c->last_stream = f->stream;
    c->body_left = bytes ? (uint64_t)json_integer_value(bytes) : 0;
    c->state = bytes ? CVM_CONNECTION_BODY : CVM_CONNECTION_WORKING;
    c->calls->request(c->owner, control, bytes != NULL, c->body_left);
}

static void take_body(struct cvm_connection *c, const struct cvm_frame *f)
{
    bool open = c->state == CVM_CONNECTION_BODY || c->state == CVM_CONNECTION_DROPPING;
    if (!open) {
        refuse_frame(c, CVM_E_FRAME_ORDER, "a body that no request announced");
        return;
    }
    if (f->stream != c->stream) {
        refuse_frame(c, CVM_E_FRAME_STREAM, "a body for another stream than the open one");
        return;
    }
    if (f->type == CVM_FRAME_DATA) {
        if (f->len > c->body_left) {
            refuse_frame(c, CVM_E_FRAME_ORDER, "a body that is longer than announced");
            return;
        }
        c->body_left -= f->len;
        if (c->state == CVM_CONNECTION_BODY)
            c->calls->body(c->owner, f->payload, f->len);
        return;
    }
    if (c->body_left) {
        refuse_frame(c, CVM_E_FRAME_ORDER, "a body that is shorter than announced");
        return;
    }
    if (c->state == CVM_CONNECTION_DROPPING) {
        c->state = CVM_CONNECTION_IDLE;
        return;
    }
    c->state = CVM_CONNECTION_WORKING;
    c->calls->body_end(c->owner);
}

static void take_frame(struct cvm_connection *c, const struct cvm_frame *f)
{
    switch (f->type) {
    case CVM_FRAME_REQUEST:
        take_request(c, f);
        return;
    case CVM_FRAME_DATA:
    case CVM_FRAME_END:
        take_body(c, f);
        return;
    default:
        refuse_frame(c, CVM_E_FRAME_FORMAT, "a frame that the host may not send");
    }
}

static void read_some(struct cvm_connection *c)
{
    uint8_t bytes[CVM_FRAME_MAX * 4];
    ssize_t got = recv(c->source.fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        refuse_frame(c, CVM_E_CONNECTION, "the host has ended the connection");
        return;
    }
    const uint8_t *at = bytes;
    size_t left = (size_t)got;
    while (c->state != CVM_CONNECTION_CLOSED) {
        struct cvm_frame f;
        struct cvm_error err;
        int r = cvm_frame_decode(&c->decoder, &at, &left, &f, &err);
        if (r == 0)
            return;
        if (r < 0) {
            drop(c, &err);
            return;
        }
        take_frame(c, &f);
    }
}

static void connection_ready(struct cvm_source *source, uint32_t events)
{
    struct cvm_connection *c = source->owner;
    if (events & EPOLLOUT)
        write_some(c);
    if (c->state != CVM_CONNECTION_CLOSED && (events & (EPOLLIN | EPOLLRDHUP)))
        read_some(c);
    if (c->state != CVM_CONNECTION_CLOSED && (events & (EPOLLERR | EPOLLHUP)) &&
        !(events & EPOLLIN))
        refuse_frame(c, CVM_E_CONNECTION, "the host has ended the connection");
    watch(c);
}

/* The newest connection counts: the old one belongs to a daemon that has ended. */
static void listener_ready(struct cvm_source *source, uint32_t events)
{
    (void)events;
    struct cvm_connection *c = source->owner;
    int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    if (c->state != CVM_CONNECTION_CLOSED)
        refuse_frame(c, CVM_E_CONNECTION, "another connection has taken its place");
    struct cvm_error err;
    if (c->ending || cvm_loop_add(c->loop, &c->source, fd, EPOLLIN | EPOLLRDHUP, &err) < 0) {
        close(fd);
        return;
    }
    c->state = CVM_CONNECTION_IDLE;
    cvm_frame_decoder_init(&c->decoder, CVM_FRAME_FROM_HOST);
    c->calls->connected(c->owner);
}

int cvm_connection_listen(struct cvm_connection *c, struct cvm_loop *loop, int listen_fd,
                          const struct cvm_connection_calls *calls, void *owner,
                          struct cvm_error *err)
{
    *c = (struct cvm_connection){
        .loop = loop,
        .calls = calls,
        .owner = owner,
        .listener = {.fd = -1, .ready = listener_ready, .owner = c},
        .source = {.fd = -1, .ready = connection_ready, .owner = c},
        .answer_fd = -1,
    };
    int flags = fcntl(listen_fd, F_GETFL);
    if (flags < 0 || fcntl(listen_fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return cvm_fail_errno(err, "the listening socket can't be used");
    return cvm_loop_add(loop, &c->listener, listen_fd, EPOLLIN, err);
}

void cvm_connection_close(struct cvm_connection *c)
{
    cvm_loop_remove(c->loop, &c->listener);
    refuse_frame(c, CVM_E_CONNECTION, "the isolate ends");
}
