#include "core/evidence/sim-device.h"

#include <string.h>

#include "core/base/cursor.h"

#define MAGIC 0x32505350u /* "2PSP" */
#define VERSION 1
#define CERTIFICATE_MAX 8192

static void put_u32be(uint8_t *p, uint32_t v)
{
    for (size_t i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

void cvm_sim_request_write(const uint8_t report_data[CVM_REPORT_DATA_LEN],
                           uint8_t out[CVM_SIM_REQUEST_LEN])
{
    put_u32be(out, MAGIC);
    put_u32be(out + 4, VERSION);
    memcpy(out + 8, report_data, CVM_REPORT_DATA_LEN);
}

int cvm_sim_request_parse(const void *data, size_t len, uint8_t ret[CVM_REPORT_DATA_LEN],
                          struct cvm_error *err)
{
    struct cvm_cursor c = cvm_cursor(data, len);
    uint32_t magic = cvm_cursor_u32be(&c), version = cvm_cursor_u32be(&c);
    const uint8_t *report_data = cvm_cursor_take(&c, CVM_REPORT_DATA_LEN);
    CVM_ENSURE(cvm_cursor_done(&c) && report_data && magic == MAGIC && version == VERSION, err,
               CVM_E_PROVIDER, "not a request for a report");
    memcpy(ret, report_data, CVM_REPORT_DATA_LEN);
    return 0;
}

void cvm_sim_response_write(const struct cvm_sim_response *r, struct cvm_buf *out)
{
    cvm_buf_append_u32be(out, MAGIC);
    cvm_buf_append_u32be(out, 0);
    cvm_buf_append(out, r->report, CVM_REPORT_LEN);
    cvm_buf_append_u32be(out, (uint32_t)r->n_certificates);
    for (size_t i = 0; i < r->n_certificates; i++) {
        cvm_buf_append_u32be(out, (uint32_t)r->certificates[i].len);
        cvm_buf_append(out, r->certificates[i].data, r->certificates[i].len);
    }
}

void cvm_sim_refusal_write(uint32_t status, struct cvm_buf *out)
{
    cvm_buf_append_u32be(out, MAGIC);
    cvm_buf_append_u32be(out, status);
}

int cvm_sim_response_parse(const void *data, size_t len, struct cvm_sim_response *ret,
                           struct cvm_error *err)
{
    struct cvm_cursor c = cvm_cursor(data, len);
    uint32_t magic = cvm_cursor_u32be(&c), status = cvm_cursor_u32be(&c);
    CVM_ENSURE(!c.failed && magic == MAGIC && len <= CVM_SIM_RESPONSE_MAX, err, CVM_E_PROVIDER,
               "not an answer of the software PSP");
    CVM_ENSURE(status == 0, err, CVM_E_PROVIDER, "the software PSP refused with status %u", status);
    const uint8_t *report = cvm_cursor_take(&c, CVM_REPORT_LEN);
    uint32_t n = cvm_cursor_u32be(&c);
    CVM_ENSURE(!c.failed && report && n <= CVM_SIM_CERTIFICATES_MAX, err, CVM_E_PROVIDER,
               "the software PSP's answer is cut short or too large");
    CVM_AUTO_SIM_RESPONSE struct cvm_sim_response r = {0};
    memcpy(r.report, report, CVM_REPORT_LEN);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t der_len = cvm_cursor_u32be(&c);
        const uint8_t *der =
            der_len && der_len <= CERTIFICATE_MAX ? cvm_cursor_take(&c, der_len) : NULL;
        CVM_ENSURE(der, err, CVM_E_PROVIDER, "a certificate of the software PSP is cut short");
        cvm_buf_append(&r.certificates[r.n_certificates++], der, der_len);
    }
    CVM_ENSURE(cvm_cursor_done(&c), err, CVM_E_PROVIDER,
               "the software PSP's answer has bytes at its end");
    *ret = r;
    r = (struct cvm_sim_response){0};
    return 0;
}

void cvm_sim_response_free(struct cvm_sim_response *r)
{
    for (size_t i = 0; i < r->n_certificates; i++)
        cvm_buf_free(&r->certificates[i]);
    r->n_certificates = 0;
}
