#include "orchestrator/platform/libvirt/connection.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#define OPEN_TRIES 6 /* 0.25 s, doubled each time: some 16 s */
#define BACK_MAX_S 30

struct connection {
    virConnectPtr c;
    int lifecycle, reboot; /* what its events are registered as */
};

static struct {
    pthread_once_t once;
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t lost, called, there;
    bool broken;
    char *uri;
    struct connection connection;
    bool dead; /* libvirt has closed it */
    bool look; /* it is a new one: what happened in between nobody told us */
    cvm_machine_watcher watcher;
    void *arg;
    unsigned calling; /* threads that call the watcher, without the lock */
    struct cvm_libvirt_waiter *waiters;
} L = {.once = PTHREAD_ONCE_INIT,
       .lock = PTHREAD_MUTEX_INITIALIZER,
       .lost = PTHREAD_COND_INITIALIZER,
       .called = PTHREAD_COND_INITIALIZER,
       .there = PTHREAD_COND_INITIALIZER};

int cvm_libvirt_fail(struct cvm_error *err, enum cvm_code code, const char *what)
{
    return cvm_fail(err, code, "%s: %s", what, virGetLastErrorMessage());
}

/* ---- events ---- */

/* Wakes the waiters of this domain (all for NULL) and calls the watcher. */
static void notify(const char *id, enum cvm_machine_event event, const char *detail)
{
    pthread_mutex_lock(&L.lock);
    for (struct cvm_libvirt_waiter *w = L.waiters; w; w = w->next)
        if (!id || strcmp(w->id, id) == 0)
            eventfd_write(w->fd, 1);
    cvm_machine_watcher watcher = L.watcher;
    void *arg = L.arg;
    L.calling++;
    pthread_mutex_unlock(&L.lock);
    if (watcher)
        watcher(arg, id, event, detail);
    pthread_mutex_lock(&L.lock);
    L.calling--;
    pthread_cond_broadcast(&L.called);
    pthread_mutex_unlock(&L.lock);
}

static void tell(virDomainPtr d, enum cvm_machine_event event, const char *detail)
{
    char id[VIR_UUID_STRING_BUFLEN];
    if (virDomainGetUUIDString(d, id) < 0)
        return;
    notify(id, event, detail);
}

static const char *stopped_word(int detail)
{
    switch (detail) {
    case VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN:
        return "powered off";
    case VIR_DOMAIN_EVENT_STOPPED_DESTROYED:
        return "destroyed";
    case VIR_DOMAIN_EVENT_STOPPED_CRASHED:
        return "crashed";
    case VIR_DOMAIN_EVENT_STOPPED_FAILED:
        return "QEMU ended";
    default:
        return "ended";
    }
}

static int on_lifecycle(virConnectPtr c, virDomainPtr d, int event, int detail, void *arg)
{
    (void)c;
    (void)arg;
    if (event == VIR_DOMAIN_EVENT_STOPPED)
        tell(d, CVM_MACHINE_ENDED, stopped_word(detail));
    else if (event == VIR_DOMAIN_EVENT_CRASHED)
        tell(d, CVM_MACHINE_ENDED, "crashed");
    else if (event == VIR_DOMAIN_EVENT_SUSPENDED)
        tell(d, CVM_MACHINE_SUSPENDED, "suspended");
    else if (event == VIR_DOMAIN_EVENT_RESUMED)
        tell(d, CVM_MACHINE_RESUMED, "resumed");
    return 0;
}

static void on_reboot(virConnectPtr c, virDomainPtr d, void *arg)
{
    (void)c;
    (void)arg;
    tell(d, CVM_MACHINE_RESET, "reset");
}

static void on_close(virConnectPtr c, int reason, void *arg)
{
    (void)arg;
    (void)reason;
    pthread_mutex_lock(&L.lock);
    if (c == L.connection.c) {
        L.dead = true;
        pthread_cond_broadcast(&L.lost);
    }
    pthread_mutex_unlock(&L.lock);
}

static void *run_events(void *arg)
{
    (void)arg;
    for (;;)
        if (virEventRunDefaultImpl() < 0)
            return NULL;
}

static void silent(void *arg, virErrorPtr error)
{
    (void)arg;
    (void)error; /* every call's error is taken by its caller */
}

static void *bring_back(void *arg);

static void begin(void)
{
    pthread_t events, back;
    virSetErrorFunc(NULL, silent);
    L.broken = virInitialize() < 0 || virEventRegisterDefaultImpl() < 0 ||
               pthread_create(&events, NULL, run_events, NULL) != 0 ||
               pthread_create(&back, NULL, bring_back, NULL) != 0;
    if (L.broken)
        return;
    pthread_detach(events);
    pthread_detach(back);
}

/* ---- the connection ---- */

/* Without the lock: libvirt holds one of its own when it calls on_close(). A connection that is not
 * taken apart goes on telling its events. */
static void forget(struct connection *old)
{
    if (!old->c)
        return;
    virConnectUnregisterCloseCallback(old->c, on_close);
    if (old->lifecycle >= 0)
        virConnectDomainEventDeregisterAny(old->c, old->lifecycle);
    if (old->reboot >= 0)
        virConnectDomainEventDeregisterAny(old->c, old->reboot);
    virConnectClose(old->c);
    old->c = NULL;
}

