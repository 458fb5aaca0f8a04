/* Frames of the other side, in windows of any size: the decoder gives the same frames however the
 * bytes are cut. */
#include <stdlib.h>
#include <string.h>

#include "core/wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Encodes all decoded frames again; false when the bytes were refused. */
static bool decode_all(enum cvm_frame_sender from, const uint8_t *data, size_t size, size_t piece,
                       struct cvm_buf *out)
{
    static struct cvm_frame_decoder d;
    cvm_frame_decoder_init(&d, from);
    for (size_t at = 0; at < size; at += piece) {
        const uint8_t *p = data + at;
        size_t left = size - at < piece ? size - at : piece;
        struct cvm_frame f;
        int r;
        while ((r = cvm_frame_decode(&d, &p, &left, &f, NULL)) == 1)
            if (cvm_frame_encode(out, f.type, f.stream, f.payload, f.len, NULL) < 0)
                abort();
        if (r < 0)
            return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    enum cvm_frame_sender from = data[0] & 1 ? CVM_FRAME_FROM_AGENT : CVM_FRAME_FROM_HOST;
    size_t piece = 1 + data[1];
    CVM_AUTO_BUF struct cvm_buf a = {0}, b = {0};
    data += 2;
    size -= 2;
    bool ok = decode_all(from, data, size, size + 1, &a);
    if (decode_all(from, data, size, piece, &b) != ok || a.len != b.len || a.len > size)
        abort();
    if (a.len && (memcmp(a.data, b.data, a.len) != 0 || memcmp(a.data, data, a.len) != 0))
        abort();
    return 0;
}
