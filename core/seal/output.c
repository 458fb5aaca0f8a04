#include "core/seal/output.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/cursor.h"
#include "core/base/json.h"
#include "core/base/descriptor.h"

#define LABEL "2cvm/output/1"
#define CHUNK (256 * 1024)

struct entry {
    struct cvm_digest kid;
    struct cvm_sealed_key key;
};

static void bind(const struct cvm_output_binding *b, struct cvm_buf *info, struct cvm_buf *aad)
{
    struct cvm_bytes fields[] = {CVM_DIGEST_BYTES(&b->manifest), CVM_DIGEST_BYTES(&b->session),
                                 CVM_STR(b->output)};
    cvm_label(info, LABEL, NULL, 0);
    cvm_label(aad, LABEL, fields, 3);
}

/* The header's canonical bytes, without their length. */
static int write_header(const struct cvm_output_binding *b, const struct entry *entries, size_t n,
                        struct cvm_buf *out, struct cvm_error *err)
{
    char manifest[CVM_DIGEST_TEXT], kid[CVM_KID_TEXT];
    json_t *keys = json_array();
    CVM_AUTO_JSON json_t *header =
        json_pack("{s:i, s:s, s:s, s:s, s:o}", "version", 1, "manifest",
                  cvm_digest_text(&b->manifest, manifest), "session",
                  cvm_kid_text(&b->session, kid), "output", b->output, "keys", keys);
    CVM_ENSURE(header, err, CVM_E_INTERNAL, "the header of an output");
    for (size_t i = 0; i < n; i++) {
        json_t *e = json_pack("{s:s}", "kid", cvm_kid_text(&entries[i].kid, kid));
        cvm_sealed_key_write(&entries[i].key, e);
        CVM_ENSURE(json_array_append_new(keys, e) == 0, err, CVM_E_INTERNAL,
                   "the header of an output");
    }
    return cvm_json_write(header, out, err);
}

static int read_entry(json_t *value, struct entry *ret, struct cvm_error *err)
{
    struct cvm_json_reader r;
    struct entry e;
    cvm_json_begin(&r, value, "keys", err);
    const char *kid = cvm_json_string(&r, "kid");
    e.key = cvm_sealed_key_read(&r);
    CVM_GUARD(cvm_json_end(&r));
    CVM_GUARD(cvm_kid_parse(kid, &e.kid, err));
    *ret = e;
    return 0;
}

/* Finds the entry for `kid`; *ret_found says whether there is one. */
static int read_header(const struct cvm_output_binding *b, const uint8_t *data, size_t len,
                       const struct cvm_digest *kid, struct entry *ret, bool *ret_found,
                       struct cvm_error *err)
{
    char session[CVM_KID_TEXT];
    struct cvm_json_reader r;
    CVM_AUTO_JSON json_t *header = cvm_json_parse_canonical(data, len, err);
    if (!header)
        return -1;
    cvm_json_begin(&r, header, "", err);
    cvm_json_int(&r, "version", 1, 1);
    struct cvm_digest manifest = cvm_json_digest(&r, "manifest");
    const char *session_text = cvm_json_string(&r, "session");
    const char *output = cvm_json_string(&r, "output");
    json_t *keys = cvm_json_array(&r, "keys", CVM_OUTPUT_RECIPIENTS_MAX);
    CVM_GUARD(cvm_json_end(&r));
    CVM_ENSURE(cvm_equal(manifest.b, b->manifest.b, sizeof manifest.b), err, CVM_E_SEALED_FORMAT,
               "sealed under another manifest");
    CVM_ENSURE(strcmp(session_text, cvm_kid_text(&b->session, session)) == 0, err,
               CVM_E_SEALED_FORMAT, "sealed by another session");
    CVM_ENSURE(strcmp(output, b->output) == 0, err, CVM_E_SEALED_FORMAT, "another output");
    size_t i;
    json_t *value;
    bool found = false;
    json_array_foreach(keys, i, value)
    {
        struct entry e;
        CVM_GUARD(read_entry(value, &e, err));
        if (!cvm_equal(e.kid.b, kid->b, sizeof kid->b))
            continue;
        CVM_ENSURE(!found, err, CVM_E_SEALED_FORMAT, "the same recipient twice");
        *ret = e;
        found = true;
    }
    *ret_found = found;
    return 0;
}

