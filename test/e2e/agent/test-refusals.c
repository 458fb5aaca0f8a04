/* What a participant or the host may get wrong, on purpose or not: each is refused with its code,
 * and what was there before is there afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <cmocka.h>

#include "core/seal/blob.h"
#include "core/seal/release.h"
#include "guest-agent/sandbox/sandbox.h"
#include "core/record/statement.h"
#include "test/e2e/agent/world.h"

/* One component of carl's that copies anna's rows to the result. */
static void small(struct world *w, const char *program)
{
    world_open(w);
    world_component(w, "c", program);
    world_data(w, "rows", 0, "secret rows");
    world_channel(w, "rows", NULL, "c", "in/rows");
    world_channel(w, "c", "out/r", "result", NULL);
    world_output(w, "result", 1000);
    world_diagnostics(w, "how");
}

static void locked(struct world *w)
{
    small(w, "copy 0 0\n");
    world_seal(w);
    world_start_locked(w);
}

static void assert_state(struct world *w, const char *want)
{
    CVM_AUTO_JSON json_t *s = world_status(w);
    assert_string_equal(json_string_value(json_object_get(s, "state")), want);
}

static void assert_reason(struct world *w, const char *want)
{
    CVM_AUTO_JSON json_t *s = world_status(w);
    assert_string_equal(json_string_value(json_object_get(s, "state")), "aborted");
    assert_string_equal(json_string_value(json_object_get(s, "reason")), want);
}

static bool listed(struct world *w, const char *list, const char *id)
{
    CVM_AUTO_JSON json_t *s = world_status(w);
    const json_t *all = json_object_get(s, list);
    for (size_t i = 0; i < json_array_size(all); i++)
        if (!strcmp(json_string_value(json_array_get(all, i)), id))
            return true;
    return false;
}

static void test_lock(void **state)
{
    (void)state;
    struct world w, other;
    small(&w, "copy 0 0\n");
    world_seal(&w);
    small(&other, "text 0 mine\n");
    world_seal(&other);
    world_start(&w);
    struct cvm_buf right = {.data = w.manifest.bytes, .len = w.manifest.len};
    struct cvm_buf wrong = {.data = other.manifest.bytes, .len = other.manifest.len};
    assert_int_equal(world_lock_with(&w, &wrong, other.commitments, 3), CVM_E_HOST_DATA_MISMATCH);
    assert_int_equal(world_lock_with(&w, &right, w.commitments, 2), CVM_E_COMMITMENT_MISSING);
    assert_int_equal(world_lock_with(&w, &right, other.commitments, 3), CVM_E_JWS_KEY);
    struct cvm_buf swapped[3] = {w.commitments[1], w.commitments[0], w.commitments[2]};
    assert_int_equal(world_lock_with(&w, &right, swapped, 3), CVM_E_JWS_KEY);
    w.commitments[2].data[w.commitments[2].len - 5] ^= 1;
    assert_int_not_equal(world_lock(&w), CVM_OK);
    w.commitments[2].data[w.commitments[2].len - 5] ^= 1;
    assert_int_equal(world_challenge(&w), CVM_E_WRONG_PHASE);
    assert_int_equal(world_op(&w, "run"), CVM_E_WRONG_PHASE);
    assert_int_equal(world_refusal(&w, "close", NULL), CVM_E_WRONG_PHASE);
    assert_int_equal(world_refusal(&w, "transcript", NULL), CVM_E_WITHHELD);
    assert_state(&w, "empty");
    assert_int_equal(world_lock(&w), CVM_OK);
    assert_int_equal(world_lock(&w), CVM_E_ALREADY_LOCKED);
    assert_state(&w, "locked");
    world_close(&w);
    world_close(&other);
}

/* An isolate that was started for a manifest which must not be locked. */
static enum cvm_code lock_of(json_t *draft_isolate_member, const char *name, const char *suffix)
{
    struct world w;
    struct cvm_error err;
    small(&w, "copy 0 0\n");
    if (name)
        json_object_set_new(json_object_get(w.draft, "isolate"), name, draft_isolate_member);
    CVM_AUTO_BUF struct cvm_buf bytes = {0};
    assert_int_equal(cvm_json_write(w.draft, &bytes, &err), 0);
    world_seal(&w);
    cvm_buf_append_str(&bytes, suffix ? suffix : "");
    world_start_for(&w, &bytes);
    enum cvm_code code = world_lock_with(&w, &bytes, w.commitments, 3);
    assert_state(&w, "empty");
    world_close(&w);
    return code;
}

