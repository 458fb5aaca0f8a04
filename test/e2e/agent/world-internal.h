/* What the parts of world.h share: world.c builds and starts, world-machine.c starts in a machine,
 * world-ops.c asks the agent. */
#ifndef CVM_TEST_WORLD_INTERNAL_H
#define CVM_TEST_WORLD_INTERNAL_H

#include "test/e2e/agent/world.h"

#define WORLD_WAIT_MS (world_is_machine() ? 120000 : 20000)
#define WORLD_MACHINE_MIB 512
#define WORLD_MACHINE_VCPUS 2
#define WORLD_MACHINE_SLOWER 6 /* than a processor, when a busy machine emulates it */

extern const char *const world_names[3];

/* Ends the test with the error's text when r is negative. */
void world_must(int r, const struct cvm_error *err);

/* world-machine.c */
extern const char *world_backend; /* NULL: isolates are processes */
void world_machine_measure(uint8_t ret[CVM_SHA384_LEN]);
void world_machine_start(struct world *w, const struct cvm_digest *host_data);
void world_machine_end(struct world *w);
/* A child that answers a guest's requests for reports at FOLDER/v_1025 until the guest ends. */
pid_t world_serve_reports(const char *folder, const uint8_t *measurement,
                          const struct cvm_digest *host_data);
/* To port 1024 of the guest whose vsock is FOLDER/v; -1: nobody answers. */
int world_connect_guest(const char *folder);

#endif
