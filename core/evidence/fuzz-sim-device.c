/* Both directions of the evidence device of simulated isolates. */
#include <stdlib.h>
#include <string.h>

#include "core/evidence/sim-device.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t report_data[CVM_REPORT_DATA_LEN], again[CVM_SIM_REQUEST_LEN];
    if (cvm_sim_request_parse(data, size, report_data, NULL) == 0) {
        cvm_sim_request_write(report_data, again);
        if (size != sizeof(again) || memcmp(again, data, size) != 0)
            abort();
    }
    CVM_AUTO_SIM_RESPONSE struct cvm_sim_response r = {0};
    if (cvm_sim_response_parse(data, size, &r, NULL) == 0) {
        CVM_AUTO_BUF struct cvm_buf out = {0};
        cvm_sim_response_write(&r, &out);
        if (out.len != size || memcmp(out.data, data, size) != 0)
            abort();
    }
    return 0;
}
