#include "orchestrator/transport/link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "core/base/descriptor.h"

#define READ_SIZE (64 * 1024)

struct cvm_link {
    int fd;
    bool broken;
    bool ready;
    uint32_t stream; /* of the last request */
    struct cvm_frame_decoder decoder;
    cvm_link_event on_event;
    void *arg;

    const uint8_t *window; /* received and not decoded yet, in `input` */
    size_t window_len;
    uint8_t input[READ_SIZE];

    json_t *response; /* of the open request, until it is taken */
    bool body_open;   /* DATA and END of the last response are still to come */
    uint64_t body_left;
    struct cvm_buf *body_buf; /* where DATA goes */
    int body_fd;
};

static int link_fail(struct cvm_link *l, struct cvm_error *err, enum cvm_code code,
                     const char *what)
{
    l->broken = true;
    return cvm_fail(err, code, "%s", what);
}

bool cvm_link_broken(const struct cvm_link *l)
{
    return l->broken;
}

static int take_event(struct cvm_link *l, const struct cvm_frame *f, struct cvm_error *err)
{
    CVM_AUTO_JSON json_t *event = cvm_json_parse(f->payload, f->len, err);
    const char *name = json_string_value(json_object_get(event, "event"));
    if (!name)
        return link_fail(l, err, CVM_E_FRAME_FORMAT, "the agent sent an event without a name");
    if (strcmp(name, "ready") == 0)
        l->ready = true;
    l->on_event(l->arg, event);
    return 0;
}

static int take_response(struct cvm_link *l, const struct cvm_frame *f, struct cvm_error *err)
{
    if (f->stream != l->stream || l->response || l->body_open)
        return link_fail(l, err, CVM_E_FRAME_ORDER, "the agent answered what was not asked");
    json_t *response = cvm_json_parse(f->payload, f->len, err);
    if (!json_is_object(response) || !json_is_boolean(json_object_get(response, "ok"))) {
        json_decref(response);
        return link_fail(l, err, CVM_E_FRAME_FORMAT, "the agent's answer is not of a known form");
    }
    l->response = response;
    /* An answer announces data by these members and no others. */
    l->body_open = json_is_true(json_object_get(response, "ok")) &&
                   (json_object_get(response, "bytes") || json_object_get(response, "bundles"));
    return 0;
}

static int take_data(struct cvm_link *l, const struct cvm_frame *f, struct cvm_error *err)
{
    if (f->stream != l->stream || !l->body_open || f->len > l->body_left)
        return link_fail(l, err, CVM_E_FRAME_ORDER, "the agent sent data beyond what it announced");
    l->body_left -= f->len;
    if (l->body_buf) {
        cvm_buf_append(l->body_buf, f->payload, f->len);
        return 0;
    }
    /* A full disk is no fault of the connection, but the body is lost for it. */
    l->broken = true;
    if (cvm_fd_write(l->body_fd, f->payload, f->len, err) < 0)
        return cvm_error_wrap(err, "what the agent sent");
    l->broken = false;
    return 0;
}

static int take_end(struct cvm_link *l, const struct cvm_frame *f, struct cvm_error *err)
{
    if (f->stream != l->stream || !l->body_open || l->body_left)
        return link_fail(l, err, CVM_E_FRAME_ORDER, "the agent ended its data early");
    l->body_open = false;
    return 0;
}

/* 1: a frame was worked on. 0: more bytes are needed. `body` says that the caller is ready for
 * DATA. */
static int step(struct cvm_link *l, bool body, struct cvm_error *err)
{
    if (l->response && l->body_open && !body)
        return 0; /* what follows belongs to cvm_link_read() */
    struct cvm_frame f;
    int rc = cvm_frame_decode(&l->decoder, &l->window, &l->window_len, &f, err);
    if (rc < 0)
        l->broken = true;
    if (rc <= 0)
        return rc;
    switch (f.type) {
    case CVM_FRAME_EVENT:
        rc = take_event(l, &f, err);
        break;
    case CVM_FRAME_RESPONSE:
        rc = take_response(l, &f, err);
        break;
    case CVM_FRAME_DATA:
        rc = take_data(l, &f, err);
        break;
    case CVM_FRAME_END:
        rc = take_end(l, &f, err);
        break;
    case CVM_FRAME_REQUEST:
        rc = link_fail(l, err, CVM_E_FRAME_ORDER, "the agent sent a request");
        break;
    }
    return rc < 0 ? -1 : 1;
}

