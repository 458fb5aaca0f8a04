/*
 * The agent's program as the first process of a guest (the initramfs has it as /init): makes the
 * guest what the agent expects, then becomes two processes. The first stays: it reaps, and powers
 * the machine off as soon as the agent has ended, for whatever reason. The second is the agent.
 *
 * Security: nothing is read from the host here but how the machine looks (memory, devices). What
 * fails ends the machine. There is no way on without the full set of mounts and sockets, no input
 * from the console, and no argument: the kernel's command line is measured and holds none for us.
 */
#ifndef CVM_AGENT_INIT_H
#define CVM_AGENT_INIT_H

#include "guest-agent/agent/agent.h"

#define CVM_GUEST_PORT 1024  /* vsock: the agent listens, the host connects */
#define CVM_DEVICE_PORT 1025 /* vsock, simulated platform: the host's software PSP listens */

/* Whether this process is the first one of a guest. (In a simulated process isolate the agent is
 * the first one of its PID namespace, but has arguments.) */
bool cvm_init_wanted(int argc);

/* Returns in the agent's process only, with all of *ret filled; in the first process never. */
void cvm_init_guest(struct cvm_agent_setup *ret);

/* MiB of memory that the text of /proc/iomem counts up, rounded up to 64 MiB: firmware and kernel
 * keep some for themselves. 0 when there is none. */
uint64_t cvm_init_memory_mib(const char *iomem);

#endif
