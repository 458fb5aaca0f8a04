#include "core/seal/jws.h"

#include <string.h>

/* typ is one of our media types: nothing in it needs escaping. */
static bool typ_valid(const char *typ)
{
    size_t n = strlen(typ);
    return n > 0 && n <= CVM_JWS_TYP_MAX &&
           strspn(typ, "abcdefghijklmnopqrstuvwxyz0123456789-+.") == n;
}

/* The header's only spelling; reader and writer both come here. */
static void header_append(const char *kid, const char *typ, bool detached, struct cvm_buf *out)
{
    CVM_AUTO_FREE char *header =
        cvm_printf("{\"alg\":\"EdDSA\",%s\"kid\":\"%s\",\"typ\":\"%s\"}",
                   detached ? "\"b64\":false,\"crit\":[\"b64\"]," : "", kid, typ);
    cvm_buf_append_str(out, header);
}

static void b64u_append(const void *data, size_t len, struct cvm_buf *out)
{
    CVM_AUTO_FREE char *text = cvm_b64u(data, len);
    cvm_buf_append_str(out, text);
}

static int create(const struct cvm_key *key, const char *typ, bool detached, const void *payload,
                  size_t len, struct cvm_buf *ret, struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf header = {0}, input = {0};
    char kid[CVM_KID_TEXT];
    uint8_t signature[CVM_SIGNATURE_LEN];
    CVM_ENSURE(typ_valid(typ), err, CVM_E_INTERNAL, "a JWS typ of another form");
    CVM_ENSURE(len <= CVM_JWS_MAX / 4 * 3 - 1024, err, CVM_E_TOO_LARGE, "a statement of %zu bytes",
               len);
    header_append(cvm_jwk_kid(&key->pub, CVM_ED25519, kid), typ, detached, &header);
    b64u_append(header.data, header.len, &input);
    cvm_buf_append_u8(&input, '.');
    size_t head_len = input.len;
    if (detached)
        cvm_buf_append(&input, payload, len);
    else
        b64u_append(payload, len, &input);
    CVM_GUARD(cvm_ed25519_sign(key, input.data, input.len, signature, err));
    cvm_buf_append(ret, input.data, detached ? head_len : input.len);
    cvm_buf_append_u8(ret, '.');
    b64u_append(signature, sizeof signature, ret);
    return 0;
}

int cvm_jws_create(const struct cvm_key *key, const char *typ, const void *payload, size_t len,
                   struct cvm_buf *ret, struct cvm_error *err)
{
    return create(key, typ, false, payload, len, ret, err);
}

int cvm_jws_create_detached(const struct cvm_key *key, const char *typ, const void *payload,
                            size_t len, struct cvm_buf *ret, struct cvm_error *err)
{
    return create(key, typ, true, payload, len, ret, err);
}

static int parse_header(const char *text, size_t len, struct cvm_jws *jws, struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf raw = {0}, again = {0};
    struct cvm_error why;
    struct cvm_json_reader r;
    CVM_ENSURE(len <= 512 && cvm_b64u_decode(text, len, &raw, NULL) == 0, err, CVM_E_JWS_FORMAT,
               "the header is not base64url of at most 512 characters");
    CVM_AUTO_JSON json_t *header = cvm_json_parse_canonical(raw.data, raw.len, &why);
    CVM_ENSURE(header, err, CVM_E_JWS_FORMAT, "the header: %.300s", why.message);
    cvm_json_begin(&r, header, "the header", &why);
    const char *alg = cvm_json_string(&r, "alg");
    const char *kid = cvm_json_string(&r, "kid");
    const char *typ = cvm_json_string(&r, "typ");
    bool b64 = cvm_json_bool_opt(&r, "b64", true);
    cvm_json_array_opt(&r, "crit", 1);
    CVM_ENSURE(cvm_json_end(&r) == 0, err, CVM_E_JWS_FORMAT, "%.300s", why.message);
    struct cvm_digest thumbprint;
    CVM_ENSURE(strcmp(alg, "EdDSA") == 0, err, CVM_E_JWS_FORMAT, "alg is not EdDSA");
    CVM_ENSURE(cvm_kid_parse(kid, &thumbprint, NULL) == 0, err, CVM_E_JWS_FORMAT,
               "kid is not a thumbprint");
    CVM_ENSURE(typ_valid(typ), err, CVM_E_JWS_FORMAT, "typ is not of our form");
    /* what the members may be together is said once, by the writer */
    header_append(kid, typ, !b64, &again);
    CVM_ENSURE(again.len == raw.len && memcmp(again.data, raw.data, raw.len) == 0, err,
               CVM_E_JWS_FORMAT, "the header has not exactly the members that it must have");
    memcpy(jws->kid, kid, strlen(kid) + 1);
    memcpy(jws->typ, typ, strlen(typ) + 1);
    jws->detached = !b64;
    return 0;
}

