/* The GHCB's certificate table: whatever its offsets and sizes say, reading stays inside, and what
 * is found lies within the table. */
#include <stdlib.h>

#include "core/evidence/certificate-entries.h"
#include "core/evidence/certificate-internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cvm_cursor t = cvm_cursor(data, size);
    struct cvm_certificate_entry e;
    while (cvm_certificate_entry_next(&t, &e) == 1)
        if (e.data < data || e.data > data + size || e.size > (size_t)(data + size - e.data))
            abort();
    CVM_AUTO_CERTIFICATES struct cvm_certificates c = {0};
    bool good = cvm_certificates_add_table(&c, data, size, NULL) == 0;
    if (good && !cvm_certificates_is_table(data, size) && c.n)
        abort();
    size_t bytes = 0;
    for (size_t i = 0; i < c.n; i++)
        bytes += c.der[i].len;
    if (bytes > (size_t)CVM_CERTIFICATES_MAX * CVM_CERTIFICATE_MAX)
        abort();
    return 0;
}
