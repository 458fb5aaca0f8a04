/*
 * Asking an isolate who it is, and judging the answer: challenge with a nonce of our own, evidence,
 * appraisal; and the check of everything that a collaboration leaves in its folder.
 */
#ifndef CVM_CLI_SESSION_H
#define CVM_CLI_SESSION_H

#include "cli/client.h"
#include "core/evidence/appraise.h"

#define CLI_NONCE_LEN 32
#define CLI_FRESH_SECONDS                                                                          \
    600 /* how long evidence for an own nonce counts as fresh for `release`                        \
         */

struct cli_evidence { /* zero-initialise; end with cli_evidence_free() */
    struct cvm_bundle bundle;
    struct cvm_digest session; /* thumbprint of the session's signing key */
    struct cvm_appraisal *appraisal;
};
void cli_evidence_free(struct cli_evidence *e);
#define CLI_AUTO_EVIDENCE CVM_CLEANUP(cli_evidence_free)

/* Makes a nonce, writes it down (challenge.json), asks, and stores the answer as
 * evidence/<me>.json. */
int cli_challenge(const struct cli_collaboration *co, struct cli_client *client,
                  struct cvm_error *err) CVM_MUST_USE;

/* The file of that answer: evidence/<me>.json until the own release, which keeps what was verified
 * for it. Owned. */
char *cli_evidence_path(const struct cli_collaboration *co);

/* The nonce of the last challenge. CVM_E_NOT_FOUND when there was none. */
struct cli_nonce {
    uint8_t b[CLI_NONCE_LEN];
    int64_t time;
};
int cli_nonce_load(const struct cli_collaboration *co, struct cli_nonce *ret,
                   struct cvm_error *err) CVM_MUST_USE;

/* Reads an evidence bundle and appraises it; look at ret->appraisal->outcome. `nonce` and `pin` may
 * be NULL. */
int cli_evidence_load(const char *path, const struct cvm_manifest *m, const struct cvm_bytes *nonce,
                      const struct cvm_public_key *pin, struct cli_evidence *ret,
                      struct cvm_error *err) CVM_MUST_USE;
/* The answer to the last challenge, against its nonce. `pin` may be NULL. */
int cli_evidence_own(const struct cli_collaboration *co, const struct cvm_public_key *pin,
                     struct cli_evidence *ret, struct cvm_error *err) CVM_MUST_USE;
/* For people: the table of checks, and a banner that nobody overlooks when it is simulated. */
void cli_evidence_say(const struct cli *c, const struct cli_evidence *e);
void cli_simulated_banner(const struct cli *c);

/*
 * Everything in a folder with the public names, checked against its manifest and each other:
 * commitments, last evidence, what each participant verified, acts, transcript, receipt, sealed
 * outputs. `pin` (may be NULL) is the session signing key that the verifier knows. One row a check:
 * {"name","verdict","expected","got","detail"}.
 */
struct cli_folder_check { /* zero-initialise; end with cli_folder_check_free() */
    json_t *rows;
    bool refused;
    struct cli_evidence evidence; /* the last; without appraisal when there is none */
};
int cli_folder_check(const char *folder, const struct cvm_manifest *m,
                     const struct cvm_public_key *pin, struct cli_folder_check *ret,
                     struct cvm_error *err) CVM_MUST_USE;
void cli_folder_check_say(const struct cli *c, const struct cli_folder_check *check);
void cli_folder_check_free(struct cli_folder_check *check);
#define CLI_AUTO_FOLDER_CHECK CVM_CLEANUP(cli_folder_check_free)

#endif