static void test_isolate(void **state)
{
    (void)state;
    char other[8 + 96];
    memset(other, 'a', sizeof other);
    memcpy(other, "sha384:", 7);
    other[7 + 96] = 0;
    assert_int_equal(lock_of(json_pack("[s]", other), "measurements", NULL),
                     CVM_E_MEASUREMENT_UNKNOWN);
    const char *not_this = world_is_machine() ? "sim-process" : "sim-vm";
    assert_int_equal(lock_of(json_pack("[s]", not_this), "platforms", NULL), CVM_E_PLATFORM);
    assert_int_equal(lock_of(json_integer(4096), "memory_mib", NULL), CVM_E_MANIFEST_MEMORY);
    unsigned have;
    struct cvm_error err;
    assert_int_equal(cvm_sandbox_probe(&have, &err), 0);
    if (have != CVM_PROTECTIONS_ALL || world_is_machine()) /* an emulated processor lacks one */
        assert_int_equal(lock_of(json_array(), "waive", NULL), CVM_E_PROTECTION_MISSING);
}

static void test_hostile_manifest_bytes(void **state)
{
    (void)state;
    assert_int_equal(lock_of(NULL, NULL, "\n"), CVM_E_JSON_NOT_CANONICAL);
    assert_int_equal(lock_of(NULL, NULL, "{}"), CVM_E_JSON_SYNTAX);
}

