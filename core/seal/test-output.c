#include "core/seal/output.h"
#include "core/seal/test-support.h"

static struct cvm_key KEYS[3]; /* two recipients and a stranger */
static struct cvm_output_binding BINDING = {.output = "model"};

static int make(void **state)
{
    (void)state;
    BINDING.manifest = cvm_sha256("m", 1);
    BINDING.session = cvm_sha256("s", 1);
    for (int i = 0; i < 3; i++)
        if (cvm_key_generate(&KEYS[i], CVM_X25519, NULL) < 0)
            return -1;
    return 0;
}

static int drop(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        cvm_key_free(&KEYS[i]);
    return 0;
}

static struct cvm_buf seal(enum cvm_padding padding, const char *text, struct cvm_digest *file)
{
    struct cvm_public_key to[2] = {KEYS[0].pub, KEYS[1].pub};
    CVM_AUTO_CLOSE int in = file_of(text, strlen(text));
    int out = file_of("", 0);
    uint64_t size;
    OK(cvm_output_seal(&BINDING, to, 2, padding, 1000, in, strlen(text), out, file, &size, &err));
    struct cvm_buf b = contents(out);
    assert_int_equal(b.len, size);
    assert_int_equal(b.len, cvm_output_sealed_size(&BINDING, 2, padding, strlen(text), 1000));
    return b;
}

static int open_as(const struct cvm_output_binding *binding, const struct cvm_key *key,
                   enum cvm_padding padding, const struct cvm_buf *sealed, struct cvm_buf *plain,
                   struct cvm_error *err)
{
    CVM_AUTO_CLOSE int in = file_of(sealed->data, sealed->len);
    int out = file_of("", 0);
    struct cvm_digest file, direct = cvm_sha256(sealed->data, sealed->len);
    uint64_t length = 0;
    int r = cvm_output_open(binding, key, padding, 1000, in, out, &file, &length, err);
    *plain = contents(out);
    if (r == 0) {
        assert_int_equal(plain->len, length);
        assert_memory_equal(&file, &direct, sizeof file);
    }
    return r;
}

static void round_trips(void **state)
{
    (void)state;
    for (int p = CVM_PADDING_MAX; p <= CVM_PADDING_NONE; p++)
        for (int i = 0; i < 2; i++) {
            struct cvm_digest file, direct;
            CVM_AUTO_BUF struct cvm_buf sealed = seal((enum cvm_padding)p, "the result", &file),
                                        plain = {0};
            direct = cvm_sha256(sealed.data, sealed.len);
            assert_memory_equal(&file, &direct, sizeof file);
            OK(open_as(&BINDING, &KEYS[i], (enum cvm_padding)p, &sealed, &plain, &err));
            assert_int_equal(plain.len, 10);
            assert_memory_equal(plain.data, "the result", 10);
        }
}

static void others(void **state)
{
    (void)state;
    CVM_AUTO_BUF struct cvm_buf sealed = seal(CVM_PADDING_MAX, "the result", NULL), p = {0},
                                q = {0}, r = {0}, s = {0}, t = {0};
    struct cvm_output_binding b = BINDING;
    REFUSED(CVM_E_NOT_RECIPIENT, open_as(&BINDING, &KEYS[2], CVM_PADDING_MAX, &sealed, &p, &err));
    b.output = "report";
    REFUSED(CVM_E_SEALED_FORMAT, open_as(&b, &KEYS[0], CVM_PADDING_MAX, &sealed, &q, &err));
    b = BINDING;
    b.manifest.b[0] ^= 1;
    REFUSED(CVM_E_SEALED_FORMAT, open_as(&b, &KEYS[0], CVM_PADDING_MAX, &sealed, &r, &err));
    b = BINDING;
    b.session.b[0] ^= 1;
    REFUSED(CVM_E_SEALED_FORMAT, open_as(&b, &KEYS[0], CVM_PADDING_MAX, &sealed, &s, &err));
    REFUSED(CVM_E_PADDING, open_as(&BINDING, &KEYS[0], CVM_PADDING_NONE, &sealed, &t, &err));
}

/* One bit at every place of the header, and at some of the blob; and every cut of the header. */
static void every_change(void **state)
{
    (void)state;
    CVM_AUTO_BUF struct cvm_buf sealed = seal(CVM_PADDING_MAX, "the result", NULL);
    for (size_t i = 0; i < sealed.len; i++) {
        CVM_AUTO_BUF struct cvm_buf plain = {0};
        struct cvm_error err = {0};
        sealed.data[i] ^= 1;
        assert_int_equal(open_as(&BINDING, &KEYS[0], CVM_PADDING_MAX, &sealed, &plain, &err), -1);
        assert_int_equal(plain.len, 0);
        sealed.data[i] ^= 1;
    }
    for (size_t len = 0; len < sealed.len; len += 7) {
        CVM_AUTO_BUF struct cvm_buf plain = {0};
        struct cvm_buf cut = {.data = sealed.data, .len = len};
        struct cvm_error err = {0};
        assert_int_equal(open_as(&BINDING, &KEYS[0], CVM_PADDING_MAX, &cut, &plain, &err), -1);
        assert_int_equal(plain.len, 0);
    }
}

/* A blob under another header: the header is the blob's associated data. */
static void exchanged(void **state)
{
    (void)state;
    CVM_AUTO_BUF struct cvm_buf a = seal(CVM_PADDING_MAX, "first", NULL),
                                b = seal(CVM_PADDING_MAX, "other", NULL), plain = {0};
    assert_int_equal(a.len, b.len);
    size_t blob = cvm_blob_size(CVM_PADDING_MAX, 5, 1000);
    memcpy(a.data + a.len - blob, b.data + b.len - blob, blob);
    REFUSED(CVM_E_STREAM_CORRUPT, open_as(&BINDING, &KEYS[0], CVM_PADDING_MAX, &a, &plain, &err));
}

static void misuse(void **state)
{
    (void)state;
    struct cvm_public_key to[CVM_OUTPUT_RECIPIENTS_MAX + 1] = {{{0}}};
    CVM_AUTO_CLOSE int in = file_of("x", 1);
    CVM_AUTO_CLOSE int out = file_of("", 0);
    REFUSED(CVM_E_INTERNAL,
            cvm_output_seal(&BINDING, to, 0, CVM_PADDING_MAX, 10, in, 1, out, NULL, NULL, &err));
    REFUSED(CVM_E_INTERNAL, cvm_output_seal(&BINDING, to, CVM_OUTPUT_RECIPIENTS_MAX + 1,
                                            CVM_PADDING_MAX, 10, in, 1, out, NULL, NULL, &err));
    REFUSED(CVM_E_KEY_FORMAT,
            cvm_output_seal(&BINDING, to, 1, CVM_PADDING_MAX, 10, in, 1, out, NULL, NULL, &err));
    REFUSED(CVM_E_CONTENT_TOO_LARGE, cvm_output_seal(&BINDING, &KEYS[0].pub, 1, CVM_PADDING_MAX, 0,
                                                     in, 1, out, NULL, NULL, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips), cmocka_unit_test(others), cmocka_unit_test(every_change),
        cmocka_unit_test(exchanged),   cmocka_unit_test(misuse),
    };
    return cmocka_run_group_tests(tests, make, drop);
}
