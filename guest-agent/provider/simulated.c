#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "core/evidence/sim-device.h"
#include "guest-agent/provider/rows.h"

#define ANSWER_MS 10000

static bool present(void)
{
    return true; /* whether the descriptor is one shows when it is asked */
}

static int ask(int device, const uint8_t report_data[CVM_REPORT_DATA_LEN], uint8_t *answer,
               size_t size, size_t *ret, struct cvm_error *err)
{
    uint8_t request[CVM_SIM_REQUEST_LEN];
    cvm_sim_request_write(report_data, request);
    ssize_t n;
    do
        n = send(device, request, sizeof(request), MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    CVM_ENSURE(n == (ssize_t)sizeof(request), err, CVM_E_PROVIDER,
               "the software PSP cannot be asked: %s", strerror(errno));
    struct pollfd p = {.fd = device, .events = POLLIN};
    int ready;
    do
        ready = poll(&p, 1, ANSWER_MS);
    while (ready < 0 && errno == EINTR);
    CVM_ENSURE(ready > 0, err, CVM_E_PROVIDER, "the software PSP gives no answer");
    do
        n = recv(device, answer, size, MSG_TRUNC);
    while (n < 0 && errno == EINTR);
    CVM_ENSURE(n > 0 && (size_t)n <= size, err, CVM_E_PROVIDER,
               "the software PSP has ended, or answers too much");
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
