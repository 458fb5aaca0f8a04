#include "core/evidence/bundle.h"

#include <string.h>

#include "core/base/json.h"
#include "core/record/report-data.h"

static int decode(const char *text, const char *what, size_t max, struct cvm_buf *ret,
                  struct cvm_error *err)
{
    size_t len = strlen(text);
    CVM_ENSURE(len <= max / 3 * 4 + 4, err, CVM_E_BUNDLE_FORMAT, "%s is too long", what);
    if (cvm_b64u_decode(text, len, ret, err) < 0)
        return cvm_error_wrap(err, "%s", what);
    CVM_ENSURE(ret->len <= max, err, CVM_E_BUNDLE_FORMAT, "%s is too long", what);
    return 0;
}

static int parse_certificates(json_t *list, struct cvm_bundle *b, struct cvm_error *err)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        CVM_ENSURE(text, err, CVM_E_JSON_TYPE, "certificates[%zu] is not a string", i);
        struct cvm_buf *der = &b->certificates.der[b->certificates.n++];
        CVM_GUARD(decode(text, "certificates", CVM_CERTIFICATE_MAX, der, err));
        CVM_ENSURE(der->len > 0, err, CVM_E_BUNDLE_FORMAT, "certificates[%zu] is empty", i);
    }
    return 0;
}

static int parse_session(json_t *o, struct cvm_bundle *b, struct cvm_error *err)
{
    struct cvm_json_reader r;
    cvm_json_begin(&r, o, "session", err);
    json_t *sign = cvm_json_object(&r, "sign");
    json_t *seal = cvm_json_object(&r, "seal");
    CVM_GUARD(cvm_json_end(&r));
    if (cvm_jwk_parse(sign, CVM_ED25519, &b->sign, err) < 0)
        return cvm_error_wrap(err, "session.sign");
    if (cvm_jwk_parse(seal, CVM_X25519, &b->seal, err) < 0)
        return cvm_error_wrap(err, "session.seal");
    return 0;
}

static int parse_nonce(const char *nonce, json_t *path, struct cvm_bundle *b, struct cvm_error *err)
{
    CVM_ENSURE(!nonce == !path, err, CVM_E_BUNDLE_FORMAT,
               "nonce and path must both be there or both be absent");
    if (!nonce)
        return 0;
    CVM_AUTO_BUF struct cvm_buf raw = {0};
    CVM_GUARD(decode(nonce, "nonce", CVM_NONCE_MAX, &raw, err));
    CVM_ENSURE(raw.len >= CVM_NONCE_MIN, err, CVM_E_BUNDLE_FORMAT,
               "a nonce has 16 to 64 bytes, not %zu", raw.len);
    memcpy(b->nonce, raw.data, raw.len);
    b->nonce_len = raw.len;

    struct cvm_json_reader r;
    cvm_json_begin(&r, path, "path", err);
    b->path.size = (uint32_t)cvm_json_int(&r, "size", 1, CVM_NONCE_TREE_MAX);
    b->path.index = (uint32_t)cvm_json_int(&r, "index", 0, CVM_NONCE_TREE_MAX - 1);
    json_t *hashes = cvm_json_array(&r, "hashes", CVM_NONCE_PATH_MAX);
    CVM_GUARD(cvm_json_end(&r));
    CVM_ENSURE(b->path.index < b->path.size, err, CVM_E_BUNDLE_FORMAT,
               "path.index is not below path.size");
    for (size_t i = 0; i < json_array_size(hashes); i++) {
        const char *text = json_string_value(json_array_get(hashes, i));
        CVM_ENSURE(text, err, CVM_E_JSON_TYPE, "path.hashes[%zu] is not a string", i);
        if (cvm_digest_parse(text, &b->path.hashes[b->path.n++], err) < 0)
            return cvm_error_wrap(err, "path.hashes[%zu]", i);
    }
    return 0;
}

