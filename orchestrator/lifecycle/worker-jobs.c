#include "orchestrator/lifecycle/collaboration.h"

#include "core/record/transcript.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 64 /* nonces that one `challenge` may carry */
#define BUNDLE_MAX 65536
#define CALL_MS 120000

struct cvm_job *cvm_jobs_take(struct cvm_collaboration *c)
{
    CVM_LOCKED(c);
    struct cvm_job *taken = NULL, **end = &taken, **at = &c->jobs;
    enum cvm_job_kind kind = c->jobs ? c->jobs->kind : CVM_JOB_ACT;
    unsigned n = 0;
    /* The first job; with a challenge all others that wait: one report serves them all. */
    while (*at && (n == 0 || (kind == CVM_JOB_CHALLENGE && n < BATCH))) {
        struct cvm_job *job = *at;
        if (job->kind != kind) {
            at = &job->next;
            continue;
        }
        *at = job->next;
        job->next = NULL;
        *end = job;
        end = &job->next;
        n++;
    }
    c->jobs_end = &c->jobs;
    while (*c->jobs_end)
        c->jobs_end = &(*c->jobs_end)->next;
    return taken;
}

static void finish(struct cvm_job *job, const struct cvm_error *why)
{
    job->ok = why == NULL;
    if (why)
        job->err = *why;
    job->done(job->arg); /* the job may be gone from here on */
}

static void finish_all(struct cvm_job *jobs, const struct cvm_error *why)
{
    while (jobs) {
        struct cvm_job *next = jobs->next;
        finish(jobs, why);
        jobs = next;
    }
}

void cvm_jobs_fail(struct cvm_collaboration *c, const struct cvm_error *why)
{
    pthread_mutex_lock(&c->lock);
    struct cvm_job *jobs = CVM_TAKE(c->jobs);
    c->jobs_end = &c->jobs;
    pthread_mutex_unlock(&c->lock);
    finish_all(jobs, why);
}

/* Reads the bundles of a `challenge` into their jobs. */
static int take_bundles(struct cvm_collaboration *c, struct cvm_job *jobs, const json_t *sizes,
                        struct cvm_error *err)
{
    uint64_t total = 0;
    size_t i;
    json_t *size;
    json_array_foreach(sizes, i, size)
    {
        int64_t n = json_integer_value(size);
        CVM_ENSURE(n > 0 && n <= BUNDLE_MAX, err, CVM_E_CONNECTION,
                   "the agent announced evidence of %lld bytes", (long long)n);
        total += (uint64_t)n;
    }
    CVM_AUTO_BUF struct cvm_buf all = {0};
    CVM_GUARD(cvm_link_read(c->link, total, &all, -1, CALL_MS, err));
    size_t at = 0;
    i = 0;
    for (struct cvm_job *job = jobs; job; job = job->next) {
        size_t n = (size_t)json_integer_value(json_array_get(sizes, i++));
        cvm_buf_append(&job->result, all.data + at, n);
        at += n;
    }
    return 0;
}

static int challenge(struct cvm_collaboration *c, struct cvm_job *jobs, struct cvm_error *err)
{
    CVM_AUTO_JSON json_t *nonces = json_array();
    for (struct cvm_job *job = jobs; job; job = job->next) {
        CVM_AUTO_FREE char *text = cvm_b64u(job->input.data, job->input.len);
        json_array_append_new(nonces, json_string(text));
    }
    CVM_AUTO_JSON json_t *request = json_pack("{s:s, s:O}", "op", "challenge", "nonces", nonces);
    CVM_AUTO_JSON json_t *r = cvm_link_call(c->link, request, NULL, CALL_MS, err);
    if (!r)
        return -1;
    const json_t *sizes = json_object_get(r, "bundles");
    int rc = -1;
    if (json_array_size(sizes) != json_array_size(nonces))
        cvm_fail(err, CVM_E_CONNECTION, "the agent answered another number of challenges");
    else
        rc = take_bundles(c, jobs, sizes, err);
    if (rc < 0)
        cvm_link_shutdown(c->link);
    return rc;
}

static char *act_path(const struct cvm_collaboration *c, const char *folder,
                      const struct cvm_job *job)
{
    return cvm_printf("%s/%s/%s-%llu.jws", c->folder, folder,
                      c->manifest.participants[job->participant].id, (unsigned long long)job->seq);
}

/* The act lies in pending/ before it is sent: when the answer is lost, the agent's transcript tells
 * whether it was taken, and nothing accepted is lost. */
