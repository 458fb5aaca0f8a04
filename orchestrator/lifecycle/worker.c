/*
 * The thread of an active collaboration. It alone speaks with the agent: it starts the isolate or
 * finds it again, locks the manifest, works on jobs, hands over wanted items, has it run, stores
 * what comes out, and ends it. The agent's answers and events drive it; nothing is polled.
 */
#include "orchestrator/lifecycle/collaboration.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "core/base/clock.h"

#define READY_MS 30000
#define TRIES 5         /* connections in a row that ended early */
#define USEFUL_MS 10000 /* after which an end is not early */
#define DISK_MS 10000
#define END_MS 2000

static bool stopping(struct cvm_collaboration *c)
{
    CVM_LOCKED(c);
    return c->stopping || c->closing;
}

static bool told_to_end(void *arg)
{
    return stopping(arg);
}

struct cvm_isolate_spec cvm_worker_spec(struct cvm_collaboration *c)
{
    return (struct cvm_isolate_spec){
        .host = &c->owner->options.host,
        .folder = c->isolate,
        .host_data = c->manifest.digest,
        .vcpus = c->manifest.isolate.vcpus,
        .memory_mib = c->manifest.isolate.memory_mib,
        .manifest = &c->manifest,
        .state = cvm_host_state_word(c->state),
        .told_to_end = told_to_end,
        .arg = c,
        .wake = c->wake,
    };
}

static enum cvm_host_state state_of(struct cvm_collaboration *c)
{
    CVM_LOCKED(c);
    return c->state;
}

static void end_isolate(struct cvm_collaboration *c)
{
    struct cvm_isolate_spec spec = cvm_worker_spec(c);
    struct cvm_error err = {0};
    if (c->driver->stop(&spec, &err) < 0)
        cvm_observe(c, "isolate-stop", "", &err);
}

/* The end that is no good one; the isolate has no use any more. */
static void fail_closed(struct cvm_collaboration *c, enum cvm_host_state state,
                        enum cvm_code reason, const struct cvm_error *why)
{
    struct cvm_error err = {0};
    end_isolate(c);
    cvm_observe(c, cvm_code_info(reason)->name, "", why);
    CVM_LOCKED(c);
    if (why)
        cvm_error_line(why, c->detail, sizeof c->detail);
    /* With outputs and receipt stored it stays completed; only the last evidence is missing. */
    if (c->state == CVM_HOST_COMPLETED)
        state = CVM_HOST_COMPLETED;
    if (cvm_record_move(c, state, reason, &err) < 0)
        cvm_observe(c, "store", "", &err);
}

static void on_event(void *arg, const json_t *event)
{
    struct cvm_collaboration *c = arg;
    const char *phase = json_string_value(json_object_get(event, "state"));
    if (phase && strlen(phase) < sizeof c->phase)
        cvm_observe(c, "phase", phase, NULL);
}

/* Administrators of the host see the state, too. */
static void tell_state(struct cvm_collaboration *c)
{
    struct cvm_error err = {0};
    enum cvm_host_state state = state_of(c);
    if (!c->driver->moved || state == c->told)
        return;
    struct cvm_isolate_spec spec = cvm_worker_spec(c);
    if (c->driver->moved(&spec, &err) < 0)
        cvm_observe(c, "machine", "its state cannot be shown", &err);
    c->told = state;
}

/* A machine that an administrator has suspended answers nothing: it is waited for. */
static void wait_resumed(struct cvm_collaboration *c)
{
    for (;;) {
        bool suspended;
        {
            CVM_LOCKED(c);
            suspended = strcmp(c->machine, "suspended") == 0 && !c->stopping && !c->closing;
        }
        if (!suspended)
            return;
        struct pollfd p = {.fd = c->wake, .events = POLLIN};
        eventfd_t ignored;
        (void)poll(&p, 1, -1);
        eventfd_read(c->wake, &ignored);
    }
}

/* Events may have been missed: is the machine still there? */
static int look_at_machine(struct cvm_collaboration *c, struct cvm_error *err)
{
    bool look;
    {
        CVM_LOCKED(c);
        look = c->look;
        c->look = false;
    }
    if (!look)
        return 0;
    struct cvm_isolate_spec spec = cvm_worker_spec(c);
    int alive = c->driver->find(&spec, err);
    CVM_GUARD(alive);
    CVM_ENSURE(alive, err, CVM_E_ISOLATE_LOST, "the machine has ended");
    CVM_LOCKED(c);
    snprintf(c->machine, sizeof c->machine, "%s", alive == 2 ? "suspended" : "running");
    return 0;
}

