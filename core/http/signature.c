#include "core/http/signature.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#define LABEL "cvm"
#define COVERED "\"@method\" \"@authority\" \"@path\" \"@query\""
#define COVERED_BODY COVERED " \"content-digest\" \"content-length\""
#define NONCE_TEXT 22 /* base64url characters of 16 bytes */

/* Standard base64 with padding, as structured fields (RFC 8941) have it, on top of the strict
 * base64url. */
static char *b64(const void *data, size_t len)
{
    CVM_AUTO_FREE char *url = cvm_b64u(data, len);
    for (char *p = url; *p; p++)
        *p = *p == '-' ? '+' : *p == '_' ? '/' : *p;
    return cvm_printf("%s%s", url, &"==="[3 - (3 - len % 3) % 3]);
}

static bool b64_decode_exact(const char *text, size_t text_len, uint8_t *out, size_t len)
{
    CVM_AUTO_BUF struct cvm_buf url = {0}, raw = {0};
    size_t digits = (len * 8 + 5) / 6;
    if (text_len != (len + 2) / 3 * 4 || strspn(text + digits, "=") < text_len - digits)
        return false;
    for (size_t i = 0; i < digits; i++) {
        if (text[i] == '-' || text[i] == '_')
            return false;
        cvm_buf_append_u8(&url, (uint8_t)(text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i]));
    }
    if (cvm_b64u_decode((const char *)url.data, url.len, &raw, NULL) < 0 || raw.len != len)
        return false;
    memcpy(out, raw.data, len);
    return true;
}

void cvm_http_signature_base(const struct cvm_http_component *components, size_t n,
                             const char *params, struct cvm_buf *out)
{
    for (size_t i = 0; i < n; i++) {
        cvm_buf_append_str(out, "\"");
        cvm_buf_append_str(out, components[i].name);
        cvm_buf_append_str(out, "\": ");
        cvm_buf_append_str(out, components[i].value);
        cvm_buf_append_str(out, "\n");
    }
    cvm_buf_append_str(out, "\"@signature-params\": ");
    cvm_buf_append_str(out, params);
}

/* The value of @signature-params, which is also what follows the label in Signature-Input: its only
 * spelling. */
static char *params_text(const struct cvm_http_signature *s)
{
    CVM_AUTO_FREE char *nonce = cvm_b64u(s->nonce, sizeof s->nonce);
    return cvm_printf("(%s);created=%" PRId64 ";expires=%" PRId64
                      ";nonce=\"%s\";keyid=\"%s\";alg=\"ed25519\";tag=\"2cvm-rest\"",
                      s->body ? COVERED_BODY : COVERED, s->created, s->expires, nonce, s->kid);
}

/* One line of printable ASCII: nothing that could begin another line of the signature base. */
static bool is_line(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || (unsigned char)*s > 0x7e)
            return false;
    return true;
}

static int check_request(const struct cvm_http_request *r, struct cvm_error *err)
{
    const char *const parts[] = {r->method, r->authority,      r->path,
                                 r->query,  r->content_digest, r->content_length};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        CVM_ENSURE(!parts[i] || is_line(parts[i]), err, CVM_E_HTTP_SIGNATURE,
                   "control or non-ASCII characters");
    CVM_ENSURE(r->method && r->method[0] && r->authority && r->authority[0] && r->path, err,
               CVM_E_HTTP_SIGNATURE, "a request without method, authority or path");
    CVM_ENSURE((r->path[0] == '/' || r->path[0] == '\0') && !strpbrk(r->path, "?#"), err,
               CVM_E_HTTP_SIGNATURE, "a path of another form");
    CVM_ENSURE(!r->content_digest || r->content_length, err, CVM_E_HTTP_SIGNATURE,
               "a body without Content-Length");
    CVM_ENSURE(r->content_digest || !r->content_length || strcmp(r->content_length, "0") == 0, err,
               CVM_E_HTTP_SIGNATURE, "a body without Content-Digest");
    return 0;
}