static int act(struct cvm_collaboration *c, struct cvm_job *job, struct cvm_error *err)
{
    CVM_AUTO_FREE char *pending = act_path(c, "pending", job);
    CVM_AUTO_FREE char *path = act_path(c, "acts", job);
    {
        CVM_LOCKED(c);
        int again = cvm_jobs_act_again(c, job, err); /* queued twice, or settled meanwhile */
        if (again != 0)
            return again < 0 ? -1 : 0;
    }
    CVM_GUARD(cvm_file_write(pending, job->input.data, job->input.len, err));
    CVM_AUTO_JSON json_t *request =
        json_pack("{s:s, s:I}", "op", "act", "bytes", (json_int_t)job->input.len);
    struct cvm_link_body body = {.data = job->input.data, .fd = -1, .len = job->input.len};
    CVM_AUTO_JSON json_t *r = cvm_link_call(c->link, request, &body, CALL_MS, err);
    if (!r) {
        if (!cvm_link_broken(c->link))
            unlink(pending);
        return -1;
    }
    CVM_GUARD(cvm_file_rename(pending, path, err));
    /* Asked anew: what follows from the act (`sealed`, `aborted`) may have happened with it. */
    CVM_AUTO_JSON json_t *wanted = NULL;
    CVM_GUARD(cvm_agent_sync(c, &wanted, err));
    if (strcmp(c->phase, "aborted") == 0)
        CVM_GUARD(cvm_agent_store_statement(c, err));
    cvm_buf_append_str(&job->result, "{\"state\":\"");
    cvm_buf_append_str(&job->result, cvm_collaboration_state(c));
    cvm_buf_append_str(&job->result, "\"}");
    return 0;
}

static int transcript(struct cvm_collaboration *c, struct cvm_job *job, struct cvm_error *err)
{
    return cvm_agent_fetch(c, "transcript", CVM_TRANSCRIPT_MAX, &job->result, err);
}

void cvm_jobs_work(struct cvm_collaboration *c, struct cvm_job *jobs)
{
    struct cvm_error err = {0};
    if (jobs->kind == CVM_JOB_CHALLENGE) {
        int rc = challenge(c, jobs, &err);
        if (rc == 0 || !jobs->next || cvm_link_broken(c->link)) {
            finish_all(jobs, rc == 0 ? NULL : &err);
            return;
        }
        /* One bad nonce, or one too many, must not take the others down: one at a time. */
        while (jobs) {
            struct cvm_job *next = jobs->next;
            jobs->next = NULL;
            rc = challenge(c, jobs, &err);
            finish(jobs, rc == 0 ? NULL : &err);
            jobs = next;
        }
        return;
    }
    int rc = jobs->kind == CVM_JOB_ACT ? act(c, jobs, &err) : transcript(c, jobs, &err);
    finish(jobs, rc == 0 ? NULL : &err);
}

static void cleanup_dir(DIR **d)
{
    if (*d)
        closedir(*d);
}

/* Whether the transcript has an entry of this act: by the digest of its bytes, which nobody can
 * choose. */
static int settle(struct cvm_collaboration *c, const char *name, struct cvm_buf *lines,
                  struct cvm_error *err)
{
    CVM_AUTO_FREE char *pending = cvm_printf("%s/pending/%s", c->folder, name);
    CVM_AUTO_FREE char *path = cvm_printf("%s/acts/%s", c->folder, name);
    CVM_AUTO_BUF struct cvm_buf jws = {0};
    CVM_GUARD(cvm_file_read(pending, CVM_ACT_MAX, &jws, err));
    struct cvm_digest d = cvm_sha256(jws.data, jws.len);
    char digest[CVM_DIGEST_TEXT];
    CVM_AUTO_FREE char *member = cvm_printf("\"digest\":\"%s\"", cvm_digest_text(&d, digest));
    if (strstr(cvm_buf_cstr(lines), member))
        return cvm_file_rename(pending, path, err);
    if (unlink(pending) < 0)
        return cvm_fail_errno(err, "cannot remove '%s'", pending);
    return 0;
}

int cvm_jobs_reconcile(struct cvm_collaboration *c, struct cvm_error *err)
{
    CVM_AUTO_FREE char *folder = cvm_collaboration_path(c, "pending");
    CVM_AUTO_BUF struct cvm_buf lines = {0};
    bool asked = false;
    CVM_CLEANUP(cleanup_dir) DIR *d = opendir(folder);
    if (!d)
        return cvm_fail_errno(err, "cannot read '%s'", folder);
    struct dirent *e;
    while ((e = readdir(d))) {
        if (e->d_name[0] == '.')
            continue;
        if (!asked)
            CVM_GUARD(cvm_agent_fetch(c, "transcript", CVM_TRANSCRIPT_MAX, &lines, err));
        asked = true;
        CVM_GUARD(settle(c, e->d_name, &lines, err));
    }
    return 0;
}
