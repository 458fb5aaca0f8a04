#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "orchestrator/transport/link.h"

/* A scripted agent: sends what it was given, right at the start, then swallows what comes. */
struct agent {
    int fd;
    struct cvm_buf out;
    pthread_t thread;
    uint64_t received;
    uint32_t expect_end; /* frames of type END to see before answering with `late` */
    struct cvm_buf late;
};

static void frame(struct cvm_buf *b, enum cvm_frame_type type, uint32_t stream, const char *text)
{
    struct cvm_error err;
    assert_int_equal(cvm_frame_encode(b, type, stream, text, strlen(text), &err), 0);
}

static void *agent_main(void *arg)
{
    struct agent *a = arg;
    static _Thread_local uint8_t in[65536];
    struct cvm_frame_decoder d;
    cvm_frame_decoder_init(&d, CVM_FRAME_FROM_HOST);
    if (a->out.len && send(a->fd, a->out.data, a->out.len, MSG_NOSIGNAL) < 0)
        return NULL;
    ssize_t n;
    while ((n = recv(a->fd, in, sizeof in, 0)) > 0) {
        const uint8_t *p = in;
        size_t left = (size_t)n;
        struct cvm_frame f;
        while (cvm_frame_decode(&d, &p, &left, &f, NULL) == 1) {
            a->received += f.type == CVM_FRAME_DATA ? f.len : 0;
            if (f.type == CVM_FRAME_END && a->expect_end && --a->expect_end == 0 &&
                send(a->fd, a->late.data, a->late.len, MSG_NOSIGNAL) < 0)
                return NULL;
        }
    }
    return NULL;
}

static int events;
static char last_state[32];
static void on_event(void *arg, const json_t *event)
{
    (void)arg;
    events++;
    const char *s = json_string_value(json_object_get(event, "state"));
    snprintf(last_state, sizeof last_state, "%s", s ? s : "");
}

static int open_link(struct agent *a, struct cvm_link **ret, struct cvm_error *err)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    a->fd = fds[0];
    assert_int_equal(pthread_create(&a->thread, NULL, agent_main, a), 0);
    return cvm_link_open(fds[1], 2000, on_event, NULL, ret, err);
}

static void end(struct agent *a, struct cvm_link *l)
{
    cvm_link_close(l);
    shutdown(a->fd, SHUT_RDWR);
    pthread_join(a->thread, NULL);
    close(a->fd);
    cvm_buf_free(&a->out);
    cvm_buf_free(&a->late);
}

static json_t *request(const char *op)
{
    return json_pack("{s:s}", "op", op);
}

static void call_with_data(void **state)
{
    (void)state;
    struct agent a = {0};
    struct cvm_error err;
    struct cvm_link *l = NULL;
    frame(&a.out, CVM_FRAME_EVENT, 0, "{\"event\":\"ready\"}");
    frame(&a.out, CVM_FRAME_RESPONSE, 1, "{\"bytes\":8,\"ok\":true}");
    frame(&a.out, CVM_FRAME_EVENT, 0, "{\"event\":\"state\",\"state\":\"running\"}");
    frame(&a.out, CVM_FRAME_DATA, 1, "eight");
    frame(&a.out, CVM_FRAME_DATA, 1, "xyz");
    frame(&a.out, CVM_FRAME_END, 1, "");
    frame(&a.out, CVM_FRAME_EVENT, 0, "{\"event\":\"state\",\"state\":\"waiting\"}");
    events = 0;
    assert_int_equal(open_link(&a, &l, &err), 0);
    CVM_AUTO_JSON json_t *q = request("transcript");
    CVM_AUTO_JSON json_t *r = cvm_link_call(l, q, NULL, 2000, &err);
    assert_non_null(r);
    CVM_AUTO_BUF struct cvm_buf b = {0};
    assert_int_equal(cvm_link_read(l, 8, &b, -1, 2000, &err), 0);
    assert_string_equal(cvm_buf_cstr(&b), "eightxyz");
    assert_int_equal(cvm_link_wait(l, -1, 2000, &err), 1);
    assert_string_equal(last_state, "waiting");
    assert_int_equal(events, 3);
    assert_int_equal(cvm_link_wait(l, -1, 10, &err), 0);
    assert_false(cvm_link_broken(l));
    end(&a, l);
}

static void refusal_keeps_the_code(void **state)
{
    (void)state;
    struct agent a = {0};
    struct cvm_error err;
    struct cvm_link *l = NULL;
    frame(&a.out, CVM_FRAME_EVENT, 0, "{\"event\":\"ready\"}");
    frame(&a.out, CVM_FRAME_RESPONSE, 1,
          "{\"error\":{\"code\":\"act-nonce\",\"expected\":\"e\",\"got\":\"g\",\"message\":\"m\"},"
          "\"ok\":false}");
    assert_int_equal(open_link(&a, &l, &err), 0);
    CVM_AUTO_JSON json_t *q = request("act");
    assert_null(cvm_link_call(l, q, NULL, 2000, &err));
    assert_int_equal(err.code, CVM_E_ACT_NONCE);
    assert_string_equal(err.expected, "e");
    assert_false(cvm_link_broken(l));
    end(&a, l);
}

