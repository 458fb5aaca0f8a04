/*
 * The agent's state, and the few functions that all its parts use. One agent serves one session of
 * one manifest; it is created once and never reset.
 *
 * Every decision is made by core/policy: the parts here check what arrives, ask the policy, and
 * act. What spends (run, release of outputs, nonces) is asked before the action, all else after it
 * succeeded.
 *
 * Security: private keys and content keys lie in secrets and are wiped as soon as they are of no
 * use, at the latest when the session is closed or aborted. Plain content lies in memory files that
 * no cell gets before the whole digest matched. Nothing here prints content.
 */
#ifndef CVM_AGENT_AGENT_H
#define CVM_AGENT_AGENT_H

#include "core/manifest/act.h"
#include "core/policy/policy.h"
#include "core/record/receipt.h"
#include "core/record/statement.h"
#include "core/record/transcript.h"
#include "core/seal/blob.h"
#include "guest-agent/agent/connection.h"
#include "guest-agent/agent/process.h"
#include "guest-agent/agent/texts.h"
#include "guest-agent/provider/provider.h"
#include "guest-agent/sandbox/results.h"
#include "guest-agent/sandbox/sandbox.h"

/* What the starter gives (doc/PROTOCOL.md section 9). */
struct cvm_agent_setup {
    const char *platform;
    uint64_t memory_mib;
    int listen_fd, device_fd, compile_fd, cell_fd;
};

struct cvm_nonce {
    uint8_t len;
    bool spent;
    uint8_t b[CVM_NONCE_MAX];
};

struct cvm_session {
    struct cvm_key sign, seal; /* wiped at the end of the session; the public halves stay below */
    struct cvm_public_key sign_pub, seal_pub;
    struct cvm_digest thumb;                    /* of the signing key: the session's name */
    struct cvm_nonce nonces[CVM_POLICY_NONCES]; /* that a report covered */
    uint32_t n_nonces;
};

/* What is inside of an item. */
struct cvm_agent_item {
    struct cvm_secret key; /* content key: from the owner's release to the item's admission */
    int fd;                /* admitted: content of a data item, .cwasm of a component; else -1 */
    uint64_t length;
    struct cvm_admission *admission; /* component: its compiler at work (admission.c) */
    struct cvm_buf texts; /* component: the text of its call interfaces, as its compiler left it */
};

struct cvm_agent_output {
    int fd; /* the sealed file, -1: none */
    uint64_t size;
    struct cvm_digest digest;
};

/* The open request, while its body comes or its answer is awaited. */
struct cvm_agent_request {
    const struct cvm_agent_op *op;
    struct cvm_buf body; /* of lock and act */
    json_t *lock;        /* control of lock */
    int item;            /* item: its index; -1 otherwise */
    struct cvm_blob_opener *opener;
    int fd; /* plain bytes, not yet believed */
};

struct cvm_agent {
    struct cvm_agent_setup setup;
    struct cvm_loop loop;
    struct cvm_connection connection;
    const struct cvm_provider *provider;
    unsigned protections; /* that this kernel has: bit per enum cvm_protection */
    int cgroup;           /* the group that cells get their own in, or -1 */

    struct cvm_policy_rules rules;
    struct cvm_policy_state state;
    struct cvm_manifest manifest;
    struct cvm_transcript transcript;
    struct cvm_session session;
    struct cvm_secret shares[CVM_PARTICIPANTS_MAX]; /* of the seed */
    uint64_t waiting_n; /* the entry that moved to `waiting`: what an approval names */
    struct cvm_digest waiting_head;

    struct cvm_agent_request request;
    struct cvm_agent_item items[CVM_ITEMS_MAX];
    struct cvm_call_types types[CVM_CHANNELS_MAX]; /* of call channels, both ends admitted */
    struct cvm_run *run;                           /* run.c */
    struct cvm_agent_output outputs[CVM_OUTPUTS_MAX];
    struct cvm_buf receipt, last_evidence;
    bool stopping;             /* an act is ending the session: */
    struct cvm_statement stop; /* what the statement will say */
    struct cvm_buf statement;  /* that the keys were wiped; after such an act */
    struct cvm_digest receipt_payload;
};

/* agent.c */
/* `a` is all zeros: most of it stays unused in most sessions, and untouched pages cost nothing. */
int cvm_agent_open(struct cvm_agent *a, const struct cvm_agent_setup *setup,
                   struct cvm_error *err) CVM_MUST_USE;
/* SIGTERM and SIGINT end the loop, SIGPIPE does nothing. `source` must live as long as the agent.
 */
int cvm_agent_watch_signals(struct cvm_agent *a, struct cvm_source *source,
                            struct cvm_error *err) CVM_MUST_USE;
/* Ends every child, wipes every secret, frees all. */
void cvm_agent_close(struct cvm_agent *a);

/* Asks the policy. On success the state is new; call cvm_agent_moved() when the transcript's entry
 * of the request itself (an act) is written. */
int cvm_agent_ask(struct cvm_agent *a, const struct cvm_policy_request *request,
                  struct cvm_error *err) CVM_MUST_USE;
/* The same without changing anything. */
int cvm_agent_would(const struct cvm_agent *a, const struct cvm_policy_request *request,
                    struct cvm_error *err) CVM_MUST_USE;
/* Records the move from `before`, if there was one, and tells the host. */
void cvm_agent_moved(struct cvm_agent *a, enum cvm_phase before);
/* Ask and record. */
int cvm_agent_step(struct cvm_agent *a, const struct cvm_policy_request *request,
                   struct cvm_error *err) CVM_MUST_USE;
/* A fault of our own, or an inadmissible component: the session is aborted, if it still may be. */
void cvm_agent_fault(struct cvm_agent *a, enum cvm_code reason);
/* Frees items and wipes the seed's shares: no component will run any more. */
void cvm_agent_forget_content(struct cvm_agent *a);
/* Wipes keys and plain content, ends every child: the session is closed or aborted. Where an act
 * ended it, the statement of this is signed last. */
void cvm_agent_wipe(struct cvm_agent *a);
/* Answers the open request with {"ok":true,"state":…}. */
void cvm_agent_answer_state(struct cvm_agent *a);
/* Refuses the open request and counts it. */
void cvm_agent_refuse(struct cvm_agent *a, const struct cvm_error *err);

/* One fixed line to the log (stderr of the agent). */
void cvm_agent_log(const char *what, enum cvm_code code);

/* A memory file; name is for the kernel only. Sealed: nobody, the agent included, can change it. */
int cvm_memory_file(const char *name, struct cvm_error *err) CVM_MUST_USE;
int cvm_memory_file_seal(int fd, struct cvm_error *err) CVM_MUST_USE;
/* Another descriptor of it, read-only and with an offset of its own. */
int cvm_memory_file_view(int fd, struct cvm_error *err) CVM_MUST_USE;
/* Frees a memory file's pages and closes it; -1 afterwards. Fine with -1. */
void cvm_memory_file_end(int *fd);

#endif