static int parse(json_t *o, struct cvm_bundle *b, struct cvm_error *err)
{
    struct cvm_json_reader r;
    cvm_json_begin(&r, o, "evidence", err);
    (void)cvm_json_int(&r, "version", 1, 1);
    const char *platform = cvm_json_string(&r, "platform");
    const char *report = cvm_json_string(&r, "report");
    json_t *certificates = cvm_json_array(&r, "certificates", CVM_CERTIFICATES_MAX);
    json_t *session = cvm_json_object(&r, "session");
    b->manifest = cvm_json_digest(&r, "manifest");
    json_t *transcript = cvm_json_object(&r, "transcript");
    const char *nonce = cvm_json_string_opt(&r, "nonce");
    json_t *path = json_object_get(o, "path") ? cvm_json_object(&r, "path") : NULL;
    CVM_GUARD(cvm_json_end(&r));

    CVM_ENSURE(strlen(platform) < sizeof(b->platform), err, CVM_E_BUNDLE_FORMAT,
               "no platform has so long a name");
    memcpy(b->platform, platform, strlen(platform));
    CVM_GUARD(decode(report, "report", 4096, &b->report, err));
    CVM_GUARD(parse_certificates(certificates, b, err));
    CVM_GUARD(parse_session(session, b, err));

    struct cvm_json_reader t;
    cvm_json_begin(&t, transcript, "transcript", err);
    b->transcript_n = (uint64_t)cvm_json_int(&t, "n", 0, CVM_JSON_INT_MAX);
    b->transcript_head = cvm_json_digest(&t, "head");
    CVM_GUARD(cvm_json_end(&t));
    return parse_nonce(nonce, path, b, err);
}

int cvm_bundle_parse(const void *data, size_t len, struct cvm_bundle *ret, struct cvm_error *err)
{
    CVM_ENSURE(len <= CVM_BUNDLE_MAX, err, CVM_E_BUNDLE_FORMAT,
               "an evidence bundle has at most %d bytes, not %zu", CVM_BUNDLE_MAX, len);
    CVM_AUTO_JSON json_t *o = cvm_json_parse_canonical(data, len, err);
    if (!o)
        return cvm_error_wrap(err, "the evidence bundle");
    CVM_AUTO_BUNDLE struct cvm_bundle b = {0};
    CVM_GUARD(parse(o, &b, err));
    *ret = b;
    b = (struct cvm_bundle){0};
    return 0;
}

static json_t *b64u_json(const void *data, size_t len)
{
    CVM_AUTO_FREE char *text = cvm_b64u(data, len);
    return json_string(text);
}

int cvm_bundle_write(const struct cvm_bundle *b, struct cvm_buf *out, struct cvm_error *err)
{
    CVM_AUTO_JSON json_t *o = json_object();
    json_t *certificates = json_array(), *session = json_object(), *transcript = json_object();
    for (size_t i = 0; i < b->certificates.n; i++)
        json_array_append_new(certificates,
                              b64u_json(b->certificates.der[i].data, b->certificates.der[i].len));
    json_object_set_new(session, "sign", cvm_jwk(&b->sign, CVM_ED25519));
    json_object_set_new(session, "seal", cvm_jwk(&b->seal, CVM_X25519));
    json_object_set_new(transcript, "n", json_integer((json_int_t)b->transcript_n));
    json_object_set_new(transcript, "head", cvm_json_of_digest(&b->transcript_head));

    json_object_set_new(o, "version", json_integer(1));
    json_object_set_new(o, "platform", json_string(b->platform));
    json_object_set_new(o, "report", b64u_json(b->report.data, b->report.len));
    json_object_set_new(o, "certificates", certificates);
    json_object_set_new(o, "session", session);
    json_object_set_new(o, "manifest", cvm_json_of_digest(&b->manifest));
    json_object_set_new(o, "transcript", transcript);
    if (b->nonce_len) {
        json_t *path = json_object(), *hashes = json_array();
        for (uint32_t i = 0; i < b->path.n; i++)
            json_array_append_new(hashes, cvm_json_of_digest(&b->path.hashes[i]));
        json_object_set_new(path, "index", json_integer(b->path.index));
        json_object_set_new(path, "size", json_integer(b->path.size));
        json_object_set_new(path, "hashes", hashes);
        json_object_set_new(o, "nonce", b64u_json(b->nonce, b->nonce_len));
        json_object_set_new(o, "path", path);
    }
    return cvm_json_write(o, out, err);
}

int cvm_bundle_report_data(const struct cvm_bundle *b, uint8_t ret[CVM_REPORT_DATA_LEN],
                           struct cvm_error *err)
{
    struct cvm_report_data of = {
        .sign = b->sign,
        .seal = b->seal,
        .manifest = b->manifest,
        .transcript_head = b->transcript_head,
    };
    if (b->nonce_len)
        CVM_GUARD(
            cvm_nonce_path_root(&b->path, CVM_BYTES(b->nonce, b->nonce_len), &of.nonce_root, err));
    else
        of.nonce_root = cvm_nonce_tree_root(NULL, 0);
    cvm_report_data(&of, ret);
    return 0;
}

void cvm_bundle_free(struct cvm_bundle *b)
{
    cvm_buf_free(&b->report);
    cvm_certificates_free(&b->certificates);
    *b = (struct cvm_bundle){0};
}
