/* A whole life written down, for the tests of transcript and receipt. */
#ifndef CVM_RECORD_TEST_FIXTURE_RECORD_H
#define CVM_RECORD_TEST_FIXTURE_RECORD_H

#include "core/manifest/test-fixture.h"
#include "core/record/receipt.h"

#define SESSION_KEY 9

FIXTURE void must(int r)
{
    if (r < 0)
        abort();
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
FIXTURE void fixture_transcript_running(const struct cvm_manifest *m, struct cvm_transcript *t)
{
    cvm_transcript_start(t, &m->digest);
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
FIXTURE void fixture_transcript_releasing(const struct cvm_manifest *m, struct cvm_transcript *t)
{
    fixture_transcript_running(m, t);
    fixture_move(t, CVM_PHASE_RUNNING, CVM_PHASE_WAITING);
    fixture_act(t, "clinic-a", CVM_ACT_APPROVE, 2);
    fixture_act(t, "clinic-b", CVM_ACT_TIME, 2);
    fixture_move(t, CVM_PHASE_WAITING, CVM_PHASE_RELEASING);
}

FIXTURE struct cvm_receipt fixture_receipt(const struct cvm_manifest *m,
                                           const struct cvm_transcript *t)
{
    struct cvm_receipt r = {
        .completed = true, .released = 7, .transcript_n = t->n, .transcript_head = t->head};
    for (uint32_t i = 0; i < m->n_components; i++)
        r.ok[i] = true;
    for (uint32_t i = 0; i < m->n_outputs; i++) {
        r.outputs[i].present = true;
        r.outputs[i].digest = cvm_sha256(m->outputs[i].id, strlen(m->outputs[i].id));
    }
    return r;
}

#endif
