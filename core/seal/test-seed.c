#include "core/seal/content.h"
#include "core/seal/seed.h"
#include "core/seal/test-support.h"

/* Expected values were computed with Python's hashlib and hmac from the text of doc/PROTOCOL.md. */
#define COMMITMENT "c6fbb05cc968d6190e4cef9b70f2ef533eef3c6cfdae2f61f57be814ecd43d00"
#define SEED "02a77c5a57dccebb3e066111207cd38c394cd9b44a01071025c4a4d11e66ca10"
#define CONTENT "23711726b4ffb597d9f3db7ec4b3f9208316c1bec7760918064a2f1e4502a46f"

static void seeds(void **state)
{
    (void)state;
    struct cvm_secret shares[2] = {{0}};
    CVM_AUTO_SECRET struct cvm_secret seed = {0}, swapped = {0}, other = {0};
    struct cvm_digest manifest = cvm_sha256("m", 1);
    for (int i = 0; i < 2; i++) {
        OK(cvm_secret_new(&shares[i], CVM_SEED_LEN, &err));
        memset(shares[i].data, i + 1, CVM_SEED_LEN);
    }
    struct cvm_digest c = cvm_seed_commitment(shares[0].data);
    CVM_AUTO_FREE char *commitment = cvm_hex(c.b, sizeof c.b);
    assert_string_equal(commitment, COMMITMENT);
    OK(cvm_seed_derive(shares, 2, &manifest, "train", &seed, &err));
    CVM_AUTO_FREE char *hex = cvm_hex(seed.data, seed.len);
    assert_string_equal(hex, SEED);
    OK(cvm_seed_derive(shares, 2, &manifest, "score", &other, &err));
    assert_memory_not_equal(other.data, seed.data, 32);
    struct cvm_secret turned[2] = {shares[1], shares[0]};
    OK(cvm_seed_derive(turned, 2, &manifest, "train", &swapped, &err));
    assert_memory_not_equal(swapped.data, seed.data, 32);
    struct cvm_secret none = {0};
    REFUSED(CVM_E_INTERNAL, cvm_seed_derive(shares, 0, &manifest, "train", &none, &err));
    shares[1].len = 31;
    REFUSED(CVM_E_INTERNAL, cvm_seed_derive(shares, 2, &manifest, "train", &none, &err));
    shares[1].len = 32;
    cvm_secret_free(&shares[0]);
    cvm_secret_free(&shares[1]);
}

static void content(void **state)
{
    (void)state;
    uint8_t salt[CVM_SALT_LEN] = {0};
    struct cvm_digest bytes = cvm_sha256("abc", 3), d = cvm_content_digest(salt, &bytes);
    CVM_AUTO_FREE char *hex = cvm_hex(d.b, sizeof d.b);
    assert_string_equal(hex, CONTENT);
    salt[31] = 1;
    struct cvm_digest salted = cvm_content_digest(salt, &bytes);
    assert_memory_not_equal(&salted, &d, sizeof d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(seeds), cmocka_unit_test(content)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
