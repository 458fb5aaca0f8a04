/* Bundles: what parses writes back to the same bytes, and can be judged without harm. */
#include <stdlib.h>
#include <string.h>

#include "core/evidence/bundle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CVM_AUTO_BUNDLE struct cvm_bundle b = {0};
    if (cvm_bundle_parse(data, size, &b, NULL) < 0)
        return 0;
    CVM_AUTO_BUF struct cvm_buf again = {0};
    if (cvm_bundle_write(&b, &again, NULL) < 0 || again.len != size ||
        memcmp(again.data, data, size) != 0)
        abort();
    uint8_t report_data[CVM_REPORT_DATA_LEN];
    struct cvm_vek vek;
    if (cvm_bundle_report_data(&b, report_data, NULL) == 0 &&
        cvm_certificates_verify(&b.certificates, &vek, NULL) == 0)
        return 0;
    return 0;
}
