/* A whole session, from lock to exit, and what remains of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <time.h>
#include <string.h>

#include <cmocka.h>

#include "core/evidence/appraise.h"
#include "core/seal/seed.h"
#include "test/e2e/agent/world.h"

/* a and b feed clean; clean and a feed train; train writes the model. */
static void study(struct world *w)
{
    world_open(w);
    world_component(w, "clean", "copy 0 0\ntext 0 +\ncopy 1 0\n");
    world_component(w, "train", "copy 0 0\ntext 0 |\ncopy 1 0\n");
    world_component(w, "aside", "text 0 alone\n");
    world_data(w, "rows-a", 0, "AAA");
    world_data(w, "rows-b", 1, "BBB");
    world_channel(w, "rows-a", NULL, "clean", "in/a.csv");
    world_channel(w, "rows-b", NULL, "clean", "in/b.csv");
    world_channel(w, "rows-a", NULL, "train", "in/a.csv");
    world_channel(w, "clean", "out/rows.csv", "train", "in/clean.csv");
    world_channel(w, "train", "out/model.json", "model", NULL);
    world_channel(w, "aside", "out/x", "beside", NULL);
    world_output(w, "model", 1000);
    world_output(w, "beside", 1000);
    world_diagnostics(w, "how");
    world_seal(w);
}

static void assert_content(struct world *w, int who, const char *id, const char *want)
{
    CVM_AUTO_BUF struct cvm_buf got = {0};
    world_open_output(w, who, id, &got);
    assert_string_equal(cvm_buf_cstr(&got), want);
}

static void check_receipt(struct world *w, bool completed)
{
    struct cvm_error err;
    struct cvm_receipt r;
    struct cvm_transcript_summary t;
    CVM_AUTO_BUF struct cvm_buf receipt = {0}, transcript = {0};
    world_fetch(w, "receipt", NULL, &receipt);
    world_fetch(w, "transcript", NULL, &transcript);
    assert_int_equal(
        cvm_receipt_verify(&w->manifest, &w->session_sign, receipt.data, receipt.len, &r, &err), 0);
    assert_int_equal(r.completed, completed);
    assert_int_equal(cvm_transcript_check(&w->manifest, transcript.data, transcript.len, &t, &err),
                     0);
    assert_int_equal(t.phase, CVM_PHASE_CLOSED);
    assert_int_equal(cvm_receipt_check_transcript(&r, &t, &err), 0);
}

static void check_last_evidence(struct world *w)
{
    struct cvm_error err;
    CVM_AUTO_BUF struct cvm_buf bytes = {0}, again = {0}, transcript = {0};
    world_fetch(w, "close", NULL, &bytes);
    world_fetch(w, "close", NULL, &again);
    assert_int_equal(bytes.len, again.len);
    assert_memory_equal(bytes.data, again.data, again.len);
    CVM_AUTO_BUNDLE struct cvm_bundle b = {0};
    assert_int_equal(cvm_bundle_parse(bytes.data, bytes.len, &b, &err), 0);
    assert_int_equal(b.nonce_len, 0);
    struct cvm_appraise_options o = {.time = time(NULL), .session = &w->session_sign};
    CVM_AUTO_FREE struct cvm_appraisal *a = cvm_alloc(sizeof *a);
    assert_int_equal(cvm_evidence_appraise(&b, &w->manifest, &o, a, &err), 0);
    assert_int_equal(a->outcome, CVM_OUTCOME_SIMULATED);
    world_fetch(w, "transcript", NULL, &transcript);
    struct cvm_transcript_summary t;
    assert_int_equal(cvm_transcript_check(&w->manifest, transcript.data, transcript.len, &t, &err),
                     0);
    assert_int_equal(b.transcript_n, t.n);
    assert_memory_equal(&b.transcript_head, &t.head, sizeof t.head);
}

static void test_whole_session(void **state)
{
    (void)state;
    struct world w;
    study(&w);
    world_fill(&w);
    assert_string_equal(world_run(&w), "releasing");
    assert_content(&w, 0, "model", "AAA|AAA+BBB");
    assert_content(&w, 2, "model", "AAA|AAA+BBB");
    assert_content(&w, 2, "beside", "alone");
    CVM_AUTO_BUF struct cvm_buf how = {0};
    world_open_output(&w, 0, "how", &how);
    assert_non_null(strstr(cvm_buf_cstr(&how), "\"why\":\"ok\""));
    assert_int_equal(world_refusal(&w, "run", NULL), CVM_E_ALREADY_RUN);
    assert_int_equal(world_refusal(&w, "exit", NULL), CVM_E_WRONG_PHASE);
    check_last_evidence(&w);
    check_receipt(&w, true);
    assert_content(&w, 0, "model", "AAA|AAA+BBB"); /* still there after the close */
    assert_int_equal(world_op(&w, "exit"), CVM_OK);
    world_close(&w);
}