/* Reads once; the socket is readable. Only when the window is empty. */
static int receive(struct cvm_link *l, struct cvm_error *err)
{
    if (l->window_len)
        return 0;
    ssize_t n = recv(l->fd, l->input, sizeof l->input, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0)
        return link_fail(l, err, CVM_E_CONNECTION, "the agent's end of the connection is closed");
    l->window = l->input;
    l->window_len = (size_t)n;
    return 0;
}

/* Waits until the socket is ready for `events`; 0 on time-out. */
static int ready_for(struct cvm_link *l, short events, int timeout_ms, struct cvm_error *err)
{
    struct pollfd p = {.fd = l->fd, .events = events};
    int rc;
    do
        rc = poll(&p, 1, timeout_ms);
    while (rc < 0 && errno == EINTR);
    if (rc == 0)
        return link_fail(l, err, CVM_E_TIMEOUT, "the agent did not go on in time");
    if (rc < 0)
        return link_fail(l, err, CVM_E_CONNECTION, "cannot wait for the agent");
    return p.revents;
}

/* Sends one buffer, taking in what comes meanwhile so that neither side waits for the other. */
static int send_all(struct cvm_link *l, const uint8_t *p, size_t len, int timeout_ms,
                    struct cvm_error *err)
{
    while (len) {
        size_t now = len < CVM_FRAME_MAX ? len : CVM_FRAME_MAX;
        ssize_t n = send(l->fd, p, now, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            p += n;
            len -= (size_t)n;
            continue;
        }
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return link_fail(l, err, CVM_E_CONNECTION, "the agent closed the connection");
        int ev = ready_for(l, POLLIN | POLLOUT, timeout_ms, err);
        CVM_GUARD(ev);
        if (ev & POLLIN) {
            if (l->body_open)
                return link_fail(l, err, CVM_E_FRAME_ORDER, "the agent answered before the end");
            CVM_GUARD(receive(l, err));
            int rc;
            while ((rc = step(l, false, err)) > 0)
                ;
            CVM_GUARD(rc);
        }
    }
    return 0;
}

static int send_body(struct cvm_link *l, const struct cvm_link_body *body, int timeout_ms,
                     struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf out = {0};
    uint8_t piece[CVM_FRAME_PAYLOAD_MAX];
    for (uint64_t at = 0; at < body->len;) {
        size_t n = body->len - at < sizeof piece ? (size_t)(body->len - at) : sizeof piece;
        const uint8_t *p = body->data ? (const uint8_t *)body->data + at : piece;
        if (!body->data) {
            ssize_t got = pread(body->fd, piece, n, (off_t)at);
            if (got <= 0) {
                l->broken = true; /* the announced length can't be kept */
                return got < 0 ? cvm_fail_errno(err, "cannot read the blob")
                               : cvm_fail(err, CVM_E_IO, "the blob file is shorter than it was");
            }
            n = (size_t)got;
        }
        out.len = 0;
        CVM_GUARD(cvm_frame_encode(&out, CVM_FRAME_DATA, l->stream, p, n, err));
        CVM_GUARD(send_all(l, out.data, out.len, timeout_ms, err));
        at += n;
    }
    out.len = 0;
    CVM_GUARD(cvm_frame_encode(&out, CVM_FRAME_END, l->stream, NULL, 0, err));
    return send_all(l, out.data, out.len, timeout_ms, err);
}

/* The agent's refusal as an error of ours: its code by name, its words printable and cut. */
static void refusal(const json_t *response, struct cvm_error *err)
{
    const json_t *e = json_object_get(response, "error");
    const char *code = json_string_value(json_object_get(e, "code"));
    const char *message = json_string_value(json_object_get(e, "message"));
    const char *expected = json_string_value(json_object_get(e, "expected"));
    const char *got = json_string_value(json_object_get(e, "got"));
    cvm_fail_expected(err, cvm_code_by_name(code ? code : ""), expected, got, "%s",
                      message ? message : "the agent gave no reason");
}

