/* What the agent hands to the two programs that it starts, and how it takes back their record
 * (doc/PROTOCOL.md section 9). */
#ifndef CVM_AGENT_SPEC_H
#define CVM_AGENT_SPEC_H

#include "core/manifest/manifest.h"
#include "guest-agent/agent/texts.h"

/* Each returns an owned descriptor. */
int cvm_spec_compiler(const struct cvm_component *c, const struct cvm_interfaces *interfaces,
                      uint64_t max_cwasm_bytes, struct cvm_error *err) CVM_MUST_USE;
/* `seed` is empty unless random is seeded. Channels are numbered from CVM_FD_CHANNELS in the order
 * of `in`, `out`, `exports`, `imports`, standard input, standard output. `last[i]`: nobody else
 * reads in[i], its pages may be freed. */
struct cvm_spec_channels {
    const struct cvm_manifest *manifest;
    uint32_t n_in, n_out, n_exports, n_imports;
    uint32_t has_stdin, has_stdout; /* 0 or 1 */
    int in[CVM_CHANNELS_MAX], out[CVM_CHANNELS_MAX];
    int exports[CVM_CHANNELS_MAX], imports[CVM_CHANNELS_MAX];
    bool last[CVM_CHANNELS_MAX];
};
int cvm_spec_cell(const struct cvm_component *c, const struct cvm_spec_channels *channels,
                  const struct cvm_secret *seed, struct cvm_error *err) CVM_MUST_USE;

/* A sink that takes nothing: every write to it fails. */
int cvm_spec_null(struct cvm_error *err) CVM_MUST_USE;
/* Returns the end to write to; the other, which never blocks, goes to *ret_read. */
int cvm_spec_result_pipe(int *ret_read, struct cvm_error *err) CVM_MUST_USE;
/* Exactly len bytes and nothing more, from a process that has ended; -1 otherwise. */
int cvm_spec_read_result(int fd, void *ret, size_t len) CVM_MUST_USE;

#endif