static bool connected(const char *uri, struct connection *ret)
{
    struct connection n = {.c = virConnectOpen(uri), .lifecycle = -1, .reboot = -1};
    if (!n.c)
        return false;
    n.lifecycle =
        virConnectDomainEventRegisterAny(n.c, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                         VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle), NULL, NULL);
    n.reboot = virConnectDomainEventRegisterAny(n.c, NULL, VIR_DOMAIN_EVENT_ID_REBOOT,
                                                VIR_DOMAIN_EVENT_CALLBACK(on_reboot), NULL, NULL);
    if (n.lifecycle < 0 || n.reboot < 0 ||
        virConnectRegisterCloseCallback(n.c, on_close, NULL, NULL) < 0) {
        forget(&n);
        return false;
    }
    (void)virConnectSetKeepAlive(n.c, 5, 3); /* a libvirtd that hangs counts as gone */
    *ret = n;
    return true;
}

/* Opens without the lock: libvirtd may take its time. Whether there is a connection now. */
static bool try_open(const char *uri)
{
    struct connection new;
    if (!connected(uri, &new))
        return false;
    pthread_mutex_lock(&L.lock);
    bool late = L.connection.c && !L.dead; /* another thread was faster */
    struct connection old = late ? new : L.connection;
    if (!late) {
        L.connection = new;
        L.dead = false;
        L.look = true;
        pthread_cond_broadcast(&L.there);
        pthread_cond_broadcast(&L.lost);
    }
    pthread_mutex_unlock(&L.lock);
    forget(&old);
    return true;
}

/* Events must come again after libvirtd was restarted, also when nobody calls. */
static void *bring_back(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&L.lock);
    for (time_t wait = 1;;) {
        while (!L.look && (!L.dead || !L.uri)) {
            wait = 1;
            pthread_cond_wait(&L.lost, &L.lock);
        }
        if (L.look) { /* here, and not where it was opened: who opens may hold locks of the
                         watcher's */
            L.look = false;
            pthread_mutex_unlock(&L.lock);
            notify(NULL, CVM_MACHINE_UNKNOWN, "");
            pthread_mutex_lock(&L.lock);
            continue;
        }
        CVM_AUTO_FREE char *uri = cvm_strdup(L.uri);
        pthread_mutex_unlock(&L.lock);
        bool there = try_open(uri);
        pthread_mutex_lock(&L.lock);
        if (there)
            continue;
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += wait;
        wait = wait * 2 > BACK_MAX_S ? BACK_MAX_S : wait * 2;
        pthread_cond_timedwait(&L.lost, &L.lock, &until);
    }
    return NULL;
}

/* A reference to the living connection, or NULL. */
static virConnectPtr take(void)
{
    pthread_mutex_lock(&L.lock);
    virConnectPtr c =
        L.connection.c && !L.dead && virConnectIsAlive(L.connection.c) == 1 ? L.connection.c : NULL;
    if (c)
        virConnectRef(c);
    pthread_mutex_unlock(&L.lock);
    return c;
}

/* Until another thread has connected, or a time has passed. */
static void wait_for_it(long ms)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += ms % 1000 * 1000000;
    until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&L.lock);
    if (!L.connection.c || L.dead)
        pthread_cond_timedwait(&L.there, &L.lock, &until);
    pthread_mutex_unlock(&L.lock);
}

int cvm_libvirt_open(const char *uri, bool patient, virConnectPtr *ret, struct cvm_error *err)
{
    pthread_once(&L.once, begin);
    CVM_ENSURE(!L.broken, err, CVM_E_PLATFORM, "libvirt's library does not work here");
    for (unsigned i = 0;; i++) {
        *ret = take();
        if (*ret)
            return 0;
        if (try_open(uri))
            continue;
        if (!patient || i == OPEN_TRIES) {
            cvm_libvirt_fail(err, CVM_E_CONNECTION, "libvirt does not answer");
            return cvm_error_wrap(err, "%s", uri);
        }
        wait_for_it(250L << i);
    }
}

int cvm_libvirt_watch(const char *uri, cvm_machine_watcher watcher, void *arg,
                      struct cvm_error *err)
{
    pthread_once(&L.once, begin);
    CVM_ENSURE(!L.broken, err, CVM_E_PLATFORM, "libvirt's library does not work here");
    pthread_mutex_lock(&L.lock);
    free(L.uri);
    L.uri = cvm_strdup(uri);
    L.watcher = watcher;
    L.arg = arg;
    pthread_mutex_unlock(&L.lock);
    return 0;
}

void cvm_libvirt_unwatch(void)
{
    pthread_mutex_lock(&L.lock);
    L.watcher = NULL;
    L.arg = NULL;
    while (L.calling > 0)
        pthread_cond_wait(&L.called, &L.lock);
    pthread_mutex_unlock(&L.lock);
}

/* ---- waiters ---- */

int cvm_libvirt_waiter_begin(struct cvm_libvirt_waiter *w, const char *id, struct cvm_error *err)
{
    w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->fd < 0)
        return cvm_fail_errno(err, "cannot make an event descriptor");
    snprintf(w->id, sizeof w->id, "%s", id);
    pthread_mutex_lock(&L.lock);
    w->next = L.waiters;
    L.waiters = w;
    pthread_mutex_unlock(&L.lock);
    return 0;
}

void cvm_libvirt_waiter_end(struct cvm_libvirt_waiter *w)
{
    if (w->fd < 0)
        return;
    pthread_mutex_lock(&L.lock);
    for (struct cvm_libvirt_waiter **at = &L.waiters; *at; at = &(*at)->next)
        if (*at == w) {
            *at = w->next;
            break;
        }
    pthread_mutex_unlock(&L.lock);
    close(w->fd);
    w->fd = -1;
}
