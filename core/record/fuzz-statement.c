/* A statement as the host hands it out, and its payload rightly signed: what is accepted makes
 * again. */
#include "core/record/test-fixture-record.h"

#include "core/record/statement.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!m.bytes)
        fixture_open(NULL);
    CVM_AUTO_BUF struct cvm_buf jws = {0}, again = {0};
    struct cvm_statement s;
    if (cvm_statement_verify(&m, &key.pub, data, size, &s, NULL) == 0 && s.participant < 0)
        abort();
    if (cvm_jws_create(&key, CVM_JWS_STATEMENT, data, size, &jws, NULL) < 0 ||
        cvm_statement_verify(&m, &key.pub, jws.data, jws.len, &s, NULL) < 0)
        return 0;
    must(cvm_statement_make(&m, &s, &key, &again, NULL));
    if (again.len != jws.len || memcmp(again.data, jws.data, jws.len) != 0)
        abort();
    return 0;
}
