/* A component's way in: the compiler process checks its imports and compiles it, under the walls of
 * a cell. Its words are believed only about this component. */
#ifndef CVM_AGENT_ADMISSION_H
#define CVM_AGENT_ADMISSION_H

#include "guest-agent/agent/agent.h"

/* Limits of the compiler, whatever the component. */
#define CVM_COMPILE_DATA_BYTES (512ULL << 20)
#define CVM_COMPILE_CPU_MS 120000
#define CVM_COMPILE_WALL_MS 300000
/* Compiled code may have this many bytes, and so many times the component's. */
#define CVM_CWASM_MIN (16ULL << 20)
#define CVM_CWASM_FACTOR 16

/* Starts the compiler over the sealed bytes (the descriptor is taken over). The open
 * request, if it still waits for this item then, is answered at the end. */
int cvm_admission_start(struct cvm_agent *a, uint32_t item, int *component_fd, uint64_t length,
                        struct cvm_error *err) CVM_MUST_USE;
/* Ends it without a verdict; an open request that waits for it is refused. Fine when none is. */
void cvm_admission_end(struct cvm_agent *a, uint32_t item);

#endif
