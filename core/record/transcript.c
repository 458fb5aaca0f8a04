#include "core/record/transcript.h"

#include <stdlib.h>
#include <string.h>

struct cvm_digest cvm_transcript_next(const struct cvm_digest *head, const void *entry, size_t len)
{
    const struct cvm_bytes fields[] = {CVM_DIGEST_BYTES(head), CVM_BYTES(entry, len)};
    return cvm_label_sha256("2cvm/transcript/1", fields, 2);
}

void cvm_transcript_start(struct cvm_transcript *t, const struct cvm_digest *manifest)
{
    const struct cvm_bytes field = CVM_DIGEST_BYTES(manifest);
    *t = (struct cvm_transcript){.head = cvm_label_sha256("2cvm/transcript/1", &field, 1)};
}

void cvm_transcript_free(struct cvm_transcript *t)
{
    cvm_buf_free(&t->lines);
}

void cvm_transcript_refused(struct cvm_transcript *t, enum cvm_code code)
{
    if (cvm_code_count() > CVM_TRANSCRIPT_CODES)
        abort();
    const struct cvm_code_info *row = cvm_code_info(code); /* unknown codes count as `internal` */
    for (size_t i = 0; i < cvm_code_count(); i++)
        if (cvm_code_at(i)->code == row->code && t->refused[i] < UINT32_MAX)
            t->refused[i]++;
}

static json_t *text(const char *s)
{
    return json_string(s);
}

static int append(struct cvm_transcript *t, json_t *o, struct cvm_error *err)
{
    json_t *refused = json_object();
    for (size_t i = 0; i < cvm_code_count(); i++)
        if (t->refused[i])
            json_object_set_new(refused, cvm_code_at(i)->name, json_integer(t->refused[i]));
    json_object_set_new(o, "refused", refused);
    json_object_set_new(o, "n", json_integer((json_int_t)t->n + 1));
    CVM_AUTO_BUF struct cvm_buf entry = {0};
    CVM_GUARD(cvm_json_write(o, &entry, err));
    t->head = cvm_transcript_next(&t->head, entry.data, entry.len);
    t->n++;
    memset(t->refused, 0, sizeof t->refused);
    cvm_buf_append(&t->lines, entry.data, entry.len);
    cvm_buf_append_u8(&t->lines, '\n');
    return 0;
}

int cvm_transcript_act(struct cvm_transcript *t, const char *participant, enum cvm_act_kind kind,
                       uint64_t seq, const struct cvm_digest *jws, struct cvm_error *err)
{
    CVM_AUTO_JSON json_t *o = json_object();
    json_object_set_new(o, "type", text("act"));
    json_object_set_new(o, "act", text(cvm_act_kind_word(kind)));
    json_object_set_new(o, "participant", text(participant));
    json_object_set_new(o, "seq", json_integer((json_int_t)seq));
    json_object_set_new(o, "digest", cvm_json_of_digest(jws));
    return append(t, o, err);
}

int cvm_transcript_move(struct cvm_transcript *t, enum cvm_phase from, enum cvm_phase to,
                        const struct cvm_digest *receipt, enum cvm_code reason,
                        struct cvm_error *err)
{
    CVM_ENSURE(cvm_phase_may_move(from, to) && (to == CVM_PHASE_CLOSED) == (receipt != NULL) &&
                   (to == CVM_PHASE_ABORTED) == (reason != CVM_OK),
               err, CVM_E_INTERNAL, "transcript: a move that no agent makes");
    CVM_AUTO_JSON json_t *o = json_object();
    json_object_set_new(o, "type", text("move"));
    json_object_set_new(o, "from", text(cvm_phase_word(from)));
    json_object_set_new(o, "to", text(cvm_phase_word(to)));
    if (receipt)
        json_object_set_new(o, "receipt", cvm_json_of_digest(receipt));
    if (reason != CVM_OK)
        json_object_set_new(o, "reason", text(cvm_code_info(reason)->name));
    return append(t, o, err);
}
