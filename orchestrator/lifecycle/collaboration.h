/* The inside of lifecycle: shared by its files only. */
#ifndef CVM_LIFECYCLE_COLLABORATION_H
#define CVM_LIFECYCLE_COLLABORATION_H

#include <pthread.h>

#include "orchestrator/lifecycle/files.h"
#include "orchestrator/lifecycle/lifecycle.h"
#include "orchestrator/store/store.h"
#include "orchestrator/transport/link.h"

struct cvm_item_state {
    bool uploaded;
    bool admitted;
    bool known;               /* `sha256` is that of the stored blob */
    struct cvm_digest sha256; /* of the ciphertext */
    uint32_t generation;      /* grows with each upload */
    uint32_t pushed;          /* the generation last offered to the agent; 0: none */
    enum cvm_code refusal;    /* of the generation last offered; CVM_OK: none */
    char *refusal_message;
};

struct cvm_collaboration {
    struct cvm_lifecycle *owner;
    struct cvm_manifest manifest; /* never changes */
    char *folder;                 /* collaborations/<id> */
    char *isolate;                /* isolates/<id> */

    pthread_mutex_t lock; /* of all that follows */
    enum cvm_host_state state;
    char phase[16]; /* the agent's, as last heard; "" before */
    enum cvm_code reason;
    char detail[700]; /* of the reason, for people; "" where there is none */
    char result[16];
    uint32_t committed, released; /* participants */
    uint64_t transcript_n;
    char transcript_head[CVM_DIGEST_TEXT];
    struct cvm_item_state items[CVM_ITEMS_MAX];
    uint64_t version; /* of the record in the store */

    bool has_thread; /* a thread works on it */
    bool joinable;   /* a thread was started */
    bool stopping;   /* the daemon ends; the isolate goes on */
    bool closing;    /* the operator ends the collaboration */
    pthread_t thread;
    pthread_cond_t settled; /* the state became final, or the thread ended */
    int wake;               /* eventfd: a job, an upload, an order */
    struct cvm_job *jobs, **jobs_end;
    struct cvm_link *link; /* the thread's; others may only shut it down */

    const struct cvm_platform_driver *driver;
    char machine[64];         /* what was last heard of it; "" where the isolate is none */
    bool look;                /* events of it may have been missed */
    enum cvm_host_state told; /* the thread's: the state that administrators see */
    struct cvm_collaboration *next;
};

struct cvm_lifecycle {
    struct cvm_lifecycle_options options;
    int lock_fd;
    struct cvm_store *store;
    pthread_mutex_t lock; /* of the list */
    struct cvm_collaboration *first;
    bool stopping;
};

static inline void cvm_cleanup_unlock(pthread_mutex_t **m)
{
    pthread_mutex_unlock(*m);
}
#define CVM_LOCKED(object)                                                                         \
    pthread_mutex_lock(&(object)->lock);                                                           \
    CVM_CLEANUP(cvm_cleanup_unlock)                                                                \
    pthread_mutex_t *locked_ __attribute__((unused)) = &(object)->lock

void cvm_observe(struct cvm_collaboration *c, const char *what, const char *detail,
                 const struct cvm_error *err);

/* record.c, with the lock held: the durable record. */
int cvm_record_save(struct cvm_collaboration *c, struct cvm_error *err) CVM_MUST_USE;
int cvm_record_load(struct cvm_collaboration *c, struct cvm_error *err) CVM_MUST_USE;
/* Moves to a state, durably, and says so to the observer. */
int cvm_record_move(struct cvm_collaboration *c, enum cvm_host_state state, enum cvm_code reason,
                    struct cvm_error *err) CVM_MUST_USE;

/* The path of a file of the collaboration; owned. */
char *cvm_collaboration_path(const struct cvm_collaboration *c, const char *name);
/* With the lock held: why nothing can be asked of an ended collaboration. Returns -1. */
int cvm_collaboration_ended(const struct cvm_collaboration *c, struct cvm_error *err);
void cvm_collaboration_wake(struct cvm_collaboration *c);
struct cvm_collaboration *cvm_collaboration_free(struct cvm_collaboration *c);

/* worker.c */
int cvm_worker_start(struct cvm_collaboration *c, struct cvm_error *err) CVM_MUST_USE;
void cvm_worker_stop(struct cvm_collaboration *c);
struct cvm_isolate_spec cvm_worker_spec(struct cvm_collaboration *c);

/* worker-agent.c: requests to the agent, by the worker's thread without the lock. A failure of the
 * connection leaves cvm_link_broken(). */
int cvm_agent_hello(struct cvm_collaboration *c, char ret_state[16],
                    struct cvm_error *err) CVM_MUST_USE;
int cvm_agent_send_lock(struct cvm_collaboration *c, struct cvm_error *err) CVM_MUST_USE;
/* Asks for the status and takes it over; *ret_wanted gets the list "wanted", owned. */
int cvm_agent_sync(struct cvm_collaboration *c, json_t **ret_wanted,
                   struct cvm_error *err) CVM_MUST_USE;
int cvm_agent_push(struct cvm_collaboration *c, int item, struct cvm_error *err) CVM_MUST_USE;
int cvm_agent_run(struct cvm_collaboration *c, struct cvm_error *err) CVM_MUST_USE;
/* An operation whose answer is `bytes` of data, into a buffer. */
int cvm_agent_fetch(struct cvm_collaboration *c, const char *op, size_t max, struct cvm_buf *ret,
                    struct cvm_error *err) CVM_MUST_USE;
/* The same, into a durable file of the collaboration. `id` may be NULL. */
int cvm_agent_fetch_file(struct cvm_collaboration *c, const char *op, const char *id,
                         const char *name, struct cvm_error *err) CVM_MUST_USE;
/* The statement that keys were wiped, of a session that an act ended, and the transcript that it is
 * about; fine where there is none. */
int cvm_agent_store_statement(struct cvm_collaboration *c, struct cvm_error *err) CVM_MUST_USE;
void cvm_agent_exit(struct cvm_collaboration *c);

/* worker-jobs.c */
struct cvm_job *cvm_jobs_take(struct cvm_collaboration *c); /* one act or all waiting challenges */
void cvm_jobs_work(struct cvm_collaboration *c, struct cvm_job *jobs);
void cvm_jobs_fail(struct cvm_collaboration *c, const struct cvm_error *why);
/* An act that was accepted before may be sent again: the answer may have been lost on its way.
 * 1: it was, and the job is filled. 0: it was not. With the lock held. */
int cvm_jobs_act_again(struct cvm_collaboration *c, struct cvm_job *job,
                       struct cvm_error *err) CVM_MUST_USE;
/* After a lost connection: finds out which acts the agent took before it broke. */
int cvm_jobs_reconcile(struct cvm_collaboration *c, struct cvm_error *err) CVM_MUST_USE;

/* worker-finish.c: the end of a collaboration; 0 when its final state is durable. */
int cvm_finish(struct cvm_collaboration *c, struct cvm_error *err) CVM_MUST_USE;
int cvm_finish_aborted(struct cvm_collaboration *c, struct cvm_error *err) CVM_MUST_USE;
/* The outputs that the stored receipt names: [{"digest","id"}], owned. */
json_t *cvm_receipt_outputs(struct cvm_collaboration *c, struct cvm_error *err);

#endif
