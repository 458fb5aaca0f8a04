/* test/vectors/seal.json, which other programs made: all of it must open, verify and come out the
 * same here. */
#include "core/http/signature.h"
#include "core/seal/jws.h"
#include "core/seal/output.h"
#include "core/seal/release.h"
#include "core/seal/seed.h"
#include "core/seal/test-support.h"

static json_t *VECTORS;
static struct cvm_key SIGN, SEAL, SESSION;
static struct cvm_digest MANIFEST, SESSION_KID;

static const char *text(const json_t *object, const char *name)
{
    const char *s = json_string_value(json_object_get(object, name));
    assert_non_null(s);
    return s;
}

static json_t *part(const char *name)
{
    json_t *v = json_object_get(VECTORS, name);
    assert_non_null(v);
    return v;
}

static struct cvm_buf b64u(const json_t *object, const char *name)
{
    struct cvm_buf b = {0};
    const char *s = text(object, name);
    OK(cvm_b64u_decode(s, strlen(s), &b, &err));
    return b;
}

static void load_key(const char *name, enum cvm_curve curve, struct cvm_key *key)
{
    const char *file = text(part(name), "private");
    char kid[CVM_KID_TEXT];
    struct cvm_public_key pub;
    OK(cvm_jwk_read_private(file, strlen(file), curve, key, &err));
    OK(cvm_jwk_parse(json_object_get(part(name), "public"), curve, &pub, &err));
    assert_memory_equal(pub.b, key->pub.b, sizeof pub.b);
    assert_string_equal(cvm_jwk_kid(&pub, curve, kid), text(part(name), "kid"));
}

static int load(void **state)
{
    (void)state;
    VECTORS =
        json_load_file(CVM_SOURCE_DIR "/test/vectors/seal.json", JSON_REJECT_DUPLICATES, NULL);
    if (!VECTORS)
        return -1;
    load_key("sign", CVM_ED25519, &SIGN);
    load_key("seal", CVM_X25519, &SEAL);
    load_key("session", CVM_ED25519, &SESSION);
    SESSION_KID = cvm_jwk_thumbprint(&SESSION.pub, CVM_ED25519);
    OK(cvm_digest_parse(text(part("release"), "manifest"), &MANIFEST, &err));
    return 0;
}

static int unload(void **state)
{
    (void)state;
    json_decref(VECTORS);
    cvm_key_free(&SIGN);
    cvm_key_free(&SEAL);
    cvm_key_free(&SESSION);
    return 0;
}

static void labelled(void **state)
{
    (void)state;
    size_t i, k;
    json_t *row, *field;
    json_array_foreach(part("labelled"), i, row)
    {
        struct cvm_buf fields[4] = {{0}};
        struct cvm_bytes bytes[4];
        CVM_AUTO_BUF struct cvm_buf made = {0};
        json_array_foreach(json_object_get(row, "fields"), k, field)
        {
            fields[k] = from_hex(json_string_value(field));
            bytes[k] = CVM_BYTES(fields[k].data, fields[k].len);
        }
        cvm_label(&made, text(row, "label"), bytes, k);
        CVM_AUTO_FREE char *hex = cvm_hex(made.data, made.len);
        assert_string_equal(hex, text(row, "bytes"));
        for (k = 0; k < 4; k++)
            cvm_buf_free(&fields[k]);
    }
    assert_int_equal(i, 3);
}

static void statements(void **state)
{
    (void)state;
    json_t *v = part("statements");
    const char *payload = text(v, "payload"), *act = text(v, "act"),
               *commitment = text(v, "commitment");
    CVM_AUTO_JWS struct cvm_jws a = {0}, c = {0};
    CVM_AUTO_BUF struct cvm_buf made = {0}, made_detached = {0};
    OK(cvm_jws_parse(act, strlen(act), &a, &err));
    OK(cvm_jws_verify(&a, CVM_JWS_ACT, &SIGN.pub, &err));
    assert_string_equal(cvm_buf_cstr(&a.payload), payload);
    OK(cvm_jws_parse(commitment, strlen(commitment), &c, &err));
    OK(cvm_jws_verify_detached(&c, CVM_JWS_COMMITMENT, &SIGN.pub, payload, strlen(payload), &err));
    /* Ed25519 is deterministic: ours are the same bytes */
    OK(cvm_jws_create(&SIGN, CVM_JWS_ACT, payload, strlen(payload), &made, &err));
    assert_string_equal(cvm_buf_cstr(&made), act);
    OK(cvm_jws_create_detached(&SIGN, CVM_JWS_COMMITMENT, payload, strlen(payload), &made_detached,
                               &err));
    assert_string_equal(cvm_buf_cstr(&made_detached), commitment);
}

