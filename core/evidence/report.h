/*
 * ATTESTATION_REPORT of AMD SEV-SNP, versions 2, 3 and 5: 1184 bytes, described once in
 * report-fields.def.
 *
 * Parsing says nothing about truth: a parsed report is foreign until cvm_evidence_appraise() has
 * accepted it.
 */
#ifndef CVM_EVIDENCE_REPORT_H
#define CVM_EVIDENCE_REPORT_H

#include <jansson.h>

#include "core/base/memory.h"
#include "core/evidence/report-size.h"

/* Bits and values that the code names. */
#define CVM_POLICY_SMT (1ULL << 16)
#define CVM_POLICY_RESERVED1 (1ULL << 17)
#define CVM_POLICY_MIGRATE_MA (1ULL << 18)
#define CVM_POLICY_DEBUG (1ULL << 19)
#define CVM_POLICY_SINGLE_SOCKET (1ULL << 20)
#define CVM_PLATFORM_ALIAS_CHECK (1ULL << 5)
#define CVM_KEY_AUTHOR (1U << 0)
#define CVM_KEY_MASKED (1U << 1)
#define CVM_KEY_SIGNER(key_info) (((key_info) >> 2) & 7)
#define CVM_KEY_SIGNER_VCEK 0
#define CVM_KEY_SIGNER_VLEK 1
#define CVM_SIGNATURE_ECDSA_P384 1

struct cvm_report {
#define UINT(name, offset, bytes, since, text) uint64_t name;
#define BYTES(name, offset, bytes, since, text) uint8_t name[bytes];
#define TCB(name, offset, since, text) uint8_t name[8];
#define ZERO(offset, bytes)
#include "core/evidence/report-fields.def"
#undef UINT
#undef BYTES
#undef TCB
#undef ZERO
    uint8_t raw[CVM_REPORT_LEN]; /* as received; what the signature is checked over */
};

/*
 * Exactly CVM_REPORT_LEN bytes of a known version with zero in every reserved place, else
 * CVM_E_REPORT_FORMAT that names the field. Unknown bits inside a field are kept.
 */
int cvm_report_parse(const void *data, size_t len, struct cvm_report *ret,
                     struct cvm_error *err) CVM_MUST_USE;

/* The bytes of the fields (`raw` is not read): what a signer makes, and what the parser would read
 * back. */
void cvm_report_write(const struct cvm_report *r, uint8_t out[CVM_REPORT_LEN]);

/* Appends one line a field, for people. */
void cvm_report_print(const struct cvm_report *r, struct cvm_buf *out);

/* Integers above 2^53-1 and all byte fields are hex strings. Owned by the caller. */
json_t *cvm_report_json(const struct cvm_report *r);

/* Appends one line for each field that differs ("name: A -> B"); returns how many do. */
size_t cvm_report_diff(const struct cvm_report *a, const struct cvm_report *b, struct cvm_buf *out);

#endif
