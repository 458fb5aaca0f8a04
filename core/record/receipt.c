#include "core/record/receipt.h"

#include <string.h>

#include "core/record/signed.h"

/* The payload, a function of manifest and receipt alone (signed.h). */
static json_t *build(const struct cvm_manifest *m, const struct cvm_receipt *r)
{
    json_t *o = json_object(), *list, *e;
    char kid[CVM_KID_TEXT];
    json_object_set_new(o, "version", json_integer(1));
    json_object_set_new(o, "collaboration", json_string(m->collaboration));
    json_object_set_new(o, "manifest", cvm_json_of_digest(&m->digest));
    json_object_set_new(o, "session", json_string(cvm_kid_text(&r->session, kid)));
    json_object_set_new(o, "result", json_string(r->completed ? "completed" : "failed"));
    json_object_set_new(o, "components", list = json_array());
    for (uint32_t i = 0; i < m->n_components; i++) {
        json_array_append_new(list, e = json_object());
        json_object_set_new(e, "id", json_string(m->components[i].id));
        json_object_set_new(e, "digest", cvm_json_of_digest(&m->components[i].digest));
        json_object_set_new(e, "result", json_string(r->ok[i] ? "ok" : "failed"));
    }
    json_object_set_new(o, "data", list = json_array());
    for (uint32_t i = 0; i < m->n_data; i++) {
        json_array_append_new(list, e = json_object());
        json_object_set_new(e, "id", json_string(m->data[i].id));
        if (!m->data[i].open)
            json_object_set_new(e, "digest", cvm_json_of_digest(&m->data[i].digest));
    }
    json_object_set_new(o, "outputs", list = json_array());
    for (uint32_t i = 0; i < m->n_outputs; i++) {
        if (!r->outputs[i].present)
            continue;
        json_array_append_new(list, e = json_object());
        json_object_set_new(e, "id", json_string(m->outputs[i].id));
        json_object_set_new(e, "digest", cvm_json_of_digest(&r->outputs[i].digest));
        json_object_set_new(e, "recipients", cvm_signed_participants(m, m->outputs[i].recipients));
    }
    json_object_set_new(o, "released", cvm_signed_participants(m, r->released));
    json_object_set_new(o, "transcript",
                        cvm_signed_transcript(r->transcript_n, &r->transcript_head));
    return o;
}

/* What no right agent would sign. */
static int check_sense(const struct cvm_manifest *m, const struct cvm_receipt *r,
                       struct cvm_error *err)
{
    bool all_ok = true;
    for (uint32_t i = 0; i < m->n_components; i++)
        all_ok = all_ok && r->ok[i];
    CVM_ENSURE(r->completed == all_ok, err, CVM_E_RECEIPT_MISMATCH,
               "the result does not follow from the components'");
    for (uint32_t i = 0; i < m->n_outputs; i++) {
        bool wanted = r->completed || m->outputs[i].diagnostics;
        CVM_ENSURE(r->outputs[i].present == wanted, err, CVM_E_RECEIPT_MISMATCH,
                   "output \"%s\" is %s", m->outputs[i].id,
                   wanted ? "missing" : "there after a failed run");
    }
    uint32_t everyone = (uint32_t)((UINT64_C(1) << m->n_participants) - 1);
    CVM_ENSURE(r->released == everyone, err, CVM_E_RECEIPT_MISMATCH,
               "not every participant has released");
    return 0;
}

int cvm_receipt_make(const struct cvm_manifest *m, struct cvm_receipt *r,
                     const struct cvm_key *session_key, struct cvm_buf *ret, struct cvm_error *err)
{
    CVM_GUARD(check_sense(m, r, err));
    r->session = cvm_jwk_thumbprint(&session_key->pub, CVM_ED25519);
    CVM_AUTO_JSON json_t *o = build(m, r);
    return cvm_signed_make(o, CVM_JWS_RECEIPT, session_key, ret, &r->payload, err);
}

