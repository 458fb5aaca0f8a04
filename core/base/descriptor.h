/* Whole reads and writes on descriptors; EINTR and short counts are dealt with here and nowhere
 * else. */
#ifndef CVM_BASE_DESCRIPTOR_H
#define CVM_BASE_DESCRIPTOR_H

#include "core/base/memory.h"

int cvm_fd_write(int fd, const void *data, size_t len, struct cvm_error *err) CVM_MUST_USE;
/* Reads until len bytes are there or the end is reached; *ret_len says how many. */
int cvm_fd_read(int fd, void *out, size_t len, size_t *ret_len, struct cvm_error *err) CVM_MUST_USE;
/* Bytes from the descriptor's offset to the end of a regular file or memfd. */
int cvm_fd_left(int fd, uint64_t *ret, struct cvm_error *err) CVM_MUST_USE;

#endif
