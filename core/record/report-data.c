#include "core/record/report-data.h"

void cvm_report_data(const struct cvm_report_data *of, uint8_t out[CVM_REPORT_DATA_LEN])
{
    const struct cvm_bytes fields[] = {
        CVM_BYTES(of->sign.b, sizeof of->sign.b), CVM_BYTES(of->seal.b, sizeof of->seal.b),
        CVM_DIGEST_BYTES(&of->manifest),          CVM_DIGEST_BYTES(&of->transcript_head),
        CVM_DIGEST_BYTES(&of->nonce_root),
    };
    cvm_label_sha512("2cvm/report-data/1", fields, sizeof fields / sizeof fields[0], out);
}
