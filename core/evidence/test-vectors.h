/* Genuine evidence that lies beside the repository, where it does: tests of it say "skipped"
 * elsewhere. */
#ifndef CVM_EVIDENCE_TEST_VECTORS_H
#define CVM_EVIDENCE_TEST_VECTORS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/evidence/certificate.h"

#define VECTORS __attribute__((unused)) static

VECTORS struct cvm_buf vector_file(const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/../shared/vectors/snp/%s", CVM_SOURCE_DIR, name);
    struct cvm_buf b = {0};
    FILE *f = fopen(path, "rb");
    if (!f)
        return b;
    uint8_t chunk[4096];
    for (size_t n; (n = fread(chunk, 1, sizeof(chunk), f)) > 0;)
        cvm_buf_append(&b, chunk, n);
    fclose(f);
    return b;
}

/* A report, its files of certificates, and a time at which they were valid. */
struct vector {
    const char *name, *report, *files[3];
    enum cvm_line line;
    enum cvm_vek_kind kind;
    int64_t time;
};
#define AT_2025 1748736000 /* 2025-06-01 */
static const struct vector vectors[] = {
    {"milan-v2-debug",
     "milan-v2-debug/report.bin",
     {"milan-v2-debug/vcek.der", "milan-v2-debug/ask_ark.pem"},
     CVM_LINE_MILAN,
     CVM_VEK_VCEK,
     AT_2025},
    {"milan-v2",
     "milan-v2/report.bin",
     {"milan-v2/vcek.der", "milan-v2/ask_ark.pem"},
     CVM_LINE_MILAN,
     CVM_VEK_VCEK,
     AT_2025},
    {"milan-v2-idblock",
     "milan-v2-idblock/report.bin",
     {"roots/milan_ask_ark_asvk.pem", "milan-v2-idblock/vcek.der"},
     CVM_LINE_MILAN,
     CVM_VEK_VCEK,
     AT_2025},
    {"milan-v3",
     "milan-v3/report.bin",
     {"milan-v3/ask.pem", "roots/milan_ark.pem", "milan-v3/vcek.pem"},
     CVM_LINE_MILAN,
     CVM_VEK_VCEK,
     1780000000},
    {"genoa-v3",
     "genoa-v3/report.bin",
     {"genoa-v3/vcek.pem", "genoa-v3/ask.pem", "roots/genoa_ark.pem"},
     CVM_LINE_GENOA,
     CVM_VEK_VCEK,
     1780000000},
    {"milan-v3-vlek",
     "milan-v3-vlek/report.bin",
     {"roots/milan_ask_ark_asvk.pem", "milan-v3-vlek/vlek.der"},
     CVM_LINE_MILAN,
     CVM_VEK_VLEK,
     AT_2025},
};
#define N_VECTORS (sizeof(vectors) / sizeof(vectors[0]))

VECTORS bool vectors_here(void)
{
    struct cvm_buf b = vector_file(vectors[0].report);
    bool here = b.len > 0;
    cvm_buf_free(&b);
    if (!here)
        print_message("skipped: no ../shared/vectors/snp beside the repository\n");
    return here;
}

VECTORS void vector_certificates(const struct vector *v, struct cvm_certificates *ret)
{
    for (size_t i = 0; i < 3 && v->files[i]; i++) {
        CVM_AUTO_BUF struct cvm_buf b = vector_file(v->files[i]);
        struct cvm_error err = {0};
        if (cvm_certificates_add(ret, b.data, b.len, &err) < 0)
            fail_msg("%s: %s: %s", v->name, v->files[i], err.message);
    }
}

VECTORS void vector_report(const struct vector *v, struct cvm_report *ret)
{
    CVM_AUTO_BUF struct cvm_buf b = vector_file(v->report);
    struct cvm_error err = {0};
    if (cvm_report_parse(b.data, b.len, ret, &err) < 0)
        fail_msg("%s: %s", v->name, err.message);
}

#endif