static int start_isolate(struct cvm_collaboration *c, struct cvm_error *err)
{
    struct cvm_isolate_spec spec = cvm_worker_spec(c);
    int alive = c->driver->find(&spec, err);
    if (alive != 0)
        return alive;
    struct cvm_error e = {0};
    if (c->driver->start(&spec, &e) < 0 && e.code != CVM_E_EXISTS) {
        *err = e;
        return -1;
    }
    return 0;
}

static void set_link(struct cvm_collaboration *c, struct cvm_link *link)
{
    CVM_LOCKED(c);
    cvm_link_close(c->link);
    c->link = link;
}

/* Connects, and brings the agent to where the record is. -1 with CVM_E_ISOLATE_LOST: no agent. */
static int attach(struct cvm_collaboration *c, struct cvm_error *err)
{
    struct cvm_isolate_spec spec = cvm_worker_spec(c);
    enum cvm_host_state state = state_of(c);
    if (state == CVM_HOST_LAUNCHING)
        CVM_GUARD(start_isolate(c, err));
    CVM_GUARD(look_at_machine(c, err));
    wait_resumed(c);
    CVM_ENSURE(!stopping(c), err, CVM_E_CONNECTION, "told to end");
    int fd = c->driver->connect(&spec, err);
    CVM_GUARD(fd);
    /* Others can shut it down from now on, also while an agent lets us wait that never greets. */
    set_link(c, cvm_link_new(fd, on_event, c));
    CVM_ENSURE(!stopping(c), err, CVM_E_CONNECTION, "told to end");
    CVM_GUARD(cvm_link_greeted(c->link, READY_MS, err));
    char phase[16];
    CVM_GUARD(cvm_agent_hello(c, phase, err));
    if (strcmp(phase, "empty") == 0) {
        /* Locked before, empty now: not the agent that it was. */
        CVM_ENSURE(state == CVM_HOST_LAUNCHING, err, CVM_E_ISOLATE_LOST,
                   "another agent answers in its place");
        CVM_GUARD(cvm_agent_send_lock(c, err));
    }
    return cvm_jobs_reconcile(c, err);
}

/* The next wanted item that has a blob which was not refused yet; -1: none. */
static int next_item(struct cvm_collaboration *c, const json_t *wanted)
{
    CVM_LOCKED(c);
    size_t i;
    json_t *id;
    json_array_foreach(wanted, i, id)
    {
        const char *s = json_string_value(id);
        int item = s ? cvm_manifest_item(&c->manifest, s) : -1;
        if (item >= 0 && c->items[item].uploaded &&
            !(c->items[item].refusal && c->items[item].pushed == c->items[item].generation))
            return item;
    }
    return -1;
}

/* Does what the agent's state asks for, until there is nothing left to do. 1: it has ended. */
static int drive(struct cvm_collaboration *c, struct cvm_error *err)
{
    for (;;) {
        CVM_AUTO_JSON json_t *wanted = NULL;
        CVM_GUARD(cvm_agent_sync(c, &wanted, err));
        tell_state(c);
        if (strcmp(c->phase, "releasing") == 0 || strcmp(c->phase, "closed") == 0)
            return cvm_finish(c, err) < 0 ? -1 : 1;
        if (strcmp(c->phase, "aborted") == 0)
            return cvm_finish_aborted(c, err) < 0 ? -1 : 1;
        if (strcmp(c->phase, "sealed") == 0) {
            CVM_GUARD(cvm_agent_run(c, err));
            continue;
        }
        int item = next_item(c, wanted);
        if (item < 0)
            return 0;
        CVM_GUARD(cvm_agent_push(c, item, err));
        /* Challenges need not wait until every blob is through. */
        struct cvm_job *jobs = cvm_jobs_take(c);
        if (jobs)
            cvm_jobs_work(c, jobs);
    }
}

/* Until the collaboration ends (1) or the connection does (-1). */
static int serve(struct cvm_collaboration *c, struct cvm_error *err)
{
    for (;;) {
        CVM_GUARD(look_at_machine(c, err));
        wait_resumed(c);
        int rc = drive(c, err);
        if (rc != 0)
            return rc;
        tell_state(c);
        struct cvm_job *jobs = cvm_jobs_take(c);
        if (jobs) {
            cvm_jobs_work(c, jobs);
            continue;
        }
        rc = cvm_link_wait(c->link, c->wake, -1, err);
        CVM_GUARD(rc);
        eventfd_t ignored;
        eventfd_read(c->wake, &ignored);
        if (stopping(c))
            return cvm_fail(err, CVM_E_CONNECTION, "told to end");
    }
}

