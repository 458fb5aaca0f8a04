#include "core/record/signed.h"

json_t *cvm_signed_participants(const struct cvm_manifest *m, uint32_t set)
{
    json_t *list = json_array();
    for (uint32_t p = 0; p < m->n_participants; p++)
        if (set >> p & 1)
            json_array_append_new(list, json_string(m->participants[p].id));
    return list;
}

int cvm_signed_read_participants(const struct cvm_manifest *m, const json_t *list, uint32_t *ret,
                                 struct cvm_error *err)
{
    uint32_t set = 0;
    size_t i;
    json_t *e;
    json_array_foreach(list, i, e)
    {
        int p = cvm_manifest_participant(m, json_string_value(e) ?: "");
        CVM_ENSURE(p >= 0, err, CVM_E_NOT_A_PARTICIPANT, "number %zu of a list is none", i);
        set |= UINT32_C(1) << p;
    }
    *ret = set;
    return 0;
}

json_t *cvm_signed_transcript(uint64_t n, const struct cvm_digest *head)
{
    return json_pack("{s:I, s:o}", "n", (json_int_t)n, "head", cvm_json_of_digest(head));
}

int cvm_signed_read_transcript(json_t *transcript, uint64_t *ret_n, struct cvm_digest *ret_head,
                               struct cvm_error *err)
{
    struct cvm_json_reader r;
    cvm_json_begin(&r, transcript, "transcript", err);
    *ret_n = (uint64_t)cvm_json_int(&r, "n", 1, CVM_JSON_INT_MAX);
    *ret_head = cvm_json_digest(&r, "head");
    return cvm_json_end(&r);
}

int cvm_signed_make(const json_t *payload, const char *typ, const struct cvm_key *session_key,
                    struct cvm_buf *ret, struct cvm_digest *ret_payload, struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf bytes = {0};
    CVM_GUARD(cvm_json_write(payload, &bytes, err));
    CVM_GUARD(cvm_jws_create(session_key, typ, bytes.data, bytes.len, ret, err));
    if (ret_payload)
        *ret_payload = cvm_sha256(bytes.data, bytes.len);
    return 0;
}

int cvm_signed_compare(const struct cvm_buf *payload, const json_t *wanted, struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf bytes = {0};
    CVM_GUARD(cvm_json_write(wanted, &bytes, err));
    size_t at = 0;
    while (at < bytes.len && at < payload->len && bytes.data[at] == payload->data[at])
        at++;
    CVM_ENSURE(at == bytes.len && at == payload->len, err, CVM_E_JSON_NOT_CANONICAL,
               "it differs from what manifest and session demand at offset %zu of the payload", at);
    return 0;
}
