/*
 * The daemon's one connection to libvirt: opened when it is first needed, opened again when
 * libvirtd was restarted, with a thread for its events and one that brings it back.
 *
 * Security: what libvirt says is the host's word; nobody's promise hangs on it.
 */
#ifndef CVM_PLATFORM_CONNECTION_H
#define CVM_PLATFORM_CONNECTION_H

#include <libvirt/libvirt.h>

#include "orchestrator/platform/platform.h"

int cvm_libvirt_watch(const char *uri, cvm_machine_watcher watcher, void *arg,
                      struct cvm_error *err) CVM_MUST_USE;
void cvm_libvirt_unwatch(void);

/* The connection, a reference of one's own. `patient`: waits some seconds for a libvirtd that is
 * being started again. CVM_E_CONNECTION when there is none. */
int cvm_libvirt_open(const char *uri, bool patient, virConnectPtr *ret,
                     struct cvm_error *err) CVM_MUST_USE;

/* Appends libvirt's last error of this thread. Returns -1. */
int cvm_libvirt_fail(struct cvm_error *err, enum cvm_code code, const char *what);

/* A descriptor (eventfd) that becomes readable with each event of the domain with this UUID. Ends
 * with cvm_libvirt_waiter_end(). */
struct cvm_libvirt_waiter {
    int fd;
    char id[40];
    struct cvm_libvirt_waiter *next;
};
int cvm_libvirt_waiter_begin(struct cvm_libvirt_waiter *w, const char *id,
                             struct cvm_error *err) CVM_MUST_USE;
void cvm_libvirt_waiter_end(struct cvm_libvirt_waiter *w);

static inline void cvm_libvirt_close(virConnectPtr *c)
{
    if (*c)
        virConnectClose(*c);
}
#define CVM_AUTO_LIBVIRT CVM_CLEANUP(cvm_libvirt_close)
static inline void cvm_libvirt_free_domain(virDomainPtr *d)
{
    if (*d)
        virDomainFree(*d);
}
#define CVM_AUTO_DOMAIN CVM_CLEANUP(cvm_libvirt_free_domain)

#endif
