#include "core/seal/jwk.h"
#include "core/seal/sign.h"
#include "core/seal/test-support.h"

/* RFC 8037, appendix A.1 to A.5 */
#define D "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
#define X "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define THUMBPRINT "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
#define SIGNED "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
#define SIGNATURE                                                                                  \
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
#define PRIVATE "{\"crv\":\"Ed25519\",\"d\":\"" D "\",\"kty\":\"OKP\",\"x\":\"" X "\"}"

static void rfc8037(void **state)
{
    (void)state;
    CVM_AUTO_KEY struct cvm_key key = {0};
    char kid[CVM_KID_TEXT];
    uint8_t expected[64], made[64];
    OK(cvm_jwk_read_private(PRIVATE, strlen(PRIVATE), CVM_ED25519, &key, &err));
    assert_string_equal(cvm_jwk_kid(&key.pub, CVM_ED25519, kid), THUMBPRINT);
    OK(cvm_b64u_decode_exact(SIGNATURE, expected, 64, &err));
    OK(cvm_ed25519_sign(&key, SIGNED, strlen(SIGNED), made, &err));
    assert_memory_equal(made, expected, 64);
    OK(cvm_ed25519_verify(&key.pub, SIGNED, strlen(SIGNED), made, &err));
    REFUSED(CVM_E_JWS_SIGNATURE,
            cvm_ed25519_verify(&key.pub, SIGNED, strlen(SIGNED) - 1, made, &err));
    made[63] ^= 0x10; /* S above the group's order */
    REFUSED(CVM_E_JWS_SIGNATURE, cvm_ed25519_verify(&key.pub, SIGNED, strlen(SIGNED), made, &err));
}

static void private_files(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum cvm_curve curve;
    } bad[] = {
        {"", CVM_ED25519},
        {"\n", CVM_ED25519},
        {"{}", CVM_ED25519},
        {PRIVATE, CVM_X25519},
        {PRIVATE " ", CVM_ED25519},
        {PRIVATE "\n\n", CVM_ED25519},
        {" " PRIVATE, CVM_ED25519},
        {"{\"crv\":\"Ed25519\",\"d\":\"" D, CVM_ED25519},
        {"{\"crv\":\"Ed25519\",\"d\":\"" D "\",\"kty\":\"OKP\",\"x\":\"" D "\"}", CVM_ED25519},
        {"{\"crv\":\"Ed25519\",\"d\":\"" D "=\",\"kty\":\"OKP\",\"x\":\"" X "\"}", CVM_ED25519},
        {"{\"crv\":\"Ed25519\",\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2B\",\"kty\":"
         "\"OKP\",\"x\":\"" X "\"}",
         CVM_ED25519}, /* bits behind the end */
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"d\":\"" D "\",\"x\":\"" X "\"}", CVM_ED25519},
    };
    struct cvm_key key = {0};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        REFUSED(CVM_E_KEY_FORMAT,
                cvm_jwk_read_private(bad[i].text, strlen(bad[i].text), bad[i].curve, &key, &err));
        assert_null(key.secret.data);
    }
    for (int c = CVM_ED25519; c <= CVM_X25519; c++) {
        CVM_AUTO_KEY struct cvm_key made = {0}, again = {0};
        CVM_AUTO_BUF struct cvm_buf file = {0};
        OK(cvm_key_generate(&made, (enum cvm_curve)c, &err));
        cvm_jwk_write_private(&made, &file);
        cvm_buf_append_u8(&file, '\n');
        OK(cvm_jwk_read_private(file.data, file.len, (enum cvm_curve)c, &again, &err));
        assert_memory_equal(again.secret.data, made.secret.data, 32);
        assert_memory_equal(again.pub.b, made.pub.b, 32);
    }
}

