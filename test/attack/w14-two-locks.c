/*
 * W14: the lock is held by each of several workers. Here eight connections lock at the same moment.
 * Would succeed if the agent served two at once, or kept the lock by connection.
 */
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test/attack/attack.h"

#define CONNECTIONS 8

static void frames_of_lock(struct world *w, struct cvm_buf *out)
{
    static const char *const names[] = {"anna", "berta", "carl"};
    struct cvm_error err;
    CVM_AUTO_BUF struct cvm_buf body = {0}, control = {0};
    json_t *list = json_array();
    cvm_buf_append(&body, w->manifest.bytes, w->manifest.len);
    for (int i = 0; i < 3; i++) {
        cvm_buf_append(&body, w->commitments[i].data, w->commitments[i].len);
        json_array_append_new(list, json_pack("{s:s, s:I}", "participant", names[i], "bytes",
                                              (json_int_t)w->commitments[i].len));
    }
    CVM_AUTO_JSON json_t *request =
        json_pack("{s:s, s:I, s:o, s:I}", "op", "lock", "manifest_bytes",
                  (json_int_t)w->manifest.len, "commitments", list, "bytes", (json_int_t)body.len);
    assert_int_equal(cvm_json_write(request, &control, &err), 0);
    assert_int_equal(cvm_frame_encode(out, CVM_FRAME_REQUEST, 1, control.data, control.len, &err),
                     0);
    assert_int_equal(cvm_frame_encode_data(out, 1, body.data, body.len, &err), 0);
    assert_int_equal(cvm_frame_encode(out, CVM_FRAME_END, 1, NULL, 0, &err), 0);
}

/* Everything that the agent says on this connection until it ends it or is silent. */
static bool said_ok(int fd)
{
    CVM_AUTO_BUF struct cvm_buf said = {0};
    char bytes[4096];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    ssize_t n;
    while (poll(&p, 1, 1000) == 1 && (n = read(fd, bytes, sizeof bytes)) > 0)
        cvm_buf_append(&said, bytes, (size_t)n);
    return said.len && memmem(said.data, said.len, "\"ok\":true", 9);
}

static void test_two_locks(void **state)
{
    (void)state;
    struct world w;
    attack_world(&w);
    world_seal(&w);
    world_start(&w);
    CVM_AUTO_BUF struct cvm_buf frames = {0};
    frames_of_lock(&w, &frames);
    int fds[CONNECTIONS], locked = 0;
    for (int i = 0; i < CONNECTIONS; i++)
        fds[i] = world_socket(&w);
    for (int i = 0; i < CONNECTIONS; i++)
        (void)!send(fds[i], frames.data, frames.len, MSG_NOSIGNAL);
    for (int i = 0; i < CONNECTIONS; i++) {
        locked += said_ok(fds[i]);
        close(fds[i]);
    }
    assert_true(locked <= 1);
    world_connect(&w);
    if (!locked) /* the agent has taken the last connection only, and that one had no time */
        assert_int_equal(world_lock(&w), CVM_OK);
    assert_int_equal(world_lock(&w), CVM_E_ALREADY_LOCKED);
    world_close(&w);
}

ATTACK_MAIN(test_two_locks)