static int parse(const char *text, size_t len, struct cvm_jws *jws, struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf signature = {0};
    CVM_ENSURE(len <= CVM_JWS_MAX, err, CVM_E_JWS_FORMAT, "%zu bytes, more than %d", len,
               CVM_JWS_MAX);
    const char *dot1 = memchr(text, '.', len);
    const char *rest = dot1 ? dot1 + 1 : NULL;
    const char *dot2 = dot1 ? memchr(rest, '.', len - (size_t)(rest - text)) : NULL;
    CVM_ENSURE(dot2, err, CVM_E_JWS_FORMAT, "not three parts");
    size_t payload_len = (size_t)(dot2 - rest), signature_len = len - (size_t)(dot2 + 1 - text);
    CVM_GUARD(parse_header(text, (size_t)(dot1 - text), jws, err));
    CVM_ENSURE(!jws->detached || payload_len == 0, err, CVM_E_JWS_FORMAT,
               "a detached JWS with a payload");
    CVM_ENSURE(jws->detached || payload_len > 0, err, CVM_E_JWS_FORMAT, "no payload");
    CVM_ENSURE(cvm_b64u_decode(rest, payload_len, &jws->payload, NULL) == 0, err, CVM_E_JWS_FORMAT,
               "the payload is not base64url");
    CVM_ENSURE(signature_len == 86 && cvm_b64u_decode(dot2 + 1, 86, &signature, NULL) == 0, err,
               CVM_E_JWS_FORMAT, "the signature is not 64 bytes of base64url");
    memcpy(jws->signature, signature.data, CVM_SIGNATURE_LEN);
    cvm_buf_append(&jws->input, text, (size_t)(dot2 - text));
    return 0;
}

int cvm_jws_parse(const void *data, size_t len, struct cvm_jws *ret, struct cvm_error *err)
{
    CVM_AUTO_JWS struct cvm_jws jws = {0};
    CVM_GUARD(parse(len ? data : "", len, &jws, err));
    *ret = jws;
    jws = (struct cvm_jws){0};
    return 0;
}

static int check_signer(const struct cvm_jws *jws, const char *typ, bool detached,
                        const struct cvm_public_key *key, struct cvm_error *err)
{
    char kid[CVM_KID_TEXT];
    if (strcmp(jws->typ, typ) != 0 || jws->detached != detached)
        return cvm_fail_expected(err, CVM_E_JWS_TYPE, typ, jws->typ, "typ%s",
                                 jws->detached == detached ? ""
                                 : detached                ? " (must be detached)"
                                                           : " (must not be detached)");
    if (strcmp(jws->kid, cvm_jwk_kid(key, CVM_ED25519, kid)) != 0)
        return cvm_fail_expected(err, CVM_E_JWS_KEY, kid, jws->kid, "kid");
    return 0;
}

int cvm_jws_verify(const struct cvm_jws *jws, const char *typ, const struct cvm_public_key *key,
                   struct cvm_error *err)
{
    CVM_GUARD(check_signer(jws, typ, false, key, err));
    return cvm_ed25519_verify(key, jws->input.data, jws->input.len, jws->signature, err);
}

int cvm_jws_verify_detached(const struct cvm_jws *jws, const char *typ,
                            const struct cvm_public_key *key, const void *payload, size_t len,
                            struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf input = {0};
    CVM_GUARD(check_signer(jws, typ, true, key, err));
    cvm_buf_append(&input, jws->input.data, jws->input.len); /* "header." */
    cvm_buf_append(&input, payload, len);
    return cvm_ed25519_verify(key, input.data, input.len, jws->signature, err);
}

void cvm_jws_free(struct cvm_jws *jws)
{
    cvm_buf_free(&jws->payload);
    cvm_buf_free(&jws->input);
    *jws = (struct cvm_jws){0};
}
