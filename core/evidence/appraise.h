/*
 * Appraisal: is this the right program, on the stated platform, started with exactly this manifest,
 * holding these session keys, now? One table (checks.def) of checks; all run, each says what it
 * expected and what came.
 *
 * Everything here works offline and without secrets. The caller decides nothing by hand: the
 * outcome is in `outcome`.
 */
#ifndef CVM_EVIDENCE_APPRAISE_H
#define CVM_EVIDENCE_APPRAISE_H

#include "core/evidence/bundle.h"
#include "core/manifest/manifest.h"

enum cvm_check_id {
#define CHECK(NAME, name, protects, failed, remedy, ask) CVM_CHECK_##NAME,
#include "core/evidence/checks.def"
#undef CHECK
    CVM_CHECKS
};

enum cvm_verdict {
    CVM_VERDICT_NOT_RUN = 0, /* impossible after another failure: counts as refused */
    CVM_VERDICT_PASS,
    CVM_VERDICT_FAIL,
    CVM_VERDICT_NOT_CHECKED, /* nothing was given to compare with; said aloud, no failure by itself
                              */
};

struct cvm_check_info {
    const char *name, *protects, *failed, *remedy;
    const char *ask; /* what to give so that it is checked; may be empty */
};
const struct cvm_check_info *cvm_check_info(enum cvm_check_id id);
const char *cvm_verdict_text(enum cvm_verdict v); /* "ok", "REFUSED", "not checked", "not run" */

struct cvm_check {
    enum cvm_verdict verdict;
    char expected[400], got[400]; /* may be empty */
};

enum cvm_outcome {
    CVM_OUTCOME_REFUSED = 0,
    CVM_OUTCOME_SIMULATED, /* everything consistent, but nothing protects it: never as good as
                              VERIFIED */
    CVM_OUTCOME_VERIFIED,  /* genuine hardware */
};

struct cvm_appraisal {
    enum cvm_outcome outcome;
    struct cvm_check checks[CVM_CHECKS];
    int64_t time;               /* at which it was judged */
    bool have_report, have_vek; /* whether the next two may be read */
    struct cvm_report report;
    struct cvm_vek vek;
};

/*
 * What evidence is compared with. Each part may be absent: then its check says NOT CHECKED.
 * cvm_evidence_appraise() fills all of it from a manifest and a bundle; `2cvm evidence verify` from
 * its command line.
 */
struct cvm_expectations {
    int64_t time;         /* seconds since 1970, for the certificates' validity */
    bool production;      /* DEBUG, migration and VMPL as a production isolate must have them */
    bool committed_only;  /* no firmware that the host could take back (provisional) */
    const char *platform; /* as the bundle states it, or NULL */
    const struct cvm_isolate
        *isolate; /* of the manifest, or NULL: platforms, policy, minimum TCB, chips */
    const uint8_t (*measurements)[CVM_MEASUREMENT_LEN];
    size_t n_measurements;                    /* 0: not checked */
    const uint8_t *host_data;                 /* CVM_HOST_DATA_LEN bytes, or NULL */
    const uint8_t *report_data;               /* CVM_REPORT_DATA_LEN bytes, or NULL */
    const struct cvm_id_block_rule *id_block; /* or NULL */
    const struct cvm_tcb *min_tcb;            /* demanded whatever the line is, or NULL */
};

/* A bare report and its certificates, in any order. Fills *ret whatever they are. */
void cvm_evidence_check(const void *report, size_t report_len,
                        const struct cvm_certificates *certificates,
                        const struct cvm_expectations *e, struct cvm_appraisal *ret);

struct cvm_appraise_options {
    int64_t time;                         /* seconds since 1970, for the certificates' validity */
    struct cvm_bytes nonce;               /* the verifier's own; empty: freshness is NOT CHECKED */
    const struct cvm_public_key *session; /* session signing key pinned at release, or NULL */
};

/*
 * Fills *ret whatever the evidence is; -1 only for a wrong call. The caller must look at
 * ret->outcome; for a refusal as an error use cvm_appraisal_error().
 */
int cvm_evidence_appraise(const struct cvm_bundle *b, const struct cvm_manifest *m,
                          const struct cvm_appraise_options *o, struct cvm_appraisal *ret,
                          struct cvm_error *err) CVM_MUST_USE;

/* CVM_E_EVIDENCE_REFUSED that names the first failed check, with expected and got; 0 when nothing
 * was refused. */
int cvm_appraisal_error(const struct cvm_appraisal *a, struct cvm_error *err) CVM_MUST_USE;

/* 0 verified on hardware, 10 consistent but SIMULATED, 1 refused: the exit codes of `2cvm verify`.
 */
int cvm_appraisal_exit_code(const struct cvm_appraisal *a);

/* The table for people, the last line being the outcome in words; refused checks say what they
 * protect and what to do. */
void cvm_appraisal_print(const struct cvm_appraisal *a, struct cvm_buf *out);

/* {"checks":[{"name","protects","expected","got","verdict",…}],"outcome":"verified|simulated|refused"};
 * owned by the caller. */
json_t *cvm_appraisal_json(const struct cvm_appraisal *a);

#endif
