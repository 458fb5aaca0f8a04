/*
 * The test vectors of test/vectors/collaboration: one whole collaboration from fixed keys, so that
 * a second implementer can check every format. This test makes everything anew and compares bytes;
 * key releases alone are random, so the stored ones are opened. With `--write` it writes the
 * folder.
 */
#include "core/record/test-fixture-record.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "core/manifest/explain.h"
#include "core/record/nonce-tree.h"
#include "core/record/report-data.h"
#include "core/seal/release.h"

#define FOLDER CVM_SOURCE_DIR "/test/vectors/collaboration"

static bool writing;
static struct cvm_key sign, seal; /* of the session */
static struct cvm_digest session;
static json_t *values;

static void make_folder(const char *path)
{
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        abort();
}

static void read_file(const char *name, struct cvm_buf *ret)
{
    CVM_AUTO_FREE char *path = cvm_printf("%s/%s", FOLDER, name);
    CVM_AUTO_FCLOSE FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("%s: %s", path, strerror(errno));
    char part[4096];
    size_t n;
    while ((n = fread(part, 1, sizeof part, f)) > 0)
        cvm_buf_append(ret, part, n);
}

/* Written, or compared with what is there. */
static void file(const char *name, const void *data, size_t len)
{
    CVM_AUTO_FREE char *path = cvm_printf("%s/%s", FOLDER, name);
    if (writing) {
        CVM_AUTO_FCLOSE FILE *f = fopen(path, "wb");
        if (!f || fwrite(data, 1, len, f) != len)
            abort();
        return;
    }
    CVM_AUTO_BUF struct cvm_buf stored = {0};
    read_file(name, &stored);
    if (stored.len != len || memcmp(stored.data, data, len) != 0)
        fail_msg("%s differs", path);
}

static void value_hex(const char *name, const void *data, size_t len)
{
    CVM_AUTO_FREE char *hex = cvm_hex(data, len);
    json_object_set_new(values, name, json_string(hex));
}

static void value_digest(const char *name, const struct cvm_digest *d)
{
    json_object_set_new(values, name, cvm_json_of_digest(d));
}

static struct cvm_digest labelled(const char *what, const char *id)
{
    CVM_AUTO_FREE char *text = cvm_printf("2cvm test %s %s", what, id);
    return cvm_sha256(text, strlen(text));
}

static void keys(void)
{
    CVM_AUTO_JSON json_t *all = json_object();
    for (int n = 0; n < 4; n++) {
        const char *name = n < 3 ? m.participants[n].id : "session";
        json_t *pair = json_object();
        for (int c = 0; c < 2; c++) {
            CVM_AUTO_KEY struct cvm_key k =
                fixture_key(n < 3 ? n : SESSION_KEY, c ? CVM_X25519 : CVM_ED25519);
            CVM_AUTO_BUF struct cvm_buf jwk = {0};
            cvm_jwk_write_private(&k, &jwk);
            json_object_set_new(pair, c ? "seal" : "sign", fixture_json(cvm_buf_cstr(&jwk)));
        }
        json_object_set_new(all, name, pair);
    }
    CVM_AUTO_BUF struct cvm_buf b = {0};
    must(cvm_json_write(all, &b, NULL));
    file("keys.json", b.data, b.len);
}

static void commitments(void)
{
    for (int p = 0; p < 3; p++) {
        CVM_AUTO_KEY struct cvm_key k = fixture_key(p, CVM_ED25519);
        CVM_AUTO_BUF struct cvm_buf jws = {0};
        must(cvm_commitment_make(&m, p, &k, &jws, NULL));
        CVM_AUTO_FREE char *name = cvm_printf("commitments/%s.jws", m.participants[p].id);
        file(name, jws.data, jws.len);
    }
}

