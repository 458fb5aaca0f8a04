/*
 * Frames between host and agent: `u32be length, u8 type, u32be stream, payload`; the length counts
 * what follows it (5 bytes and the payload). A payload has at most 16,000 bytes, so that a frame
 * fits in one write of 16 KiB. Types: frames.def.
 *
 * Security: the decoder reads what the other side of the trust boundary sent. It holds at most one
 * frame and looks at the length before it takes a byte. After a refusal it refuses everything: the
 * connection must be ended. It checks what one frame shows (length, type, direction, stream zero or
 * not); which frame may come when is the caller's state (CVM_E_FRAME_ORDER, CVM_E_FRAME_STREAM).
 */
#ifndef CVM_WIRE_FRAME_H
#define CVM_WIRE_FRAME_H

#include "core/base/cursor.h"
#include "core/base/memory.h"

#define CVM_FRAME_PAYLOAD_MAX 16000
#define CVM_FRAME_HEAD 9
#define CVM_FRAME_MAX (CVM_FRAME_HEAD + CVM_FRAME_PAYLOAD_MAX)

enum cvm_frame_type {
#define X(NAME, number, name, from_host, from_agent, what) CVM_FRAME_##NAME = number,
#include "core/wire/frames.def"
#undef X
};

enum cvm_frame_sender {
    CVM_FRAME_FROM_HOST,
    CVM_FRAME_FROM_AGENT,
};

struct cvm_frame {
    enum cvm_frame_type type;
    uint32_t stream;
    const uint8_t *payload; /* borrowed */
    size_t len;
};

const char *cvm_frame_name(unsigned type); /* "request", …; "unknown" */

/* Appends one frame. CVM_E_FRAME_TOO_LARGE, CVM_E_FRAME_FORMAT (END with a payload),
 * CVM_E_FRAME_STREAM (EVENT is on 0, all else is not). */
int cvm_frame_encode(struct cvm_buf *out, enum cvm_frame_type type, uint32_t stream,
                     const void *payload, size_t len, struct cvm_error *err) CVM_MUST_USE;

/* Appends `len` bytes as DATA frames of full size (none for len 0). The END is the caller's. */
int cvm_frame_encode_data(struct cvm_buf *out, uint32_t stream, const void *data, size_t len,
                          struct cvm_error *err) CVM_MUST_USE;

struct cvm_frame_decoder {
    enum cvm_frame_sender from;
    bool broken;
    size_t have;
    uint8_t bytes[CVM_FRAME_MAX];
};
void cvm_frame_decoder_init(struct cvm_frame_decoder *d, enum cvm_frame_sender from);

/*
 * Takes bytes from the window (data, len are moved on) until one frame is complete. 1: *ret is a
 * frame, its payload valid until the next call (it may point into the window). 0: all bytes taken,
 * more are needed. -1: refused.
 */
int cvm_frame_decode(struct cvm_frame_decoder *d, const uint8_t **data, size_t *len,
                     struct cvm_frame *ret, struct cvm_error *err) CVM_MUST_USE;

/* The connection ended: CVM_E_FRAME_FORMAT when it did so inside a frame. */
int cvm_frame_decoder_end(const struct cvm_frame_decoder *d, struct cvm_error *err) CVM_MUST_USE;

#endif
