/*
 * Reads and writes each of our formats from the command line, for test-formats.py, which holds them
 * against programs that nobody here wrote. A test tool: keys come as arguments, so it must never be
 * installed.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/http/signature.h"
#include "core/base/descriptor.h"
#include "core/seal/jws.h"
#include "core/seal/output.h"
#include "core/seal/release.h"

static int read_file(const char *path, struct cvm_buf *out, struct cvm_error *err)
{
    uint64_t len;
    size_t n;
    CVM_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return cvm_fail_errno(err, "%s", path);
    CVM_GUARD(cvm_fd_left(fd, &len, err));
    return cvm_fd_read(fd, cvm_buf_extend(out, len), len, &n, err);
}

static int open_pair(const char *in, const char *out, int *ret_in, int *ret_out, uint64_t *ret_len,
                     struct cvm_error *err)
{
    *ret_in = open(in, O_RDONLY | O_CLOEXEC);
    *ret_out = open(out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (*ret_in < 0 || *ret_out < 0)
        return cvm_fail_errno(err, "%s, %s", in, out);
    return cvm_fd_left(*ret_in, ret_len, err);
}

static int read_private(const char *path, enum cvm_curve curve, struct cvm_key *ret,
                        struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf text = {0};
    CVM_GUARD(read_file(path, &text, err));
    return cvm_jwk_read_private(text.data, text.len, curve, ret, err);
}

static int read_public(const char *path, enum cvm_curve curve, struct cvm_public_key *ret,
                       struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf text = {0};
    CVM_GUARD(read_file(path, &text, err));
    CVM_AUTO_JSON json_t *jwk = cvm_json_parse(text.data, text.len, err);
    return jwk ? cvm_jwk_parse(jwk, curve, ret, err) : -1;
}

static int read_key(const char *hex, struct cvm_secret *ret, struct cvm_error *err)
{
    uint8_t raw[CVM_CONTENT_KEY_LEN];
    CVM_GUARD(cvm_hex_decode(hex, raw, sizeof raw, err));
    return cvm_secret_copy(ret, raw, sizeof raw, err);
}

static void print_buf(const struct cvm_buf *b)
{
    fwrite(b->data, 1, b->len, stdout);
}

/* keygen Ed25519|X25519 -> private file; public and key id come from `public` */
static int do_keygen(char **a, struct cvm_error *err)
{
    CVM_AUTO_KEY struct cvm_key key = {0};
    CVM_AUTO_BUF struct cvm_buf out = {0};
    CVM_GUARD(cvm_key_generate(&key, a[0][0] == 'E' ? CVM_ED25519 : CVM_X25519, err));
    cvm_jwk_write_private(&key, &out);
    print_buf(&out);
    return 0;
}

/* public Ed25519|X25519 PRIVATE -> {"jwk","kid"} */
static int do_public(char **a, struct cvm_error *err)
{
    enum cvm_curve curve = a[0][0] == 'E' ? CVM_ED25519 : CVM_X25519;
    CVM_AUTO_KEY struct cvm_key key = {0};
    CVM_AUTO_BUF struct cvm_buf out = {0};
    char kid[CVM_KID_TEXT];
    CVM_GUARD(read_private(a[1], curve, &key, err));
    CVM_AUTO_JSON json_t *both = json_pack("{s:o, s:s}", "jwk", cvm_jwk(&key.pub, curve), "kid",
                                           cvm_jwk_kid(&key.pub, curve, kid));
    CVM_GUARD(cvm_json_write(both, &out, err));
    print_buf(&out);
    return 0;
}

/* canonical FILE -> the same value in canonical form */
static int do_canonical(char **a, struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf in = {0}, out = {0};
    CVM_GUARD(read_file(a[0], &in, err));
    CVM_AUTO_JSON json_t *value = cvm_json_parse(in.data, in.len, err);
    if (!value)
        return -1;
    CVM_GUARD(cvm_json_write(value, &out, err));
    print_buf(&out);
    return 0;
}

/* jws attached|detached TYP PRIVATE PAYLOAD -> JWS */
static int do_jws(char **a, struct cvm_error *err)
{
    CVM_AUTO_KEY struct cvm_key key = {0};
    CVM_AUTO_BUF struct cvm_buf payload = {0}, out = {0};
    CVM_GUARD(read_private(a[2], CVM_ED25519, &key, err));
    CVM_GUARD(read_file(a[3], &payload, err));
    if (strcmp(a[0], "detached") == 0)
        CVM_GUARD(cvm_jws_create_detached(&key, a[1], payload.data, payload.len, &out, err));
    else
        CVM_GUARD(cvm_jws_create(&key, a[1], payload.data, payload.len, &out, err));
    print_buf(&out);
    return 0;
}

