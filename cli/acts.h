/*
 * Sending acts. Everything that must hold after a crash is on disk before a byte is sent: the act
 * itself, its sequence number, and for a release the one session that gets the keys.
 */
#ifndef CVM_CLI_ACTS_H
#define CVM_CLI_ACTS_H

#include "cli/session.h"
#include "core/manifest/act.h"

/* What a verb that acts works with: opened, locked against a second one, its host reachable by
 * `client`. */
struct cli_actor { /* zero-initialise; end with cli_actor_free() */
    struct cli_collaboration co;
    struct cli_identity me;
    struct cli_client client;
    struct cli_record record;
    int lock;
};
int cli_actor_open(const struct cli *c, struct cli_actor *ret, struct cvm_error *err) CVM_MUST_USE;
void cli_actor_free(struct cli_actor *a);
#define CLI_AUTO_ACTOR CVM_CLEANUP(cli_actor_free)

/* The session that this participant released to; else CVM_E_WRONG_PHASE. */
int cli_actor_session(const struct cli_actor *a, struct cvm_digest *ret,
                      struct cvm_error *err) CVM_MUST_USE;

/*
 * Signs the act with the next sequence number, stores it as acts/<me>-<seq>.jws and writes the
 * record. `released` is the session of a release; NULL for other acts. Sends nothing.
 */
int cli_act_prepare(struct cli_actor *a, struct cvm_act *act, const struct cvm_digest *session,
                    const struct cvm_bundle *released, struct cvm_error *err) CVM_MUST_USE;

/* Sends acts/<me>-<seq>.jws; *ret_state (owned, may be NULL) is the daemon's word on the state. */
int cli_act_send(struct cli_actor *a, uint64_t seq, char **ret_state,
                 struct cvm_error *err) CVM_MUST_USE;

/* True when the host already has exactly this act as accepted. */
bool cli_act_accepted(struct cli_actor *a, uint64_t seq);

#endif
