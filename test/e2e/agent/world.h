/*
 * A whole collaboration for tests of a real agent: participants with their keys, a manifest,
 * sealed items, the software PSP with the agent below it, and the host's link to the agent.
 * "Components" are texts for the stand-in programs of this folder.
 */
#ifndef CVM_TEST_WORLD_H
#define CVM_TEST_WORLD_H

#include <sys/types.h>

#include "core/evidence/bundle.h"
#include "core/manifest/act.h"
#include "core/record/receipt.h"
#include "orchestrator/transport/link.h"

#define WORLD_ITEMS 16

struct world_item {
    const char *id;
    int owner;
    struct cvm_secret key;
    struct cvm_buf blob;
    int blob_fd; /* a large one instead, or -1 */
};

struct world {
    char folder[64]; /* of this test, removed at the end */
    unsigned memory_mib;
    struct cvm_key sign[3], seal[3];
    struct cvm_secret share[3];
    struct world_item items[WORLD_ITEMS];
    size_t n_items;
    json_t *draft; /* the manifest being written */
    struct cvm_manifest manifest;
    struct cvm_buf commitments[3];
    pid_t psp;              /* the software PSP, above the agent; of a machine: QEMU */
    pid_t backend, reports; /* a machine's vsock, and what answers its requests for reports */
    struct cvm_link *link;
    struct cvm_public_key session_seal, session_sign;
    struct cvm_digest session;
    uint8_t nonce[3][32]; /* attested, one a participant */
    uint64_t seq[3];
    char state[32]; /* last state that an event told */
};

/* The folder of the three programs; the stand-ins unless a test says otherwise. */
extern const char *world_image;

/*
 * Every test's main(): PROGRAM [--machine BACKEND] [TEST]. BACKEND is vhost-device-vsock: each
 * world is then a virtual machine with the image "<world_image>-machine", and limits of time are
 * those of an emulated processor. TEST: a pattern; only the tests that match are run.
 */
#define WORLD_MAIN(tests) world_main(argc, argv, tests, sizeof(tests) / sizeof *(tests))
struct CMUnitTest;
int world_main(int argc, char **argv, const struct CMUnitTest *tests, size_t n);
bool world_is_machine(void);

/* Three participants: "anna" and "berta" bring data, "carl" brings components. */
void world_open(struct world *w);
void world_close(struct world *w);

/* Building the manifest; ids are constants. `limits` may be NULL. */
void world_component(struct world *w, const char *id, const char *program);
void world_component_bytes(struct world *w, const char *id, const void *bytes, size_t len);
/* The component NAME.wasm of test/attack/cells; `args` as JSON. */
void world_component_file(struct world *w, const char *id, const char *name, const char *args);
json_t *world_last_component(struct world *w);  /* borrowed, to be changed */
void world_limit_wall(struct world *w, int ms); /* of the last component */
void world_data(struct world *w, const char *id, int owner, const char *content);
void world_data_large(struct world *w, const char *id, int owner, uint64_t bytes); /* zeros */
void world_channel(struct world *w, const char *from, const char *from_path, const char *to,
                   const char *to_path);
/* Any other channel, as JSON with ' for ". */
void world_joint(struct world *w, const char *channel);
/* The last component becomes a library; `instance` is "run" or "call". */
void world_library(struct world *w, const char *instance);
void world_output(struct world *w, const char *id, uint64_t max_bytes); /* to anna and carl */
json_t *world_last_output(struct world *w);
void world_diagnostics(struct world *w, const char *id);

/* Parses and signs the manifest; then starts PSP and agent and connects. */
void world_seal(struct world *w);
void world_start(struct world *w);
/* The isolate is started for the SHA-256 of these bytes, whatever they are. */
void world_start_for(struct world *w, const struct cvm_buf *manifest);
void world_connect(struct world *w);
int world_socket(struct world *w); /* a raw connection */

/* Operations: 0, or the code of the refusal. */
enum cvm_code world_lock(struct world *w);
enum cvm_code world_lock_with(struct world *w, const struct cvm_buf *manifest,
                              const struct cvm_buf *commitments, int n);
enum cvm_code world_challenge(struct world *w); /* a nonce for each, and the session's keys */
enum cvm_code world_challenge_many(struct world *w, int n); /* answers are not looked at */
enum cvm_code world_act(struct world *w, int who, const struct cvm_act *act);
enum cvm_code world_act_bytes(struct world *w, const struct cvm_buf *jws);
/* A payload of any form, signed by participant `who`. */
enum cvm_code world_act_json(struct world *w, int who, json_t *payload);
json_t *world_act_payload(struct world *w, int who, const char *act); /* to be changed */
enum cvm_code world_release(struct world *w, int who);
void world_make_release(struct world *w, int who, struct cvm_act *ret);
enum cvm_code world_item(struct world *w, const char *id);
enum cvm_code world_item_bytes(struct world *w, const char *id, const void *data, size_t len);
enum cvm_code world_op(struct world *w, const char *op);
json_t *world_status(struct world *w); /* owned */
void world_fetch(struct world *w, const char *op, const char *id, struct cvm_buf *ret);
enum cvm_code world_refusal(struct world *w, const char *op, const char *id);
/* The sealed output into a file, without opening it; its size. */
uint64_t world_fetch_file(struct world *w, const char *id, int fd);
/* What the agent has written to its log, and the process of the agent. */
void world_log(struct world *w, struct cvm_buf *ret);
pid_t world_agent(struct world *w);
/* Waits until the agent has told this state; false after 20 s. */
bool world_await(struct world *w, const char *state);
/* Up to a manifest that is locked, and a challenge that is answered; then all three release. */
void world_start_locked(struct world *w);
void world_release_all(struct world *w);
/* An owner uses the key of the same item in another world, before the release. */
void world_take_key(struct world *w, size_t item, const struct world *from);
/* Everything up to `sealed`. */
void world_fill(struct world *w);
/* … and on to the end of the run; returns the state. */
const char *world_run(struct world *w);
/* Opens an output as one of its recipients; appends the content. */
void world_open_output(struct world *w, int who, const char *id, struct cvm_buf *ret);

/* Whole lives, from the manifest to the end, of collaborations with the outputs `result` and `how`,
 * the diagnostics. The run ends well, with that result (NULL: any); … */
void world_assert_result(struct world *w, const char *want);
/* … or the run fails and gives no result, and the diagnostics name the component, why it was
 * stopped, and by which limit; … */
void world_assert_fails(struct world *w, const char *id, const char *why, const char *limit);
/* … or one of the two. */
void world_assert_result_or_fails(struct world *w, const char *id, const char *why,
                                  const char *limit);

/* A call channel of world_joint(); `limits` are its members. */
#define WORLD_CALL(from, to, interface, limits)                                                    \
    "{'kind':'call','from':'" from "','to':'" to "','interface':'" interface "'," limits "}"
#define WORLD_AMPLE "'max_calls':1000000,'max_bytes':100000000"

#endif
