#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "core/base/cursor.h"
#include "core/evidence/sim-device.h"
#include "guest-agent/provider/rows.h"

#define ANSWER_MS 10000

static bool present(void)
{
    return true; /* whether the descriptor is one shows when it is asked */
}

/* A device that keeps packets apart (a process isolate), or a stream (vsock), where each packet
 * comes behind its length, u32 big-endian. */
static bool is_stream(int device)
{
    int type = 0;
    socklen_t len = sizeof type;
    return getsockopt(device, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
}

static ssize_t receive(int device, void *buf, size_t size, int flags)
{
    struct pollfd p = {.fd = device, .events = POLLIN};
    int ready;
    do
        ready = poll(&p, 1, ANSWER_MS);
    while (ready < 0 && errno == EINTR);
    if (ready <= 0)
        return -1;
    ssize_t n;
    do
        n = recv(device, buf, size, flags);
    while (n < 0 && errno == EINTR);
    return n;
}

static int receive_whole(int device, uint8_t *buf, size_t len, struct cvm_error *err)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = receive(device, buf + at, len - at, 0);
        CVM_ENSURE(n > 0, err, CVM_E_PROVIDER, "the software PSP gives no whole answer");
        at += (size_t)n;
    }
    return 0;
}

static int ask(int device, const uint8_t report_data[CVM_REPORT_DATA_LEN], uint8_t *answer,
               size_t size, size_t *ret, struct cvm_error *err)
{
    uint8_t request[4 + CVM_SIM_REQUEST_LEN] = {0, 0, 0, CVM_SIM_REQUEST_LEN};
    bool stream = is_stream(device);
    size_t skip = stream ? 0 : 4;
    cvm_sim_request_write(report_data, request + 4);
    ssize_t n;
    do
        n = send(device, request + skip, sizeof(request) - skip, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    CVM_ENSURE(n == (ssize_t)(sizeof(request) - skip), err, CVM_E_PROVIDER,
               "the software PSP cannot be asked: %s", strerror(errno));
    if (stream) {
        uint8_t length[4];
        CVM_GUARD(receive_whole(device, length, sizeof length, err));
        struct cvm_cursor c = cvm_cursor(length, sizeof length);
        *ret = cvm_cursor_u32be(&c);
        CVM_ENSURE(*ret > 0 && *ret <= size, err, CVM_E_PROVIDER,
                   "the software PSP answers too much, or nothing");
        return receive_whole(device, answer, *ret, err);
    }
    n = receive(device, answer, size, MSG_TRUNC);
    CVM_ENSURE(n > 0 && (size_t)n <= size, err, CVM_E_PROVIDER,
               "the software PSP gives no answer, has ended, or answers too much");
    *ret = (size_t)n;
    return 0;
}

static int get_report(int device, const uint8_t report_data[CVM_REPORT_DATA_LEN],
                      struct cvm_provider_report *ret, struct cvm_error *err)
{
    CVM_AUTO_FREE uint8_t *answer = cvm_alloc(CVM_SIM_RESPONSE_MAX);
    size_t len = 0;
    CVM_GUARD(ask(device, report_data, answer, CVM_SIM_RESPONSE_MAX, &len, err));
    CVM_AUTO_SIM_RESPONSE struct cvm_sim_response r = {0};
    CVM_GUARD(cvm_sim_response_parse(answer, len, &r, err));
    struct cvm_provider_report out = {0};
    memcpy(out.report, r.report, sizeof(out.report));
    for (size_t i = 0; i < r.n_certificates; i++)
        out.certificates[out.n_certificates++] = r.certificates[i];
    r.n_certificates = 0; /* they belong to `out` now */
    *ret = out;
    return 0;
}

const struct cvm_provider cvm_provider_simulated = {
    .name = "software PSP",
    .platforms = {"sim-process", "sim-vm"},
    .simulated = true,
    .present = present,
    .get_report = get_report,
};
