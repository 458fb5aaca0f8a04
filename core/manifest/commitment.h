/*
 * A commitment: one participant's detached JWS (typ 2cvm-commitment+jws, RFC 7797 b64=false) over
 * the manifest's exact bytes.
 */
#ifndef CVM_MANIFEST_COMMITMENT_H
#define CVM_MANIFEST_COMMITMENT_H

#include "core/manifest/manifest.h"

#define CVM_COMMITMENT_MAX 1024 /* bytes of a commitment file */

/* Signs; appends "header..signature". Refuses a key that is not the one the manifest names for the
 * participant (JWS_KEY). */
int cvm_commitment_make(const struct cvm_manifest *m, int participant,
                        const struct cvm_key *sign_key, struct cvm_buf *ret,
                        struct cvm_error *err) CVM_MUST_USE;

/* Checks one against the manifest's bytes and the named participant's key. */
int cvm_commitment_check(const struct cvm_manifest *m, int participant, const void *jws, size_t len,
                         struct cvm_error *err) CVM_MUST_USE;

/* Checks a set that must hold exactly one commitment of every participant (else COMMITMENT_MISSING,
 * EXISTS, NOT_A_PARTICIPANT). */
struct cvm_commitment {
    const char *participant;
    const void *jws;
    size_t len;
};
int cvm_commitment_check_all(const struct cvm_manifest *m, const struct cvm_commitment *set,
                             size_t n, struct cvm_error *err) CVM_MUST_USE;

#endif
