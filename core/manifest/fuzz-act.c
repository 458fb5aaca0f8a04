/* The payload of an act, rightly signed by participant 1: a participant may be hostile too. What is
 * accepted makes again. */
#include "core/manifest/test-fixture.h"

#include "core/seal/jws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct cvm_manifest m;
static struct cvm_key key;

static void verify(const void *payload, size_t size)
{
    CVM_AUTO_BUF struct cvm_buf jws = {0}, again = {0};
    struct cvm_act act;
    struct cvm_digest session;
    struct cvm_error err = {0};
    if (cvm_jws_create(&key, CVM_JWS_ACT, payload, size, &jws, NULL) < 0)
        return;
    if (cvm_act_read(&m, jws.data, jws.len, &act, &session, &err) < 0) {
        if (err.code == CVM_OK || err.code == CVM_E_JWS_SIGNATURE)
            abort();
        return;
    }
    if (act.participant != 1 || cvm_act_make(&m, &session, &act, &key, &again, NULL) < 0 ||
        again.len != jws.len || memcmp(again.data, jws.data, jws.len) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!m.bytes) {
        fixture_manifest(&m);
        key = fixture_key(1, CVM_ED25519);
    }
    struct cvm_act act;
    struct cvm_digest session;
    if (cvm_act_read(&m, data, size, &act, &session, NULL) == 0 && act.participant < 0)
        abort();
    verify(data, size);
    CVM_AUTO_JSON json_t *v = cvm_json_parse(data, size, NULL);
    CVM_AUTO_BUF struct cvm_buf canonical = {0};
    if (v && cvm_json_write(v, &canonical, NULL) == 0)
        verify(canonical.data, canonical.len);
    return 0;
}
