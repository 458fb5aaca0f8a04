#include "guest-agent/agent/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/signalfd.h>

#include "guest-agent/agent/admission.h"
#include "guest-agent/agent/requests.h"
#include "guest-agent/agent/run.h"

#ifndef MFD_NOEXEC_SEAL /* Linux 6.3 */
#define MFD_NOEXEC_SEAL 0x0008U
#endif

int cvm_memory_file(const char *name, struct cvm_error *err)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL)
        fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return cvm_fail_errno(err, "no memory file");
    return fd;
}

int cvm_memory_file_seal(int fd, struct cvm_error *err)
{
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
        return cvm_fail_errno(err, "a memory file can't be sealed");
    return 0;
}

int cvm_memory_file_view(int fd, struct cvm_error *err)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int view = open(path, O_RDONLY | O_CLOEXEC);
    if (view < 0)
        return cvm_fail_errno(err, "a memory file can't be opened again");
    return view;
}

void cvm_memory_file_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void cvm_agent_log(const char *what, enum cvm_code code)
{
    dprintf(STDERR_FILENO, "2cvm-agent: %s%s%s\n", what, code ? ": " : "",
            code ? cvm_code_info(code)->name : "");
}

int cvm_agent_would(const struct cvm_agent *a, const struct cvm_policy_request *request,
                    struct cvm_error *err)
{
    struct cvm_policy_state state = a->state;
    enum cvm_code code = cvm_policy_step(&a->rules, &state, request);
    CVM_ENSURE(!code, err, code, "the session is `%s`", cvm_phase_word(a->state.phase));
    return 0;
}

int cvm_agent_ask(struct cvm_agent *a, const struct cvm_policy_request *request,
                  struct cvm_error *err)
{
    enum cvm_code code = cvm_policy_step(&a->rules, &a->state, request);
    CVM_ENSURE(!code, err, code, "the session is `%s`", cvm_phase_word(a->state.phase));
    return 0;
}

void cvm_agent_moved(struct cvm_agent *a, enum cvm_phase before)
{
    enum cvm_phase now = a->state.phase;
    if (now == before)
        return;
    struct cvm_error err;
    const struct cvm_digest *receipt = now == CVM_PHASE_CLOSED ? &a->receipt_payload : NULL;
    enum cvm_code reason = now == CVM_PHASE_ABORTED ? a->state.reason : CVM_OK;
    if (cvm_transcript_move(&a->transcript, before, now, receipt, reason, &err) < 0)
        cvm_agent_log("a move was not recorded", err.code);
    if (now == CVM_PHASE_WAITING) {
        a->waiting_n = a->transcript.n;
        a->waiting_head = a->transcript.head;
    }
    if (now == CVM_PHASE_CLOSED || now == CVM_PHASE_ABORTED)
        cvm_agent_wipe(a);
    CVM_AUTO_JSON json_t *event =
        json_pack("{s:s, s:s}", "event", "state", "state", cvm_phase_word(now));
    cvm_connection_event(&a->connection, event);
}

int cvm_agent_step(struct cvm_agent *a, const struct cvm_policy_request *request,
                   struct cvm_error *err)
{
    enum cvm_phase before = a->state.phase;
    CVM_GUARD(cvm_agent_ask(a, request, err));
    cvm_agent_moved(a, before);
    return 0;
}

void cvm_agent_fault(struct cvm_agent *a, enum cvm_code reason)
{
    cvm_agent_log("the session is aborted", reason);
    struct cvm_error err;
    struct cvm_policy_request fault = {.kind = CVM_REQUEST_FAULT, .reason = reason};
    if (cvm_agent_step(a, &fault, &err) < 0)
        cvm_agent_log("the session could not be aborted", err.code);
}

void cvm_agent_forget_content(struct cvm_agent *a)
{
    for (size_t i = 0; i < CVM_ITEMS_MAX; i++) {
        cvm_secret_free(&a->items[i].key);
        cvm_memory_file_end(&a->items[i].fd);
        cvm_buf_free(&a->items[i].texts);
    }
    for (size_t i = 0; i < CVM_CHANNELS_MAX; i++)
        cvm_call_types_free(&a->types[i]);
    for (size_t i = 0; i < CVM_PARTICIPANTS_MAX; i++)
        cvm_secret_free(&a->shares[i]);
}