struct hashing_writer {
    struct cvm_hasher hasher;
    uint64_t size;
    int fd;
};

static int hash_and_write(void *ctx, const void *data, size_t len, struct cvm_error *err)
{
    struct hashing_writer *w = ctx;
    cvm_hasher_add(&w->hasher, data, len);
    w->size += len;
    return cvm_fd_write(w->fd, data, len, err);
}

static int seal_keys(const struct cvm_output_binding *b, const struct cvm_public_key *recipients,
                     size_t n, const struct cvm_secret *key, struct cvm_buf *header,
                     struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf info = {0}, aad = {0};
    struct entry entries[CVM_OUTPUT_RECIPIENTS_MAX];
    bind(b, &info, &aad);
    for (size_t i = 0; i < n; i++) {
        entries[i].kid = cvm_jwk_thumbprint(&recipients[i], CVM_X25519);
        CVM_GUARD(cvm_sealed_key_make(&recipients[i], CVM_BYTES(info.data, info.len),
                                      CVM_BYTES(aad.data, aad.len), key, &entries[i].key, err));
    }
    return write_header(b, entries, n, header, err);
}

int cvm_output_seal(const struct cvm_output_binding *binding,
                    const struct cvm_public_key *recipients, size_t n, enum cvm_padding padding,
                    uint64_t max_bytes, int in_fd, uint64_t length, int out_fd,
                    struct cvm_digest *ret_file, uint64_t *ret_size, struct cvm_error *err)
{
    CVM_AUTO_SECRET struct cvm_secret key = {0};
    CVM_AUTO_BUF struct cvm_buf header = {0}, head = {0};
    uint8_t salt[CVM_SALT_LEN];
    struct cvm_digest content, file;
    CVM_ENSURE(n > 0 && n <= CVM_OUTPUT_RECIPIENTS_MAX, err, CVM_E_INTERNAL, "%zu recipients", n);
    CVM_GUARD(cvm_secret_random(&key, CVM_CONTENT_KEY_LEN, err));
    CVM_GUARD(cvm_random(salt, sizeof salt, err));
    CVM_GUARD(seal_keys(binding, recipients, n, &key, &header, err));
    struct cvm_digest associated = cvm_sha256(header.data, header.len);
    struct cvm_blob_spec spec = {.key = &key,
                                 .associated = CVM_DIGEST_BYTES(&associated),
                                 .padding = padding,
                                 .max_bytes = max_bytes};
    cvm_buf_append_u32be(&head, (uint32_t)header.len);
    cvm_buf_append(&head, header.data, header.len);
    struct hashing_writer w = {.fd = out_fd};
    cvm_hasher_start(&w.hasher);
    if (hash_and_write(&w, head.data, head.len, err) < 0 ||
        cvm_blob_seal(&spec, salt, in_fd, length, hash_and_write, &w, &content, err) < 0) {
        cvm_hasher_free(&w.hasher);
        return -1;
    }
    cvm_hasher_end(&w.hasher, file.b);
    if (ret_file)
        *ret_file = file;
    if (ret_size)
        *ret_size = w.size;
    return 0;
}

uint64_t cvm_output_sealed_size(const struct cvm_output_binding *binding, size_t recipients,
                                enum cvm_padding padding, uint64_t length, uint64_t max_bytes)
{
    static const struct entry EMPTY[CVM_OUTPUT_RECIPIENTS_MAX];
    CVM_AUTO_BUF struct cvm_buf header = {0};
    if (recipients > CVM_OUTPUT_RECIPIENTS_MAX ||
        write_header(binding, EMPTY, recipients, &header, NULL) < 0)
        abort();
    return 4 + header.len + cvm_blob_size(padding, length, max_bytes);
}