static void test_acts(void **state)
{
    (void)state;
    struct world w;
    locked(&w);
    struct cvm_act act;

    json_t *p = world_act_payload(&w, 0, "time");
    json_object_set_new(p, "time", json_integer(1700000000));
    json_object_set_new(p, "manifest",
                        json_string("sha256:0000000000000000000000000000000000000000"
                                    "000000000000000000000000"));
    assert_int_equal(world_act_json(&w, 0, p), CVM_E_ACT_MANIFEST);

    p = world_act_payload(&w, 0, "time");
    json_object_set_new(p, "time", json_integer(1700000000));
    json_object_set_new(p, "session", json_string("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
    assert_int_equal(world_act_json(&w, 0, p), CVM_E_ACT_SESSION);

    p = world_act_payload(&w, 0, "time"); /* anna's words, signed by berta */
    json_object_set_new(p, "time", json_integer(1700000000));
    assert_int_equal(world_act_json(&w, 1, p), CVM_E_JWS_KEY);

    assert_int_equal(world_act_json(&w, 0, world_act_payload(&w, 0, "reset")), CVM_E_ACT_FORMAT);
    p = world_act_payload(&w, 0, "abort");
    json_object_set_new(p, "more", json_true());
    assert_int_equal(world_act_json(&w, 0, p), CVM_E_ACT_FORMAT);

    world_make_release(&w, 0, &act); /* a nonce that no report covered */
    act.nonce[0] ^= 1;
    assert_int_equal(world_act(&w, 0, &act), CVM_E_ACT_NONCE);

    world_make_release(&w, 0, &act); /* the key of one item in the place of another's */
    struct cvm_sealed_key key = act.items[0].sealed;
    act.items[0].sealed = act.items[1].sealed;
    assert_int_equal(world_act(&w, 0, &act), CVM_E_HPKE_OPEN);
    act.items[0].sealed = key;
    act.items[1].sealed = key;
    assert_int_equal(world_act(&w, 0, &act), CVM_E_HPKE_OPEN);

    struct cvm_error err;
    world_make_release(&w, 0, &act); /* another share than the one committed to */
    assert_int_equal(cvm_release_seal(&w.session_seal, &w.manifest.digest, &w.session, "seed",
                                      &w.share[1], &act.items[1].sealed, &err),
                     0);
    assert_int_equal(world_act(&w, 0, &act), CVM_E_SEED_MISMATCH);
    assert_state(&w, "locked");

    CVM_AUTO_BUF struct cvm_buf jws = {0};
    world_make_release(&w, 0, &act);
    assert_int_equal(cvm_act_make(&w.manifest, &w.session, &act, &w.sign[0], &jws, &err), 0);
    uint8_t was = jws.data[jws.len - 10]; /* another character of base64url, whatever it was */
    jws.data[jws.len - 10] = was == 'A' ? 'B' : 'A';
    assert_int_equal(world_act_bytes(&w, &jws), CVM_E_JWS_SIGNATURE);
    jws.data[jws.len - 10] = was;
    assert_int_equal(world_act_bytes(&w, &jws), CVM_OK);
    assert_state(&w, "filling");
    assert_int_equal(world_act_bytes(&w, &jws), CVM_E_ACT_SEQUENCE); /* replayed */
    assert_int_equal(world_release(&w, 0), CVM_E_ALREADY_RELEASED);
    memcpy(w.nonce[1], w.nonce[0], sizeof w.nonce[0]); /* a nonce that a release has spent */
    assert_int_equal(world_release(&w, 1), CVM_E_ACT_NONCE);

    struct cvm_act now = {.kind = CVM_ACT_TIME, .participant = 0, .seq = 100, .time = 1700000000};
    assert_int_equal(world_act(&w, 0, &now), CVM_OK);
    now.seq++;
    now.time--;
    assert_int_equal(world_act(&w, 0, &now), CVM_E_TIME_BACKWARD);
    struct cvm_act approve = {
        .kind = CVM_ACT_APPROVE, .participant = 0, .seq = 102, .transcript_n = 1};
    assert_int_equal(world_act(&w, 0, &approve), CVM_E_WRONG_PHASE);
    assert_state(&w, "filling");
    world_close(&w);
}

static void test_expired(void **state)
{
    (void)state;
    struct world w;
    locked(&w);
    struct cvm_act late = {.kind = CVM_ACT_TIME, .participant = 1, .seq = 100, .time = 1900000001};
    assert_int_equal(world_release(&w, 0), CVM_OK);
    assert_int_equal(world_act(&w, 1, &late), CVM_OK);
    w.seq[1] = 100;
    assert_int_equal(world_release(&w, 1), CVM_E_MANIFEST_EXPIRED);
    world_close(&w);
}

static void test_run_too_early(void **state)
{
    (void)state;
    struct world w;
    locked(&w);
    assert_int_equal(world_op(&w, "run"), CVM_E_NOT_EVERYONE_RELEASED);
    assert_int_equal(world_release(&w, 0), CVM_OK);
    assert_int_equal(world_release(&w, 2), CVM_OK);
    for (size_t i = 0; i < w.n_items; i++)
        assert_int_equal(world_item(&w, w.items[i].id), CVM_OK);
    /* Berta brings nothing, and still nothing runs before she has released. */
    assert_int_equal(world_op(&w, "run"), CVM_E_NOT_EVERYONE_RELEASED);
    assert_state(&w, "filling");
    assert_int_equal(world_release(&w, 1), CVM_OK);
    assert_true(world_await(&w, "sealed"));
    assert_int_equal(world_refusal(&w, "output", "result"), CVM_E_WITHHELD);
    assert_int_equal(world_refusal(&w, "output", "nothing"), CVM_E_NOT_FOUND);
    assert_string_equal(world_run(&w), "releasing");
    assert_int_equal(world_op(&w, "run"), CVM_E_ALREADY_RUN);
    world_close(&w);
}

static void test_items(void **state)
{
    (void)state;
    struct world w;
    locked(&w);
    struct cvm_buf *blob = &w.items[1].blob; /* rows, anna's */
    assert_int_equal(world_item(&w, "rows"), CVM_E_ITEM_NOT_WANTED);
    assert_int_equal(world_release(&w, 0), CVM_OK);
    assert_int_equal(world_item(&w, "c"), CVM_E_ITEM_NOT_WANTED); /* carl has not released */
    assert_int_equal(world_item_bytes(&w, "rowz", blob->data, blob->len), CVM_E_NOT_FOUND);
    for (size_t at = 0; at < blob->len; at += blob->len / 7) { /* one bit, anywhere */
        blob->data[at] ^= 1;
        assert_int_equal(world_item(&w, "rows"), CVM_E_STREAM_CORRUPT);
        blob->data[at] ^= 1;
    }
    assert_int_not_equal(world_item_bytes(&w, "rows", blob->data, blob->len - 1), CVM_OK);
    assert_int_not_equal(world_item_bytes(&w, "rows", blob->data, 1), CVM_OK);
    CVM_AUTO_BUF struct cvm_buf longer = {0};
    cvm_buf_append(&longer, blob->data, blob->len);
    cvm_buf_append_u8(&longer, 0);
    assert_int_equal(world_item_bytes(&w, "rows", longer.data, longer.len),
                     CVM_E_CONTENT_TOO_LARGE);
    assert_int_not_equal(world_item_bytes(&w, "rows", w.items[0].blob.data, blob->len), CVM_OK);
    assert_true(listed(&w, "wanted", "rows"));
    assert_int_equal(world_item(&w, "rows"), CVM_OK);
    assert_false(listed(&w, "wanted", "rows"));
    assert_true(listed(&w, "admitted", "rows"));
    assert_int_equal(world_item(&w, "rows"), CVM_E_ITEM_NOT_WANTED);
    world_close(&w);
}

/* The owner of the code changes it after everyone has signed: same key, another content. */
static void test_swapped_content(void **state)
{
    (void)state;
    struct world w, other;
    locked(&w);
    small(&other, "text 0 stolen\n");
    world_take_key(&w, 0, &other);
    assert_int_equal(world_release(&w, 2), CVM_OK);
    assert_int_equal(world_item_bytes(&w, "c", other.items[0].blob.data, other.items[0].blob.len),
                     CVM_E_DIGEST_MISMATCH);
    assert_true(listed(&w, "wanted", "c"));
    world_close(&w);
    world_close(&other);
}

static void admission(const char *program, enum cvm_code code)
{
    struct world w;
    small(&w, program);
    world_seal(&w);
    world_start_locked(&w);
    world_release_all(&w);
    assert_int_equal(world_item(&w, "rows"), CVM_OK);
    assert_int_equal(world_item(&w, "c"), code);
    assert_reason(&w, cvm_code_info(code)->name);
    assert_int_equal(world_op(&w, "run"), CVM_E_ABORTED);
    assert_int_equal(world_refusal(&w, "output", "result"), CVM_E_WITHHELD);
    assert_int_equal(world_refusal(&w, "receipt", NULL), CVM_E_WITHHELD);
    CVM_AUTO_BUF struct cvm_buf evidence = {0}, transcript = {0};
    world_fetch(&w, "close", NULL, &evidence);
    world_fetch(&w, "transcript", NULL, &transcript);
    struct cvm_transcript_summary t;
    struct cvm_error err;
    assert_int_equal(cvm_transcript_check(&w.manifest, transcript.data, transcript.len, &t, &err),
                     0);
    assert_int_equal(t.reason, code);
    assert_int_equal(world_op(&w, "exit"), CVM_OK);
    world_close(&w);
}

static void test_inadmissible(void **state)
{
    (void)state;
    admission("refuse-import 3\n", CVM_E_COMPONENT_IMPORT);
    admission("refuse-outside\n", CVM_E_COMPONENT_IMPORT);
    admission("refuse-shared\n", CVM_E_COMPONENT_FEATURE);
    admission("refuse-invalid\n", CVM_E_COMPONENT_INVALID);
    admission("compile-crash\n", CVM_E_COMPILE_LIMIT);
    admission("compile-lie\n", CVM_E_CELL_FAILED);
    admission("compile-empty\n", CVM_E_COMPILE_LIMIT);
}

/* The statement that the agent signed, against the transcript that it shows. */
static void assert_statement(struct world *w, int who, struct cvm_statement *ret)
{
    CVM_AUTO_BUF struct cvm_buf jws = {0}, lines = {0};
    struct cvm_transcript_summary t;
    struct cvm_error err = {0};
    world_fetch(w, "statement", NULL, &jws);
    world_fetch(w, "transcript", NULL, &lines);
    if (cvm_statement_verify(&w->manifest, &w->session_sign, jws.data, jws.len, ret, &err) < 0 ||
        cvm_transcript_check(&w->manifest, lines.data, lines.len, &t, &err) < 0 ||
        cvm_statement_check_transcript(ret, &t, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(ret->participant, who);
    struct cvm_public_key other = w->session_seal;
    assert_int_equal(cvm_statement_verify(&w->manifest, &other, jws.data, jws.len, ret, &err), -1);
    assert_int_equal(
        cvm_statement_verify(&w->manifest, &w->session_sign, jws.data, jws.len, ret, &err), 0);
}

static void test_withdraw(void **state)
{
    (void)state;
    struct world w;
    struct cvm_statement s;
    locked(&w);
    assert_int_equal(world_release(&w, 0), CVM_OK);
    assert_int_equal(world_item(&w, "rows"), CVM_OK);
    assert_int_equal(world_refusal(&w, "statement", NULL), CVM_E_WITHHELD);
    struct cvm_act stop = {.kind = CVM_ACT_WITHDRAW, .participant = 0, .seq = 50};
    assert_int_equal(world_act(&w, 0, &stop), CVM_OK);
    assert_reason(&w, "withdrawn");
    assert_statement(&w, 0, &s);
    assert_int_equal(s.released, 1);
    assert_true(s.admitted[0] >> 1 & 1); /* rows: behind the component */
    assert_false(s.admitted[0] & 1);
    assert_int_equal(world_release(&w, 1), CVM_E_ABORTED);
    assert_int_equal(world_op(&w, "run"), CVM_E_ABORTED);
    world_close(&w);
}

/* Once everything is there it is too late to withdraw; when something leaves, to abort. */
static void test_stopping_too_late(void **state)
{
    (void)state;
    struct world w;
    small(&w, "copy 0 0\n");
    world_seal(&w);
    world_fill(&w);
    struct cvm_act stop = {.kind = CVM_ACT_WITHDRAW, .participant = 0, .seq = 50};
    assert_int_equal(world_act(&w, 0, &stop), CVM_E_WRONG_PHASE);
    assert_state(&w, "sealed");
    assert_string_equal(world_run(&w), "releasing");
    stop.kind = CVM_ACT_ABORT;
    assert_int_equal(world_act(&w, 0, &stop), CVM_E_WRONG_PHASE);
    assert_state(&w, "releasing");
    assert_int_equal(world_refusal(&w, "statement", NULL), CVM_E_WITHHELD);
    world_close(&w);
}

static void test_abort(void **state)
{
    (void)state;
    struct world w;
    small(&w, "sleep\n");
    world_seal(&w);
    world_fill(&w);
    assert_int_equal(world_op(&w, "run"), CVM_OK);
    struct cvm_act stop = {.kind = CVM_ACT_ABORT, .participant = 1, .seq = 50};
    assert_int_equal(world_act(&w, 1, &stop), CVM_OK);
    assert_reason(&w, "aborted");
    struct cvm_statement s;
    assert_statement(&w, 1, &s);
    assert_int_equal(s.released, 7);
    assert_int_equal(s.admitted[0], 3);
    stop.seq++;
    assert_int_equal(world_act(&w, 1, &stop), CVM_E_ABORTED);
    world_close(&w);
}

/* While the compiler is at work the host goes away; another participant aborts. */
static void test_abort_while_compiling(void **state)
{
    (void)state;
    struct world w;
    small(&w, "compile-slow\n");
    world_seal(&w);
    world_start_locked(&w);
    world_release_all(&w);
    int fd = world_socket(&w);
    CVM_AUTO_FREE char *control =
        cvm_printf("{\"bytes\":%zu,\"id\":\"c\",\"op\":\"item\"}", w.items[0].blob.len);
    CVM_AUTO_BUF struct cvm_buf frames = {0};
    struct cvm_error err;
    assert_int_equal(
        cvm_frame_encode(&frames, CVM_FRAME_REQUEST, 1, control, strlen(control), &err), 0);
    assert_int_equal(
        cvm_frame_encode_data(&frames, 1, w.items[0].blob.data, w.items[0].blob.len, &err), 0);
    assert_int_equal(cvm_frame_encode(&frames, CVM_FRAME_END, 1, NULL, 0, &err), 0);
    assert_int_equal(write(fd, frames.data, frames.len), frames.len);
    int unread = 1;
    for (int i = 0; i < 1000 && unread > 0; i++, poll(NULL, 0, 10)) /* until all was taken */
        assert_int_equal(ioctl(fd, SIOCOUTQ, &unread), 0);
    assert_int_equal(unread, 0);
    world_connect(&w);
    close(fd);
    assert_false(listed(&w, "wanted", "c"));
    assert_int_equal(world_item(&w, "c"), CVM_E_ITEM_NOT_WANTED);
    struct cvm_act stop = {.kind = CVM_ACT_ABORT, .participant = 1, .seq = 50};
    assert_int_equal(world_act(&w, 1, &stop), CVM_OK);
    assert_reason(&w, "aborted");
    world_close(&w);
}

/* Every refusal is counted, and none changes anything else. */
static void test_refusals_are_counted(void **state)
{
    (void)state;
    struct world w;
    locked(&w);
    for (int i = 0; i < 5; i++)
        assert_int_equal(world_op(&w, "run"), CVM_E_NOT_EVERYONE_RELEASED);
    assert_int_equal(world_release(&w, 0), CVM_OK);
    CVM_AUTO_BUF struct cvm_buf transcript = {0};
    world_fetch(&w, "transcript", NULL, &transcript);
    assert_non_null(strstr(cvm_buf_cstr(&transcript), "\"not-everyone-released\":5"));
    world_close(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lock),
        cmocka_unit_test(test_isolate),
        cmocka_unit_test(test_hostile_manifest_bytes),
        cmocka_unit_test(test_acts),
        cmocka_unit_test(test_expired),
        cmocka_unit_test(test_run_too_early),
        cmocka_unit_test(test_items),
        cmocka_unit_test(test_swapped_content),
        cmocka_unit_test(test_inadmissible),
        cmocka_unit_test(test_withdraw),
        cmocka_unit_test(test_stopping_too_late),
        cmocka_unit_test(test_abort),
        cmocka_unit_test(test_abort_while_compiling),
        cmocka_unit_test(test_refusals_are_counted),
    };
    return WORLD_MAIN(tests);
}