/* The last use of the session's key: all else is gone when this is signed. */
static void sign_statement(struct cvm_agent *a)
{
    struct cvm_statement s = a->stop;
    struct cvm_error err;
    a->stopping = false;
    s.transcript_n = a->transcript.n;
    s.transcript_head = a->transcript.head;
    s.released = a->state.released;
    memcpy(s.admitted, a->state.admitted, sizeof s.admitted);
    if (cvm_statement_make(&a->manifest, &s, &a->session.sign, &a->statement, &err) < 0)
        cvm_agent_log("no statement of wiping", err.code);
}

void cvm_agent_wipe(struct cvm_agent *a)
{
    cvm_run_end(a);
    for (size_t i = 0; i < CVM_ITEMS_MAX; i++)
        cvm_admission_end(a, (uint32_t)i);
    cvm_request_forget(a);
    cvm_agent_forget_content(a);
    cvm_key_free(&a->session.seal);
    if (a->stopping)
        sign_statement(a);
    cvm_key_free(&a->session.sign);
}

void cvm_agent_answer_state(struct cvm_agent *a)
{
    CVM_AUTO_JSON json_t *answer =
        json_pack("{s:b, s:s}", "ok", 1, "state", cvm_phase_word(a->state.phase));
    cvm_connection_answer(&a->connection, answer);
}

void cvm_agent_refuse(struct cvm_agent *a, const struct cvm_error *err)
{
    cvm_transcript_refused(&a->transcript, err->code);
    cvm_connection_refuse(&a->connection, err);
}

int cvm_agent_open(struct cvm_agent *a, const struct cvm_agent_setup *setup, struct cvm_error *err)
{
    a->setup = *setup;
    a->loop.epoll = a->cgroup = a->request.item = a->request.fd = -1;
    for (size_t i = 0; i < CVM_ITEMS_MAX; i++)
        a->items[i].fd = -1;
    for (size_t i = 0; i < CVM_OUTPUTS_MAX; i++)
        a->outputs[i].fd = -1;
    CVM_GUARD(cvm_provider_find(setup->platform, &a->provider, err));
    CVM_GUARD(cvm_sandbox_probe(&a->protections, err));
    if (a->protections & (1U << CVM_PROTECTION_CGROUP))
        CVM_GUARD(cvm_cgroup_root(&a->cgroup, err));
    CVM_GUARD(cvm_loop_open(&a->loop, err));
    return cvm_connection_listen(&a->connection, &a->loop, setup->listen_fd, &cvm_request_calls, a,
                                 err);
}

static void on_signal(struct cvm_source *source, uint32_t events)
{
    (void)events;
    struct cvm_agent *a = source->owner;
    a->loop.stop = true;
}

int cvm_agent_watch_signals(struct cvm_agent *a, struct cvm_source *source, struct cvm_error *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    /* A reader that has gone is seen by EPIPE. */
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return cvm_fail_errno(err, "signals can't be blocked");
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return cvm_fail_errno(err, "no descriptor for signals");
    *source = (struct cvm_source){.fd = -1, .ready = on_signal, .owner = a};
    return cvm_loop_add(&a->loop, source, fd, EPOLLIN, err);
}

void cvm_agent_close(struct cvm_agent *a)
{
    cvm_agent_wipe(a);
    cvm_connection_close(&a->connection);
    cvm_loop_close(&a->loop);
    if (a->cgroup >= 0)
        close(a->cgroup);
    for (size_t i = 0; i < CVM_OUTPUTS_MAX; i++)
        cvm_memory_file_end(&a->outputs[i].fd);
    cvm_buf_free(&a->receipt);
    cvm_buf_free(&a->statement);
    cvm_buf_free(&a->last_evidence);
    cvm_transcript_free(&a->transcript);
    cvm_manifest_free(&a->manifest);
}
