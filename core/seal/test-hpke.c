#include "core/seal/hpke.h"
#include "core/seal/hpke-internal.h"
#include "core/seal/release.h"
#include "core/seal/test-support.h"

/* Base mode, X25519, HKDF-SHA256: RFC 9180 A.1.1 (AES-128-GCM), and the CFRG's vector of the same
 * set with AES-256-GCM. */
static const struct vector {
    enum cvm_hpke_aead aead;
    const char *sk_e, *sk_r, *pk_r, *enc, *ct;
} VECTORS[] = {
    {CVM_HPKE_AES_128_GCM, "52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736",
     "4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8",
     "3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d",
     "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431",
     "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a"},
    {CVM_HPKE_AES_256_GCM, "179d4b53b6365c45b600c4163b61d95cbc2f4d9e36f1695558dce265ab8bab11",
     "497b4502664cfea5d5af0b39934dac72242a74f8480451e1aee7d6a53320333d",
     "430f4b9859665145a6b1ba274024487bd66f03a2dd577d7753c68d7d7d00c00c",
     "6c93e09869df3402d7bf231bf540fadd35cd56be14f97178f0954db94b7fc256",
     "e5d84cd531cfb583096e7cfa9641bd3079cf3a91cda813c52deb5f512be9931980a41de125a925cdad859d5b7a"},
};
#define INFO CVM_STR("Ode on a Grecian Urn")
#define AAD CVM_STR("Count-0")
#define PLAIN CVM_STR("Beauty is truth, truth beauty")

static void vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const struct vector *v = &VECTORS[i];
        CVM_AUTO_KEY struct cvm_key e = {0}, r = {0};
        CVM_AUTO_SECRET struct cvm_secret plain = {0};
        CVM_AUTO_BUF struct cvm_buf sk_e = from_hex(v->sk_e), sk_r = from_hex(v->sk_r),
                                    pk_r = from_hex(v->pk_r), enc = from_hex(v->enc),
                                    expected = from_hex(v->ct), ct = {0};
        OK(cvm_key_from_secret(&e, CVM_X25519, sk_e.data, &err));
        OK(cvm_key_from_secret(&r, CVM_X25519, sk_r.data, &err));
        assert_memory_equal(e.pub.b, enc.data, 32);
        assert_memory_equal(r.pub.b, pk_r.data, 32);
        OK(cvm_hpke_seal_with(v->aead, &e, &r.pub, INFO, AAD, PLAIN, &ct, &err));
        assert_int_equal(ct.len, expected.len);
        assert_memory_equal(ct.data, expected.data, ct.len);
        OK(cvm_hpke_open_with(v->aead, &r, enc.data, INFO, AAD, CVM_BYTES(ct.data, ct.len), &plain,
                              &err));
        assert_int_equal(plain.len, PLAIN.len);
        assert_memory_equal(plain.data, PLAIN.data, plain.len);
    }
}

static void refusals(void **state)
{
    (void)state;
    CVM_AUTO_KEY struct cvm_key key = {0}, other = {0}, signing = {0};
    CVM_AUTO_BUF struct cvm_buf ct = {0};
    struct cvm_secret plain = {0};
    uint8_t enc[32], zero[32] = {0};
    struct cvm_public_key small = {.b = {1}};
    OK(cvm_key_generate(&key, CVM_X25519, &err));
    OK(cvm_key_generate(&other, CVM_X25519, &err));
    OK(cvm_key_generate(&signing, CVM_ED25519, &err));
    OK(cvm_hpke_seal(&key.pub, INFO, AAD, PLAIN, enc, &ct, &err));
    struct cvm_bytes c = CVM_BYTES(ct.data, ct.len);
    REFUSED(CVM_E_HPKE_OPEN, cvm_hpke_open(&other, enc, INFO, AAD, c, &plain, &err));
    REFUSED(CVM_E_HPKE_OPEN, cvm_hpke_open(&signing, enc, INFO, AAD, c, &plain, &err));
    REFUSED(CVM_E_HPKE_OPEN, cvm_hpke_open(&key, enc, AAD, AAD, c, &plain, &err));
    REFUSED(CVM_E_HPKE_OPEN, cvm_hpke_open(&key, enc, INFO, INFO, c, &plain, &err));
    REFUSED(CVM_E_HPKE_OPEN, cvm_hpke_open(&key, zero, INFO, AAD, c, &plain, &err));
    REFUSED(CVM_E_HPKE_OPEN, cvm_hpke_open(&key, small.b, INFO, AAD, c, &plain, &err));
    for (size_t len = 0; len < ct.len; len++)
        REFUSED(CVM_E_HPKE_OPEN,
                cvm_hpke_open(&key, enc, INFO, AAD, CVM_BYTES(ct.data, len), &plain, &err));
    for (size_t i = 0; i < ct.len; i++) {
        ct.data[i] ^= 1;
        REFUSED(CVM_E_HPKE_OPEN, cvm_hpke_open(&key, enc, INFO, AAD, c, &plain, &err));
        ct.data[i] ^= 1;
    }
    assert_null(plain.data);
    CVM_AUTO_BUF struct cvm_buf none = {0};
    REFUSED(CVM_E_KEY_FORMAT, cvm_hpke_seal(&small, INFO, AAD, PLAIN, enc, &none, &err));
    assert_int_equal(none.len, 0);
}

static void release(void **state)
{
    (void)state;
    CVM_AUTO_KEY struct cvm_key key = {0};
    CVM_AUTO_SECRET struct cvm_secret content = {0}, opened = {0}, none = {0}, wrong = {0};
    struct cvm_digest manifest = cvm_sha256("m", 1), session = cvm_sha256("s", 1);
    struct cvm_sealed_key sealed;
    OK(cvm_key_generate(&key, CVM_X25519, &err));
    OK(cvm_secret_random(&content, CVM_CONTENT_KEY_LEN, &err));
    OK(cvm_release_seal(&key.pub, &manifest, &session, "rows-a", &content, &sealed, &err));
    OK(cvm_release_open(&key, &manifest, &session, "rows-a", &sealed, &opened, &err));
    assert_memory_equal(opened.data, content.data, CVM_CONTENT_KEY_LEN);
    REFUSED(CVM_E_HPKE_OPEN,
            cvm_release_open(&key, &manifest, &session, "rows-b", &sealed, &none, &err));
    REFUSED(CVM_E_HPKE_OPEN,
            cvm_release_open(&key, &session, &session, "rows-a", &sealed, &none, &err));
    REFUSED(CVM_E_HPKE_OPEN,
            cvm_release_open(&key, &manifest, &manifest, "rows-a", &sealed, &none, &err));
    OK(cvm_secret_random(&wrong, 31, &err));
    REFUSED(CVM_E_INTERNAL,
            cvm_release_seal(&key.pub, &manifest, &session, "rows-a", &wrong, &sealed, &err));

    CVM_AUTO_JSON json_t *object = json_object();
    struct cvm_json_reader r;
    struct cvm_error err;
    cvm_sealed_key_write(&sealed, object);
    cvm_json_begin(&r, object, "", &err);
    struct cvm_sealed_key again = cvm_sealed_key_read(&r);
    assert_int_equal(cvm_json_end(&r), 0);
    assert_memory_equal(&again, &sealed, sizeof again);
    json_object_set_new(object, "ct", json_string("AAAA"));
    cvm_json_begin(&r, object, "", &err);
    cvm_sealed_key_read(&r);
    assert_int_equal(cvm_json_end(&r), -1);
    assert_int_equal(err.code, CVM_E_BAD_ENCODING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(vectors), cmocka_unit_test(refusals),
                                       cmocka_unit_test(release)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
