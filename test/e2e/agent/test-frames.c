/* Frames from a hostile host: each that may not come ends the connection and changes nothing; the
 * next connection is served as if nothing had been. */
#include <setjmp.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "test/e2e/agent/world.h"

static struct world w;

static void open_world(void)
{
    world_open(&w);
    world_component(&w, "c", "text 0 x\n");
    world_channel(&w, "c", "out/r", "result", NULL);
    world_output(&w, "result", 1000);
    world_seal(&w);
    world_start(&w);
    assert_int_equal(world_lock(&w), CVM_OK);
}

static int setup(void **state)
{
    (void)state;
    open_world();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_close(&w);
    return 0;
}

static void frame(struct cvm_buf *out, uint32_t length, uint8_t type, uint32_t stream,
                  const char *payload, size_t len)
{
    cvm_buf_append_u32be(out, length);
    cvm_buf_append_u8(out, type);
    cvm_buf_append_u32be(out, stream);
    cvm_buf_append(out, payload, len);
}

static void request(struct cvm_buf *out, uint32_t stream, const char *json)
{
    frame(out, (uint32_t)strlen(json) + 5, CVM_FRAME_REQUEST, stream, json, strlen(json));
}

static void data(struct cvm_buf *out, uint32_t stream, const char *bytes)
{
    frame(out, (uint32_t)strlen(bytes) + 5, CVM_FRAME_DATA, stream, bytes, strlen(bytes));
}

static void end(struct cvm_buf *out, uint32_t stream)
{
    frame(out, 5, CVM_FRAME_END, stream, "", 0);
}

static bool has(const struct cvm_buf *said, const char *text)
{
    return !text || (said->len && memmem(said->data, said->len, text, strlen(text)));
}

/* Sends, and reads until the agent ends the connection (true) or is silent for a while. */
static bool ends(const struct cvm_buf *bytes, bool want_end, const char *want_text,
                 struct cvm_buf *said)
{
    int fd = world_socket(&w);
    size_t at = 0;
    while (at < bytes->len) {
        ssize_t n = send(fd, bytes->data + at, bytes->len - at, MSG_NOSIGNAL);
        if (n <= 0)
            break;
        at += (size_t)n;
    }
    bool ended = false;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    /* Long for what should come, short for what should not. */
    while (!ended && poll(&p, 1, want_end || !has(said, want_text) ? 10000 : 100) > 0) {
        char chunk[4096];
        ssize_t n = read(fd, chunk, sizeof chunk);
        ended = n <= 0;
        if (n > 0)
            cvm_buf_append(said, chunk, (size_t)n);
    }
    close(fd);
    return ended;
}

static void expect(struct cvm_buf *bytes, bool want_end, const char *want_text)
{
    CVM_AUTO_BUF struct cvm_buf said = {0};
    assert_int_equal(ends(bytes, want_end, want_text, &said), want_end);
    assert_true(has(&said, want_text));
    cvm_buf_free(bytes);
    world_connect(&w);
    CVM_AUTO_JSON json_t *s = world_status(&w);
    assert_string_equal(json_string_value(json_object_get(s, "state")), "locked");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(s, "transcript"), "n")), 1);
}

static const char status[] = "{\"op\":\"status\"}";
static const char act[] = "{\"bytes\":4,\"op\":\"act\"}";

static void test_forms(void **state)
{
    (void)state;
    struct cvm_buf b = {0};
    for (int type = 0; type < 256; type++) { /* all but REQUEST, in a fresh connection */
        if (type == CVM_FRAME_REQUEST || (type > 6 && type < 250))
            continue;
        frame(&b, 5, (uint8_t)type, 1, "", 0);
        expect(&b, true, NULL);
    }
    frame(&b, 0, 0, 0, "", 0);
    expect(&b, true, NULL);
    frame(&b, 4, CVM_FRAME_REQUEST, 0, "", 0);
    expect(&b, true, NULL);
    frame(&b, UINT32_MAX, CVM_FRAME_REQUEST, 1, "", 0);
    expect(&b, true, NULL);
    frame(&b, 16006, CVM_FRAME_REQUEST, 1, "", 0);
    expect(&b, true, NULL);
    cvm_buf_append_str(&b, "GET / HTTP/1.1\r\nHost: agent\r\n\r\n");
    expect(&b, true, NULL);
    request(&b, 1, status);
    b.len -= 3; /* cut */
    expect(&b, false, NULL);
}

static void test_requests(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "null",
        "\"status\"",
        "{\"op\":\"status\" }",
        "{\"op\":1.5}",
        "{\"op\":\"act\",\"bytes\":4}",
        "{\"bytes\":-1,\"op\":\"act\"}",
        "{\"bytes\":\"4\",\"op\":\"act\"}",
        "{\"op\":\"status\",\"op\":\"status\"}",
    };
    struct cvm_buf b = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        request(&b, 1, bad[i]);
        expect(&b, true, NULL);
    }
    request(&b, 0, status);
    expect(&b, true, NULL);
    /* Well-formed, but nothing that this agent does: refused, and the connection stays. */
    static const char *const refused[] = {
        "{\"op\":\"reset\"}",
        "{}",
        "{\"op\":7}",
        "{\"debug\":true,\"op\":\"status\"}",
        "{\"op\":\"hello\",\"version\":2}",
        "{\"op\":\"act\"}",
        "{\"nonces\":[],\"op\":\"challenge\"}",
        "{\"nonces\":[\"AAAA\"],\"op\":\"challenge\"}",
        "{\"nonces\":[7],\"op\":\"challenge\"}",
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        request(&b, 1, refused[i]);
        request(&b, 2, status);
        expect(&b, false, "\"ok\":false");
    }
}

