#include "core/http/signature.h"
#include "core/seal/test-support.h"

static struct cvm_key KEY, OTHER;
#define NOW 1700000000

static int make(void **state)
{
    (void)state;
    /* the Ed25519 key of RFC 9421, appendix B.1.4 */
    static const char file[] = "{\"crv\":\"Ed25519\",\"d\":\"n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_"
                               "2ZYb2p9KcU\",\"kty\":\"OKP\","
                               "\"x\":\"JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs\"}";
    return cvm_jwk_read_private(file, sizeof file - 1, CVM_ED25519, &KEY, NULL) |
           cvm_key_generate(&OTHER, CVM_ED25519, NULL);
}

static int drop(void **state)
{
    (void)state;
    cvm_key_free(&KEY);
    cvm_key_free(&OTHER);
    return 0;
}

/* RFC 9421, appendix B.2.6 */
static void rfc9421(void **state)
{
    (void)state;
    static const struct cvm_http_component components[] = {
        {"date", "Tue, 20 Apr 2021 02:07:55 GMT"},
        {"@method", "POST"},
        {"@path", "/foo"},
        {"@authority", "example.com"},
        {"content-type", "application/json"},
        {"content-length", "18"},
    };
    CVM_AUTO_BUF struct cvm_buf base = {0}, expected = {0};
    uint8_t signature[64];
    static const char text[] =
        "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw";
    cvm_http_signature_base(
        components, 6,
        "(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\")"
        ";created=1618884473;keyid=\"test-key-ed25519\"",
        &base);
    OK(cvm_ed25519_sign(&KEY, base.data, base.len, signature, &err));
    for (const char *p = text; *p; p++) /* the RFC prints base64 */
        cvm_buf_append_u8(&expected, (uint8_t)(*p == '/' ? '_' : *p == '+' ? '-' : *p));
    CVM_AUTO_FREE char *made = cvm_b64u(signature, sizeof signature);
    assert_string_equal(made, cvm_buf_cstr(&expected));
}

static struct cvm_http_request with_body(void)
{
    return (struct cvm_http_request){
        .method = "PUT",
        .authority = "Host.example:8443",
        .path = "/v1/collaborations/x/blobs/rows-a",
        .query = "a=1",
        .content_digest = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
        .content_length = "18",
    };
}

static struct cvm_http_request without_body(void)
{
    return (struct cvm_http_request){
        .method = "GET", .authority = "localhost", .path = "/v1/health"};
}

static struct cvm_http_signature sign(const struct cvm_http_request *r, const char *wanted)
{
    CVM_AUTO_FREE char *input = NULL, *signature = NULL;
    struct cvm_http_signature s;
    OK(cvm_http_sign(r, &KEY, NOW, NOW + 60, &input, &signature, &err));
    assert_non_null(strstr(input, wanted));
    OK(cvm_http_signature_parse(input, signature, &s, &err));
    return s;
}

static void round_trip(void **state)
{
    (void)state;
    struct cvm_http_request a = with_body(), b = without_body();
    struct cvm_http_signature s =
        sign(&a, "cvm=(\"@method\" \"@authority\" \"@path\" \"@query\" \"content-digest\" "
                 "\"content-length\");created=1700000000;expires=1700000060;nonce=\"");
    struct cvm_http_signature t = sign(&b, "\"@query\");created=");
    char kid[CVM_KID_TEXT];
    assert_true(s.body);
    assert_false(t.body);
    assert_string_equal(s.kid, cvm_jwk_kid(&KEY.pub, CVM_ED25519, kid));
    assert_memory_not_equal(s.nonce, t.nonce, sizeof s.nonce);
    OK(cvm_http_signature_verify(&s, &a, &KEY.pub, NOW + 1, &err));
    OK(cvm_http_signature_verify(&t, &b, &KEY.pub, NOW - CVM_HTTP_CLOCK_SKEW, &err));
    a.authority = "HOST.example:8443"; /* case of a host name does not matter */
    OK(cvm_http_signature_verify(&s, &a, &KEY.pub, NOW + 60, &err));
    b.query = "";
    b.content_length = "0";
    OK(cvm_http_signature_verify(&t, &b, &KEY.pub, NOW, &err));
}

