/* Reports: what parses writes back to the same bytes, and prints. */
#include <stdlib.h>
#include <string.h>

#include "core/evidence/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cvm_report r;
    if (cvm_report_parse(data, size, &r, NULL) < 0)
        return 0;
    uint8_t again[CVM_REPORT_LEN];
    cvm_report_write(&r, again);
    if (memcmp(again, data, CVM_REPORT_LEN) != 0)
        abort();
    CVM_AUTO_BUF struct cvm_buf text = {0};
    cvm_report_print(&r, &text);
    json_decref(cvm_report_json(&r));
    return 0;
}
