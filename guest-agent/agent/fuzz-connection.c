/* Bytes from a hostile host, against the rules of which frame may come when. The owner answers in
 * every way that there is; whatever comes, the connection ends or stays, and nothing else. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/json.h"
#include "guest-agent/agent/connection.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct cvm_connection connection;
static uint64_t body_left;
static bool has_open_body;

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void answer(struct cvm_connection *c, unsigned how)
{
    CVM_AUTO_JSON json_t *control = json_pack("{s:b}", "ok", 1);
    struct cvm_error err;
    struct cvm_buf body = {0};
    switch (how % 4) {
    case 0:
        cvm_connection_answer(c, control);
        return;
    case 1:
        cvm_buf_extend(&body, how * 100);
        cvm_connection_answer_bytes(c, control, &body);
        check(!body.data || c->state == CVM_CONNECTION_CLOSED);
        cvm_buf_free(&body);
        return;
    case 2:
        cvm_fail(&err, CVM_E_USAGE, "no");
        cvm_connection_refuse(c, &err);
        return;
    default: /* later, which here is never */
        return;
    }
}

static void on_request(void *owner, json_t *control, bool has_body, uint64_t bytes)
{
    struct cvm_connection *c = owner;
    check(json_is_object(control));
    has_open_body = has_body;
    body_left = bytes;
    size_t members = json_object_size(control);
    if (!has_body)
        answer(c, (unsigned)members);
    else if (members > 2)
        answer(c, 2);
}

static void on_body(void *owner, const uint8_t *data, size_t len)
{
    check(has_open_body && len <= body_left && (len == 0 || data));
    body_left -= len;
    if (len && data[0] == 'r')
        answer(owner, 2);
}

static void on_body_end(void *owner)
{
    check(has_open_body && body_left == 0);
    has_open_body = false;
    answer(owner, 1);
}

static void on_lost(void *owner, const struct cvm_error *why)
{
    (void)owner;
    check(why->code != CVM_OK);
    has_open_body = false;
}

static void on_connected(void *owner)
{
    CVM_AUTO_JSON json_t *event = json_pack("{s:s}", "event", "ready");
    cvm_connection_event(owner, event);
}

static const struct cvm_connection_calls calls = {
    .request = on_request,
    .body = on_body,
    .body_end = on_body_end,
    .lost = on_lost,
    .connected = on_connected,
};

static struct cvm_loop loop;
static struct sockaddr_un name;
static socklen_t name_len = sizeof name;

static void open_once(void)
{
    struct cvm_error err;
    struct sockaddr_un any = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(bind(fd, (struct sockaddr *)&any, sizeof any.sun_family) == 0 && listen(fd, 1) == 0);
    check(getsockname(fd, (struct sockaddr *)&name, &name_len) == 0);
    check(cvm_loop_open(&loop, &err) == 0);
    check(cvm_connection_listen(&connection, &loop, fd, &calls, &connection, &err) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool opened;
    struct cvm_error err;
    if (!opened)
        open_once();
    opened = true;
    if (size > 100000)
        return 0;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(connect(fd, (struct sockaddr *)&name, name_len) == 0);
    check(cvm_loop_step(&loop, -1, &err) == 1 && connection.state == CVM_CONNECTION_IDLE);
    for (size_t at = 0; at < size && connection.state != CVM_CONNECTION_CLOSED;) {
        char sink[65536];
        ssize_t n = send(fd, data + at, size - at, MSG_NOSIGNAL | MSG_DONTWAIT);
        at += n > 0 ? (size_t)n : 0;
        while (recv(fd, sink, sizeof sink, MSG_DONTWAIT) > 0)
            ;
        check(cvm_loop_step(&loop, 0, &err) >= 0);
    }
    close(fd);
    for (int i = 0; connection.state != CVM_CONNECTION_CLOSED; i++) {
        check(i < 10000 && cvm_loop_step(&loop, -1, &err) >= 0);
        check(connection.out.len - connection.out_at < 4 * CVM_CONNECTION_QUEUE);
    }
    return 0;
}
