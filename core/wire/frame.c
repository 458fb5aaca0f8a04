#include "core/wire/frame.h"

#include <string.h>

#define LENGTH_LEN 4
#define INSIDE_LEN (CVM_FRAME_HEAD - LENGTH_LEN) /* type and stream: counted by the length */

struct row {
    unsigned type;
    const char *name;
    bool from[2]; /* by enum cvm_frame_sender */
};

static const struct row ROWS[] = {
#define X(NAME, number, name, from_host, from_agent, what) {number, name, {from_host, from_agent}},
#include "core/wire/frames.def"
#undef X
};

static const struct row *find(unsigned type)
{
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++)
        if (ROWS[i].type == type)
            return &ROWS[i];
    return NULL;
}

const char *cvm_frame_name(unsigned type)
{
    const struct row *row = find(type);
    return row ? row->name : "unknown";
}

/* What holds for every frame, whoever looks at it: the encoder before, the decoder after. */
static int check(unsigned type, uint32_t stream, size_t len, struct cvm_error *err)
{
    CVM_ENSURE(find(type), err, CVM_E_FRAME_FORMAT, "type %u", type);
    CVM_ENSURE(len <= CVM_FRAME_PAYLOAD_MAX, err, CVM_E_FRAME_TOO_LARGE, "a payload of %zu bytes",
               len);
    CVM_ENSURE((type == CVM_FRAME_EVENT) == (stream == 0), err, CVM_E_FRAME_STREAM,
               "%s on stream %u", cvm_frame_name(type), stream);
    CVM_ENSURE(type != CVM_FRAME_END || len == 0, err, CVM_E_FRAME_FORMAT, "an end with a payload");
    return 0;
}

int cvm_frame_encode(struct cvm_buf *out, enum cvm_frame_type type, uint32_t stream,
                     const void *payload, size_t len, struct cvm_error *err)
{
    CVM_GUARD(check(type, stream, len, err));
    cvm_buf_append_u32be(out, (uint32_t)(INSIDE_LEN + len));
    cvm_buf_append_u8(out, (uint8_t)type);
    cvm_buf_append_u32be(out, stream);
    cvm_buf_append(out, payload, len);
    return 0;
}

int cvm_frame_encode_data(struct cvm_buf *out, uint32_t stream, const void *data, size_t len,
                          struct cvm_error *err)
{
    const uint8_t *p = data;
    while (len) {
        size_t n = len < CVM_FRAME_PAYLOAD_MAX ? len : CVM_FRAME_PAYLOAD_MAX;
        CVM_GUARD(cvm_frame_encode(out, CVM_FRAME_DATA, stream, p, n, err));
        p += n;
        len -= n;
    }
    return 0;
}

void cvm_frame_decoder_init(struct cvm_frame_decoder *d, enum cvm_frame_sender from)
{
    d->from = from;
    d->broken = false;
    d->have = 0;
}

/* Takes bytes until the decoder holds `need`; false when the window ends before. */
static bool fill(struct cvm_frame_decoder *d, size_t need, const uint8_t **data, size_t *len)
{
    if (d->have >= need)
        return true;
    size_t n = need - d->have < *len ? need - d->have : *len;
    if (n == 0)
        return false;
    memcpy(d->bytes + d->have, *data, n);
    d->have += n;
    *data += n;
    *len -= n;
    return d->have == need;
}

static int decode(struct cvm_frame_decoder *d, const uint8_t **data, size_t *len,
                  struct cvm_frame *ret, struct cvm_error *err)
{
    if (!fill(d, LENGTH_LEN, data, len))
        return 0;
    struct cvm_cursor c = cvm_cursor(d->bytes, d->have);
    uint32_t inside = cvm_cursor_u32be(&c);
    CVM_ENSURE(inside >= INSIDE_LEN, err, CVM_E_FRAME_FORMAT, "a length of %u", inside);
    CVM_ENSURE(inside <= INSIDE_LEN + CVM_FRAME_PAYLOAD_MAX, err, CVM_E_FRAME_TOO_LARGE,
               "a length of %u", inside);
    if (!fill(d, CVM_FRAME_HEAD, data, len))
        return 0;
    c = cvm_cursor(d->bytes + LENGTH_LEN, INSIDE_LEN);
    unsigned type = cvm_cursor_u8(&c);
    uint32_t stream = cvm_cursor_u32be(&c);
    size_t payload_len = inside - INSIDE_LEN;
    CVM_GUARD(check(type, stream, payload_len, err));
    CVM_ENSURE(find(type)->from[d->from], err, CVM_E_FRAME_ORDER, "%s from the wrong side",
               cvm_frame_name(type));
    const uint8_t *payload = d->bytes + CVM_FRAME_HEAD;
    if (d->have == CVM_FRAME_HEAD && *len >= payload_len) { /* whole in the window: no copy */
        payload = *data;
        *data += payload_len;
        *len -= payload_len;
    } else if (!fill(d, CVM_FRAME_HEAD + payload_len, data, len)) {
        return 0;
    }
    d->have = 0;
    *ret = (struct cvm_frame){.type = (enum cvm_frame_type)type,
                              .stream = stream,
                              .payload = payload,
                              .len = payload_len};
    return 1;
}

int cvm_frame_decode(struct cvm_frame_decoder *d, const uint8_t **data, size_t *len,
                     struct cvm_frame *ret, struct cvm_error *err)
{
    CVM_ENSURE(!d->broken, err, CVM_E_FRAME_FORMAT, "the connection was refused before");
    int r = decode(d, data, len, ret, err);
    d->broken = r < 0;
    return r;
}

int cvm_frame_decoder_end(const struct cvm_frame_decoder *d, struct cvm_error *err)
{
    CVM_ENSURE(!d->broken && d->have == 0, err, CVM_E_FRAME_FORMAT,
               "the connection ended inside a frame");
    return 0;
}