/* jws-check TYP PUBLIC JWS PAYLOAD -> payload; the payload file is used when the JWS is detached */
static int do_jws_check(char **a, struct cvm_error *err)
{
    struct cvm_public_key key;
    CVM_AUTO_JWS struct cvm_jws jws = {0};
    CVM_AUTO_BUF struct cvm_buf text = {0}, payload = {0};
    CVM_GUARD(read_public(a[1], CVM_ED25519, &key, err));
    CVM_GUARD(read_file(a[2], &text, err));
    CVM_GUARD(read_file(a[3], &payload, err));
    CVM_GUARD(cvm_jws_parse(text.data, text.len, &jws, err));
    if (jws.detached)
        CVM_GUARD(cvm_jws_verify_detached(&jws, a[0], &key, payload.data, payload.len, err));
    else
        CVM_GUARD(cvm_jws_verify(&jws, a[0], &key, err));
    print_buf(jws.detached ? &payload : &jws.payload);
    return 0;
}

/* release-seal PUBLIC MANIFEST SESSION ITEM KEY (hex) -> {"ct","enc"} */
static int do_release_seal(char **a, struct cvm_error *err)
{
    struct cvm_public_key to;
    struct cvm_digest manifest, session;
    struct cvm_sealed_key sealed;
    CVM_AUTO_SECRET struct cvm_secret key = {0};
    CVM_AUTO_BUF struct cvm_buf out = {0};
    CVM_AUTO_JSON json_t *object = json_object();
    CVM_GUARD(read_public(a[0], CVM_X25519, &to, err));
    CVM_GUARD(cvm_hex_decode(a[1], manifest.b, sizeof manifest.b, err));
    CVM_GUARD(cvm_hex_decode(a[2], session.b, sizeof session.b, err));
    CVM_GUARD(read_key(a[4], &key, err));
    CVM_GUARD(cvm_release_seal(&to, &manifest, &session, a[3], &key, &sealed, err));
    cvm_sealed_key_write(&sealed, object);
    CVM_GUARD(cvm_json_write(object, &out, err));
    print_buf(&out);
    return 0;
}

/* release-open PRIVATE MANIFEST SESSION ITEM SEALED -> key in hex */
static int do_release_open(char **a, struct cvm_error *err)
{
    struct cvm_digest manifest, session;
    struct cvm_json_reader r;
    CVM_AUTO_KEY struct cvm_key mine = {0};
    CVM_AUTO_SECRET struct cvm_secret key = {0};
    CVM_AUTO_BUF struct cvm_buf text = {0};
    CVM_GUARD(read_private(a[0], CVM_X25519, &mine, err));
    CVM_GUARD(cvm_hex_decode(a[1], manifest.b, sizeof manifest.b, err));
    CVM_GUARD(cvm_hex_decode(a[2], session.b, sizeof session.b, err));
    CVM_GUARD(read_file(a[4], &text, err));
    CVM_AUTO_JSON json_t *object = cvm_json_parse(text.data, text.len, err);
    if (!object)
        return -1;
    cvm_json_begin(&r, object, "", err);
    struct cvm_sealed_key sealed = cvm_sealed_key_read(&r);
    CVM_GUARD(cvm_json_end(&r));
    CVM_GUARD(cvm_release_open(&mine, &manifest, &session, a[3], &sealed, &key, err));
    CVM_AUTO_FREE char *hex = cvm_hex(key.data, key.len);
    fputs(hex, stdout);
    return 0;
}

struct blob_arguments {
    struct cvm_secret key;
    struct cvm_buf associated;
    struct cvm_blob_spec spec;
};

static int read_spec(char **a, struct blob_arguments *b, struct cvm_error *err)
{
    CVM_GUARD(read_key(a[0], &b->key, err));
    cvm_blob_associated(a[1], &b->associated);
    b->spec = (struct cvm_blob_spec){.key = &b->key,
                                     .associated = CVM_BYTES(b->associated.data, b->associated.len),
                                     .max_bytes = strtoull(a[3], NULL, 10)};
    return cvm_padding_parse(a[2], &b->spec.padding, err);
}

static void free_blob_arguments(struct blob_arguments *b)
{
    cvm_secret_free(&b->key);
    cvm_buf_free(&b->associated);
}

static void print_digest(const struct cvm_digest *d)
{
    char text[CVM_DIGEST_TEXT];
    fputs(cvm_digest_text(d, text), stdout);
}

/* blob-seal KEY ITEM PADDING MAX SALT IN OUT -> content digest */
static int do_blob_seal(char **a, struct cvm_error *err)
{
    CVM_CLEANUP(free_blob_arguments) struct blob_arguments b = {0};
    CVM_AUTO_CLOSE int in = -1;
    CVM_AUTO_CLOSE int out = -1;
    uint8_t salt[CVM_SALT_LEN];
    struct cvm_digest digest;
    uint64_t len;
    CVM_GUARD(read_spec(a, &b, err));
    CVM_GUARD(cvm_hex_decode(a[4], salt, sizeof salt, err));
    CVM_GUARD(open_pair(a[5], a[6], &in, &out, &len, err));
    CVM_GUARD(cvm_blob_seal_fd(&b.spec, salt, in, len, out, &digest, err));
    print_digest(&digest);
    return 0;
}

