#include "orchestrator/lifecycle/collaboration.h"

#include "core/manifest/commitment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>

#define CLOSE_S 20 /* how long the end of one is waited for */

const struct cvm_manifest *cvm_collaboration_manifest(const struct cvm_collaboration *c)
{
    return &c->manifest;
}

const char *cvm_collaboration_state(struct cvm_collaboration *c)
{
    CVM_LOCKED(c);
    return cvm_host_state_word(c->state);
}

void cvm_collaboration_wake(struct cvm_collaboration *c)
{
    eventfd_write(c->wake, 1);
}

int cvm_collaboration_ended(const struct cvm_collaboration *c, struct cvm_error *err)
{
    const char *reason = c->reason ? cvm_code_info(c->reason)->name : "";
    if (c->state == CVM_HOST_ABORTED)
        return cvm_fail(err, CVM_E_ABORTED, "the collaboration ended%s%s", *reason ? ": " : "",
                        reason);
    if (c->reason == CVM_E_ISOLATE_LOST)
        return cvm_fail(err, CVM_E_ISOLATE_LOST, "its isolate was lost");
    return cvm_fail_expected(err, CVM_E_WRONG_PHASE, NULL, cvm_host_state_word(c->state),
                             "the collaboration has ended%s%s", *reason ? ": " : "", reason);
}

int cvm_collaboration_commit(struct cvm_collaboration *c, int participant, const void *jws,
                             size_t len, struct cvm_error *err)
{
    CVM_GUARD(cvm_commitment_check(&c->manifest, participant, jws, len, err));
    CVM_LOCKED(c);
    if (c->committed & (1u << participant))
        return 0; /* any other valid signature says the same */
    if (c->state != CVM_HOST_DRAFT)
        return cvm_collaboration_ended(c, err);
    CVM_AUTO_FREE char *path =
        cvm_printf("%s/commitments/%s.jws", c->folder, c->manifest.participants[participant].id);
    CVM_GUARD(cvm_file_write(path, jws, len, err));
    c->committed |= 1u << participant;
    if ((uint32_t)__builtin_popcount(c->committed) == c->manifest.n_participants)
        CVM_GUARD(cvm_record_move(c, CVM_HOST_COMMITTED, CVM_OK, err));
    return 1;
}

/* A manifest is launched once, whatever the collaboration's name. */
static int claim_launch(struct cvm_collaboration *c, struct cvm_error *err)
{
    CVM_AUTO_FREE char *hex = cvm_hex(c->manifest.digest.b, sizeof c->manifest.digest.b);
    CVM_AUTO_FREE char *key = cvm_printf("launch/%s", hex);
    const char *id = c->manifest.collaboration;
    int rc = cvm_store_put(c->owner->store, key, 0, id, strlen(id), NULL, err);
    if (rc != 0)
        return rc < 0 ? -1 : 0;
    /* Ours, from a daemon that ended before it could record the state: nothing was started. */
    CVM_AUTO_BUF struct cvm_buf other = {0};
    CVM_GUARD(cvm_store_get(c->owner->store, key, &other, NULL, err));
    CVM_ENSURE(strcmp(cvm_buf_cstr(&other), id) == 0, err, CVM_E_ALREADY_LAUNCHED,
               "as collaboration %s", cvm_buf_cstr(&other));
    return 0;
}

static int check_launch(struct cvm_collaboration *c, struct cvm_error *err)
{
    if (c->state == CVM_HOST_DRAFT) {
        for (uint32_t i = 0; i < c->manifest.n_participants; i++)
            CVM_ENSURE(c->committed & (1u << i), err, CVM_E_COMMITMENT_MISSING,
                       "participant '%s' has not signed", c->manifest.participants[i].id);
    }
    CVM_ENSURE(c->state != CVM_HOST_ABORTED, err, CVM_E_ABORTED, "it was ended before its launch");
    if (c->state != CVM_HOST_COMMITTED)
        return cvm_fail_expected(err, CVM_E_ALREADY_LAUNCHED, "committed",
                                 cvm_host_state_word(c->state), "one manifest, one launch");
    CVM_ENSURE(c->manifest.not_after >= (int64_t)time(NULL), err, CVM_E_MANIFEST_EXPIRED,
               "not_after is %lld", (long long)c->manifest.not_after);
    return 0;
}

int cvm_collaboration_launch(struct cvm_collaboration *c, struct cvm_error *err)
{
    CVM_LOCKED(c);
    CVM_GUARD(check_launch(c, err));
    c->driver = cvm_platform_choose(&c->manifest, &c->owner->options.host, err);
    if (!c->driver)
        return -1;
    CVM_GUARD(cvm_folder_make(c->isolate, err));
    CVM_GUARD(claim_launch(c, err));
    CVM_GUARD(cvm_record_move(c, CVM_HOST_LAUNCHING, CVM_OK, err));
    return cvm_worker_start(c, err);
}

int cvm_job_act(struct cvm_collaboration *c, int participant, const void *jws, size_t len,
                struct cvm_job *ret, struct cvm_error *err)
{
    CVM_AUTO_FREE struct cvm_act *act = cvm_alloc(sizeof *act);
    struct cvm_digest session;
    CVM_GUARD(cvm_act_read(&c->manifest, jws, len, act, &session, err));
    CVM_ENSURE(act->participant == participant, err, CVM_E_JWS_KEY,
               "the request and the act are signed by different participants");
    ret->kind = CVM_JOB_ACT;
    ret->participant = participant;
    ret->seq = act->seq;
    ret->input.len = 0;
    cvm_buf_append(&ret->input, jws, len);
    return 0;
}

