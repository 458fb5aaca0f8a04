/*
 * An act: the only thing that a participant tells the agent, a JWS (typ 2cvm-act+jws) bound to
 * manifest, session and participant. Whether it may happen now (sequence, nonce, phase) is for
 * core/policy; here it is made, read and verified.
 */
#ifndef CVM_MANIFEST_ACT_H
#define CVM_MANIFEST_ACT_H

#include "core/manifest/manifest.h"
#include "core/seal/item.h"

#define CVM_ACT_MAX (64 * 1024) /* bytes of an act's JWS */
#define CVM_NONCE_MIN 16
#define CVM_NONCE_MAX 64

#define CVM_TABLE_ACT(X)                                                                           \
    X(RELEASE, "release")                                                                          \
    X(APPROVE, "approve")                                                                          \
    X(TIME, "time") X(WITHDRAW, "withdraw") X(ABORT, "abort") X(ITEM, "item")
enum cvm_act_kind {
#define X(s, w) CVM_ACT_##s,
    CVM_TABLE_ACT(X)
#undef X
        CVM_ACT_KIND_COUNT
};
const char *cvm_act_kind_word(enum cvm_act_kind kind);
int cvm_act_kind_by_word(const char *word); /* -1: unknown */

/* One HPKE-sealed 32-byte secret of a release. */
struct cvm_act_item {
    int item; /* item index; -1 for the seed share */
    struct cvm_sealed_key sealed;
};

/* One item of an open input, sealed to the session (core/seal/item.h). */
struct cvm_act_feed {
    int data;   /* index in the manifest's data */
    uint64_t n; /* from 1 */
    bool end;   /* the last one */
    uint8_t enc[CVM_HPKE_ENC_LEN];
    uint32_t ct_len;
    uint8_t ct[CVM_ITEM_PLAIN_MAX + CVM_HPKE_TAG_LEN];
};

struct cvm_act {
    enum cvm_act_kind kind;
    int participant;
    uint64_t seq;
    /* release */
    uint8_t nonce[CVM_NONCE_MAX];
    size_t nonce_len;
    uint32_t n_items; /* own items in item order, then the seed share */
    struct cvm_act_item items[CVM_ITEMS_MAX + 1];
    /* approve */
    int output;
    uint64_t transcript_n;
    struct cvm_digest transcript_head;
    /* time */
    int64_t time;
    /* item */
    struct cvm_act_feed feed;
};

/*
 * Signs an act; appends the compact JWS. `session` is the thumbprint of the session signing key.
 * The act must be complete: a release carries exactly what cvm_act_wants() lists (ACT_ITEM). The
 * key must be the participant's own (JWS_KEY).
 */
int cvm_act_make(const struct cvm_manifest *m, const struct cvm_digest *session,
                 const struct cvm_act *act, const struct cvm_key *sign_key, struct cvm_buf *ret,
                 struct cvm_error *err) CVM_MUST_USE;

/*
 * Reads and verifies an act JWS. The signer is found by `kid` and must be the participant that the
 * payload names. Refuses other manifests (ACT_MANIFEST), other sessions (ACT_SESSION), releases
 * that do not carry exactly the participant's items in item order and the seed last (ACT_ITEM),
 * unknown kinds and any other form (ACT_FORMAT).
 */
int cvm_act_verify(const struct cvm_manifest *m, const struct cvm_digest *session, const void *jws,
                   size_t len, struct cvm_act *ret, struct cvm_error *err) CVM_MUST_USE;

/* The same without a known session: for a daemon that sorts acts, and for a record read later.
 * Returns the session named. */
int cvm_act_read(const struct cvm_manifest *m, const void *jws, size_t len, struct cvm_act *ret,
                 struct cvm_digest *ret_session, struct cvm_error *err) CVM_MUST_USE;

/* Fills items[].item of what this participant's release must carry (own items, then -1 for the
 * seed); returns their number. */
uint32_t cvm_act_wants(const struct cvm_manifest *m, int participant,
                       struct cvm_act_item items[CVM_ITEMS_MAX + 1]);

#endif
