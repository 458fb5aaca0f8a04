/* What a collaboration leaves for everyone, fetched into the own folder; each piece is checked
 * before it is stored. */
#ifndef CVM_CLI_PUBLIC_RECORD_H
#define CVM_CLI_PUBLIC_RECORD_H

#include "cli/acts.h"
#include "core/record/receipt.h"

/* receipt.jws: signed by the session of the own release. */
int cli_public_receipt(struct cli_actor *a, struct cvm_receipt *ret,
                       struct cvm_error *err) CVM_MUST_USE;

/* Everything else: the others' commitments, acts, transcript, last evidence. *ret_complete when the
 * last evidence is there. */
int cli_public_rest(struct cli_actor *a, const struct cvm_receipt *receipt, bool *ret_complete,
                    struct cvm_error *err) CVM_MUST_USE;

#endif