json_t *cvm_link_call(struct cvm_link *l, const json_t *request, const struct cvm_link_body *body,
                      int timeout_ms, struct cvm_error *err)
{
    if (l->broken || l->body_open) {
        link_fail(l, err, CVM_E_CONNECTION, "the connection to the agent is not usable");
        return NULL;
    }
    CVM_AUTO_BUF struct cvm_buf json = {0}, out = {0};
    json_decref(l->response);
    l->response = NULL;
    l->stream++;
    if (cvm_json_write(request, &json, err) < 0 ||
        cvm_frame_encode(&out, CVM_FRAME_REQUEST, l->stream, json.data, json.len, err) < 0 ||
        send_all(l, out.data, out.len, timeout_ms, err) < 0 ||
        (body && send_body(l, body, timeout_ms, err) < 0))
        return NULL;
    while (!l->response) {
        int rc = step(l, false, err);
        if (rc == 0 && !l->response) {
            rc = ready_for(l, POLLIN, timeout_ms, err);
            if (rc >= 0)
                rc = receive(l, err);
        }
        if (rc < 0)
            return NULL;
    }
    json_t *response = CVM_TAKE(l->response);
    if (json_is_true(json_object_get(response, "ok")))
        return response;
    refusal(response, err);
    json_decref(response);
    return NULL;
}

int cvm_link_read(struct cvm_link *l, uint64_t len, struct cvm_buf *ret, int fd, int timeout_ms,
                  struct cvm_error *err)
{
    if (l->broken || !l->body_open)
        return link_fail(l, err, CVM_E_FRAME_ORDER, "the agent announced no data");
    l->body_left = len;
    l->body_buf = ret;
    l->body_fd = fd;
    while (l->body_open) {
        int rc = step(l, true, err);
        if (rc == 0) {
            rc = ready_for(l, POLLIN, timeout_ms, err);
            if (rc >= 0)
                rc = receive(l, err);
        }
        CVM_GUARD(rc);
    }
    l->body_buf = NULL;
    return 0;
}

int cvm_link_wait(struct cvm_link *l, int wake_fd, int timeout_ms, struct cvm_error *err)
{
    if (l->broken || l->body_open)
        return link_fail(l, err, CVM_E_CONNECTION, "the connection to the agent is not usable");
    int events = 0, rc;
    while ((rc = step(l, false, err)) > 0)
        events++;
    CVM_GUARD(rc);
    if (events)
        return 1;
    struct pollfd p[2] = {{.fd = l->fd, .events = POLLIN}, {.fd = wake_fd, .events = POLLIN}};
    do
        rc = poll(p, 2, timeout_ms);
    while (rc < 0 && errno == EINTR);
    if (rc < 0)
        return link_fail(l, err, CVM_E_CONNECTION, "cannot wait for the agent");
    if (p[0].revents) {
        CVM_GUARD(receive(l, err));
        while ((rc = step(l, false, err)) > 0)
            events++;
        CVM_GUARD(rc);
    }
    if (events)
        return 1;
    return p[1].revents ? 2 : 0;
}

struct cvm_link *cvm_link_new(int fd, cvm_link_event on_event, void *arg)
{
    struct cvm_link *l = cvm_alloc(sizeof *l);
    l->fd = fd;
    l->on_event = on_event;
    l->arg = arg;
    cvm_frame_decoder_init(&l->decoder, CVM_FRAME_FROM_AGENT);
    return l;
}

int cvm_link_greeted(struct cvm_link *l, int timeout_ms, struct cvm_error *err)
{
    while (!l->ready) {
        int rc = step(l, false, err);
        if (rc == 0) {
            rc = ready_for(l, POLLIN, timeout_ms, err);
            if (rc >= 0)
                rc = receive(l, err);
        }
        CVM_GUARD(rc);
    }
    return 0;
}

int cvm_link_open(int fd, int timeout_ms, cvm_link_event on_event, void *arg, struct cvm_link **ret,
                  struct cvm_error *err)
{
    struct cvm_link *l = cvm_link_new(fd, on_event, arg);
    if (cvm_link_greeted(l, timeout_ms, err) < 0) {
        cvm_link_close(l);
        return -1;
    }
    *ret = l;
    return 0;
}

void cvm_link_shutdown(struct cvm_link *l)
{
    shutdown(l->fd, SHUT_RDWR);
}

struct cvm_link *cvm_link_close(struct cvm_link *l)
{
    if (!l)
        return NULL;
    close(l->fd);
    json_decref(l->response);
    free(l);
    return NULL;
}
