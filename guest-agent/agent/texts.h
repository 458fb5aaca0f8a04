/*
 * What two ends of a call channel are: their functions, written down by the compiler in one
 * canonical text (doc/PROTOCOL.md section 9.2), compared once.
 *
 * Security: the text comes from a process that has read a component, and is hostile. It is parsed
 * strictly and bounded; a lie in it harms the liar's own channels only, because each cell's engine
 * checks every value by its own component's types. It goes nowhere: a refusal names numbers.
 */
#ifndef CVM_AGENT_TEXTS_H
#define CVM_AGENT_TEXTS_H

#include "core/manifest/manifest.h"

#define CVM_FUNCTIONS_MAX 4096 /* of one interface */

/* The interfaces that call channels name at a component, each once, in the order of the channels.
 * Strings are the manifest's. */
struct cvm_interfaces {
    uint32_t n_exports, n_imports;
    const char *exports[CVM_COMPONENT_CHANNELS_MAX], *imports[CVM_COMPONENT_CHANNELS_MAX];
};
void cvm_interfaces_of(const struct cvm_manifest *m, uint32_t component,
                       struct cvm_interfaces *ret);

/* The text if it is one: exactly the wanted interfaces, their functions sorted, each once. Owned;
 * NULL on failure (CVM_E_COMPILE_LIMIT: the compiler left no such text). */
json_t *cvm_texts_parse(const void *data, size_t len, const struct cvm_interfaces *wanted,
                        struct cvm_error *err);

/* A channel's functions: callee[i] is the callee's number of the caller's function i. */
struct cvm_call_types {
    uint32_t n;
    uint32_t *callee;
};
void cvm_call_types_free(struct cvm_call_types *t);

/* Every function that the caller imports is one of the callee's, of the same type. CVM_E_CALL_TYPES
 * names the channel and the first function of the caller where that is not so. */
int cvm_texts_compare(const struct cvm_manifest *m, uint32_t channel, const json_t *caller,
                      const json_t *callee, struct cvm_call_types *ret,
                      struct cvm_error *err) CVM_MUST_USE;

#endif
