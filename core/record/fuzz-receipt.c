/* The payload of a receipt, rightly signed by the session key. What is accepted makes again, byte
 * for byte. */
#include "core/record/test-fixture-record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void verify(const void *payload, size_t size)
{
    CVM_AUTO_BUF struct cvm_buf jws = {0}, again = {0};
    struct cvm_receipt r;
    if (cvm_jws_create(&key, CVM_JWS_RECEIPT, payload, size, &jws, NULL) < 0)
        return;
    if (cvm_receipt_verify(&m, &key.pub, jws.data, jws.len, &r, NULL) < 0)
        return;
    if (cvm_receipt_make(&m, &r, &key, &again, NULL) < 0 || again.len != jws.len ||
        memcmp(again.data, jws.data, jws.len) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!m.bytes)
        fixture_open(NULL);
    verify(data, size);
    CVM_AUTO_JSON json_t *v = cvm_json_parse(data, size, NULL);
    CVM_AUTO_BUF struct cvm_buf canonical = {0};
    if (v && cvm_json_write(v, &canonical, NULL) == 0)
        verify(canonical.data, canonical.len);
    return 0;
}
