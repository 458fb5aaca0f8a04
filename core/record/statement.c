#include "core/record/statement.h"

#include "core/record/signed.h"

/* What was wiped. The items of those who released have had keys, but for open inputs. */
static json_t *wiped(const struct cvm_manifest *m, const struct cvm_statement *s)
{
    json_t *content = json_array(), *keys = json_array();
    for (uint32_t i = 0; i < cvm_manifest_items(m); i++) {
        struct cvm_item item = cvm_manifest_item_at(m, i);
        if (!item.open && s->released >> item.owner & 1)
            json_array_append_new(keys, json_string(item.id));
        if (s->admitted[i / 64] >> i % 64 & 1)
            json_array_append_new(content, json_string(item.id));
    }
    return json_pack("{s:o, s:o, s:o}", "content", content, "keys", keys, "seeds",
                     cvm_signed_participants(m, s->released));
}

/* The payload, a function of manifest and statement alone (signed.h). */
static json_t *build(const struct cvm_manifest *m, const struct cvm_statement *s)
{
    json_t *o = json_object();
    char kid[CVM_KID_TEXT];
    json_object_set_new(o, "version", json_integer(1));
    json_object_set_new(o, "manifest", cvm_json_of_digest(&m->digest));
    json_object_set_new(o, "session", json_string(cvm_kid_text(&s->session, kid)));
    json_object_set_new(o, "participant", json_string(m->participants[s->participant].id));
    json_object_set_new(o, "act", cvm_json_of_digest(&s->act));
    json_object_set_new(o, "transcript",
                        cvm_signed_transcript(s->transcript_n, &s->transcript_head));
    json_object_set_new(o, "wiped", wiped(m, s));
    return o;
}

int cvm_statement_make(const struct cvm_manifest *m, struct cvm_statement *s,
                       const struct cvm_key *session_key, struct cvm_buf *ret,
                       struct cvm_error *err)
{
    CVM_ENSURE(s->participant >= 0 && (uint32_t)s->participant < m->n_participants, err,
               CVM_E_NOT_A_PARTICIPANT, "participant number %d", s->participant);
    s->session = cvm_jwk_thumbprint(&session_key->pub, CVM_ED25519);
    CVM_AUTO_JSON json_t *o = build(m, s);
    return cvm_signed_make(o, CVM_JWS_STATEMENT, session_key, ret, NULL, err);
}

static int read_wiped(const struct cvm_manifest *m, const json_t *list, struct cvm_statement *ret,
                      struct cvm_error *err)
{
    size_t i;
    json_t *e;
    CVM_GUARD(cvm_signed_read_participants(m, json_object_get(list, "seeds"), &ret->released, err));
    json_array_foreach(json_object_get(list, "content"), i, e)
    {
        int item = cvm_manifest_item(m, json_string_value(e) ?: "");
        CVM_ENSURE(item >= 0, err, CVM_E_STATEMENT_MISMATCH, "content[%zu] is no item", i);
        ret->admitted[item / 64] |= UINT64_C(1) << item % 64;
    }
    return 0;
}

/* The free values; everything else is compared by building it anew. */
static int read_free(const struct cvm_manifest *m, json_t *o, struct cvm_statement *ret,
                     struct cvm_error *err)
{
    ret->participant =
        cvm_manifest_participant(m, json_string_value(json_object_get(o, "participant")) ?: "");
    CVM_ENSURE(ret->participant >= 0, err, CVM_E_STATEMENT_MISMATCH, "it names no participant");
    const char *act = json_string_value(json_object_get(o, "act"));
    CVM_ENSURE(act, err, CVM_E_STATEMENT_MISMATCH, "it names no act");
    CVM_GUARD(cvm_digest_parse(act, &ret->act, err));
    CVM_GUARD(read_wiped(m, json_object_get(o, "wiped"), ret, err));
    return cvm_signed_read_transcript(json_object_get(o, "transcript"), &ret->transcript_n,
                                      &ret->transcript_head, err);
}

static int verify_payload(const struct cvm_manifest *m, const struct cvm_buf *payload,
                          struct cvm_statement *s, struct cvm_error *err)
{
    CVM_AUTO_JSON json_t *o = cvm_json_parse_canonical(payload->data, payload->len, err);
    if (!o)
        return -1;
    CVM_GUARD(read_free(m, o, s, err));
    CVM_AUTO_JSON json_t *wanted = build(m, s);
    CVM_GUARD(cvm_signed_compare(payload, wanted, err));
    for (uint32_t i = 0; i < cvm_manifest_items(m); i++) {
        struct cvm_item item = cvm_manifest_item_at(m, i);
        CVM_ENSURE(!(s->admitted[i / 64] >> i % 64 & 1) || s->released >> item.owner & 1, err,
                   CVM_E_STATEMENT_MISMATCH, "content of one who had not released");
    }
    return 0;
}

int cvm_statement_verify(const struct cvm_manifest *m, const struct cvm_public_key *session_sign,
                         const void *data, size_t len, struct cvm_statement *ret,
                         struct cvm_error *err)
{
    CVM_ENSURE(len <= CVM_STATEMENT_MAX, err, CVM_E_TOO_LARGE, "a statement of %zu bytes", len);
    CVM_AUTO_JWS struct cvm_jws jws = {0};
    CVM_GUARD(cvm_jws_parse(data, len, &jws, err));
    CVM_GUARD(cvm_jws_verify(&jws, CVM_JWS_STATEMENT, session_sign, err));
    struct cvm_statement s = {.session = cvm_jwk_thumbprint(session_sign, CVM_ED25519)};
    struct cvm_error e = {0};
    if (verify_payload(m, &jws.payload, &s, &e) < 0)
        return cvm_fail_expected(err, CVM_E_STATEMENT_MISMATCH, e.expected, e.got, "statement: %s",
                                 e.message);
    *ret = s;
    return 0;
}

int cvm_statement_check_transcript(const struct cvm_statement *s,
                                   const struct cvm_transcript_summary *t, struct cvm_error *err)
{
    CVM_ENSURE(t->phase == CVM_PHASE_ABORTED && t->stopped, err, CVM_E_STATEMENT_MISMATCH,
               "the transcript does not end with an act that asks for one");
    CVM_ENSURE(t->stopped_by == s->participant &&
                   cvm_equal(t->stopped_act.b, s->act.b, sizeof s->act.b),
               err, CVM_E_STATEMENT_MISMATCH, "the transcript ends with another act");
    CVM_ENSURE(t->n == s->transcript_n &&
                   cvm_equal(t->head.b, s->transcript_head.b, sizeof s->transcript_head.b),
               err, CVM_E_STATEMENT_MISMATCH, "the statement names another transcript");
    CVM_ENSURE(t->released == s->released, err, CVM_E_STATEMENT_MISMATCH,
               "other participants had released");
    return 0;
}
