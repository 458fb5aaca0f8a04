#include "orchestrator/psp/serve.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

enum { STATUS_BAD_REQUEST = 1, STATUS_CANNOT_SIGN = 2 };

void cvm_psp_log(const struct cvm_psp *p, const char *fmt, ...)
{
    time_t now = time(NULL);
    struct tm tm;
    char stamp[32] = "";
    if (gmtime_r(&now, &tm))
        strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm);
    fprintf(p->log, "%s ", stamp);
    va_list args;
    va_start(args, fmt);
    vfprintf(p->log, fmt, args);
    va_end(args);
    fputc('\n', p->log);
    fflush(p->log);
}

void cvm_psp_answer(const struct cvm_psp *p, const void *request, size_t len,
                    struct cvm_buf *response)
{
    struct cvm_error e = {0};
    struct cvm_report r;
    cvm_issuer_report(&p->issuer, &r);
    if (cvm_sim_request_parse(request, len, r.report_data, &e) < 0) {
        cvm_psp_log(p, "refused: %s", e.message);
        cvm_sim_refusal_write(STATUS_BAD_REQUEST, response);
        return;
    }
    memcpy(r.measurement, p->measurement, sizeof(r.measurement));
    memcpy(r.host_data, p->host_data, sizeof(r.host_data));
    struct cvm_sim_response answer = {0};
    if (cvm_issuer_sign(&p->issuer, &r, answer.report, &e) < 0) {
        cvm_psp_log(p, "refused: %s", e.message);
        cvm_sim_refusal_write(STATUS_CANNOT_SIGN, response);
        return;
    }
    for (; answer.n_certificates < 3; answer.n_certificates++)
        answer.certificates[answer.n_certificates] = p->issuer.certificates[answer.n_certificates];
    cvm_sim_response_write(&answer, response); /* the certificates stay the issuer's */
}

/* Whether the agent still holds its end. */
static bool serve_one(const struct cvm_psp *p, int device)
{
    uint8_t
        request[CVM_SIM_REQUEST_LEN + 1]; /* one more, so that a longer packet is seen as such */
    ssize_t n = recv(device, request, sizeof(request), MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    if (n == 0)
        return false;
    CVM_AUTO_BUF struct cvm_buf response = {0};
    cvm_psp_answer(p, request, (size_t)n, &response);
    if (send(device, response.data, response.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
        errno != EPIPE)
        cvm_psp_log(p, "an answer was lost: %s", strerror(errno));
    return true;
}

static void reap(const struct cvm_psp *p, int pidfd)
{
    siginfo_t info = {0};
    int r;
    do
        r = waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED);
    while (r < 0 && errno == EINTR);
    if (r < 0)
        cvm_psp_log(p, "the agent ended, nobody knows how: %s", strerror(errno));
    else if (info.si_code == CLD_EXITED)
        cvm_psp_log(p, "the agent ended with exit code %d", info.si_status);
    else
        cvm_psp_log(p, "the agent was ended by signal %d (%s)", info.si_status,
                    strsignal(info.si_status));
}

static void kill_agent(int pidfd)
{
    (void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
}

static int wait_and_serve(const struct cvm_psp *p, int device, int pidfd, int signals,
                          struct cvm_error *err)
{
    struct pollfd fds[] = {{.fd = pidfd, .events = POLLIN},
                           {.fd = signals, .events = POLLIN},
                           {.fd = device, .events = POLLIN}};
    for (;;) {
        if (poll(fds, 3, -1) < 0) {
            if (errno == EINTR)
                continue;
            return cvm_fail_errno(err, "cannot wait for the agent");
        }
        if (fds[0].revents)
            return 0;
        if (fds[1].revents) {
            cvm_psp_log(p, "told to end: the agent is killed");
            return 0;
        }
        if (fds[2].revents && !serve_one(p, device))
            fds[2].fd = -1;
    }
}

int cvm_psp_signals(struct cvm_error *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? cvm_fail_errno(err, "cannot wait for signals") : fd;
}

int cvm_psp_serve(const struct cvm_psp *p, int device, int pidfd, struct cvm_error *err)
{
    CVM_AUTO_CLOSE int signals = cvm_psp_signals(err);
    int result = signals < 0 ? -1 : wait_and_serve(p, device, pidfd, signals, err);
    kill_agent(pidfd); /* nothing to a process that has ended */
    reap(p, pidfd);
    return result;
}