/* Three waiting nonces, the report over them, the path of the second. */
static void evidence(const struct cvm_transcript *t)
{
    struct cvm_digest n[3];
    struct cvm_bytes nonces[3];
    for (int p = 0; p < 3; p++) {
        n[p] = labelled("nonce", m.participants[p].id);
        nonces[p] = CVM_DIGEST_BYTES(&n[p]);
    }
    struct cvm_report_data d = {.sign = sign.pub,
                                .seal = seal.pub,
                                .manifest = m.digest,
                                .transcript_head = t->head,
                                .nonce_root = cvm_nonce_tree_root(nonces, 3)};
    uint8_t data[CVM_REPORT_DATA_LEN];
    cvm_report_data(&d, data);
    value_digest("nonce_root", &d.nonce_root);
    value_digest("transcript_head_locked", &t->head);
    value_hex("report_data", data, sizeof data);
    struct cvm_nonce_path path = cvm_nonce_tree_path(nonces, 3, 1);
    assert_int_equal(path.n, 2);
    value_digest("nonce_path_clinic_b_0", &path.hashes[0]);
    value_digest("nonce_path_clinic_b_1", &path.hashes[1]);
}

static struct cvm_digest released_secret(int participant, int item)
{
    return item < 0 ? fixture_share(participant)
                    : labelled("content key", cvm_manifest_item_at(&m, (uint32_t)item).id);
}

static const char *released_id(int item)
{
    return item < 0 ? "seed" : cvm_manifest_item_at(&m, (uint32_t)item).id;
}

static void write_release(int p, const char *name)
{
    struct cvm_act act = {
        .kind = CVM_ACT_RELEASE, .participant = p, .seq = 1, .nonce_len = CVM_SHA256_LEN};
    struct cvm_digest nonce = labelled("nonce", m.participants[p].id);
    memcpy(act.nonce, nonce.b, sizeof nonce.b);
    act.n_items = cvm_act_wants(&m, p, act.items);
    for (uint32_t i = 0; i < act.n_items; i++) {
        struct cvm_digest s = released_secret(p, act.items[i].item);
        CVM_AUTO_SECRET struct cvm_secret secret = {0};
        must(cvm_secret_copy(&secret, s.b, sizeof s.b, NULL));
        must(cvm_release_seal(&seal.pub, &m.digest, &session, released_id(act.items[i].item),
                              &secret, &act.items[i].sealed, NULL));
    }
    CVM_AUTO_KEY struct cvm_key k = fixture_key(p, CVM_ED25519);
    CVM_AUTO_BUF struct cvm_buf jws = {0};
    must(cvm_act_make(&m, &session, &act, &k, &jws, NULL));
    file(name, jws.data, jws.len);
}

static void release(int p, struct cvm_transcript *t)
{
    CVM_AUTO_FREE char *name = cvm_printf("acts/%s-1.jws", m.participants[p].id);
    if (writing)
        write_release(p, name);
    CVM_AUTO_BUF struct cvm_buf jws = {0};
    read_file(name, &jws);
    struct cvm_act act;
    struct cvm_error err = {0};
    if (cvm_act_verify(&m, &session, jws.data, jws.len, &act, &err) < 0)
        fail_msg("%s: %s", name, err.message);
    assert_int_equal(act.participant, p);
    for (uint32_t i = 0; i < act.n_items; i++) {
        CVM_AUTO_SECRET struct cvm_secret got = {0};
        assert_int_equal(cvm_release_open(&seal, &m.digest, &session,
                                          released_id(act.items[i].item), &act.items[i].sealed,
                                          &got, NULL),
                         0);
        struct cvm_digest wanted = released_secret(p, act.items[i].item);
        assert_memory_equal(got.data, wanted.b, sizeof wanted.b);
    }
    struct cvm_digest d = cvm_sha256(jws.data, jws.len);
    must(cvm_transcript_act(t, m.participants[p].id, CVM_ACT_RELEASE, 1, &d, NULL));
}

static void act(struct cvm_transcript *t, const struct cvm_act *a)
{
    CVM_AUTO_KEY struct cvm_key k = fixture_key(a->participant, CVM_ED25519);
    CVM_AUTO_BUF struct cvm_buf jws = {0};
    must(cvm_act_make(&m, &session, a, &k, &jws, NULL));
    const char *who = m.participants[a->participant].id;
    CVM_AUTO_FREE char *name = cvm_printf("acts/%s-%llu.jws", who, (unsigned long long)a->seq);
    file(name, jws.data, jws.len);
    struct cvm_digest d = cvm_sha256(jws.data, jws.len);
    must(cvm_transcript_act(t, who, a->kind, a->seq, &d, NULL));
}