/* A connection may end at any time; what was accepted stays. */
static void test_connections_end(void **state)
{
    (void)state;
    struct world w;
    study(&w);
    world_start(&w);
    world_connect(&w);
    assert_int_equal(world_lock(&w), CVM_OK);
    world_connect(&w);
    assert_int_equal(world_challenge(&w), CVM_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(world_release(&w, i), CVM_OK);
        world_connect(&w);
    }
    for (size_t i = 0; i < w.n_items; i++) {
        assert_int_equal(world_item(&w, w.items[i].id), CVM_OK);
        world_connect(&w);
    }
    assert_int_equal(world_op(&w, "run"), CVM_OK);
    world_connect(&w);
    CVM_AUTO_JSON json_t *s = NULL;
    for (int i = 0; i < 200; i++) {
        json_decref(s);
        s = world_status(&w);
        if (!strcmp(json_string_value(json_object_get(s, "state")), "releasing"))
            break;
    }
    assert_string_equal(json_string_value(json_object_get(s, "result")), "completed");
    world_connect(&w);
    assert_content(&w, 0, "model", "AAA|AAA+BBB");
    world_close(&w);
}

/* Outputs wait for their conditions; an approval names the transcript's entry. */
static void test_conditions(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_component(&w, "c", "text 0 result\n");
    world_channel(&w, "c", "out/r", "result", NULL);
    world_output(&w, "result", 100);
    json_object_set_new(world_last_output(&w), "release",
                        json_pack("[{s:s, s:[s]}, {s:s, s:i, s:[s]}]", "when", "approved", "by",
                                  "berta", "when", "not-before", "time", 1800000000, "by", "anna"));
    world_seal(&w);
    world_fill(&w);
    assert_string_equal(world_run(&w), "waiting");
    assert_int_equal(world_refusal(&w, "output", "result"), CVM_E_WITHHELD);
    assert_int_equal(world_refusal(&w, "receipt", NULL), CVM_E_WITHHELD);
    assert_int_equal(world_refusal(&w, "close", NULL), CVM_E_WRONG_PHASE);

    struct cvm_error err;
    struct cvm_transcript_summary t;
    CVM_AUTO_BUF struct cvm_buf transcript = {0};
    world_fetch(&w, "transcript", NULL, &transcript);
    assert_int_equal(cvm_transcript_check(&w.manifest, transcript.data, transcript.len, &t, &err),
                     0);
    struct cvm_act approve = {.kind = CVM_ACT_APPROVE,
                              .participant = 1,
                              .seq = 10,
                              .output = 0,
                              .transcript_n = t.waiting_n,
                              .transcript_head = t.waiting_head};
    approve.transcript_head.b[0] ^= 1;
    assert_int_not_equal(world_act(&w, 1, &approve), CVM_OK);
    approve.transcript_head.b[0] ^= 1;
    assert_int_equal(world_act(&w, 1, &approve), CVM_OK);
    assert_int_equal(world_refusal(&w, "output", "result"), CVM_E_WITHHELD);
    struct cvm_act early = {.kind = CVM_ACT_TIME, .participant = 0, .seq = 10, .time = 1799999999};
    assert_int_equal(world_act(&w, 0, &early), CVM_OK);
    assert_int_equal(world_refusal(&w, "output", "result"), CVM_E_WITHHELD);
    struct cvm_act due = {.kind = CVM_ACT_TIME, .participant = 0, .seq = 11, .time = 1800000000};
    assert_int_equal(world_act(&w, 0, &due), CVM_OK);
    assert_true(world_await(&w, "releasing"));
    assert_content(&w, 0, "result", "result");
    check_last_evidence(&w);
    check_receipt(&w, true);
    world_close(&w);
}

/* The same shares give the same seed; it reaches the cell and nothing else. */
static void test_seed(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_component(&w, "c", "spec 0\n");
    json_object_set_new(world_last_component(&w), "random", json_string("seeded"));
    world_channel(&w, "c", "out/r", "result", NULL);
    world_output(&w, "result", 4096);
    world_seal(&w);
    world_fill(&w);
    assert_string_equal(world_run(&w), "releasing");
    CVM_AUTO_BUF struct cvm_buf spec = {0};
    world_open_output(&w, 0, "result", &spec);
    struct cvm_error err;
    struct cvm_secret seed = {0};
    assert_int_equal(cvm_seed_derive(w.share, 3, &w.manifest.digest, "c", &seed, &err), 0);
    CVM_AUTO_FREE char *hex = cvm_hex(seed.data, seed.len);
    CVM_AUTO_FREE char *want = cvm_printf("\"seed\":\"%s\"", hex);
    assert_non_null(strstr(cvm_buf_cstr(&spec), want));
    cvm_secret_free(&seed);
    world_close(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_session),
        cmocka_unit_test(test_connections_end),
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_seed),
    };
    return WORLD_MAIN(tests);
}