/* How the machine ended. The connection to it often breaks before the event comes that says why. */
static void name_end(struct cvm_collaboration *c, struct cvm_error *err)
{
    for (int tries = 0; c->driver->machine && tries < 2; tries++) {
        struct pollfd p = {.fd = c->wake, .events = POLLIN};
        eventfd_t ignored;
        {
            CVM_LOCKED(c);
            if (strncmp(c->machine, "ended", 5) == 0) {
                cvm_error_wrap(err, "the machine %s", c->machine);
                return;
            }
        }
        if (poll(&p, 1, END_MS) > 0)
            eventfd_read(c->wake, &ignored);
    }
}

static bool of_connection(enum cvm_code code)
{
    return code == CVM_E_CONNECTION || code == CVM_E_TIMEOUT || code == CVM_E_FRAME_FORMAT ||
           code == CVM_E_FRAME_ORDER || code == CVM_E_FRAME_STREAM || code == CVM_E_FRAME_TOO_LARGE;
}

/* The disk of this host is full or broken: what the isolate holds must not be lost for it. */
static void wait_for_disk(struct cvm_collaboration *c)
{
    struct pollfd p = {.fd = c->wake, .events = POLLIN};
    eventfd_t ignored;
    eventfd_read(c->wake, &ignored);
    if (!stopping(c))
        poll(&p, 1, DISK_MS);
}

/* One connection, from its start to its end. 1: the collaboration has ended. */
static int session(struct cvm_collaboration *c, bool *ret_useful, struct cvm_error *err)
{
    int64_t begin = cvm_now_ms();
    int rc = attach(c, err);
    *ret_useful = rc == 0;
    if (rc == 0)
        rc = serve(c, err);
    *ret_useful = *ret_useful && cvm_now_ms() - begin >= USEFUL_MS;
    return rc;
}

static void work(struct cvm_collaboration *c)
{
    unsigned tries = 0;
    while (!stopping(c)) {
        struct cvm_error err = {0};
        bool useful;
        int rc = session(c, &useful, &err);
        if (rc == 1) {
            cvm_agent_exit(c);
            end_isolate(c);
            return;
        }
        if (stopping(c))
            break;
        cvm_observe(c, "connection", "", &err);
        tries = useful ? 0 : tries + 1;
        bool launching = state_of(c) == CVM_HOST_LAUNCHING;
        if (err.code == CVM_E_IO && !launching) {
            tries = 0;
            wait_for_disk(c);
        } else if (err.code == CVM_E_ISOLATE_LOST || tries >= TRIES) {
            name_end(c, &err);
            fail_closed(c, CVM_HOST_FAILED, CVM_E_ISOLATE_LOST, &err);
            return;
        } else if (launching && !of_connection(err.code)) {
            /* It could not be started, or refused to lock: asking again changes nothing. */
            fail_closed(c, CVM_HOST_FAILED, err.code, &err);
            return;
        }
    }
    pthread_mutex_lock(&c->lock);
    bool closing = c->closing && !c->stopping;
    pthread_mutex_unlock(&c->lock);
    if (closing)
        fail_closed(c, CVM_HOST_ABORTED, CVM_E_ABORTED, NULL);
}

static void *thread_main(void *arg)
{
    struct cvm_collaboration *c = arg;
    work(c);
    set_link(c, NULL);
    struct cvm_error why = {0};
    pthread_mutex_lock(&c->lock);
    c->has_thread = false; /* no job is taken from here on */
    if (cvm_host_state_final(c->state) || c->reason)
        cvm_collaboration_ended(c, &why);
    else
        cvm_fail(&why, CVM_E_CONNECTION, "the daemon is ending");
    pthread_cond_broadcast(&c->settled);
    pthread_mutex_unlock(&c->lock);
    cvm_jobs_fail(c, &why);
    return NULL;
}

/* With the lock held. */
int cvm_worker_start(struct cvm_collaboration *c, struct cvm_error *err)
{
    CVM_ENSURE(c->driver, err, CVM_E_PLATFORM, "this build has no driver for its isolate");
    c->has_thread = true;
    c->told = CVM_HOST_STATE_COUNT;
    /* Of one that an earlier daemon started: is it suspended? */
    c->look = c->driver->machine && c->state > CVM_HOST_LAUNCHING;
    int rc = pthread_create(&c->thread, NULL, thread_main, c);
    c->has_thread = c->joinable = rc == 0;
    CVM_ENSURE(rc == 0, err, CVM_E_NO_MEMORY, "cannot start a thread: %s", strerror(rc));
    return 0;
}

void cvm_worker_stop(struct cvm_collaboration *c)
{
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    if (c->link)
        cvm_link_shutdown(c->link);
    cvm_collaboration_wake(c);
    pthread_cond_broadcast(&c->settled);
    bool join = c->joinable;
    c->joinable = false;
    pthread_mutex_unlock(&c->lock);
    if (join)
        pthread_join(c->thread, NULL);
}
