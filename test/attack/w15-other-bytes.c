/*
 * W15: the signature is over a re-serialisation. Here one manifest is written in every other way
 * that JSON allows, for the parser and under a commitment to the first. Would succeed if the digest
 * were of anything but the bytes as received, or if more than one form were accepted.
 */
#include "test/attack/attack.h"

static void must_be_refused(const char *what, const struct cvm_buf *bytes,
                            const struct cvm_manifest *right, const struct cvm_buf *commitment)
{
    struct cvm_error err = {0};
    CVM_AUTO_MANIFEST struct cvm_manifest other = {0};
    if (cvm_manifest_parse(bytes->data, bytes->len, &other, &err) == 0)
        fail_msg("%s was accepted", what);
    /* The commitment is to the bytes: it holds for those and for no others. */
    struct cvm_manifest as_sent = *right;
    as_sent.bytes = bytes->data;
    as_sent.len = bytes->len;
    assert_int_equal(cvm_commitment_check(right, 0, commitment->data, commitment->len, &err), 0);
    assert_int_equal(cvm_commitment_check(&as_sent, 0, commitment->data, commitment->len, &err),
                     -1);
}

static void replaced(const char *what, const struct cvm_manifest *m, const char *from,
                     const char *to, const struct cvm_buf *commitment)
{
    CVM_AUTO_BUF struct cvm_buf b = {0};
    const uint8_t *at = memmem(m->bytes, m->len, from, strlen(from));
    assert_non_null(at);
    size_t before = (size_t)(at - m->bytes), skip = before + strlen(from);
    cvm_buf_append(&b, m->bytes, before);
    cvm_buf_append_str(&b, to);
    cvm_buf_append(&b, m->bytes + skip, m->len - skip);
    must_be_refused(what, &b, m, commitment);
}

static void written(const char *what, const struct cvm_manifest *m, const json_t *doc, size_t flags,
                    const struct cvm_buf *commitment)
{
    CVM_AUTO_BUF struct cvm_buf b = {0};
    char *text = json_dumps(doc, flags);
    cvm_buf_append_str(&b, text);
    free(text);
    must_be_refused(what, &b, m, commitment);
}

static void test_other_bytes(void **state)
{
    (void)state;
    struct cvm_error err = {0};
    CVM_AUTO_MANIFEST struct cvm_manifest m = {0};
    CVM_AUTO_JSON json_t *doc = fixture_document();
    CVM_AUTO_KEY struct cvm_key key = fixture_key(0, CVM_ED25519);
    CVM_AUTO_BUF struct cvm_buf commitment = {0};
    fixture_manifest(&m);
    assert_int_equal(cvm_commitment_make(&m, 0, &key, &commitment, &err), 0);
    written("spaces", &m, doc, JSON_SORT_KEYS, &commitment);
    written("indentation", &m, doc, JSON_SORT_KEYS | JSON_INDENT(2), &commitment);
    written("another order", &m, doc, JSON_COMPACT | JSON_PRESERVE_ORDER, &commitment);
    replaced("an escape", &m, "\"title\":\"Joint", "\"title\":\"\\u004aoint", &commitment);
    replaced("an escaped slash", &m, "\"in/a.csv\"", "\"in\\/a.csv\"", &commitment);
    replaced("an escaped key", &m, "\"vcpus\":", "\"\\u0076cpus\":", &commitment);
    replaced("a fraction", &m, "\"vcpus\":2", "\"vcpus\":2.0", &commitment);
    replaced("an exponent", &m, "\"vcpus\":2", "\"vcpus\":2e0", &commitment);
    replaced("a leading zero", &m, "\"vcpus\":2", "\"vcpus\":02", &commitment);
    replaced("a plus", &m, "\"vcpus\":2", "\"vcpus\":+2", &commitment);
    replaced("a key twice", &m, "\"vcpus\":2", "\"vcpus\":2,\"vcpus\":2", &commitment);
    replaced("a newline at the end", &m, ",\"version\":1}", ",\"version\":1}\n", &commitment);
    replaced("more behind", &m, ",\"version\":1}", ",\"version\":1}{}", &commitment);
    replaced("a mark of byte order", &m, "{\"channels\"", "\xef\xbb\xbf{\"channels\"", &commitment);
    replaced("a comma at the end", &m, ",\"version\":1}", ",\"version\":1,}", &commitment);
    replaced("a comment", &m, ",\"version\":1}", ",/**/\"version\":1}", &commitment);
    replaced("a byte of zero", &m, "Joint", "Joi\\u0000nt", &commitment);
}

ATTACK_MAIN(test_other_bytes)