/* Reads length and header, opens the blob's key. `header_digest` is the blob's associated data. */
static int open_key(const struct cvm_output_binding *b, const struct cvm_key *mine, int in_fd,
                    struct cvm_hasher *file, struct cvm_secret *ret, struct cvm_digest *ret_header,
                    struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf header = {0}, info = {0}, aad = {0};
    uint8_t prefix[4];
    size_t n = 0;
    CVM_GUARD(cvm_fd_read(in_fd, prefix, sizeof prefix, &n, err));
    CVM_ENSURE(n == sizeof prefix, err, CVM_E_SEALED_FORMAT, "it has no header");
    struct cvm_cursor c = cvm_cursor(prefix, sizeof prefix);
    uint32_t len = cvm_cursor_u32be(&c);
    CVM_ENSURE(len <= CVM_OUTPUT_HEADER_MAX, err, CVM_E_SEALED_FORMAT, "a header of %u bytes", len);
    CVM_GUARD(cvm_fd_read(in_fd, cvm_buf_extend(&header, len), len, &n, err));
    CVM_ENSURE(n == len, err, CVM_E_SEALED_FORMAT, "it ends inside its header");
    cvm_hasher_add(file, prefix, sizeof prefix);
    cvm_hasher_add(file, header.data, header.len);

    struct cvm_digest kid = cvm_jwk_thumbprint(&mine->pub, CVM_X25519);
    struct cvm_error why;
    struct entry entry;
    bool found = false;
    if (read_header(b, header.data, header.len, &kid, &entry, &found, &why) < 0)
        return cvm_fail(err, CVM_E_SEALED_FORMAT, "the header: %.300s", why.message);
    CVM_ENSURE(found, err, CVM_E_NOT_RECIPIENT, "output %s", b->output);
    bind(b, &info, &aad);
    CVM_GUARD(cvm_sealed_key_open(mine, CVM_BYTES(info.data, info.len),
                                  CVM_BYTES(aad.data, aad.len), &entry.key, ret, err));
    *ret_header = cvm_sha256(header.data, header.len);
    return 0;
}

static void cleanup_opener(struct cvm_blob_opener **o)
{
    cvm_blob_opener_free(*o);
}

static int open_blob(const struct cvm_blob_spec *spec, int in_fd, int out_fd,
                     struct cvm_hasher *file, uint64_t *ret_length, struct cvm_error *err)
{
    CVM_CLEANUP(cleanup_opener) struct cvm_blob_opener *o = NULL;
    CVM_AUTO_FREE uint8_t *chunk = cvm_alloc(CHUNK);
    uint64_t left;
    size_t n = 0;
    CVM_GUARD(cvm_fd_left(in_fd, &left, err));
    CVM_GUARD(cvm_blob_opener_new(&o, spec, left, out_fd, err));
    do {
        CVM_GUARD(cvm_fd_read(in_fd, chunk, CHUNK, &n, err));
        cvm_hasher_add(file, chunk, n);
        CVM_GUARD(cvm_blob_opener_update(o, chunk, n, err));
    } while (n > 0);
    return cvm_blob_opener_finish(o, NULL, NULL, ret_length, err);
}

int cvm_output_open(const struct cvm_output_binding *binding, const struct cvm_key *mine,
                    enum cvm_padding padding, uint64_t max_bytes, int in_fd, int out_fd,
                    struct cvm_digest *ret_file, uint64_t *ret_length, struct cvm_error *err)
{
    CVM_AUTO_SECRET struct cvm_secret key = {0};
    struct cvm_digest header = {0}, file;
    uint64_t length = 0;
    struct cvm_hasher hasher;
    cvm_hasher_start(&hasher);
    struct cvm_blob_spec spec = {.key = &key,
                                 .associated = CVM_DIGEST_BYTES(&header),
                                 .padding = padding,
                                 .max_bytes = max_bytes};
    if (open_key(binding, mine, in_fd, &hasher, &key, &header, err) < 0 ||
        open_blob(&spec, in_fd, out_fd, &hasher, &length, err) < 0) {
        cvm_hasher_free(&hasher);
        return -1;
    }
    cvm_hasher_end(&hasher, file.b);
    if (ret_file)
        *ret_file = file;
    if (ret_length)
        *ret_length = length;
    return 0;
}