static void large_body_arrives_whole(void **state)
{
    (void)state;
    struct agent a = {.expect_end = 1};
    struct cvm_error err;
    struct cvm_link *l = NULL;
    frame(&a.out, CVM_FRAME_EVENT, 0, "{\"event\":\"ready\"}");
    frame(&a.late, CVM_FRAME_RESPONSE, 1, "{\"ok\":true}");
    assert_int_equal(open_link(&a, &l, &err), 0);
    size_t len = 3 * 1000 * 1000 + 7;
    CVM_AUTO_FREE uint8_t *data = malloc(len);
    memset(data, 'b', len);
    CVM_AUTO_JSON json_t *q = request("item");
    struct cvm_link_body body = {.data = data, .fd = -1, .len = len};
    CVM_AUTO_JSON json_t *r = cvm_link_call(l, q, &body, 5000, &err);
    assert_non_null(r);
    assert_int_equal(a.received, len);
    end(&a, l);
}

/* What a broken or hostile agent may send behind `ready`, and the code that it leads to. */
static void hostile_agent(void **state)
{
    (void)state;
    static const struct {
        enum cvm_frame_type type;
        uint32_t stream;
        const char *text;
        enum cvm_code code;
    } bad[] = {
        {CVM_FRAME_RESPONSE, 2, "{\"ok\":true}", CVM_E_FRAME_ORDER},
        {CVM_FRAME_RESPONSE, 1, "{\"ok\":1}", CVM_E_FRAME_FORMAT},
        {CVM_FRAME_RESPONSE, 1, "[]", CVM_E_FRAME_FORMAT},
        {CVM_FRAME_RESPONSE, 1, "{\"ok\"", CVM_E_FRAME_FORMAT},
        {CVM_FRAME_DATA, 1, "x", CVM_E_FRAME_ORDER},
        {CVM_FRAME_END, 1, "", CVM_E_FRAME_ORDER},
        {CVM_FRAME_EVENT, 0, "{}", CVM_E_FRAME_FORMAT},
        {CVM_FRAME_REQUEST, 1, "{}", CVM_E_FRAME_ORDER},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct agent a = {0};
        struct cvm_error err = {0};
        struct cvm_link *l = NULL;
        frame(&a.out, CVM_FRAME_EVENT, 0, "{\"event\":\"ready\"}");
        frame(&a.out, bad[i].type, bad[i].stream, bad[i].text);
        if (open_link(&a, &l, &err) == 0) {
            CVM_AUTO_JSON json_t *q = request("status");
            assert_null(cvm_link_call(l, q, NULL, 2000, &err));
            assert_true(cvm_link_broken(l));
        }
        if (err.code != bad[i].code)
            fail_msg("case %zu: code %d, expected %d", i, err.code, bad[i].code);
        end(&a, l);
    }
}

static void data_beyond_the_announced(void **state)
{
    (void)state;
    for (int more = 0; more < 2; more++) {
        struct agent a = {0};
        struct cvm_error err = {0};
        struct cvm_link *l = NULL;
        frame(&a.out, CVM_FRAME_EVENT, 0, "{\"event\":\"ready\"}");
        frame(&a.out, CVM_FRAME_RESPONSE, 1, "{\"bytes\":4,\"ok\":true}");
        frame(&a.out, CVM_FRAME_DATA, 1, more ? "fives" : "thr");
        frame(&a.out, CVM_FRAME_END, 1, "");
        assert_int_equal(open_link(&a, &l, &err), 0);
        CVM_AUTO_JSON json_t *q = request("receipt");
        CVM_AUTO_JSON json_t *r = cvm_link_call(l, q, NULL, 2000, &err);
        assert_non_null(r);
        CVM_AUTO_BUF struct cvm_buf b = {0};
        assert_int_equal(cvm_link_read(l, 4, &b, -1, 2000, &err), -1);
        assert_int_equal(err.code, CVM_E_FRAME_ORDER);
        assert_true(cvm_link_broken(l));
        assert_null(cvm_link_call(l, q, NULL, 2000, &err));
        end(&a, l);
    }
}

static void silence_and_end(void **state)
{
    (void)state;
    struct cvm_error err = {0};
    struct cvm_link *l = NULL;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(cvm_link_open(fds[1], 20, on_event, NULL, &l, &err), -1);
    assert_int_equal(err.code, CVM_E_TIMEOUT);
    close(fds[0]);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    close(fds[0]);
    assert_int_equal(cvm_link_open(fds[1], 2000, on_event, NULL, &l, &err), -1);
    assert_int_equal(err.code, CVM_E_CONNECTION);
    assert_null(l);
}

static void *shut_down_later(void *arg)
{
    usleep(50000);
    cvm_link_shutdown(arg);
    return NULL;
}

/* An agent that never greets holds nobody up who wants an end. */
static void silence_is_cut_short(void **state)
{
    (void)state;
    struct cvm_error err = {0};
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    struct cvm_link *l = cvm_link_new(fds[1], on_event, NULL);
    pthread_t t;
    assert_int_equal(pthread_create(&t, NULL, shut_down_later, l), 0);
    assert_int_equal(cvm_link_greeted(l, 600000, &err), -1);
    assert_int_equal(err.code, CVM_E_CONNECTION);
    assert_true(cvm_link_broken(l));
    pthread_join(t, NULL);
    cvm_link_close(l);
    close(fds[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(call_with_data),
        cmocka_unit_test(refusal_keeps_the_code),
        cmocka_unit_test(large_body_arrives_whole),
        cmocka_unit_test(hostile_agent),
        cmocka_unit_test(data_beyond_the_announced),
        cmocka_unit_test(silence_and_end),
        cmocka_unit_test(silence_is_cut_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