/* The free values of a payload; everything else is compared by building it anew. */
static int read_free(const struct cvm_manifest *m, json_t *o, struct cvm_receipt *ret,
                     struct cvm_error *err)
{
    ret->completed =
        strcmp(json_string_value(json_object_get(o, "result")) ?: "", "completed") == 0;
    json_t *components = json_object_get(o, "components"), *e;
    for (uint32_t i = 0; i < m->n_components; i++) {
        const char *word =
            json_string_value(json_object_get(json_array_get(components, i), "result"));
        ret->ok[i] = word && strcmp(word, "ok") == 0;
    }
    size_t i;
    json_array_foreach(json_object_get(o, "outputs"), i, e)
    {
        const char *id = json_string_value(json_object_get(e, "id"));
        const char *digest = json_string_value(json_object_get(e, "digest"));
        int output = id ? cvm_manifest_output(m, id) : -1;
        CVM_ENSURE(output >= 0 && digest, err, CVM_E_RECEIPT_MISMATCH, "outputs[%zu]", i);
        CVM_GUARD(cvm_digest_parse(digest, &ret->outputs[output].digest, err));
        ret->outputs[output].present = true;
    }
    CVM_GUARD(cvm_signed_read_participants(m, json_object_get(o, "released"), &ret->released, err));
    return cvm_signed_read_transcript(json_object_get(o, "transcript"), &ret->transcript_n,
                                      &ret->transcript_head, err);
}

static int verify_payload(const struct cvm_manifest *m, const struct cvm_buf *payload,
                          struct cvm_receipt *r, struct cvm_error *err)
{
    CVM_AUTO_JSON json_t *o = cvm_json_parse_canonical(payload->data, payload->len, err);
    if (!o)
        return -1;
    CVM_GUARD(read_free(m, o, r, err));
    CVM_AUTO_JSON json_t *wanted = build(m, r);
    CVM_GUARD(cvm_signed_compare(payload, wanted, err));
    return check_sense(m, r, err);
}

int cvm_receipt_verify(const struct cvm_manifest *m, const struct cvm_public_key *session_sign,
                       const void *data, size_t len, struct cvm_receipt *ret, struct cvm_error *err)
{
    CVM_ENSURE(len <= CVM_RECEIPT_MAX, err, CVM_E_TOO_LARGE, "a receipt of %zu bytes", len);
    CVM_AUTO_JWS struct cvm_jws jws = {0};
    CVM_GUARD(cvm_jws_parse(data, len, &jws, err));
    CVM_GUARD(cvm_jws_verify(&jws, CVM_JWS_RECEIPT, session_sign, err));
    struct cvm_receipt r = {.session = cvm_jwk_thumbprint(session_sign, CVM_ED25519),
                            .payload = cvm_sha256(jws.payload.data, jws.payload.len)};
    struct cvm_error e = {0};
    if (verify_payload(m, &jws.payload, &r, &e) < 0)
        return cvm_fail_expected(err, CVM_E_RECEIPT_MISMATCH, e.expected, e.got, "receipt: %s",
                                 e.message);
    *ret = r;
    return 0;
}

int cvm_receipt_check_transcript(const struct cvm_receipt *r,
                                 const struct cvm_transcript_summary *t, struct cvm_error *err)
{
    CVM_ENSURE(t->phase == CVM_PHASE_CLOSED && t->has_receipt, err, CVM_E_RECEIPT_MISMATCH,
               "the transcript does not end with a receipt");
    CVM_ENSURE(cvm_equal(t->receipt.b, r->payload.b, sizeof t->receipt.b), err,
               CVM_E_RECEIPT_MISMATCH, "the transcript ends with another receipt");
    CVM_ENSURE(t->before_n == r->transcript_n &&
                   cvm_equal(t->before_head.b, r->transcript_head.b, sizeof t->before_head.b),
               err, CVM_E_RECEIPT_MISMATCH, "the receipt names another transcript");
    CVM_ENSURE(t->released == r->released, err, CVM_E_RECEIPT_MISMATCH,
               "other participants released");
    CVM_ENSURE(t->failed == !r->completed, err, CVM_E_RECEIPT_MISMATCH,
               "the transcript tells another result");
    return 0;
}

int cvm_receipt_check_output(const struct cvm_manifest *m, const struct cvm_receipt *r, int output,
                             const struct cvm_digest *sealed, struct cvm_error *err)
{
    const struct cvm_receipt_output *o = &r->outputs[output];
    CVM_ENSURE(o->present, err, CVM_E_RECEIPT_MISMATCH, "the receipt has no output \"%s\"",
               m->outputs[output].id);
    char expected[CVM_DIGEST_TEXT], got[CVM_DIGEST_TEXT];
    if (!cvm_equal(o->digest.b, sealed->b, sizeof sealed->b))
        return cvm_fail_expected(err, CVM_E_RECEIPT_MISMATCH, cvm_digest_text(&o->digest, expected),
                                 cvm_digest_text(sealed, got), "output \"%s\" is another file",
                                 m->outputs[output].id);
    return 0;
}
