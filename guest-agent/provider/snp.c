#include "guest-agent/provider/snp.h"

#include <string.h>

#include "core/evidence/certificate-entries.h"

#define REPORT_DATA_AT 0x50

void cvm_snp_take_certificates(const void *table, size_t len, struct cvm_provider_report *ret)
{
    struct cvm_cursor t = cvm_cursor(table, len);
    struct cvm_certificate_entry e;
    struct cvm_provider_report got = {0};
    int r;
    while ((r = cvm_certificate_entry_next(&t, &e)) == 1) {
        /* DER begins with a sequence; some hosts deliver PEM, which the verifier gets elsewhere. */
        bool der = e.known && e.size > 1 && e.data[0] == 0x30;
        if (der && got.n_certificates < CVM_PROVIDER_CERTIFICATES)
            cvm_buf_append(&got.certificates[got.n_certificates++], e.data, e.size);
    }
    if (r < 0)
        cvm_provider_report_free(&got);
    memcpy(ret->certificates, got.certificates, sizeof(got.certificates));
    ret->n_certificates = got.n_certificates;
}

int cvm_snp_check_report(const uint8_t report[CVM_REPORT_LEN],
                         const uint8_t report_data[CVM_REPORT_DATA_LEN], struct cvm_error *err)
{
    CVM_ENSURE(memcmp(report + REPORT_DATA_AT, report_data, CVM_REPORT_DATA_LEN) == 0, err,
               CVM_E_PROVIDER, "the report answers another question");
    return 0;
}
