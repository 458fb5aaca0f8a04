/*
 * The doorbell: what the agent and a cell say to one another about calls (doc/PROTOCOL.md
 * section 9). One AF_UNIX SOCK_SEQPACKET pair a cell; every message is one struct cvm_bell, and a
 * cell uses read() and write() on its end only. The values themselves lie in the channel's region.
 *
 * Security: the cell's side may be a component's own machine code. The agent believes no more of a
 * message than its numbers, and checks each against the channel and the state of the call; one that
 * is out of place ends the run. Both sides are built together, so native byte order.
 */
#ifndef CVM_SANDBOX_BELL_H
#define CVM_SANDBOX_BELL_H

#include <stdint.h>

enum { CVM_FD_DOORBELL = 5 }; /* the cell's end, in the cell */

enum cvm_bell_kind {
    CVM_BELL_CALL = 1, /* cell to agent: it calls; agent to cell: it is called. Arguments lie ready
                        */
    CVM_BELL_REPLY,    /* the other way, once a call. Results lie ready */
    CVM_BELL_READY,    /* cell to agent, once: the library is instantiated and waits */
    CVM_BELL_END,      /* agent to cell: no more calls will come */
};

struct cvm_bell {
    uint16_t kind;     /* enum cvm_bell_kind */
    uint16_t channel;  /* index among the manifest's channels; READY, END: 0 */
    uint32_t function; /* index in the canonical text of the receiver's or sender's own side, whose
                          cell it is; READY, END: 0 */
    uint64_t bytes;    /* of the wire value, from the region's start; READY, END: 0 */
};
_Static_assert(sizeof(struct cvm_bell) == 16, "one message");

#endif
