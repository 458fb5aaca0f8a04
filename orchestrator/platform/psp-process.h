/* The software PSP of a simulated isolate, as a process that outlives the daemon. It is found again
 * by the lock that it holds on a file of the isolate's folder. */
#ifndef CVM_PLATFORM_PSP_PROCESS_H
#define CVM_PLATFORM_PSP_PROCESS_H

#include <sys/types.h>

#include "core/base/memory.h"

#define CVM_PSP_PID "psp.pid" /* in the isolate's folder; stays when the PSP has ended */

/* The PSP of this folder, or 0. */
pid_t cvm_psp_holder(const char *folder);

/* Executes the program in the folder, in a session of its own and with nothing of this process, and
 * waits for the end of its first process: by then the PSP works in the background. CVM_E_EXISTS
 * when another one holds the folder, CVM_E_PLATFORM with what it said when it could not start. */
int cvm_psp_start(const char *program, const char *folder, char **argv,
                  struct cvm_error *err) CVM_MUST_USE;

/* Ends it, and waits for its end; fine when it has ended. */
int cvm_psp_stop(const char *folder, struct cvm_error *err) CVM_MUST_USE;

#endif