static void refuse_public(const char *text, enum cvm_curve curve)
{
    CVM_AUTO_JSON json_t *jwk = json_loads(text, 0, NULL);
    struct cvm_public_key key;
    assert_non_null(jwk);
    REFUSED(CVM_E_KEY_FORMAT, cvm_jwk_parse(jwk, curve, &key, &err));
}

static void public_keys(void **state)
{
    (void)state;
    CVM_AUTO_KEY struct cvm_key key = {0};
    struct cvm_public_key again;
    OK(cvm_key_generate(&key, CVM_X25519, &err));
    CVM_AUTO_JSON json_t *jwk = cvm_jwk(&key.pub, CVM_X25519);
    OK(cvm_jwk_parse(jwk, CVM_X25519, &again, &err));
    assert_memory_equal(again.b, key.pub.b, 32);
    REFUSED(CVM_E_KEY_FORMAT, cvm_jwk_parse(jwk, CVM_ED25519, &again, &err));
    refuse_public("[]", CVM_ED25519);
    refuse_public("{}", CVM_ED25519);
    refuse_public("{\"crv\":\"Ed25519\",\"kty\":\"OKP\"}", CVM_ED25519);
    refuse_public("{\"crv\":\"Ed25519\",\"kty\":\"EC\",\"x\":\"" X "\"}", CVM_ED25519);
    refuse_public("{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":1}", CVM_ED25519);
    refuse_public("{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"" X "A\"}", CVM_ED25519);
    refuse_public("{\"crv\":\"Ed25519\",\"kid\":\"a\",\"kty\":\"OKP\",\"x\":\"" X "\"}",
                  CVM_ED25519);
    refuse_public("{\"crv\":\"Ed25519\",\"d\":\"" D "\",\"kty\":\"OKP\",\"x\":\"" X "\"}",
                  CVM_ED25519);
}

/* The order of each is 1, 2, 4 or 8; the high bit does not change that. */
static void small_order(void **state)
{
    (void)state;
    static const struct {
        enum cvm_curve curve;
        const char *hex;
    } bad[] = {
        {CVM_ED25519, "0000000000000000000000000000000000000000000000000000000000000000"},
        {CVM_ED25519, "0100000000000000000000000000000000000000000000000000000000000000"},
        {CVM_ED25519, "0100000000000000000000000000000000000000000000000000000000000080"},
        {CVM_ED25519, "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"},
        {CVM_ED25519, "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"},
        {CVM_ED25519, "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"},
        {CVM_X25519, "0000000000000000000000000000000000000000000000000000000000000000"},
        {CVM_X25519, "0100000000000000000000000000000000000000000000000000000000000000"},
        {CVM_X25519, "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"},
        {CVM_X25519, "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"},
        {CVM_X25519, "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct cvm_public_key key;
        OK(cvm_hex_decode(bad[i].hex, key.b, 32, &err));
        REFUSED(CVM_E_KEY_FORMAT, cvm_public_key_check(&key, bad[i].curve, &err));
    }
    /* with the neutral point as key, R = S·B verifies for any message: the forgery that the check
     * prevents */
    struct cvm_public_key neutral = {.b = {1}};
    uint8_t forged[64] = {1};
    REFUSED(CVM_E_KEY_FORMAT, cvm_ed25519_verify(&neutral, "anything", 8, forged, &err));
}

static void kids(void **state)
{
    (void)state;
    struct cvm_digest d;
    char text[CVM_KID_TEXT];
    OK(cvm_kid_parse(THUMBPRINT, &d, &err));
    assert_string_equal(cvm_kid_text(&d, text), THUMBPRINT);
    REFUSED(CVM_E_BAD_ENCODING, cvm_kid_parse("", &d, &err));
    REFUSED(CVM_E_BAD_ENCODING, cvm_kid_parse(THUMBPRINT "A", &d, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc8037),     cmocka_unit_test(private_files),
        cmocka_unit_test(public_keys), cmocka_unit_test(small_order),
        cmocka_unit_test(kids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
