/* A whole life written down, for the tests of transcript and receipt. */
#ifndef CVM_RECORD_TEST_FIXTURE_RECORD_H
#define CVM_RECORD_TEST_FIXTURE_RECORD_H

#include "core/manifest/test-fixture.h"
#include "core/record/receipt.h"
#include "core/seal/jws.h"

#define SESSION_KEY 9

FIXTURE void must(int r)
{
    if (r < 0)
        abort();
}

/* The manifest and the session's key of all these tests: their group's set-up, and its end. */
static struct cvm_manifest m;
static struct cvm_key key;

FIXTURE int fixture_open(void **state)
{
    (void)state;
    fixture_manifest(&m);
    key = fixture_key(SESSION_KEY, CVM_ED25519);
    return 0;
}

FIXTURE int fixture_close(void **state)
{
    (void)state;
    cvm_manifest_free(&m);
    cvm_key_free(&key);
    return 0;
}

/* The payload of a JWS, to be edited, and any payload rightly signed. */
FIXTURE json_t *fixture_payload(const struct cvm_buf *jws)
{
    CVM_AUTO_JWS struct cvm_jws parsed = {0};
    must(cvm_jws_parse(jws->data, jws->len, &parsed, NULL));
    json_t *o = cvm_json_parse(parsed.payload.data, parsed.payload.len, NULL);
    if (!o)
        abort();
    return o;
}

FIXTURE void fixture_sign(const json_t *payload, const char *typ, const struct cvm_key *by,
                          struct cvm_buf *ret)
{
    CVM_AUTO_BUF struct cvm_buf bytes = {0};
    must(cvm_json_write(payload, &bytes, NULL));
    must(cvm_jws_create(by, typ, bytes.data, bytes.len, ret, NULL));
}

FIXTURE void fixture_act(struct cvm_transcript *t, const char *participant, enum cvm_act_kind kind,
                         uint64_t seq)
{
    struct cvm_digest jws = cvm_sha256(participant, strlen(participant));
    must(cvm_transcript_act(t, participant, kind, seq, &jws, NULL));
}

FIXTURE void fixture_move(struct cvm_transcript *t, enum cvm_phase from, enum cvm_phase to)
{
    must(cvm_transcript_move(t, from, to, NULL, CVM_OK, NULL));
}

/* Up to `running`; three refusals on the way. */
FIXTURE void fixture_transcript_running(struct cvm_transcript *t)
{
    cvm_transcript_start(t, &m.digest);
    fixture_move(t, CVM_PHASE_EMPTY, CVM_PHASE_LOCKED);
    cvm_transcript_refused(t, CVM_E_ACT_NONCE);
    cvm_transcript_refused(t, CVM_E_ACT_NONCE);
    cvm_transcript_refused(t, CVM_E_ITEM_NOT_WANTED);
    fixture_act(t, "clinic-a", CVM_ACT_RELEASE, 1);
    fixture_move(t, CVM_PHASE_LOCKED, CVM_PHASE_FILLING);
    fixture_act(t, "clinic-b", CVM_ACT_RELEASE, 1);
    fixture_act(t, "analyst", CVM_ACT_RELEASE, 4);
    fixture_move(t, CVM_PHASE_FILLING, CVM_PHASE_SEALED);
    fixture_move(t, CVM_PHASE_SEALED, CVM_PHASE_RUNNING);
}

/* Up to `releasing` after a good run. */
FIXTURE void fixture_transcript_releasing(struct cvm_transcript *t)
{
    fixture_transcript_running(t);
    fixture_move(t, CVM_PHASE_RUNNING, CVM_PHASE_WAITING);
    fixture_act(t, "clinic-a", CVM_ACT_APPROVE, 2);
    fixture_act(t, "clinic-b", CVM_ACT_TIME, 2);
    fixture_move(t, CVM_PHASE_WAITING, CVM_PHASE_RELEASING);
}

FIXTURE struct cvm_receipt fixture_receipt(const struct cvm_transcript *t)
{
    struct cvm_receipt r = {
        .completed = true, .released = 7, .transcript_n = t->n, .transcript_head = t->head};
    for (uint32_t i = 0; i < m.n_components; i++)
        r.ok[i] = true;
    for (uint32_t i = 0; i < m.n_outputs; i++) {
        r.outputs[i].present = true;
        r.outputs[i].digest = cvm_sha256(m.outputs[i].id, strlen(m.outputs[i].id));
    }
    return r;
}

#endif
