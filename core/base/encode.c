#include "core/base/encode.h"

#include <string.h>

char *cvm_hex(const void *data, size_t len)
{
    static const char DIGITS[] = "0123456789abcdef";
    const uint8_t *p = data;
    char *s = cvm_alloc(2 * len + 1);
    for (size_t i = 0; i < len; i++) {
        s[2 * i] = DIGITS[p[i] >> 4];
        s[2 * i + 1] = DIGITS[p[i] & 15];
    }
    return s;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

int cvm_hex_decode(const char *text, uint8_t *out, size_t len, struct cvm_error *err)
{
    CVM_ENSURE(strlen(text) == 2 * len, err, CVM_E_BAD_ENCODING,
               "%zu hex digits where %zu are needed", strlen(text), 2 * len);
    for (size_t i = 0; i < len; i++) {
        int hi = hex_digit(text[2 * i]), lo = hex_digit(text[2 * i + 1]);
        CVM_ENSURE(hi >= 0 && lo >= 0, err, CVM_E_BAD_ENCODING, "not lower-case hex at digit %zu",
                   2 * i);
        out[i] = (uint8_t)(hi << 4 | lo);
    }
    return 0;
}

static const char B64U[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

char *cvm_b64u(const void *data, size_t len)
{
    const uint8_t *p = data;
    char *s = cvm_alloc((len + 2) / 3 * 4 + 1), *o = s;
    for (size_t i = 0; i < len; i += 3) {
        size_t n = len - i < 3 ? len - i : 3;
        uint32_t v =
            (uint32_t)p[i] << 16 | (n > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (n > 2 ? p[i + 2] : 0);
        for (size_t k = 0; k <= n; k++)
            *o++ = B64U[v >> (18 - 6 * k) & 63];
    }
    return s;
}

static int b64u_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

int cvm_b64u_decode(const char *text, size_t text_len, struct cvm_buf *ret, struct cvm_error *err)
{
    size_t tail = text_len % 4, out_len = text_len / 4 * 3 + (tail ? tail - 1 : 0);
    CVM_ENSURE(tail != 1, err, CVM_E_BAD_ENCODING, "base64url of %zu characters", text_len);
    for (size_t i = 0; i < text_len; i++)
        CVM_ENSURE(b64u_digit(text[i]) >= 0, err, CVM_E_BAD_ENCODING,
                   "not base64url at character %zu", i);
    int spare = tail == 2 ? 15 : tail == 3 ? 3 : 0;
    CVM_ENSURE(!tail || (b64u_digit(text[text_len - 1]) & spare) == 0, err, CVM_E_BAD_ENCODING,
               "base64url with bits set behind its end");
    uint8_t *out = cvm_buf_extend(ret, out_len);
    uint32_t acc = 0;
    int bits = 0;
    for (size_t i = 0; i < text_len; i++) {
        acc = acc << 6 | (uint32_t)b64u_digit(text[i]);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            *out++ = (uint8_t)(acc >> bits);
        }
    }
    return 0;
}

int cvm_b64u_decode_exact(const char *text, uint8_t *out, size_t len, struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf b = {0};
    CVM_GUARD(cvm_b64u_decode(text, strlen(text), &b, err));
    CVM_ENSURE(b.len == len, err, CVM_E_BAD_ENCODING, "%zu bytes where %zu are needed", b.len, len);
    memcpy(out, b.data, len);
    return 0;
}

char *cvm_digest_text(const struct cvm_digest *d, char out[CVM_DIGEST_TEXT])
{
    CVM_AUTO_FREE char *hex = cvm_hex(d->b, sizeof d->b);
    memcpy(out, "sha256:", 7);
    memcpy(out + 7, hex, 65);
    return out;
}

int cvm_digest_parse(const char *text, struct cvm_digest *ret, struct cvm_error *err)
{
    struct cvm_digest d;
    if (strncmp(text, "sha256:", 7) != 0 || cvm_hex_decode(text + 7, d.b, sizeof d.b, NULL) < 0)
        return cvm_fail_expected(err, CVM_E_MANIFEST_DIGEST, "sha256:<64 lower-case hex digits>",
                                 text, "digest");
    *ret = d;
    return 0;
}

bool cvm_id_valid(const char *id)
{
    size_t n = strlen(id);
    if (n < 1 || n > CVM_ID_MAX || id[0] < 'a' || id[0] > 'z')
        return false;
    for (size_t i = 1; i < n; i++)
        if (!((id[i] >= 'a' && id[i] <= 'z') || (id[i] >= '0' && id[i] <= '9') || id[i] == '-'))
            return false;
    return true;
}
