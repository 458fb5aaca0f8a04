/*
 * The software PSP of a simulated machine: it copies and hashes the files that the machine is to be
 * started from, is the machine's evidence device, and starts the other end of its vsock.
 *
 * What is measured is what was started, not what was asked for: when the guest calls, the arguments
 * of the running QEMU say which files, which command line, how many processors and how much memory.
 * The files must be the copies made here, unchanged since they were hashed.
 */
#ifndef CVM_PSP_MACHINE_H
#define CVM_PSP_MACHINE_H

#include <sys/stat.h>
#include <sys/types.h>

#include "core/evidence/measure-sim.h"
#include "orchestrator/psp/serve.h"

#define CVM_PSP_DEVICE_PORT 1025 /* of the guest's connection to the host (CID 2) */

/* Names in the state folder. */
#define CVM_PSP_VHOST "vhost"       /* where QEMU connects to vhost-device-vsock */
#define CVM_PSP_VSOCK "vsock"       /* where the host connects to a port of the guest */
#define CVM_PSP_DEVICE "vsock_1025" /* where the guest's connections to that port arrive */
#define CVM_PSP_KERNEL "kernel"     /* the copies */
#define CVM_PSP_INITRAMFS "initramfs"
#define CVM_PSP_CMDLINE "cmdline" /* no newline at its end; for whoever starts the machine */

struct cvm_psp_copy {
    int fd; /* -1: closed */
    struct stat at;
    uint8_t sha384[CVM_SHA384_LEN];
};

struct cvm_psp_machine { /* begin with CVM_PSP_MACHINE_NONE */
    int listener;        /* of the device */
    pid_t backend;
    int backend_pidfd;
    struct cvm_psp_copy kernel, initramfs;
    const char *vhost; /* as QEMU is told it; borrowed */
};
#define CVM_PSP_MACHINE_NONE                                                                       \
    {                                                                                              \
        .listener = -1, .backend = -1, .backend_pidfd = -1, .kernel = {.fd = -1}, .initramfs = {   \
            .fd = -1                                                                               \
        }                                                                                          \
    }

/*
 * Copies the image's files into the state folder (which is the working folder), listens for the
 * device, starts `backend` and returns when QEMU can connect to it. `vhost` is the absolute path by
 * which QEMU will be told that socket; other isolates have another.
 */
int cvm_psp_machine_prepare(int state_dir, const char *image, const char *backend,
                            const char *vhost, struct cvm_psp_machine *ret,
                            struct cvm_error *err) CVM_MUST_USE;

/*
 * Serves one guest, once, until it ends, or the backend does, or one of the (blocked) signals TERM,
 * INT, HUP came. Fills in p->measurement when the guest calls.
 */
int cvm_psp_machine_serve(struct cvm_psp *p, struct cvm_psp_machine *m,
                          struct cvm_error *err) CVM_MUST_USE;

void cvm_psp_machine_end(struct cvm_psp_machine *m); /* ends the backend too */

/* What QEMU's arguments (each ended by a zero byte) say; for the PSP and its test. */
struct cvm_psp_started { /* borrowed from the arguments */
    const char *kernel, *initrd, *append;
    uint32_t vcpus;
    uint64_t memory_mib;
};
/* 1: the arguments of the QEMU at `vhost`. 0: of something else. -1: of that QEMU, but not of a
 * form that can be measured. */
int cvm_psp_started(const char *arguments, size_t len, const char *vhost,
                    struct cvm_psp_started *ret, struct cvm_error *err) CVM_MUST_USE;

#endif
