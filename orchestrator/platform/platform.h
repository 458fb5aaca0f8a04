/*
 * Platform drivers: one row a kind of isolate. An isolate outlives the daemon; all that a driver
 * needs to find it again lies in the isolate's folder.
 *
 * Security: HOST_DATA is fixed here, before the isolate starts; nothing later can change it. What
 * runs in the isolate is judged by the participants from the evidence, never from what is said
 * here.
 */
#ifndef CVM_PLATFORM_PLATFORM_H
#define CVM_PLATFORM_PLATFORM_H

#include "core/manifest/manifest.h"

struct cvm_platform_host { /* of the daemon's configuration; borrowed, absolute paths */
    const char *image;     /* folder of the measured programs (sim-process) */
    const char *psp;       /* the program 2cvm-psp */
    /* Of virtual machines; NULL where none is configured: */
    const char *libvirt;       /* URI of the connection */
    const char *machine_image; /* folder: kernel, initramfs, cmdline; sev-snp: firmware */
    const char *templates;     /* folder of the domains' templates */
    const char *vsock;         /* the program vhost-device-vsock (sim-vm) */
    const char *runtime;       /* folder for links that make paths of sockets short; may be NULL */
};

struct cvm_isolate_spec { /* borrowed */
    const struct cvm_platform_host *host;
    const char *folder; /* of this isolate, exists, absolute */
    struct cvm_digest host_data;
    uint32_t vcpus;
    uint64_t memory_mib;
    const struct cvm_manifest *manifest; /* machines: what administrators see of it */
    const char *state;                   /* likewise: the collaboration's, in one word */
    /* A wait for the isolate ends early (CVM_E_CONNECTION) when this says so; asked whenever `wake`
     * (an eventfd) was rung. NULL: nobody ends it. */
    bool (*told_to_end)(void *arg);
    void *arg;
    int wake;
};

struct cvm_platform_driver {
    enum cvm_platform platform;
    bool machine; /* a virtual machine of libvirt */
    /* Whether this host can start such isolates (CVM_E_PLATFORM). */
    int (*probe)(const struct cvm_platform_host *host, struct cvm_error *err);
    /* The protections that this host's kernel lacks: a list of names; NULL when it can't be told.
     */
    json_t *(*protections)(const struct cvm_platform_host *host, struct cvm_error *err);
    /* Starts the isolate and returns when it listens. CVM_E_EXISTS when one runs in
     * this folder, CVM_E_ISOLATE_LOST when one ran. */
    int (*start)(const struct cvm_isolate_spec *spec, struct cvm_error *err);
    /* 1: the isolate of this folder runs. 2: it is there, and suspended. 0: it is not there. */
    int (*find)(const struct cvm_isolate_spec *spec, struct cvm_error *err);
    /* A connected stream to the agent. CVM_E_ISOLATE_LOST when there is no isolate. */
    int (*connect)(const struct cvm_isolate_spec *spec, struct cvm_error *err);
    /* Ends the isolate and waits for its end; fine when it has ended. */
    int (*stop)(const struct cvm_isolate_spec *spec, struct cvm_error *err);
    /* The collaboration's state has moved: administrators see it. May be NULL. */
    int (*moved)(const struct cvm_isolate_spec *spec, struct cvm_error *err);
};

/* What happens to a machine from outside. */
enum cvm_machine_event {
    CVM_MACHINE_ENDED,
    CVM_MACHINE_SUSPENDED,
    CVM_MACHINE_RESUMED,
    CVM_MACHINE_RESET,   /* started anew inside: the driver ends it */
    CVM_MACHINE_UNKNOWN, /* events may have been missed (`id` is NULL): look at all */
};
/* `id` is the collaboration's. From a thread of the drivers; may not call them. */
typedef void (*cvm_machine_watcher)(void *arg, const char *id, enum cvm_machine_event event,
                                    const char *detail);
/* Watches the machines of this host; nothing where none is configured. Before any other call;
 * cvm_platform_unwatch() before `arg` goes. */
int cvm_platform_watch(const struct cvm_platform_host *host, cvm_machine_watcher watcher, void *arg,
                       struct cvm_error *err) CVM_MUST_USE;
void cvm_platform_unwatch(void);

/* NULL when this build has no driver for the platform. */
const struct cvm_platform_driver *cvm_platform_driver(enum cvm_platform platform);

/* The first driver, in the order of the table, that the manifest allows and that works here; NULL
 * with CVM_E_PLATFORM. */
const struct cvm_platform_driver *cvm_platform_choose(const struct cvm_manifest *m,
                                                      const struct cvm_platform_host *host,
                                                      struct cvm_error *err);

/* All drivers, in the order in which they are tried. */
extern const struct cvm_platform_driver *const cvm_platform_drivers[];
extern const size_t cvm_platform_driver_count;

extern const struct cvm_platform_driver cvm_platform_sim_process;
extern const struct cvm_platform_driver cvm_platform_sim_vm;  /* where libvirt is */
extern const struct cvm_platform_driver cvm_platform_sev_snp; /* where libvirt is */

#endif
