#include "core/manifest/commitment.h"

#include <string.h>

#include "core/seal/jws.h"

int cvm_commitment_make(const struct cvm_manifest *m, int participant,
                        const struct cvm_key *sign_key, struct cvm_buf *ret, struct cvm_error *err)
{
    const struct cvm_participant *p = &m->participants[participant];
    CVM_ENSURE(sign_key->curve == CVM_ED25519 &&
                   memcmp(&sign_key->pub, &p->sign, sizeof p->sign) == 0,
               err, CVM_E_JWS_KEY, "the manifest names another signing key for \"%s\"", p->id);
    return cvm_jws_create_detached(sign_key, CVM_JWS_COMMITMENT, m->bytes, m->len, ret, err);
}

int cvm_commitment_check(const struct cvm_manifest *m, int participant, const void *data,
                         size_t len, struct cvm_error *err)
{
    const struct cvm_participant *p = &m->participants[participant];
    CVM_ENSURE(len <= CVM_COMMITMENT_MAX, err, CVM_E_JWS_FORMAT, "commitment of \"%s\": %zu bytes",
               p->id, len);
    CVM_AUTO_JWS struct cvm_jws jws = {0};
    if (cvm_jws_parse(data, len, &jws, err) < 0 ||
        cvm_jws_verify_detached(&jws, CVM_JWS_COMMITMENT, &p->sign, m->bytes, m->len, err) < 0)
        return cvm_error_wrap(err, "commitment of \"%s\"", p->id);
    return 0;
}

int cvm_commitment_check_all(const struct cvm_manifest *m, const struct cvm_commitment *set,
                             size_t n, struct cvm_error *err)
{
    uint32_t seen = 0;
    for (size_t i = 0; i < n; i++) {
        int p = cvm_manifest_participant(m, set[i].participant);
        CVM_ENSURE(p >= 0, err, CVM_E_NOT_A_PARTICIPANT, "a commitment of \"%.64s\"",
                   set[i].participant);
        CVM_ENSURE(!(seen >> p & 1), err, CVM_E_EXISTS, "two commitments of \"%s\"",
                   m->participants[p].id);
        CVM_GUARD(cvm_commitment_check(m, p, set[i].jws, set[i].len, err));
        seen |= UINT32_C(1) << p;
    }
    for (uint32_t p = 0; p < m->n_participants; p++)
        CVM_ENSURE(seen >> p & 1, err, CVM_E_COMMITMENT_MISSING, "none of \"%s\"",
                   m->participants[p].id);
    return 0;
}
