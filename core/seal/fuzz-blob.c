/*
 * Blobs. The first byte chooses: hostile ciphertext for the opener, or a plain form made by a
 * dishonest owner who has the key (the only way past the authentication), in pieces of a size that
 * the second byte chooses.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/seal/blob.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int collect(void *ctx, const void *data, size_t len, struct cvm_error *err)
{
    (void)err;
    cvm_buf_append(ctx, data, len);
    return 0;
}

static void forge(const struct cvm_blob_spec *spec, const uint8_t *plain, size_t len,
                  struct cvm_buf *out)
{
    struct cvm_stream_sealer *s;
    if (cvm_stream_sealer_new(&s, spec->key, spec->associated, len, collect, out, NULL) < 0 ||
        cvm_stream_sealer_update(s, plain, len, NULL) < 0 || cvm_stream_sealer_finish(s, NULL) < 0)
        abort();
    cvm_stream_sealer_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cvm_secret key;
    static int sink = -1;
    if (!key.data && cvm_secret_new(&key, 32, NULL) < 0)
        abort();
    if (sink < 0)
        sink = memfd_create("fuzz", MFD_CLOEXEC);
    if (size < 3 || sink < 0 || lseek(sink, 0, SEEK_SET) != 0)
        return 0;
    CVM_AUTO_BUF struct cvm_buf made = {0};
    struct cvm_blob_spec spec = {.key = &key,
                                 .associated = CVM_STR("fuzz"),
                                 .padding = (enum cvm_padding)(data[0] % 3),
                                 .max_bytes = (uint64_t)data[2] * 8};
    bool forged = data[0] & 0x80;
    size_t piece = 1 + data[1];
    data += 3;
    size -= 3;
    if (forged)
        forge(&spec, data, size, &made);
    else
        cvm_buf_append(&made, data, size);
    struct cvm_blob_opener *o;
    if (cvm_blob_opener_new(&o, &spec, made.len, sink, NULL) < 0)
        return 0;
    int r = 0;
    for (size_t at = 0; r == 0 && at < made.len; at += piece)
        r = cvm_blob_opener_update(o, made.data + at, made.len - at < piece ? made.len - at : piece,
                                   NULL);
    uint64_t length = 0;
    if (r == 0)
        r = cvm_blob_opener_finish(o, NULL, NULL, &length, NULL);
    cvm_blob_opener_free(o);
    if (r == 0 && (!forged || length > spec.max_bytes ||
                   CVM_BLOB_HEAD + cvm_padding_size(spec.padding, length, spec.max_bytes) != size ||
                   (uint64_t)lseek(sink, 0, SEEK_CUR) != length))
        abort();
    return 0;
}
