#include "core/seal/jws.h"
#include "core/seal/test-support.h"

static struct cvm_key KEY, OTHER;

static int make_keys(void **state)
{
    (void)state;
    struct cvm_error err;
    static const uint8_t one[32] = {1}, two[32] = {2};
    return cvm_key_from_secret(&KEY, CVM_ED25519, one, &err) |
           cvm_key_from_secret(&OTHER, CVM_ED25519, two, &err);
}

static int free_keys(void **state)
{
    (void)state;
    cvm_key_free(&KEY);
    cvm_key_free(&OTHER);
    return 0;
}

static void attached(void **state)
{
    (void)state;
    CVM_AUTO_BUF struct cvm_buf text = {0};
    CVM_AUTO_JWS struct cvm_jws jws = {0};
    OK(cvm_jws_create(&KEY, CVM_JWS_ACT, "{\"a\":1}", 7, &text, &err));
    OK(cvm_jws_parse(text.data, text.len, &jws, &err));
    assert_string_equal(jws.typ, CVM_JWS_ACT);
    assert_false(jws.detached);
    assert_int_equal(jws.payload.len, 7);
    assert_memory_equal(jws.payload.data, "{\"a\":1}", 7);
    OK(cvm_jws_verify(&jws, CVM_JWS_ACT, &KEY.pub, &err));
    REFUSED(CVM_E_JWS_TYPE, cvm_jws_verify(&jws, CVM_JWS_RECEIPT, &KEY.pub, &err));
    REFUSED(CVM_E_JWS_KEY, cvm_jws_verify(&jws, CVM_JWS_ACT, &OTHER.pub, &err));
    REFUSED(CVM_E_JWS_TYPE,
            cvm_jws_verify_detached(&jws, CVM_JWS_ACT, &KEY.pub, "{\"a\":1}", 7, &err));
}

static void detached(void **state)
{
    (void)state;
    CVM_AUTO_BUF struct cvm_buf text = {0};
    CVM_AUTO_JWS struct cvm_jws jws = {0};
    static const char payload[] = "{\"title\":\"a.b\"}";
    OK(cvm_jws_create_detached(&KEY, CVM_JWS_COMMITMENT, payload, strlen(payload), &text, &err));
    assert_non_null(memmem(text.data, text.len, "..", 2));
    OK(cvm_jws_parse(text.data, text.len, &jws, &err));
    assert_true(jws.detached);
    OK(cvm_jws_verify_detached(&jws, CVM_JWS_COMMITMENT, &KEY.pub, payload, strlen(payload), &err));
    REFUSED(CVM_E_JWS_SIGNATURE, cvm_jws_verify_detached(&jws, CVM_JWS_COMMITMENT, &KEY.pub,
                                                         payload, strlen(payload) - 1, &err));
    REFUSED(CVM_E_JWS_KEY, cvm_jws_verify_detached(&jws, CVM_JWS_COMMITMENT, &OTHER.pub, payload,
                                                   strlen(payload), &err));
    REFUSED(CVM_E_JWS_TYPE,
            cvm_jws_verify_detached(&jws, CVM_JWS_ACT, &KEY.pub, payload, strlen(payload), &err));
    REFUSED(CVM_E_JWS_TYPE, cvm_jws_verify(&jws, CVM_JWS_COMMITMENT, &KEY.pub, &err));
}

/* Any change of any character is refused by the parser or by the check. */
static void every_change(void **state)
{
    (void)state;
    CVM_AUTO_BUF struct cvm_buf text = {0};
    OK(cvm_jws_create(&KEY, CVM_JWS_ACT, "{\"seq\":1}", 9, &text, &err));
    for (size_t i = 0; i < text.len; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            CVM_AUTO_JWS struct cvm_jws jws = {0};
            struct cvm_error err;
            text.data[i] ^= (uint8_t)(1u << bit);
            int r = cvm_jws_parse(text.data, text.len, &jws, &err);
            if (r == 0)
                r = cvm_jws_verify(&jws, CVM_JWS_ACT, &KEY.pub, &err);
            assert_int_equal(r, -1);
            text.data[i] ^= (uint8_t)(1u << bit);
        }
}

static void refuse_header(const char *header, const char *payload)
{
    CVM_AUTO_BUF struct cvm_buf input = {0};
    CVM_AUTO_FREE char *h = cvm_b64u(header, strlen(header));
    CVM_AUTO_JWS struct cvm_jws jws = {0};
    uint8_t signature[64];
    cvm_buf_append_str(&input, h);
    cvm_buf_append_str(&input, ".");
    cvm_buf_append_str(&input, payload);
    OK(cvm_ed25519_sign(&KEY, input.data, input.len, signature, &err));
    CVM_AUTO_FREE char *s = cvm_b64u(signature, sizeof signature);
    cvm_buf_append_str(&input, ".");
    cvm_buf_append_str(&input, s);
    REFUSED(CVM_E_JWS_FORMAT, cvm_jws_parse(input.data, input.len, &jws, &err));
}

