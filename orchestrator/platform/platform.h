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
    const char *image;     /* folder of the measured programs */
    const char *psp;       /* the program 2cvm-psp */
};

struct cvm_isolate_spec { /* borrowed */
    const struct cvm_platform_host *host;
    const char *folder; /* of this isolate, exists, absolute */
    struct cvm_digest host_data;
    uint32_t vcpus;
    uint64_t memory_mib;
};

struct cvm_platform_driver {
    enum cvm_platform platform;
    /* Whether this host can start such isolates (CVM_E_PLATFORM). */
    int (*probe)(const struct cvm_platform_host *host, struct cvm_error *err);
    /* The protections that this host's kernel lacks: a list of names; NULL when it can't be told.
     */
    json_t *(*protections)(const struct cvm_platform_host *host, struct cvm_error *err);
    /* Starts the isolate and returns when it listens. CVM_E_EXISTS when one runs in
     * this folder, CVM_E_ISOLATE_LOST when one ran. */
    int (*start)(const struct cvm_isolate_spec *spec, struct cvm_error *err);
    /* 1: the isolate of this folder runs. 0: it does not. */
    int (*find)(const struct cvm_isolate_spec *spec, struct cvm_error *err);
    /* A connected stream to the agent. CVM_E_ISOLATE_LOST when there is no isolate. */
    int (*connect)(const struct cvm_isolate_spec *spec, struct cvm_error *err);
    /* Ends the isolate and waits for its end; fine when it has ended. */
    int (*stop)(const struct cvm_isolate_spec *spec, struct cvm_error *err);
};

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

#endif