#define BAD(...) REFUSED(CVM_E_HTTP_SIGNATURE, __VA_ARGS__)

static void other_requests(void **state)
{
    (void)state;
    const struct cvm_http_request good = with_body(), get = without_body();
    struct cvm_http_signature s = sign(&good, ""), g = sign(&get, "");
    struct cvm_http_request r = good;
    BAD(cvm_http_signature_verify(&s, &r, &OTHER.pub, NOW, &err));
    BAD(cvm_http_signature_verify(&s, &r, &KEY.pub, NOW + 61, &err));
    BAD(cvm_http_signature_verify(&s, &r, &KEY.pub, NOW - CVM_HTTP_CLOCK_SKEW - 1, &err));
    r.method = "POST";
    BAD(cvm_http_signature_verify(&s, &r, &KEY.pub, NOW, &err));
    r = good;
    r.authority = "other.example";
    BAD(cvm_http_signature_verify(&s, &r, &KEY.pub, NOW, &err));
    r = good;
    r.path = "/v1/collaborations/x/blobs/rows-b";
    BAD(cvm_http_signature_verify(&s, &r, &KEY.pub, NOW, &err));
    r = good;
    r.query = NULL;
    BAD(cvm_http_signature_verify(&s, &r, &KEY.pub, NOW, &err));
    r = good;
    r.content_digest = "sha-256=:Y48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
    BAD(cvm_http_signature_verify(&s, &r, &KEY.pub, NOW, &err));
    r = good;
    r.content_length = "19";
    BAD(cvm_http_signature_verify(&s, &r, &KEY.pub, NOW, &err));
    r.content_digest = NULL;
    BAD(cvm_http_signature_verify(&s, &r, &KEY.pub, NOW, &err));
    r.content_length = NULL; /* the body was taken away */
    BAD(cvm_http_signature_verify(&s, &r, &KEY.pub, NOW, &err));
    r = get; /* a body was put to a request signed without */
    r.content_digest = good.content_digest;
    r.content_length = "18";
    BAD(cvm_http_signature_verify(&g, &r, &KEY.pub, NOW, &err));
    s.signature[0] ^= 1;
    BAD(cvm_http_signature_verify(&s, &good, &KEY.pub, NOW, &err));
    s.signature[0] ^= 1;
    s.nonce[0] ^= 1;
    BAD(cvm_http_signature_verify(&s, &good, &KEY.pub, NOW, &err));
}

static void requests_of_no_form(void **state)
{
    (void)state;
    static const struct cvm_http_request bad[] = {
        {.method = "GET", .authority = "a", .path = "v1"},
        {.method = "GET", .authority = "a", .path = "/v1?x"},
        {.method = "GET", .authority = "", .path = "/"},
        {.method = NULL, .authority = "a", .path = "/"},
        {.method = "GET", .authority = "a\n\"@path\": /b", .path = "/"},
        {.method = "GET", .authority = "a", .path = "/\xc3\xa4"},
        {.method = "GET", .authority = "a", .path = "/", .query = "a\nb"},
        {.method = "PUT", .authority = "a", .path = "/", .content_length = "5"},
        {.method = "PUT", .authority = "a", .path = "/", .content_digest = "x"},
    };
    struct cvm_http_request good = without_body();
    char *input = NULL, *signature = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        BAD(cvm_http_sign(&bad[i], &KEY, NOW, NOW + 60, &input, &signature, &err));
    BAD(cvm_http_sign(&good, &KEY, NOW, NOW, &input, &signature, &err));
    BAD(cvm_http_sign(&good, &KEY, NOW, NOW + CVM_HTTP_LIFETIME_MAX + 1, &input, &signature, &err));
    assert_null(input);
}