/* Each is correctly signed, and each says something else than the one header that we take. */
static void headers(void **state)
{
    (void)state;
    char kid[CVM_KID_TEXT];
    cvm_jwk_kid(&KEY.pub, CVM_ED25519, kid);
    static const char *const forms[] = {
        "{\"alg\":\"none\",\"kid\":\"%s\",\"typ\":\"2cvm-act+jws\"}",
        "{\"alg\":\"HS256\",\"kid\":\"%s\",\"typ\":\"2cvm-act+jws\"}",
        "{\"kid\":\"%s\",\"alg\":\"EdDSA\",\"typ\":\"2cvm-act+jws\"}",
        "{\"alg\":\"EdDSA\",\"kid\":\"%s\"}",
        "{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"\"}",
        "{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"2cvm act\"}",
        "{\"alg\":\"EdDSA\", \"kid\":\"%s\",\"typ\":\"2cvm-act+jws\"}",
        "{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"2cvm-act+jws\"}\n",
        "{\"alg\":\"EdDSA\",\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"2cvm-act+jws\"}",
        "{\"alg\":\"EdDSA\",\"cty\":\"a\",\"kid\":\"%s\",\"typ\":\"2cvm-act+jws\"}",
        "{\"alg\":\"EdDSA\",\"crit\":[\"b64\"],\"kid\":\"%s\",\"typ\":\"2cvm-act+jws\"}",
        "{\"alg\":\"EdDSA\",\"b64\":true,\"crit\":[\"b64\"],\"kid\":\"%s\",\"typ\":\"2cvm-act+"
        "jws\"}",
        "{\"alg\":\"EdDSA\",\"b64\":false,\"kid\":\"%s\",\"typ\":\"2cvm-act+jws\"}",
        "{\"alg\":\"EdDSA\",\"b64\":false,\"crit\":[],\"kid\":\"%s\",\"typ\":\"2cvm-act+jws\"}",
        "{\"alg\":\"EdDSA\",\"kid\":\"%s=\",\"typ\":\"2cvm-act+jws\"}",
        "[\"%s\"]",
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        char text[256];
        const char *mark = strstr(forms[i], "%s");
        snprintf(text, sizeof text, "%.*s%s%s", (int)(mark - forms[i]), forms[i], kid, mark + 2);
        refuse_header(text, "e30");
        refuse_header(text, "");
    }
    CVM_AUTO_FREE char *b64 = cvm_printf(
        "{\"alg\":\"EdDSA\",\"b64\":false,\"crit\":[\"b64\"],\"kid\":\"%s\",\"typ\":\"a\"}", kid);
    refuse_header(b64, "e30"); /* detached, but with its payload */
    CVM_AUTO_FREE char *plain = cvm_printf("{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"a\"}", kid);
    refuse_header(plain, "");
    refuse_header(plain, "e30=");
    refuse_header(plain, "e3 0");
    refuse_header(plain, "e30.e30");
}

static void shapes(void **state)
{
    (void)state;
    static const char *const bad[] = {"", ".", "..", "...", "a", "a.b", "e30.e30.e30", "{}"};
    CVM_AUTO_JWS struct cvm_jws jws = {0};
    CVM_AUTO_BUF struct cvm_buf large = {0}, text = {0};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        REFUSED(CVM_E_JWS_FORMAT, cvm_jws_parse(bad[i], strlen(bad[i]), &jws, &err));
    cvm_buf_extend(&large, CVM_JWS_MAX + 1);
    REFUSED(CVM_E_JWS_FORMAT, cvm_jws_parse(large.data, large.len, &jws, &err));
    REFUSED(CVM_E_TOO_LARGE, cvm_jws_create(&KEY, CVM_JWS_ACT, large.data, large.len, &text, &err));
    OK(cvm_jws_create(&KEY, CVM_JWS_ACT, "{}", 2, &text, &err));
    REFUSED(CVM_E_JWS_FORMAT, cvm_jws_parse(text.data, text.len - 1, &jws, &err));
    cvm_buf_append_str(&text, "\n");
    REFUSED(CVM_E_JWS_FORMAT, cvm_jws_parse(text.data, text.len, &jws, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attached), cmocka_unit_test(detached), cmocka_unit_test(every_change),
        cmocka_unit_test(headers),  cmocka_unit_test(shapes),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
