#include "core/seal/stream.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#define KEY_LEN 32
#define PREFIX_LEN 7
#define NONCE_LEN 12
#define HEADER_SALT 1 /* offsets in the header, after its own length */
#define HEADER_PREFIX (HEADER_SALT + KEY_LEN)
#define PLAIN_FIRST (CVM_STREAM_SEGMENT - CVM_STREAM_HEADER - CVM_STREAM_TAG)
#define PLAIN_NEXT (CVM_STREAM_SEGMENT - CVM_STREAM_TAG)
#define OUT_LEN (64 * 1024) /* fits the second-level cache beside its input */

_Static_assert(HEADER_PREFIX + PREFIX_LEN == CVM_STREAM_HEADER, "the header as Tink writes it");

uint64_t cvm_stream_size(uint64_t plain_len)
{
    uint64_t segments = 1;
    if (plain_len > PLAIN_FIRST)
        segments += (plain_len - PLAIN_FIRST + PLAIN_NEXT - 1) / PLAIN_NEXT;
    return CVM_STREAM_HEADER + plain_len + segments * CVM_STREAM_TAG;
}

int cvm_stream_plain_size(uint64_t stream_len, uint64_t *ret, struct cvm_error *err)
{
    uint64_t segments = stream_len / CVM_STREAM_SEGMENT + (stream_len % CVM_STREAM_SEGMENT != 0);
    uint64_t overhead = CVM_STREAM_HEADER + segments * CVM_STREAM_TAG;
    CVM_ENSURE(stream_len >= overhead && stream_len - overhead <= CVM_STREAM_PLAIN_MAX &&
                   cvm_stream_size(stream_len - overhead) == stream_len,
               err, CVM_E_STREAM_CORRUPT, "no stream has %llu bytes",
               (unsigned long long)stream_len);
    *ret = stream_len - overhead;
    return 0;
}

/* What both sides keep: where in the stream they are. */
struct position {
    EVP_CIPHER_CTX *ctx;
    uint8_t prefix[PREFIX_LEN];
    uint32_t number;     /* of the next segment to begin */
    uint64_t plain_left; /* in segments not begun yet */
    size_t segment_left; /* plain bytes left in the segment that is open */
    bool open, broken;
    cvm_sink sink;
    void *sink_ctx;
};

static int set_key(struct position *p, const struct cvm_secret *key, struct cvm_bytes associated,
                   const uint8_t header[CVM_STREAM_HEADER], bool seal, struct cvm_error *err)
{
    uint8_t derived[KEY_LEN];
    memcpy(p->prefix, header + HEADER_PREFIX, PREFIX_LEN);
    cvm_hkdf_sha256(CVM_BYTES(header + HEADER_SALT, KEY_LEN), CVM_BYTES(key->data, key->len),
                    associated, derived, sizeof derived);
    p->ctx = EVP_CIPHER_CTX_new();
    bool ok =
        p->ctx && EVP_CipherInit_ex(p->ctx, EVP_aes_256_gcm(), NULL, derived, NULL, seal) == 1;
    cvm_wipe(derived, sizeof derived);
    CVM_ENSURE(ok, err, CVM_E_INTERNAL, "AES-GCM could not be set up");
    return 0;
}

static int begin_segment(struct position *p, struct cvm_error *err)
{
    size_t room = p->number == 0 ? PLAIN_FIRST : PLAIN_NEXT;
    bool last = p->plain_left <= room;
    uint8_t nonce[NONCE_LEN];
    memcpy(nonce, p->prefix, PREFIX_LEN);
    for (int i = 0; i < 4; i++)
        nonce[PREFIX_LEN + i] = (uint8_t)(p->number >> (24 - 8 * i));
    nonce[NONCE_LEN - 1] = last;
    CVM_ENSURE(EVP_CipherInit_ex(p->ctx, NULL, NULL, NULL, nonce, -1) == 1, err, CVM_E_INTERNAL,
               "AES-GCM nonce");
    p->segment_left = last ? (size_t)p->plain_left : room;
    p->plain_left -= p->segment_left;
    p->number++;
    p->open = true;
    return 0;
}

static int check_parameters(const struct cvm_secret *key, struct cvm_bytes associated,
                            uint64_t plain_len, struct cvm_error *err)
{
    CVM_ENSURE(key->len == KEY_LEN, err, CVM_E_INTERNAL, "a content key of %zu bytes", key->len);
    CVM_ENSURE(associated.len <= 900, err, CVM_E_INTERNAL, "too much associated data");
    CVM_ENSURE(plain_len <= CVM_STREAM_PLAIN_MAX, err, CVM_E_TOO_LARGE,
               "longer than a stream may be");
    return 0;
}