static void refuse_edit(const char *from, const char *to)
{
    static const char input[] = "cvm=(\"@method\" \"@authority\" \"@path\" "
                                "\"@query\");created=1700000000;expires=1700000060;"
                                "nonce=\"AAAAAAAAAAAAAAAAAAAAAA\";keyid=\"kPrK_"
                                "qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k\";alg=\"ed25519\";"
                                "tag=\"2cvm-rest\"";
    static const char signature[] =
        "cvm=:"
        "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:";
    struct cvm_http_signature s;
    const char *in_input = strstr(input, from), *in_signature = strstr(signature, from);
    OK(cvm_http_signature_parse(input, signature, &s, &err));
    assert_true(in_input || in_signature);
    if (in_input) {
        CVM_AUTO_FREE char *edited =
            cvm_printf("%.*s%s%s", (int)(in_input - input), input, to, in_input + strlen(from));
        BAD(cvm_http_signature_parse(edited, signature, &s, &err));
    }
    if (in_signature) {
        CVM_AUTO_FREE char *edited = cvm_printf("%.*s%s%s", (int)(in_signature - signature),
                                                signature, to, in_signature + strlen(from));
        BAD(cvm_http_signature_parse(input, edited, &s, &err));
    }
}

static void headers(void **state)
{
    (void)state;
    struct cvm_http_signature s;
    BAD(cvm_http_signature_parse(NULL, NULL, &s, &err));
    BAD(cvm_http_signature_parse("", "", &s, &err));
    refuse_edit("cvm=", "sig1=");
    refuse_edit("\"@method\" ", "");
    refuse_edit("\"@query\"", "\"@query\" \"content-digest\"");
    refuse_edit("\"@query\"", "\"@query\" \"content-length\" \"content-digest\"");
    refuse_edit(" \"@path\" \"@query\"", " \"@query\" \"@path\"");
    refuse_edit(";created", "; created");
    refuse_edit("1700000000", "01700000000");
    refuse_edit("1700000000", "-1");
    refuse_edit("1700000000", "1700000000.5");
    refuse_edit("1700000000", "9999999999999999999999");
    refuse_edit(";expires=1700000060", "");
    refuse_edit("AAAAAAAAAAAAAAAAAAAAAA", "AAAA");
    refuse_edit("AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAA");
    refuse_edit("kPrK", "k+rK");
    refuse_edit("ed25519", "hmac-sha256");
    refuse_edit("2cvm-rest", "other");
    refuse_edit("\"2cvm-rest\"", "\"2cvm-rest\", x=(\"@method\")");
    refuse_edit("RCw==:", "RCw==");
    refuse_edit("RCw==:", "RCw:");
    refuse_edit("RCw==:", "RCx==:");
    refuse_edit("RCw==:", "RCw==: ");
    refuse_edit(":wq", "wq");
    refuse_edit("wqc", "w_c");
    refuse_edit("wqc", "");
}

static void content_digest(void **state)
{
    (void)state;
    static const char value[] =
        "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"; /* RFC 9530, appendix B */
    char text[CVM_HTTP_CONTENT_DIGEST];
    struct cvm_digest d = cvm_sha256("{\"hello\": \"world\"}", 18), e;
    assert_string_equal(cvm_http_content_digest(&d, text), value);
    OK(cvm_http_content_digest_parse(value, &e, &err));
    assert_memory_equal(&d, &e, sizeof d);
    static const char *const bad[] = {
        "",
        "sha-256=",
        "sha-256=::",
        "sha-512=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
        "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE:",
        "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=",
        "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPF=:",
        "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBP=E:",
        "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:, sha-512=:AA==:",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        REFUSED(CVM_E_CONTENT_DIGEST, cvm_http_content_digest_parse(bad[i], &e, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc9421),        cmocka_unit_test(round_trip),
        cmocka_unit_test(other_requests), cmocka_unit_test(requests_of_no_form),
        cmocka_unit_test(headers),        cmocka_unit_test(content_digest),
    };
    return cmocka_run_group_tests(tests, make, drop);
}