static void test_order(void **state)
{
    (void)state;
    struct cvm_buf b = {0};
    data(&b, 1, "abcd"); /* without a request */
    expect(&b, true, NULL);
    end(&b, 1);
    expect(&b, true, NULL);
    request(&b, 5, status); /* stream numbers grow */
    request(&b, 5, status);
    expect(&b, true, NULL);
    request(&b, 5, status);
    request(&b, 4, status);
    expect(&b, true, NULL);
    request(&b, 1, act); /* a request inside a request */
    request(&b, 2, status);
    expect(&b, true, NULL);
    request(&b, 1, act); /* a body for another stream */
    data(&b, 2, "abcd");
    expect(&b, true, NULL);
    request(&b, 1, act); /* more than announced */
    data(&b, 1, "abcde");
    expect(&b, true, NULL);
    request(&b, 1, act);
    data(&b, 1, "abcd");
    data(&b, 1, "e");
    expect(&b, true, NULL);
    request(&b, 1, act); /* less than announced */
    data(&b, 1, "abc");
    end(&b, 1);
    expect(&b, true, NULL);
    request(&b, 1, act); /* an end with something in it */
    frame(&b, 6, CVM_FRAME_END, 1, "x", 1);
    expect(&b, true, NULL);
    request(&b, 1, status); /* a body that was never announced */
    data(&b, 1, "abcd");
    expect(&b, true, NULL);
}

/* A refused request's body is dropped up to its end; then the next request is served. */
static void test_dropped_body(void **state)
{
    (void)state;
    struct cvm_buf b = {0};
    request(&b, 1, "{\"bytes\":8,\"id\":\"c\",\"op\":\"item\"}");
    data(&b, 1, "abcd");
    data(&b, 1, "efgh");
    end(&b, 1);
    request(&b, 2, status);
    expect(&b, false, "\"state\":\"locked\"");
    request(&b, 1, "{\"bytes\":8,\"op\":\"nothing\"}");
    data(&b, 1, "abcdefghi"); /* also what is dropped is counted */
    expect(&b, true, NULL);
    request(&b, 1, "{\"bytes\":9007199254740991,\"op\":\"act\"}");
    data(&b, 1, "abcd");
    expect(&b, false, "too-large");
    request(&b, 1, "{\"bytes\":4,\"op\":\"act\"}"); /* not an act */
    data(&b, 1, "abcd");
    end(&b, 1);
    request(&b, 2, status);
    expect(&b, false, "\"state\":\"locked\"");
}

static void test_byte_by_byte(void **state)
{
    (void)state;
    CVM_AUTO_BUF struct cvm_buf b = {0};
    request(&b, 1, status);
    int fd = world_socket(&w);
    for (size_t i = 0; i < b.len; i++)
        assert_int_equal(send(fd, b.data + i, 1, MSG_NOSIGNAL), 1);
    CVM_AUTO_BUF struct cvm_buf said = {0};
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (poll(&p, 1, 2000) > 0 &&
           !memmem(said.data ? said.data : (uint8_t *)"", said.len, "\"ok\":true", 9)) {
        char chunk[4096];
        ssize_t n = read(fd, chunk, sizeof chunk);
        assert_true(n > 0);
        cvm_buf_append(&said, chunk, (size_t)n);
    }
    assert_non_null(memmem(said.data, said.len, "\"ok\":true", 9));
    close(fd);
    world_connect(&w);
}

/* A host that asks and never reads: what waits is bounded, and the agent lives. */
static void test_never_reads(void **state)
{
    (void)state;
    CVM_AUTO_BUF struct cvm_buf b = {0};
    int fd = world_socket(&w);
    uint32_t stream = 1;
    size_t sent = 0;
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    while (sent < (64u << 20) && poll(&p, 1, 500) > 0) {
        b.len = 0;
        for (int i = 0; i < 100; i++)
            request(&b, stream++, status);
        ssize_t n = send(fd, b.data, b.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n != (ssize_t)b.len)
            break;
        sent += (size_t)n;
    }
    assert_true(sent < (64u << 20));
#ifndef CVM_TEST_SANITIZED
    if (!world_is_machine()) {
        CVM_AUTO_FREE char *path = cvm_printf("/proc/%d/statm", (int)world_agent(&w));
        CVM_AUTO_FCLOSE FILE *f = fopen(path, "re");
        long pages = 0, resident = 0;
        assert_int_equal(fscanf(f, "%ld %ld", &pages, &resident), 2);
        assert_true(resident * 4096 < (16 << 20));
    }
#endif
    close(fd);
    world_connect(&w);
    CVM_AUTO_JSON json_t *s = world_status(&w);
    assert_string_equal(json_string_value(json_object_get(s, "state")), "locked");
}

static void test_too_many_nonces(void **state)
{
    (void)state;
    world_connect(&w);
    assert_int_equal(world_challenge_many(&w, 65), CVM_E_USAGE);
    for (int i = 0; i < 16; i++)
        assert_int_equal(world_challenge_many(&w, 64), CVM_OK);
    assert_int_equal(world_challenge_many(&w, 1), CVM_E_TOO_MANY_CHALLENGES);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_forms, setup, teardown),
        cmocka_unit_test_setup_teardown(test_requests, setup, teardown),
        cmocka_unit_test_setup_teardown(test_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dropped_body, setup, teardown),
        cmocka_unit_test_setup_teardown(test_byte_by_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(test_never_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_many_nonces, setup, teardown),
    };
    return WORLD_MAIN(tests);
}
