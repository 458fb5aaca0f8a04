#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "core/evidence/sim-device.h"
#include "guest-agent/provider/provider.h"

static void test_rows(void **state)
{
    (void)state;
    const struct cvm_provider *p = NULL;
    struct cvm_error err = {0};
    if (access("/dev/sev-guest", F_OK) == 0) {
        assert_int_equal(cvm_provider_find("sim-process", &p, &err), -1);
        skip();
    }
    assert_int_equal(cvm_provider_find("sim-process", &p, &err), 0);
    assert_true(p->simulated);
    assert_int_equal(cvm_provider_find("sim-vm", &p, &err), 0);
    const char *const none[] = {"sgx", "", "sim", "SIM-PROCESS"};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        assert_int_equal(cvm_provider_find(none[i], &p, &err), -1);
        assert_int_equal(err.code, CVM_E_PROVIDER);
    }
}

/* The answer stands in the socket before the question is asked: one thread is enough. */
static int ask(const void *answer, size_t len, struct cvm_provider_report *ret, uint8_t asked[72],
               struct cvm_error *err)
{
    const struct cvm_provider *p = NULL;
    if (cvm_provider_find("sim-process", &p, NULL) < 0)
        skip();
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    if (len)
        assert_int_equal(send(pair[0], answer, len, 0), len);
    else
        assert_int_equal(shutdown(pair[0], SHUT_WR), 0);
    const uint8_t report_data[CVM_REPORT_DATA_LEN] = {1, 2, 3};
    int r = p->get_report(pair[1], report_data, ret, err);
    assert_int_equal(recv(pair[0], asked, 72, MSG_TRUNC), 72);
    close(pair[0]);
    close(pair[1]);
    return r;
}

static void test_report(void **state)
{
    (void)state;
    struct cvm_sim_response r = {.n_certificates = 1};
    memset(r.report, 9, sizeof(r.report));
    cvm_buf_append_str(&r.certificates[0], "certificate");
    CVM_AUTO_BUF struct cvm_buf answer = {0};
    cvm_sim_response_write(&r, &answer);
    CVM_AUTO_PROVIDER_REPORT struct cvm_provider_report got = {0};
    uint8_t asked[72], data[CVM_REPORT_DATA_LEN];
    struct cvm_error err = {0};
    assert_int_equal(ask(answer.data, answer.len, &got, asked, &err), 0);
    assert_int_equal(cvm_sim_request_parse(asked, 72, data, NULL), 0);
    assert_memory_equal(data, ((const uint8_t[]){1, 2, 3, 0}), 4);
    assert_memory_equal(got.report, r.report, sizeof(r.report));
    assert_int_equal(got.n_certificates, 1);
    cvm_sim_response_free(&r);

    /* Cut, refused, no answer at all: no report, and nothing is left behind. */
    CVM_AUTO_PROVIDER_REPORT struct cvm_provider_report none = {0};
    assert_int_equal(ask(answer.data, answer.len - 1, &none, asked, &err), -1);
    assert_int_equal(err.code, CVM_E_PROVIDER);
    CVM_AUTO_BUF struct cvm_buf no = {0};
    cvm_sim_refusal_write(2, &no);
    assert_int_equal(ask(no.data, no.len, &none, asked, &err), -1);
    assert_int_equal(ask(NULL, 0, &none, asked, &err), -1);
    assert_int_equal(none.n_certificates, 0);
    /* A descriptor that is no device. */
    const struct cvm_provider *p = NULL;
    assert_int_equal(cvm_provider_find("sim-process", &p, NULL), 0);
    assert_int_equal(p->get_report(-1, data, &none, &err), -1);
    assert_int_equal(err.code, CVM_E_PROVIDER);
}

/* Over a stream (vsock) each packet comes behind its length. */
static int ask_stream(const void *answer, size_t len, struct cvm_provider_report *ret,
                      struct cvm_error *err)
{
    const struct cvm_provider *p = NULL;
    if (cvm_provider_find("sim-vm", &p, NULL) < 0)
        skip();
    int pair[2];
    uint8_t asked[80];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(send(pair[0], answer, len, 0), len);
    assert_int_equal(shutdown(pair[0], SHUT_WR), 0);
    const uint8_t report_data[CVM_REPORT_DATA_LEN] = {4, 5, 6};
    int r = p->get_report(pair[1], report_data, ret, err);
    assert_int_equal(recv(pair[0], asked, sizeof asked, 0), 76);
    assert_memory_equal(asked, "\0\0\0\x48", 4);
    uint8_t data[CVM_REPORT_DATA_LEN];
    assert_int_equal(cvm_sim_request_parse(asked + 4, 72, data, NULL), 0);
    assert_memory_equal(data, report_data, sizeof data);
    close(pair[0]);
    close(pair[1]);
    return r;
}

static void test_stream(void **state)
{
    (void)state;
    struct cvm_sim_response r = {.n_certificates = 0};
    memset(r.report, 3, sizeof(r.report));
    CVM_AUTO_BUF struct cvm_buf answer = {0}, framed = {0};
    cvm_sim_response_write(&r, &answer);
    cvm_buf_append_u32be(&framed, (uint32_t)answer.len);
    cvm_buf_append(&framed, answer.data, answer.len);
    CVM_AUTO_PROVIDER_REPORT struct cvm_provider_report got = {0}, none = {0};
    struct cvm_error err = {0};
    assert_int_equal(ask_stream(framed.data, framed.len, &got, &err), 0);
    assert_memory_equal(got.report, r.report, sizeof(r.report));
    /* Cut in the body, in the length, too long, empty. */
    const size_t cut[] = {framed.len - 1, 4, 3};
    for (size_t i = 0; i < sizeof(cut) / sizeof(cut[0]); i++) {
        assert_int_equal(ask_stream(framed.data, cut[i], &none, &err), -1);
        assert_int_equal(err.code, CVM_E_PROVIDER);
    }
    assert_int_equal(ask_stream("\xff\xff\xff\xff\0", 5, &none, &err), -1);
    assert_int_equal(ask_stream("\0\0\0\0\0", 5, &none, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_report),
        cmocka_unit_test(test_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
