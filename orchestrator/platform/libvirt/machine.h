/* The inside of the drivers for virtual machines: shared by their files only. */
#ifndef CVM_PLATFORM_MACHINE_H
#define CVM_PLATFORM_MACHINE_H

#include "orchestrator/platform/libvirt/connection.h"
#include "orchestrator/platform/libvirt/domain-xml.h"

#define CVM_MACHINE_CONSOLE "console.log" /* in the isolate's folder */
#define CVM_MACHINE_VHOST "vhost"         /* made by the PSP: where QEMU connects to */
#define CVM_MACHINE_VSOCK "vsock"         /* made by the PSP: where we connect to the guest */
#define CVM_MACHINE_DEVICE_LINE "2cvm-"   /* how every line of the agent on the console begins */

/* Whether machines here can have KVM: found out by booting one, once in the daemon's life. */
bool cvm_machine_has_kvm(const struct cvm_platform_host *host, virConnectPtr c, const char *folder);

/* Waits until the console says `text`, or there() says that the machine has ended. 1: it said so.
 * 0: the machine has ended. CVM_E_CONNECTION: told to end. CVM_E_TIMEOUT. */
struct cvm_machine_wait {
    const char *folder, *text;
    int event_fd;   /* readable: ask there() */
    int process_fd; /* readable: the machine has lost what it needs; -1: none */
    int wake_fd;    /* an eventfd, rung: ask told_to_end() */
    bool (*there)(void *arg);
    bool (*told_to_end)(void *arg); /* NULL: nobody does, and no wake_fd */
    void *arg;
    int timeout_ms;
};
int cvm_machine_wait_console(const struct cvm_machine_wait *w, struct cvm_error *err) CVM_MUST_USE;

/* A stream to a port of the guest: through vhost-device-vsock's socket, or the kernel's vsock. */
int cvm_machine_connect_user(const char *socket, uint32_t port, struct cvm_error *err) CVM_MUST_USE;
int cvm_machine_connect_kernel(uint32_t cid, uint32_t port, struct cvm_error *err) CVM_MUST_USE;

#endif
