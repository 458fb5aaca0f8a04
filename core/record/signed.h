/*
 * Inside this module: what receipt and statement share. The payload of each is a function of the
 * manifest and a few free values. The reader takes these values, builds the payload that they
 * demand, and compares bytes, so that no member can be read one way and written another.
 */
#ifndef CVM_RECORD_SIGNED_H
#define CVM_RECORD_SIGNED_H

#include "core/manifest/manifest.h"
#include "core/seal/jws.h"

/* Parts of a payload, and back; `set` holds participants by their number. */
json_t *cvm_signed_participants(const struct cvm_manifest *m, uint32_t set);
int cvm_signed_read_participants(const struct cvm_manifest *m, const json_t *list, uint32_t *ret,
                                 struct cvm_error *err) CVM_MUST_USE;
json_t *cvm_signed_transcript(uint64_t n, const struct cvm_digest *head);
int cvm_signed_read_transcript(json_t *transcript, uint64_t *ret_n, struct cvm_digest *ret_head,
                               struct cvm_error *err) CVM_MUST_USE;

/* Signs the payload with the session's key; appends the JWS. *ret_payload: SHA-256 of the payload's
 * bytes; may be NULL. */
int cvm_signed_make(const json_t *payload, const char *typ, const struct cvm_key *session_key,
                    struct cvm_buf *ret, struct cvm_digest *ret_payload,
                    struct cvm_error *err) CVM_MUST_USE;

/* The payload's bytes are the canonical form of `wanted`; else the first difference is named
 * (CVM_E_JSON_NOT_CANONICAL: the caller says what does not match). */
int cvm_signed_compare(const struct cvm_buf *payload, const json_t *wanted,
                       struct cvm_error *err) CVM_MUST_USE;

#endif