static void release(void **state)
{
    (void)state;
    json_t *v = part("release");
    struct cvm_sealed_key sealed;
    CVM_AUTO_SECRET struct cvm_secret key = {0};
    OK(cvm_b64u_decode_exact(text(v, "enc"), sealed.enc, sizeof sealed.enc, &err));
    OK(cvm_b64u_decode_exact(text(v, "ct"), sealed.ct, sizeof sealed.ct, &err));
    OK(cvm_release_open(&SEAL, &MANIFEST, &SESSION_KID, text(v, "item"), &sealed, &key, &err));
    CVM_AUTO_FREE char *hex = cvm_hex(key.data, key.len);
    assert_string_equal(hex, text(v, "key"));
}

static void check_content(int out)
{
    CVM_AUTO_BUF struct cvm_buf opened = contents(out);
    CVM_AUTO_FREE char *hex = cvm_hex(opened.data, opened.len);
    assert_string_equal(hex, text(part("content"), "bytes"));
}

static void blobs(void **state)
{
    (void)state;
    size_t i;
    json_t *v;
    struct cvm_digest expected;
    OK(cvm_digest_parse(text(part("content"), "digest"), &expected, &err));
    json_array_foreach(part("blobs"), i, v)
    {
        CVM_AUTO_BUF struct cvm_buf key_bytes = from_hex(text(v, "key")), blob = b64u(v, "blob"),
                                    associated = {0};
        CVM_AUTO_SECRET struct cvm_secret key = {0};
        CVM_AUTO_CLOSE int in = file_of(blob.data, blob.len);
        int out = file_of("", 0);
        OK(cvm_secret_copy(&key, key_bytes.data, key_bytes.len, &err));
        cvm_blob_associated(text(v, "item"), &associated);
        struct cvm_blob_spec spec = {
            .key = &key,
            .associated = CVM_BYTES(associated.data, associated.len),
            .max_bytes = (uint64_t)json_integer_value(json_object_get(v, "max_bytes"))};
        OK(cvm_padding_parse(text(v, "padding"), &spec.padding, &err));
        OK(cvm_blob_open_fd(&spec, in, out, &expected, NULL, NULL, &err));
        check_content(out);
    }
    assert_int_equal(i, 2);
}

static void output(void **state)
{
    (void)state;
    json_t *v = part("output");
    struct cvm_output_binding binding = {
        .manifest = MANIFEST, .session = SESSION_KID, .output = text(v, "id")};
    enum cvm_padding padding;
    CVM_AUTO_BUF struct cvm_buf sealed = b64u(v, "sealed");
    CVM_AUTO_CLOSE int in = file_of(sealed.data, sealed.len);
    int out = file_of("", 0);
    OK(cvm_padding_parse(text(v, "padding"), &padding, &err));
    OK(cvm_output_open(&binding, &SEAL, padding,
                       (uint64_t)json_integer_value(json_object_get(v, "max_bytes")), in, out, NULL,
                       NULL, &err));
    check_content(out);
}

static void seed(void **state)
{
    (void)state;
    json_t *v = part("seed");
    struct cvm_secret shares[2] = {{0}};
    CVM_AUTO_SECRET struct cvm_secret made = {0};
    for (size_t i = 0; i < 2; i++) {
        char commitment[CVM_DIGEST_TEXT];
        CVM_AUTO_BUF struct cvm_buf share =
            from_hex(json_string_value(json_array_get(json_object_get(v, "shares"), i)));
        struct cvm_digest d = cvm_seed_commitment(share.data);
        assert_string_equal(
            cvm_digest_text(&d, commitment),
            json_string_value(json_array_get(json_object_get(v, "commitments"), i)));
        OK(cvm_secret_copy(&shares[i], share.data, share.len, &err));
    }
    OK(cvm_seed_derive(shares, 2, &MANIFEST, text(v, "component"), &made, &err));
    CVM_AUTO_FREE char *hex = cvm_hex(made.data, made.len);
    assert_string_equal(hex, text(v, "seed"));
    cvm_secret_free(&shares[0]);
    cvm_secret_free(&shares[1]);
}

static void request(void **state)
{
    (void)state;
    json_t *v = part("request");
    struct cvm_http_signature s;
    struct cvm_http_request r = {.method = text(v, "method"),
                                 .authority = text(v, "authority"),
                                 .path = text(v, "path"),
                                 .query = text(v, "query"),
                                 .content_digest = text(v, "content_digest"),
                                 .content_length = text(v, "content_length")};
    OK(cvm_http_signature_parse(text(v, "signature_input"), text(v, "signature"), &s, &err));
    OK(cvm_http_signature_verify(&s, &r, &SIGN.pub, s.created, &err));
    r.path = "/v1/collaborations/c/blobs/rows-b";
    REFUSED(CVM_E_HTTP_SIGNATURE, cvm_http_signature_verify(&s, &r, &SIGN.pub, s.created, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labelled), cmocka_unit_test(statements), cmocka_unit_test(release),
        cmocka_unit_test(blobs),    cmocka_unit_test(output),     cmocka_unit_test(seed),
        cmocka_unit_test(request),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
