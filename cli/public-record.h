/* What a collaboration leaves for everyone, fetched into the own folder; each piece is checked
 * before it is stored. */
#ifndef CVM_CLI_PUBLIC_RECORD_H
#define CVM_CLI_PUBLIC_RECORD_H

#include "cli/acts.h"
#include "core/record/receipt.h"
#include "core/record/statement.h"

/* receipt.jws: signed by the session of the own release. */
int cli_public_receipt(struct cli_actor *a, struct cvm_receipt *ret,
                       struct cvm_error *err) CVM_MUST_USE;

/* statement.jws, and all that it is about (transcript, acts, commitments, and the last evidence as
 * soon as there is one): signed by `session_sign`, and in
 * answer to the act whose JWS has this SHA-256 (NULL: any). */
int cli_public_statement(struct cli_actor *a, const struct cvm_public_key *session_sign,
                         const struct cvm_digest *act, struct cvm_statement *ret,
                         struct cvm_error *err) CVM_MUST_USE;

/* For people and --json: what was wiped, at whose word. Owned. */
json_t *cli_statement_describe(const struct cli *c, const struct cvm_manifest *m,
                               const struct cvm_statement *s);

/* Everything else: the others' commitments, acts, transcript, last evidence. *ret_complete when the
 * last evidence is there. */
int cli_public_rest(struct cli_actor *a, const struct cvm_receipt *receipt, bool *ret_complete,
                    struct cvm_error *err) CVM_MUST_USE;

#endif