struct cvm_stream_sealer {
    struct position p;
    uint8_t header[CVM_STREAM_HEADER];
    uint8_t out[CVM_STREAM_HEADER + OUT_LEN + CVM_STREAM_TAG];
};

int cvm_stream_sealer_new(struct cvm_stream_sealer **ret, const struct cvm_secret *key,
                          struct cvm_bytes associated, uint64_t plain_len, cvm_sink sink,
                          void *sink_ctx, struct cvm_error *err)
{
    CVM_GUARD(check_parameters(key, associated, plain_len, err));
    struct cvm_stream_sealer *s = cvm_alloc(sizeof *s);
    s->p = (struct position){.plain_left = plain_len, .sink = sink, .sink_ctx = sink_ctx};
    s->header[0] = CVM_STREAM_HEADER;
    if (cvm_random(s->header + 1, CVM_STREAM_HEADER - 1, err) < 0 ||
        set_key(&s->p, key, associated, s->header, true, err) < 0) {
        cvm_stream_sealer_free(s);
        return -1;
    }
    *ret = s;
    return 0;
}

/* Seals n bytes of the open segment, n at most OUT_LEN; with the header before the first and the
 * tag after the last. */
static int seal_piece(struct cvm_stream_sealer *s, bool first, const uint8_t *data, size_t n,
                      struct cvm_error *err)
{
    uint8_t *out = s->out;
    int made = 0, tail = 0;
    if (first) {
        memcpy(out, s->header, CVM_STREAM_HEADER);
        out += CVM_STREAM_HEADER;
    }
    CVM_ENSURE(
        !n || (EVP_EncryptUpdate(s->p.ctx, out, &made, data, (int)n) == 1 && (size_t)made == n),
        err, CVM_E_INTERNAL, "AES-GCM encryption");
    out += n;
    s->p.segment_left -= n;
    if (s->p.segment_left == 0) {
        CVM_ENSURE(EVP_EncryptFinal_ex(s->p.ctx, out, &tail) == 1 && tail == 0 &&
                       EVP_CIPHER_CTX_ctrl(s->p.ctx, EVP_CTRL_AEAD_GET_TAG, CVM_STREAM_TAG, out) ==
                           1,
                   err, CVM_E_INTERNAL, "AES-GCM tag");
        out += CVM_STREAM_TAG;
        s->p.open = false;
    }
    return s->p.sink(s->p.sink_ctx, s->out, (size_t)(out - s->out), err);
}

static int seal(struct cvm_stream_sealer *s, const uint8_t *data, size_t len, struct cvm_error *err)
{
    CVM_ENSURE(len <= s->p.plain_left + (s->p.open ? s->p.segment_left : 0), err, CVM_E_INTERNAL,
               "more bytes than the stream was made for");
    while (len) {
        bool first = !s->p.open && s->p.number == 0;
        if (!s->p.open)
            CVM_GUARD(begin_segment(&s->p, err));
        size_t n = len < s->p.segment_left ? len : s->p.segment_left;
        if (n > OUT_LEN)
            n = OUT_LEN;
        CVM_GUARD(seal_piece(s, first, data, n, err));
        data += n;
        len -= n;
    }
    return 0;
}

int cvm_stream_sealer_update(struct cvm_stream_sealer *s, const void *data, size_t len,
                             struct cvm_error *err)
{
    CVM_ENSURE(!s->p.broken, err, CVM_E_INTERNAL, "a stream that failed before");
    s->p.broken = seal(s, data, len, err) < 0;
    return s->p.broken ? -1 : 0;
}

int cvm_stream_sealer_finish(struct cvm_stream_sealer *s, struct cvm_error *err)
{
    CVM_ENSURE(!s->p.broken && !s->p.open && s->p.plain_left == 0, err, CVM_E_INTERNAL,
               "fewer bytes than the stream was made for");
    s->p.broken = true; /* nothing may follow */
    if (s->p.number == 0) {
        CVM_GUARD(begin_segment(&s->p, err));
        CVM_GUARD(seal_piece(s, true, NULL, 0, err));
    }
    return 0;
}

void cvm_stream_sealer_free(struct cvm_stream_sealer *s)
{
    if (!s)
        return;
    EVP_CIPHER_CTX_free(s->p.ctx);
    cvm_wipe(s, sizeof *s);
    free(s);
}

struct cvm_stream_opener {
    struct position p;
    struct cvm_secret key;
    struct cvm_buf associated;
    uint8_t gather[CVM_STREAM_HEADER]; /* the header, later the tag of each segment */
    size_t gathered;
    uint8_t *plain; /* of the open segment, not to be believed before its tag was checked */
    size_t plain_len, plain_cap;
};

