/* A transcript out of the host's hands: refused, or its summary is one that a right agent could
 * have come to. */
#include "core/record/test-fixture-record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!m.bytes)
        fixture_open(NULL);
    struct cvm_transcript_summary s;
    struct cvm_error err = {0};
    if (cvm_transcript_check(&m, data, size, &s, &err) < 0) {
        if (err.code != CVM_E_TRANSCRIPT_BROKEN)
            abort();
        return 0;
    }
    if ((s.phase >= CVM_PHASE_SEALED && s.phase <= CVM_PHASE_CLOSED && s.released != 7) ||
        (s.phase == CVM_PHASE_CLOSED) != s.has_receipt ||
        (s.phase == CVM_PHASE_ABORTED) != (s.reason != CVM_OK) || (s.n == 0) != (size == 0))
        abort();
    return 0;
}
