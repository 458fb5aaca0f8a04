/*
 * hcsshim 2e97c9bb3: concurrent requests change what was checked before it is used. Here an item
 * comes in two halves, and between them another connection asks for everything else; then the host
 * sends other bytes for the second half. Would succeed if two requests were served at once, or if
 * content were used before its whole digest matched.
 */
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test/attack/attack.h"

static int begin_item(struct world *w, const struct world_item *it, size_t half)
{
    struct cvm_error err;
    int fd = world_socket(w);
    CVM_AUTO_BUF struct cvm_buf frames = {0};
    CVM_AUTO_FREE char *control =
        cvm_printf("{\"bytes\":%zu,\"id\":\"%s\",\"op\":\"item\"}", it->blob.len, it->id);
    assert_int_equal(
        cvm_frame_encode(&frames, CVM_FRAME_REQUEST, 1, control, strlen(control), &err), 0);
    assert_int_equal(cvm_frame_encode_data(&frames, 1, it->blob.data, half, &err), 0);
    assert_int_equal(write(fd, frames.data, frames.len), frames.len);
    return fd;
}

static void end_item(int fd, const struct world_item *it, size_t half)
{
    struct cvm_error err;
    CVM_AUTO_BUF struct cvm_buf frames = {0};
    assert_int_equal(
        cvm_frame_encode_data(&frames, 1, it->blob.data + half, it->blob.len - half, &err), 0);
    assert_int_equal(cvm_frame_encode(&frames, CVM_FRAME_END, 1, NULL, 0, &err), 0);
    (void)!send(fd, frames.data, frames.len, MSG_NOSIGNAL);
}

static bool wants(struct world *w, const char *id)
{
    CVM_AUTO_JSON json_t *s = world_status(w);
    const json_t *all = json_object_get(s, "wanted");
    for (size_t i = 0; i < json_array_size(all); i++)
        if (!strcmp(json_string_value(json_array_get(all, i)), id))
            return true;
    return false;
}

static void test_between_check_and_use(void **state)
{
    (void)state;
    struct world w;
    attack_locked(&w);
    world_release_all(&w);
    const struct world_item *rows = &w.items[1];
    size_t half = rows->blob.len / 2;
    w.link = cvm_link_close(w.link);
    int first = begin_item(&w, rows, half);
    poll(NULL, 0, 200);
    world_connect(&w); /* the other one */
    assert_int_not_equal(world_op(&w, "run"), CVM_OK);
    assert_int_equal(world_lock(&w), CVM_E_ALREADY_LOCKED);
    assert_int_equal(world_item(&w, "c"), CVM_OK);
    end_item(first, rows, half);
    poll(NULL, 0, 200);
    world_connect(&w);
    close(first);
    /* Half an item and another connection's requests are no item. */
    assert_true(wants(&w, "rows"));
    assert_int_not_equal(world_op(&w, "run"), CVM_OK);
    /* And a second half of other bytes is refused as a whole. */
    CVM_AUTO_BUF struct cvm_buf mixed = {0};
    cvm_buf_append(&mixed, rows->blob.data, half);
    cvm_buf_append(&mixed, w.items[0].blob.data, rows->blob.len - half);
    assert_int_equal(world_item_bytes(&w, "rows", mixed.data, mixed.len), CVM_E_STREAM_CORRUPT);
    assert_true(wants(&w, "rows"));
    assert_int_equal(world_item(&w, "rows"), CVM_OK);
    assert_true(world_await(&w, "sealed"));
    *w.state = 0;
    assert_string_equal(world_run(&w), "releasing");
    attack_assert_result(&w, "result", "secret rows");
    world_close(&w);
}

ATTACK_MAIN(test_between_check_and_use)
