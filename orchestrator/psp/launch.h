/*
 * Measuring and starting the agent of a simulated isolate.
 *
 * The three programs are copied into sealed memory files; these copies are what is measured and
 * what is executed, so that no change of the image folder can come between the two.
 */
#ifndef CVM_PSP_LAUNCH_H
#define CVM_PSP_LAUNCH_H

#include <sys/types.h>

#include "core/evidence/measure-sim.h"

struct cvm_psp_image {             /* descriptors are -1 when closed */
    int program[CVM_SIM_PROGRAMS]; /* sealed, read-only; in the order of cvm_sim_program_names */
    uint8_t measurement[CVM_SHA384_LEN];
};
int cvm_psp_image_load(const char *folder, uint32_t vcpus, struct cvm_psp_image *ret,
                       struct cvm_error *err) CVM_MUST_USE;
void cvm_psp_image_close(struct cvm_psp_image *i);
#define CVM_AUTO_PSP_IMAGE CVM_CLEANUP(cvm_psp_image_close)

struct cvm_psp_agent {
    pid_t pid;         /* in the caller's PID namespace */
    int pidfd;         /* becomes readable when the agent ends */
    char missing[128]; /* walls that this kernel or user does not have, for the log; may be empty */
};
/*
 * Starts the agent with descriptors 3 (listener), 4 (device), 5 (compile), 6 (cell), standard
 * output and error to `log`, an empty environment, no network, and where the kernel has them its
 * own user, mount, PID, IPC and UTS namespaces with an empty root. The agent is killed when the
 * caller dies. The caller must have one thread. What is missing is no error here: the agent looks
 * for itself and refuses what a manifest does not waive.
 */
int cvm_psp_agent_start(const struct cvm_psp_image *image, int listener, int device, int log,
                        const char *platform, uint32_t memory_mib, struct cvm_psp_agent *ret,
                        struct cvm_error *err) CVM_MUST_USE;

#endif
