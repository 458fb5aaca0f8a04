/*
 * Reading the specs that the agent hands to 2cvm-compile and 2cvm-cell (doc/PROTOCOL.md section 9):
 * what both have in common. The text comes from the agent, so this is plumbing; still it is read as
 * strictly as everything else.
 */
#ifndef CVM_SANDBOX_SPEC_H
#define CVM_SANDBOX_SPEC_H

#include "core/base/json.h"
#include "core/manifest/manifest.h"
#include "guest-agent/engine/cvm-engine.h"

/* The canonical JSON in descriptor fd, at most 1 MiB. Caller owns it; NULL on failure. */
json_t *cvm_spec_load(int fd, struct cvm_error *err) CVM_MUST_USE;

/* Members clock, grants, memory_bytes and random. count_fuel and kind are left to the caller. */
void cvm_spec_options(struct cvm_json_reader *r, struct cvm_engine_options *ret);

/* `value`, found by a word of the format; fails the reader (CVM_E_MANIFEST_ENUM) when it is
 * negative. */
uint32_t cvm_spec_word(struct cvm_json_reader *r, const char *name, int value);

#endif
