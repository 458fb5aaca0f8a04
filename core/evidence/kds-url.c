#include "core/evidence/kds-url.h"

#include <string.h>

#include "core/base/encode.h"

static const char *word(enum cvm_vek_kind kind)
{
    return kind == CVM_VEK_VLEK ? "vlek" : "vcek";
}

int cvm_kds_vcek_url(const char *base, enum cvm_line line, const struct cvm_report *r,
                     char out[CVM_KDS_URL_MAX], struct cvm_error *err)
{
    static const uint8_t zero[CVM_CHIP_ID_LEN];
    const struct cvm_line_info *info = cvm_line_info(line);
    CVM_ENSURE(info && info->platform == CVM_ROOT_HARDWARE, err, CVM_E_UNSUPPORTED,
               "the report does not say of which processor line it is: give the certificates");
    CVM_ENSURE(CVM_KEY_SIGNER(r->key_info) == CVM_KEY_SIGNER_VCEK, err, CVM_E_UNSUPPORTED,
               "the report is signed by a cloud provider's key (VLEK): its certificate comes from "
               "the provider");
    CVM_ENSURE(memcmp(r->chip_id, zero, sizeof(zero)) != 0, err, CVM_E_UNSUPPORTED,
               "the report hides its chip's id: give the certificate");
    bool zen5 = info->layout == CVM_TCB_ZEN5;
    CVM_AUTO_FREE char *hwid = cvm_hex(r->chip_id, zen5 ? 8 : CVM_CHIP_ID_LEN);
    struct cvm_tcb t = cvm_tcb_decode(r->reported_tcb, info->layout);
    char fmc[24] = "";
    if (zen5)
        snprintf(fmc, sizeof(fmc), "fmcSPL=%02d&", t.fmc);
    int n = snprintf(out, CVM_KDS_URL_MAX,
                     "%s/vcek/v1/%s/%s?%sblSPL=%02d&teeSPL=%02d&snpSPL=%02d&ucodeSPL=%02d", base,
                     info->title, hwid, fmc, t.bootloader, t.tee, t.snp, t.microcode);
    CVM_ENSURE(n > 0 && n < CVM_KDS_URL_MAX, err, CVM_E_USAGE,
               "the key server's address is too long");
    return 0;
}

char *cvm_kds_chain_url(const char *base, enum cvm_line line, enum cvm_vek_kind kind,
                        char out[CVM_KDS_URL_MAX])
{
    snprintf(out, CVM_KDS_URL_MAX, "%s/%s/v1/%s/cert_chain", base, word(kind),
             cvm_line_info(line)->title);
    return out;
}

char *cvm_kds_crl_url(const char *base, enum cvm_line line, enum cvm_vek_kind kind,
                      char out[CVM_KDS_URL_MAX])
{
    snprintf(out, CVM_KDS_URL_MAX, "%s/%s/v1/%s/crl", base, word(kind), cvm_line_info(line)->title);
    return out;
}
