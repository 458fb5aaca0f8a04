/*
 * Reading the specs that the agent hands to 2cvm-compile and 2cvm-cell (doc/PROTOCOL.md section 9):
 * what both have in common. The text comes from the agent, so this is plumbing; still it is read as
 * strictly as everything else.
 */
#ifndef CVM_SANDBOX_SPEC_H
#define CVM_SANDBOX_SPEC_H

#include "core/base/json.h"
#include "core/manifest/manifest.h"

/* The canonical JSON in descriptor fd, at most 1 MiB. Caller owns it; NULL on failure. */
json_t *cvm_spec_load(int fd, struct cvm_error *err) CVM_MUST_USE;

/* What both programs are told about the component. */
struct cvm_spec_component {
    unsigned grants; /* bit per enum cvm_grant */
    enum cvm_clock clock;
    enum cvm_random random;
    uint64_t memory_bytes;
};
void cvm_spec_component(struct cvm_json_reader *r, struct cvm_spec_component *ret);

/* A member that is an object, or NULL where there is none. Borrowed. */
json_t *cvm_spec_object_opt(struct cvm_json_reader *r, const char *name);

/* `value`, found by a word of the format; fails the reader (CVM_E_MANIFEST_ENUM) when it is
 * negative. */
unsigned cvm_spec_word(struct cvm_json_reader *r, const char *name, int value);

#endif