/* blob-open KEY ITEM PADDING MAX IN OUT -> content digest */
static int do_blob_open(char **a, struct cvm_error *err)
{
    CVM_CLEANUP(free_blob_arguments) struct blob_arguments b = {0};
    CVM_AUTO_CLOSE int in = -1;
    CVM_AUTO_CLOSE int out = -1;
    struct cvm_digest digest;
    uint64_t len;
    CVM_GUARD(read_spec(a, &b, err));
    CVM_GUARD(open_pair(a[4], a[5], &in, &out, &len, err));
    CVM_GUARD(cvm_blob_open_fd(&b.spec, in, out, NULL, &digest, NULL, err));
    print_digest(&digest);
    return 0;
}

/* output-seal PUBLIC MANIFEST SESSION OUTPUT PADDING MAX IN OUT -> SHA-256 of the file */
static int do_output_seal(char **a, struct cvm_error *err)
{
    struct cvm_output_binding binding = {.output = a[3]};
    struct cvm_public_key to;
    struct cvm_digest file;
    enum cvm_padding padding;
    CVM_AUTO_CLOSE int in = -1;
    CVM_AUTO_CLOSE int out = -1;
    uint64_t len;
    CVM_GUARD(read_public(a[0], CVM_X25519, &to, err));
    CVM_GUARD(cvm_hex_decode(a[1], binding.manifest.b, 32, err));
    CVM_GUARD(cvm_hex_decode(a[2], binding.session.b, 32, err));
    CVM_GUARD(cvm_padding_parse(a[4], &padding, err));
    CVM_GUARD(open_pair(a[6], a[7], &in, &out, &len, err));
    CVM_GUARD(cvm_output_seal(&binding, &to, 1, padding, strtoull(a[5], NULL, 10), in, len, out,
                              &file, NULL, err));
    print_digest(&file);
    return 0;
}

/* http-sign PRIVATE METHOD AUTHORITY PATH QUERY CREATED BODY -> the header lines; BODY "" for none
 */
static int do_http_sign(char **a, struct cvm_error *err)
{
    CVM_AUTO_KEY struct cvm_key key = {0};
    CVM_AUTO_BUF struct cvm_buf body = {0};
    CVM_AUTO_FREE char *input = NULL, *signature = NULL, *length = NULL;
    char digest_text[CVM_HTTP_CONTENT_DIGEST];
    struct cvm_http_request r = {.method = a[1], .authority = a[2], .path = a[3], .query = a[4]};
    int64_t created = (int64_t)strtoll(a[5], NULL, 10);
    CVM_GUARD(read_private(a[0], CVM_ED25519, &key, err));
    if (a[6][0]) {
        CVM_GUARD(read_file(a[6], &body, err));
        struct cvm_digest digest = cvm_sha256(body.data, body.len);
        r.content_digest = cvm_http_content_digest(&digest, digest_text);
        r.content_length = length = cvm_printf("%zu", body.len);
        printf("Content-Digest: %s\nContent-Length: %s\n", r.content_digest, r.content_length);
    }
    CVM_GUARD(cvm_http_sign(&r, &key, created, created + 120, &input, &signature, err));
    printf("Signature-Input: %s\nSignature: %s\n", input, signature);
    return 0;
}

static const struct {
    const char *name;
    int arguments;
    int (*run)(char **arguments, struct cvm_error *err);
} COMMANDS[] = {
    {"keygen", 1, do_keygen},
    {"public", 2, do_public},
    {"canonical", 1, do_canonical},
    {"jws", 4, do_jws},
    {"jws-check", 4, do_jws_check},
    {"release-seal", 5, do_release_seal},
    {"release-open", 5, do_release_open},
    {"blob-seal", 7, do_blob_seal},
    {"blob-open", 6, do_blob_open},
    {"output-seal", 8, do_output_seal},
    {"http-sign", 7, do_http_sign},
};

int main(int argc, char **argv)
{
    struct cvm_error err = {0};
    for (size_t i = 0; argc > 1 && i < sizeof COMMANDS / sizeof COMMANDS[0]; i++) {
        if (strcmp(COMMANDS[i].name, argv[1]) != 0 || COMMANDS[i].arguments != argc - 2)
            continue;
        if (COMMANDS[i].run(argv + 2, &err) == 0)
            return 0;
        fprintf(stderr, "%s: %s\n", cvm_code_info(err.code)->name, err.message);
        return 1;
    }
    return 2;
}