static void seeds(void)
{
    struct cvm_secret shares[3] = {{0}};
    for (int p = 0; p < 3; p++) {
        struct cvm_digest s = fixture_share(p);
        must(cvm_secret_copy(&shares[p], s.b, sizeof s.b, NULL));
    }
    CVM_AUTO_SECRET struct cvm_secret seed = {0};
    must(cvm_seed_derive(shares, 3, &m.digest, "train", &seed, NULL));
    value_hex("seed_of_train", seed.data, seed.len);
    for (int p = 0; p < 3; p++)
        cvm_secret_free(&shares[p]);
}

static void life(struct cvm_transcript *t)
{
    cvm_transcript_start(t, &m.digest);
    value_digest("transcript_head_0", &t->head);
    fixture_move(t, CVM_PHASE_EMPTY, CVM_PHASE_LOCKED);
    evidence(t);
    release(0, t);
    fixture_move(t, CVM_PHASE_LOCKED, CVM_PHASE_FILLING);
    cvm_transcript_refused(t, CVM_E_ACT_SEQUENCE);
    cvm_transcript_refused(t, CVM_E_ACT_SEQUENCE);
    cvm_transcript_refused(t, CVM_E_ITEM_NOT_WANTED);
    release(1, t);
    release(2, t);
    fixture_move(t, CVM_PHASE_FILLING, CVM_PHASE_SEALED);
    fixture_move(t, CVM_PHASE_SEALED, CVM_PHASE_RUNNING);
    fixture_move(t, CVM_PHASE_RUNNING, CVM_PHASE_WAITING);
    struct cvm_act approve = {.kind = CVM_ACT_APPROVE,
                              .participant = 0,
                              .seq = 2,
                              .output = 0,
                              .transcript_n = t->n,
                              .transcript_head = t->head};
    act(t, &approve);
    struct cvm_act now = {.kind = CVM_ACT_TIME, .participant = 1, .seq = 2, .time = 1700000000};
    act(t, &now);
    fixture_move(t, CVM_PHASE_WAITING, CVM_PHASE_RELEASING);
}

static void test_vectors(void **state)
{
    (void)state;
    values = json_object();
    file("manifest.json", m.bytes, m.len);
    value_digest("manifest", &m.digest);
    char text[CVM_SPOKEN_LEN], kid[CVM_KID_TEXT];
    json_object_set_new(values, "manifest_spoken", json_string(cvm_digest_spoken(&m.digest, text)));
    json_object_set_new(values, "session", json_string(cvm_kid_text(&session, kid)));
    keys();
    commitments();
    seeds();

    CVM_CLEANUP(cvm_transcript_free) struct cvm_transcript t;
    life(&t);
    struct cvm_receipt r = fixture_receipt(&t);
    CVM_AUTO_BUF struct cvm_buf jws = {0};
    must(cvm_receipt_make(&m, &r, &sign, &jws, NULL));
    file("receipt.jws", jws.data, jws.len);
    value_digest("receipt_payload", &r.payload);
    must(cvm_transcript_move(&t, CVM_PHASE_RELEASING, CVM_PHASE_CLOSED, &r.payload, CVM_OK, NULL));
    file("transcript.jsonl", t.lines.data, t.lines.len);
    value_digest("transcript_head_last", &t.head);

    struct cvm_transcript_summary s;
    assert_int_equal(cvm_transcript_check(&m, t.lines.data, t.lines.len, &s, NULL), 0);
    assert_int_equal(cvm_receipt_check_transcript(&r, &s, NULL), 0);
    CVM_AUTO_BUF struct cvm_buf b = {0};
    must(cvm_json_write(values, &b, NULL));
    file("values.json", b.data, b.len);
    json_decref(values);
}

int main(int argc, char **argv)
{
    writing = argc == 2 && strcmp(argv[1], "--write") == 0;
    if (writing) {
        make_folder(FOLDER);
        make_folder(FOLDER "/commitments");
        make_folder(FOLDER "/acts");
    }
    fixture_manifest(&m);
    sign = fixture_key(SESSION_KEY, CVM_ED25519);
    seal = fixture_key(SESSION_KEY, CVM_X25519);
    session = cvm_jwk_thumbprint(&sign.pub, CVM_ED25519);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    cvm_manifest_free(&m);
    cvm_key_free(&sign);
    cvm_key_free(&seal);
    return failed;
}