int cvm_stream_opener_new(struct cvm_stream_opener **ret, const struct cvm_secret *key,
                          struct cvm_bytes associated, uint64_t stream_len, cvm_sink sink,
                          void *sink_ctx, struct cvm_error *err)
{
    uint64_t plain_len;
    CVM_AUTO_SECRET struct cvm_secret copy = {0};
    CVM_GUARD(cvm_stream_plain_size(stream_len, &plain_len, err));
    CVM_GUARD(check_parameters(key, associated, plain_len, err));
    CVM_GUARD(cvm_secret_copy(&copy, key->data, key->len, err));
    struct cvm_stream_opener *o = cvm_alloc(sizeof *o);
    o->p = (struct position){.plain_left = plain_len, .sink = sink, .sink_ctx = sink_ctx};
    o->key = copy;
    copy = (struct cvm_secret){0};
    cvm_buf_append(&o->associated, associated.data, associated.len);
    o->plain_cap = plain_len < CVM_STREAM_SEGMENT ? (size_t)plain_len : CVM_STREAM_SEGMENT;
    o->plain = cvm_alloc(o->plain_cap);
    *ret = o;
    return 0;
}

/* Takes bytes for the header or a tag; true when all `need` are there. */
static bool gather(struct cvm_stream_opener *o, size_t need, const uint8_t **data, size_t *len)
{
    size_t n = need - o->gathered < *len ? need - o->gathered : *len;
    memcpy(o->gather + o->gathered, *data, n);
    o->gathered += n;
    *data += n;
    *len -= n;
    if (o->gathered < need)
        return false;
    o->gathered = 0;
    return true;
}

static int end_segment(struct cvm_stream_opener *o, struct cvm_error *err)
{
    int tail = 0;
    uint8_t none[16];
    bool ok =
        EVP_CIPHER_CTX_ctrl(o->p.ctx, EVP_CTRL_AEAD_SET_TAG, CVM_STREAM_TAG, o->gather) == 1 &&
        EVP_DecryptFinal_ex(o->p.ctx, none, &tail) == 1;
    CVM_ENSURE(ok, err, CVM_E_STREAM_CORRUPT, "segment %u does not verify", o->p.number - 1);
    o->p.open = false;
    size_t n = o->plain_len;
    o->plain_len = 0;
    return n ? o->p.sink(o->p.sink_ctx, o->plain, n, err) : 0;
}

static int open_some(struct cvm_stream_opener *o, const uint8_t **data, size_t *len,
                     struct cvm_error *err)
{
    if (!o->p.ctx) {
        if (!gather(o, CVM_STREAM_HEADER, data, len))
            return 0;
        CVM_ENSURE(o->gather[0] == CVM_STREAM_HEADER, err, CVM_E_STREAM_CORRUPT,
                   "another header length");
        CVM_GUARD(set_key(&o->p, &o->key, CVM_BYTES(o->associated.data, o->associated.len),
                          o->gather, false, err));
        return begin_segment(&o->p, err);
    }
    if (!o->p.open) {
        CVM_ENSURE(o->p.plain_left > 0, err, CVM_E_STREAM_CORRUPT, "bytes after the end");
        CVM_GUARD(begin_segment(&o->p, err));
    }
    size_t n = *len < o->p.segment_left ? *len : o->p.segment_left;
    int made = 0;
    CVM_ENSURE(
        !n || (EVP_DecryptUpdate(o->p.ctx, o->plain + o->plain_len, &made, *data, (int)n) == 1 &&
               (size_t)made == n),
        err, CVM_E_INTERNAL, "AES-GCM decryption");
    o->plain_len += n;
    o->p.segment_left -= n;
    *data += n;
    *len -= n;
    if (o->p.segment_left == 0 && gather(o, CVM_STREAM_TAG, data, len))
        return end_segment(o, err);
    return 0;
}

int cvm_stream_opener_update(struct cvm_stream_opener *o, const void *data, size_t len,
                             struct cvm_error *err)
{
    const uint8_t *p = data;
    CVM_ENSURE(!o->p.broken, err, CVM_E_STREAM_CORRUPT, "a stream that failed before");
    while (len)
        if (open_some(o, &p, &len, err) < 0) {
            o->p.broken = true;
            return -1;
        }
    return 0;
}

int cvm_stream_opener_finish(struct cvm_stream_opener *o, struct cvm_error *err)
{
    bool whole = !o->p.broken && o->p.ctx && !o->p.open && o->p.plain_left == 0;
    o->p.broken = true; /* nothing may follow */
    CVM_ENSURE(whole, err, CVM_E_STREAM_CORRUPT, "it ends too early");
    return 0;
}

void cvm_stream_opener_free(struct cvm_stream_opener *o)
{
    if (!o)
        return;
    EVP_CIPHER_CTX_free(o->p.ctx);
    cvm_secret_free(&o->key);
    cvm_buf_free(&o->associated);
    cvm_wipe(o->plain, o->plain_cap);
    free(o->plain);
    free(o);
}