static void request_base(const struct cvm_http_request *r, const struct cvm_http_signature *s,
                         struct cvm_buf *out)
{
    CVM_AUTO_FREE char *authority = cvm_strdup(r->authority);
    CVM_AUTO_FREE char *query = cvm_printf("?%s", r->query ? r->query : "");
    CVM_AUTO_FREE char *params = params_text(s);
    for (char *p = authority; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    const struct cvm_http_component components[] = {
        {"@method", r->method},
        {"@authority", authority},
        {"@path", r->path[0] ? r->path : "/"},
        {"@query", query},
        {"content-digest", r->content_digest},
        {"content-length", r->content_length},
    };
    cvm_http_signature_base(components, s->body ? 6 : 4, params, out);
}

int cvm_http_sign(const struct cvm_http_request *request, const struct cvm_key *key,
                  int64_t created, int64_t expires, char **ret_signature_input,
                  char **ret_signature, struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf base = {0};
    struct cvm_http_signature s = {
        .created = created, .expires = expires, .body = request->content_digest != NULL};
    CVM_GUARD(check_request(request, err));
    CVM_ENSURE(created >= 0 && expires > created && expires - created <= CVM_HTTP_LIFETIME_MAX, err,
               CVM_E_HTTP_SIGNATURE, "a lifetime that is not 1 to %d seconds",
               CVM_HTTP_LIFETIME_MAX);
    CVM_GUARD(cvm_random(s.nonce, sizeof s.nonce, err));
    cvm_jwk_kid(&key->pub, CVM_ED25519, s.kid);
    request_base(request, &s, &base);
    CVM_GUARD(cvm_ed25519_sign(key, base.data, base.len, s.signature, err));
    CVM_AUTO_FREE char *params = params_text(&s);
    CVM_AUTO_FREE char *signature = b64(s.signature, sizeof s.signature);
    *ret_signature_input = cvm_printf(LABEL "=%s", params);
    *ret_signature = cvm_printf(LABEL "=:%s:", signature);
    return 0;
}

/* Moves *p behind the literal if it stands there. */
static bool eat(const char **p, const char *literal)
{
    size_t n = strlen(literal);
    if (strncmp(*p, literal, n) != 0)
        return false;
    *p += n;
    return true;
}

static bool eat_time(const char **p, int64_t *ret)
{
    size_t n = strspn(*p, "0123456789");
    if (n < 1 || n > 12 || (n > 1 && **p == '0'))
        return false;
    int64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v = v * 10 + (*p)[i] - '0';
    *p += n;
    *ret = v;
    return true;
}

/* Exactly `digits` base64url characters. */
static bool eat_b64u(const char **p, size_t digits, uint8_t *out, size_t len)
{
    CVM_AUTO_BUF struct cvm_buf raw = {0};
    if (strnlen(*p, digits) < digits || cvm_b64u_decode(*p, digits, &raw, NULL) < 0 ||
        raw.len != len)
        return false;
    memcpy(out, raw.data, len);
    *p += digits;
    return true;
}

int cvm_http_signature_parse(const char *signature_input, const char *signature,
                             struct cvm_http_signature *ret, struct cvm_error *err)
{
    struct cvm_http_signature s = {0};
    struct cvm_digest kid;
    const char *p = signature_input;
    CVM_ENSURE(signature_input && signature, err, CVM_E_HTTP_SIGNATURE,
               "the request is not signed");
    CVM_ENSURE(
        eat(&p, LABEL "=(" COVERED), err, CVM_E_HTTP_SIGNATURE,
        "Signature-Input does not cover exactly what it must, in the order of doc/PROTOCOL.md");
    s.body = eat(&p, " \"content-digest\" \"content-length\"");
    CVM_ENSURE(eat(&p, ");created=") && eat_time(&p, &s.created) && eat(&p, ";expires=") &&
                   eat_time(&p, &s.expires) && eat(&p, ";nonce=\"") &&
                   eat_b64u(&p, NONCE_TEXT, s.nonce, sizeof s.nonce) && eat(&p, "\";keyid=\"") &&
                   eat_b64u(&p, CVM_KID_TEXT - 1, kid.b, sizeof kid.b) &&
                   eat(&p, "\";alg=\"ed25519\";tag=\"2cvm-rest\"") && *p == '\0',
               err, CVM_E_HTTP_SIGNATURE,
               "Signature-Input is not of our form from character %zu on",
               (size_t)(p - signature_input));
    cvm_kid_text(&kid, s.kid);
    p = signature;
    size_t n = strlen(signature);
    CVM_ENSURE(
        eat(&p, LABEL "=:") && n > sizeof LABEL + 2 && signature[n - 1] == ':' &&
            b64_decode_exact(p, n - (size_t)(p - signature) - 1, s.signature, sizeof s.signature),
        err, CVM_E_HTTP_SIGNATURE, "Signature is not of our form");
    *ret = s;
    return 0;
}

int cvm_http_signature_verify(const struct cvm_http_signature *s,
                              const struct cvm_http_request *request,
                              const struct cvm_public_key *key, int64_t now, struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf base = {0};
    char kid[CVM_KID_TEXT];
    CVM_GUARD(check_request(request, err));
    CVM_ENSURE(s->expires > s->created && s->expires - s->created <= CVM_HTTP_LIFETIME_MAX, err,
               CVM_E_HTTP_SIGNATURE, "a lifetime that is not 1 to %d seconds",
               CVM_HTTP_LIFETIME_MAX);
    CVM_ENSURE(s->created <= now + CVM_HTTP_CLOCK_SKEW, err, CVM_E_HTTP_SIGNATURE,
               "created %" PRId64 " s ahead of this clock", s->created - now);
    CVM_ENSURE(now <= s->expires, err, CVM_E_HTTP_SIGNATURE, "expired %" PRId64 " s ago",
               now - s->expires);
    CVM_ENSURE(strcmp(s->kid, cvm_jwk_kid(key, CVM_ED25519, kid)) == 0, err, CVM_E_HTTP_SIGNATURE,
               "signed by another key");
    CVM_ENSURE(s->body == (request->content_digest != NULL), err, CVM_E_HTTP_SIGNATURE,
               s->body ? "it covers a body that is not there" : "it does not cover the body");
    request_base(request, s, &base);
    CVM_ENSURE(cvm_ed25519_verify(key, base.data, base.len, s->signature, NULL) == 0, err,
               CVM_E_HTTP_SIGNATURE,
               "it does not verify over method, authority, path, query and body of this request");
    return 0;
}

char *cvm_http_content_digest(const struct cvm_digest *digest, char out[CVM_HTTP_CONTENT_DIGEST])
{
    CVM_AUTO_FREE char *text = b64(digest->b, sizeof digest->b);
    snprintf(out, CVM_HTTP_CONTENT_DIGEST, "sha-256=:%s:", text);
    return out;
}

int cvm_http_content_digest_parse(const char *value, struct cvm_digest *ret, struct cvm_error *err)
{
    struct cvm_digest d;
    const char *p = value;
    size_t n = strlen(value);
    CVM_ENSURE(eat(&p, "sha-256=:") && n == 54 && value[53] == ':' &&
                   b64_decode_exact(p, 44, d.b, sizeof d.b),
               err, CVM_E_CONTENT_DIGEST, "not sha-256=:<base64>:");
    *ret = d;
    return 0;
}