void cvm_job_free(struct cvm_job *job)
{
    cvm_buf_free(&job->input);
    cvm_buf_free(&job->result);
}

static void answer_state(struct cvm_collaboration *c, struct cvm_job *job)
{
    job->ok = true;
    job->result.len = 0;
    cvm_buf_append_str(&job->result, "{\"state\":\"");
    cvm_buf_append_str(&job->result, cvm_host_state_word(c->state));
    cvm_buf_append_str(&job->result, "\"}");
}

int cvm_jobs_act_again(struct cvm_collaboration *c, struct cvm_job *job, struct cvm_error *err)
{
    CVM_AUTO_FREE char *path =
        cvm_printf("%s/acts/%s-%llu.jws", c->folder, c->manifest.participants[job->participant].id,
                   (unsigned long long)job->seq);
    if (access(path, F_OK) != 0)
        return 0;
    CVM_AUTO_BUF struct cvm_buf old = {0};
    CVM_GUARD(cvm_file_read(path, CVM_ACT_MAX, &old, err));
    CVM_ENSURE(old.len == job->input.len && memcmp(old.data, job->input.data, old.len) == 0, err,
               CVM_E_ACT_SEQUENCE, "another act has the number %llu", (unsigned long long)job->seq);
    answer_state(c, job);
    return 1;
}

int cvm_collaboration_submit(struct cvm_collaboration *c, struct cvm_job *job,
                             struct cvm_error *err)
{
    CVM_LOCKED(c);
    if (job->kind == CVM_JOB_ACT) {
        int rc = cvm_jobs_act_again(c, job, err);
        if (rc != 0)
            return rc;
    }
    if (cvm_host_state_final(c->state) || (c->state >= CVM_HOST_LAUNCHING && !c->has_thread))
        return cvm_collaboration_ended(c, err);
    CVM_ENSURE(c->state >= CVM_HOST_LAUNCHING, err, CVM_E_WRONG_PHASE, "it was not launched yet");
    CVM_ENSURE(!c->stopping, err, CVM_E_CONNECTION, "the daemon is ending");
    job->next = NULL;
    *c->jobs_end = job;
    c->jobs_end = &job->next;
    cvm_collaboration_wake(c);
    return 0;
}

int cvm_collaboration_close(struct cvm_collaboration *c, struct cvm_error *err)
{
    CVM_LOCKED(c);
    if (c->state < CVM_HOST_LAUNCHING)
        return cvm_record_move(c, CVM_HOST_ABORTED, CVM_E_ABORTED, err);
    /* What hands its outputs over, or has, closes by itself. */
    bool ending = c->state == CVM_HOST_COMPLETED || strcmp(c->phase, "releasing") == 0 ||
                  strcmp(c->phase, "closed") == 0;
    if (c->has_thread && !cvm_host_state_final(c->state) && !ending) {
        c->closing = true;
        if (c->link)
            cvm_link_shutdown(c->link);
        cvm_collaboration_wake(c);
    }
    /* Whoever asks holds one of the few threads that serve everybody: not for as long as a disk is
     * full or libvirt silent. */
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += CLOSE_S;
    int late = 0;
    while (c->has_thread && !cvm_host_state_final(c->state) && !c->stopping && !late)
        late = pthread_cond_clockwait(&c->settled, &c->lock, CLOCK_MONOTONIC, &end);
    CVM_ENSURE(!late || !c->has_thread || cvm_host_state_final(c->state), err, CVM_E_TIMEOUT,
               ending ? "its outputs are not all stored yet: it closes by itself"
                      : "it was told to end, and goes on ending");
    CVM_ENSURE(!c->stopping || cvm_host_state_final(c->state), err, CVM_E_CONNECTION,
               "the daemon is ending");
    return 0;
}

int cvm_collaboration_open_file(struct cvm_collaboration *c, const char *name,
                                struct cvm_error *err)
{
    CVM_AUTO_FREE char *path = cvm_collaboration_path(c, name);
    CVM_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0)
        return CVM_TAKE_FD(fd);
    if (errno != ENOENT)
        return cvm_fail_errno(err, "cannot open '%s'", name);
    CVM_LOCKED(c);
    /* Commitments and acts come from participants, the rest from the isolate. */
    bool may_come = !cvm_host_state_final(c->state) && strncmp(name, "acts/", 5) != 0 &&
                    strncmp(name, "commitments/", 12) != 0;
    if (may_come)
        return cvm_fail_expected(err, CVM_E_WITHHELD, NULL, cvm_host_state_word(c->state),
                                 "'%s' is not there yet", name);
    return cvm_fail(err, CVM_E_NOT_FOUND, "'%s' is not there", name);
}

json_t *cvm_collaboration_outputs(struct cvm_collaboration *c, struct cvm_error *err)
{
    {
        CVM_LOCKED(c);
        if (c->state < CVM_HOST_COMPLETED) {
            cvm_fail_expected(err, CVM_E_WITHHELD, "completed", cvm_host_state_word(c->state),
                              "the outputs are not there yet");
            return NULL;
        }
    }
    json_t *list = json_array();
    struct cvm_error why;
    CVM_AUTO_JSON json_t *named = cvm_receipt_outputs(c, &why);
    size_t i;
    json_t *o;
    json_array_foreach(named, i, o)
    {
        const char *id = json_string_value(json_object_get(o, "id"));
        CVM_AUTO_FREE char *path = cvm_printf("%s/outputs/%s.sealed", c->folder, id);
        struct stat st;
        if (stat(path, &st) == 0)
            json_array_append_new(list, json_pack("{s:s, s:I, s:O}", "id", id, "bytes",
                                                  (json_int_t)st.st_size, "digest",
                                                  json_object_get(o, "digest")));
    }
    return list;
}
