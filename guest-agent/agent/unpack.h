/*
 * Programs of the image that are stored packed, so that the kernel has less to load before the
 * agent is ready: LZ4's frame format with the content's size in its head, unpacked into a sealed
 * memory file at first use.
 *
 * Security: what is unpacked is a part of the measured image and no input of the host's. It is read
 * with bounds nevertheless, and a program that does not come out whole is not started.
 */
#ifndef CVM_AGENT_UNPACK_H
#define CVM_AGENT_UNPACK_H

#include "core/base/hash.h"

#define CVM_UNPACKED_MAX (64u << 20)

/* The size of what a frame holds; 0 when the bytes are no frame of this kind. */
uint64_t cvm_unpacked_size(struct cvm_bytes packed);

/* Unpacks into exactly cvm_unpacked_size() bytes; CVM_E_INTERNAL when the frame is broken. */
int cvm_unpack(struct cvm_bytes packed, uint8_t *out, uint64_t size,
               struct cvm_error *err) CVM_MUST_USE;

/* A program as it can be executed: `*fd` is left as it is when it is not packed; else it is closed,
 * and is then a sealed memory file. */
int cvm_unpack_program(int *fd, struct cvm_error *err) CVM_MUST_USE;

#endif
