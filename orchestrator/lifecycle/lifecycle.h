/*
 * Collaborations on the host: folders of public files, a small durable record of each, and one
 * thread an active collaboration that owns the connection to its agent.
 *
 * A call that returned success has made its effect durable. Everything survives `kill -9` at any
 * step: files are written, synced and renamed before the record that speaks of them, a launch is
 * recorded before the isolate starts, and what the agent handed over is stored before it may go.
 *
 * Security: the host is untrusted by design; all checks here only give early, clear refusals and
 * protect the host's own disk and memory. Nobody's promise hangs on them.
 */
#ifndef CVM_LIFECYCLE_LIFECYCLE_H
#define CVM_LIFECYCLE_LIFECYCLE_H

#include "core/manifest/act.h"
#include "orchestrator/platform/platform.h"

#define CVM_DRAFTS_MAX 100 /* open drafts at one time */

enum cvm_host_state {
#define S(name, word, final) CVM_HOST_##name,
#include "orchestrator/lifecycle/states.def"
#undef S
    CVM_HOST_STATE_COUNT
};
const char *cvm_host_state_word(enum cvm_host_state state);
int cvm_host_state_by_word(const char *word); /* -1: unknown */
bool cvm_host_state_final(enum cvm_host_state state);

/* What happened, for the log: never content. Called from any thread. */
struct cvm_lifecycle_event {
    const char *collaboration;
    const char *what;            /* "state", "item-refused", "isolate-lost", … */
    const char *detail;          /* a state, an item; may be "" */
    const struct cvm_error *err; /* NULL unless something failed */
};
typedef void (*cvm_lifecycle_observer)(void *arg, const struct cvm_lifecycle_event *event);

struct cvm_lifecycle_options { /* borrowed for the life of the object */
    const char *state;         /* folder, exists, absolute */
    struct cvm_platform_host host;
    cvm_lifecycle_observer observer;
    void *arg;
};

struct cvm_lifecycle;
struct cvm_collaboration; /* lives as long as its lifecycle */

/* Locks the state folder against a second daemon (CVM_E_EXISTS), loads everything, and goes on
 * where the last daemon stopped. */
int cvm_lifecycle_open(const struct cvm_lifecycle_options *options, struct cvm_lifecycle **ret,
                       struct cvm_error *err) CVM_MUST_USE;
/* Ends the threads: every waiting job is done (as failed) when this returns. Isolates live on. */
void cvm_lifecycle_stop(struct cvm_lifecycle *l);
struct cvm_lifecycle *cvm_lifecycle_close(struct cvm_lifecycle *l); /* stops; returns NULL */

struct cvm_collaboration *cvm_lifecycle_find(struct cvm_lifecycle *l, const char *id); /* or NULL */
json_t *cvm_lifecycle_list(struct cvm_lifecycle *l); /* owned, as GET /v1/collaborations says */

/* A new draft. 1: made. 0: there with these very bytes. MANIFEST_DIFFERS, TOO_MANY_DRAFTS,
 * MANIFEST_EXPIRED. */
int cvm_lifecycle_create(struct cvm_lifecycle *l, const void *manifest, size_t len,
                         struct cvm_collaboration **ret, struct cvm_error *err) CVM_MUST_USE;

const struct cvm_manifest *cvm_collaboration_manifest(const struct cvm_collaboration *c);
const char *cvm_collaboration_state(struct cvm_collaboration *c);                      /* word */
json_t *cvm_collaboration_status(struct cvm_collaboration *c);                         /* owned */
json_t *cvm_collaboration_outputs(struct cvm_collaboration *c, struct cvm_error *err); /* owned */

/* Stores a commitment after checking it. 1: new. 0: there already. */
int cvm_collaboration_commit(struct cvm_collaboration *c, int participant, const void *jws,
                             size_t len, struct cvm_error *err) CVM_MUST_USE;

/* Records the launch and starts the thread that does it. Once a manifest. */
int cvm_collaboration_launch(struct cvm_collaboration *c, struct cvm_error *err) CVM_MUST_USE;

/* An upload in progress: a temporary file until _finish(). */
struct cvm_upload;
int cvm_upload_begin(struct cvm_collaboration *c, int item, uint64_t bytes, struct cvm_upload **ret,
                     struct cvm_error *err) CVM_MUST_USE;
int cvm_upload_write(struct cvm_upload *u, const void *data, size_t len,
                     struct cvm_error *err) CVM_MUST_USE;
/* Frees `u` in any case. 1: a new blob. 0: the same bytes as before (and sent again if the isolate
 * refused them). CONTENT_DIGEST when the bytes are not those of `expected`. */
int cvm_upload_finish(struct cvm_upload *u, const struct cvm_digest *expected,
                      struct cvm_error *err) CVM_MUST_USE;
void cvm_upload_abandon(struct cvm_upload *u); /* NULL is fine */

/*
 * A job for the agent. The caller owns it, and may touch it again only after `done` was called:
 * exactly once, from the collaboration's thread, for every submitted job.
 */
enum cvm_job_kind {
    CVM_JOB_CHALLENGE,  /* input: nonce; result: evidence bundle */
    CVM_JOB_ACT,        /* input: JWS; result: {"state"} */
    CVM_JOB_TRANSCRIPT, /* result: JSON lines */
};
struct cvm_job {
    enum cvm_job_kind kind;
    struct cvm_buf input;
    int participant; /* of an act */
    uint64_t seq;

    void (*done)(void *arg);
    void *arg;

    bool ok; /* results, valid from `done` on */
    struct cvm_buf result;
    struct cvm_error err;

    struct cvm_job *next; /* the queue's */
};
/* Checks an act's form, signer and manifest, and that the signer is `participant`; fills the job.
 */
int cvm_job_act(struct cvm_collaboration *c, int participant, const void *jws, size_t len,
                struct cvm_job *ret, struct cvm_error *err) CVM_MUST_USE;
/* 0: submitted. 1: answered at once, `done` is not called. */
int cvm_collaboration_submit(struct cvm_collaboration *c, struct cvm_job *job,
                             struct cvm_error *err) CVM_MUST_USE;
void cvm_job_free(struct cvm_job *job); /* its buffers */

/*
 * The operator's end of a collaboration: nothing when it has ended; a draft or a running one
 * becomes `aborted` and its isolate is ended. Returns when the state is durable, or after a while
 * with CVM_E_TIMEOUT: one that hands its outputs over closes by itself when all are stored.
 */
int cvm_collaboration_close(struct cvm_collaboration *c, struct cvm_error *err) CVM_MUST_USE;

/* Opens a public file of the collaboration for reading: "manifest.json", "evidence.json",
 * "receipt.jws", "transcript.jsonl", or with the folders' names below. CVM_E_WITHHELD when it may
 * still come, CVM_E_NOT_FOUND when not. `name` must be made of checked ids. */
int cvm_collaboration_open_file(struct cvm_collaboration *c, const char *name,
                                struct cvm_error *err) CVM_MUST_USE;

#endif
