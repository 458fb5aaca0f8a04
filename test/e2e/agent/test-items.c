/* Open inputs: items that their owner sends one after another into a running component, and all
 * that may be wrong with one. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <poll.h>

#include <cmocka.h>

#include "core/seal/item.h"
#include "test/e2e/agent/world.h"

#define MAX_ITEMS 12
#define MAX_BYTES 400000

static uint8_t pattern[MAX_BYTES + 65536]; /* what the stand-in's `read-stream` expects */

/* "feed" of anna is read by "c"; "other" of berta by "d". */
static void running(struct world *w, const char *program, const char *second, int max_bytes)
{
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (uint8_t)('a' + i % 23);
    world_open(w);
    world_component(w, "c", program);
    world_component(w, "d", second);
    for (int i = 0; i < 2; i++) {
        json_array_append_new(json_object_get(w->draft, "data"),
                              json_pack("{s:s, s:s, s:b, s:i, s:i}", "id", i ? "other" : "feed",
                                        "owner", i ? "berta" : "anna", "open", 1, "max_items",
                                        MAX_ITEMS, "max_bytes", max_bytes));
        world_joint(w, i ? "{'kind':'stream','from':'other','to':'d','to_path':'/dev/stdin'}"
                         : "{'kind':'stream','from':'feed','to':'c','to_path':'/dev/stdin'}");
    }
    world_channel(w, "c", "out/r", "result", NULL);
    world_output(w, "result", 20000);
    world_channel(w, "d", "out/r", "second", NULL);
    world_output(w, "second", 20000);
    world_seal(w);
    world_fill(w);
}

static int input(struct world *w, const char *id)
{
    for (uint32_t i = 0; i < w->manifest.n_data; i++)
        if (!strcmp(w->manifest.data[i].id, id))
            return (int)i;
    fail();
    return -1;
}

static struct cvm_act item(struct world *w, int who, const char *id, uint64_t n, const void *data,
                           size_t len, bool end)
{
    struct cvm_act act = {.kind = CVM_ACT_ITEM, .participant = who, .seq = ++w->seq[who] + 100};
    struct cvm_error err = {0};
    CVM_AUTO_BUF struct cvm_buf ct = {0};
    act.feed = (struct cvm_act_feed){.data = input(w, id), .n = n, .end = end};
    if (cvm_item_seal(&w->session_seal, &w->manifest.digest, &w->session, id, n,
                      CVM_BYTES(data, len), act.feed.enc, &ct, &err) < 0)
        fail_msg("%s", err.message);
    memcpy(act.feed.ct, ct.data, ct.len);
    act.feed.ct_len = (uint32_t)ct.len;
    return act;
}

static enum cvm_code send(struct world *w, int who, const char *id, uint64_t n, const char *text,
                          bool end)
{
    struct cvm_act act = item(w, who, id, n, text, strlen(text), end);
    return world_act(w, who, &act);
}

static void assert_output(struct world *w, const char *id, const char *want)
{
    CVM_AUTO_BUF struct cvm_buf got = {0};
    world_open_output(w, 0, id, &got);
    assert_string_equal(cvm_buf_cstr(&got), want);
}

static void test_items_reach_their_component(void **state)
{
    (void)state;
    struct world w;
    running(&w, "copy-stream 0\n", "copy-stream 0\n", MAX_BYTES);
    assert_int_equal(send(&w, 0, "feed", 1, "early", false), CVM_E_WRONG_PHASE);
    assert_int_equal(world_op(&w, "run"), CVM_OK);
    assert_int_equal(send(&w, 0, "feed", 1, "one ", false), CVM_OK);
    assert_int_equal(send(&w, 1, "other", 1, "elsewhere", true), CVM_OK);
    assert_int_equal(send(&w, 0, "feed", 2, "", false), CVM_OK);
    assert_int_equal(send(&w, 0, "feed", 3, "three", true), CVM_OK);
    assert_true(world_await(&w, "releasing"));
    assert_output(&w, "result", "one three");
    assert_output(&w, "second", "elsewhere");
    assert_int_equal(send(&w, 0, "feed", 4, "late", false), CVM_E_WRONG_PHASE);

    /* Each stands in the transcript as an act, and the receipt is the usual one. */
    CVM_AUTO_BUF struct cvm_buf lines = {0}, jws = {0};
    CVM_AUTO_FREE struct cvm_receipt *receipt = cvm_alloc(sizeof *receipt);
    unsigned n = 0;
    world_fetch(&w, "transcript", NULL, &lines);
    for (const char *p = cvm_buf_cstr(&lines); (p = strstr(p, "\"act\":\"item\"")); p++)
        n++;
    assert_int_equal(n, 4);
    world_fetch(&w, "receipt", NULL, &jws);
    struct cvm_error err = {0};
    assert_int_equal(
        cvm_receipt_verify(&w.manifest, &w.session_sign, jws.data, jws.len, receipt, &err), 0);
    assert_true(receipt->completed);
    world_close(&w);
}

static void test_items_out_of_place(void **state)
{
    (void)state;
    struct world w;
    running(&w, "copy-stream 0\n", "copy-stream 0\n", MAX_BYTES);
    assert_int_equal(world_op(&w, "run"), CVM_OK);
    assert_int_equal(send(&w, 1, "feed", 1, "not mine", false), CVM_E_NOT_OWNER);
    assert_int_equal(send(&w, 0, "feed", 2, "too soon", false), CVM_E_ITEM_SEQUENCE);
    struct cvm_act first = item(&w, 0, "feed", 1, "first,", 6, false);
    assert_int_equal(world_act(&w, 0, &first), CVM_OK);
    assert_int_equal(world_act(&w, 0, &first), CVM_E_ACT_SEQUENCE); /* replayed */
    first.seq = ++w.seq[0] + 100;
    assert_int_equal(world_act(&w, 0, &first), CVM_E_ITEM_SEQUENCE); /* the same item once more */

    /* Sealed for another place, to another key, or changed on its way. */
    struct cvm_act moved = item(&w, 0, "feed", 7, "moved", 5, false);
    moved.feed.n = 2;
    assert_int_equal(world_act(&w, 0, &moved), CVM_E_HPKE_OPEN);
    struct cvm_act foreign = item(&w, 0, "other", 2, "foreign", 7, false);
    foreign.feed.data = input(&w, "feed");
    assert_int_equal(world_act(&w, 0, &foreign), CVM_E_HPKE_OPEN);
    struct cvm_act broken = item(&w, 0, "feed", 2, "broken", 6, false);
    broken.feed.ct[0] ^= 1;
    assert_int_equal(world_act(&w, 0, &broken), CVM_E_HPKE_OPEN);

    /* Other forms. */
    static const char *const wrong[][2] = {
        {"item", "rows"}, {"item", "c"}, {"enc", "AA"}, {"ct", "AA"}, {"ct", "%"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        json_t *p = world_act_payload(&w, 0, "item");
        json_object_set_new(p, "item", json_string("feed"));
        json_object_set_new(p, "n", json_integer(2));
        json_object_set_new(p, "enc", json_string("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
        json_object_set_new(p, "ct", json_string("AAAA"));
        json_object_set_new(p, wrong[i][0], json_string(wrong[i][1]));
        enum cvm_code got = world_act_json(&w, 0, p);
        assert_true(got == CVM_E_ACT_ITEM || got == CVM_E_ACT_FORMAT);
    }
    json_t *not_the_end = world_act_payload(&w, 0, "item");
    json_object_set_new(not_the_end, "end", json_false());
    assert_int_equal(world_act_json(&w, 0, not_the_end), CVM_E_ACT_FORMAT);

    /* None of them has cost anything. */
    assert_int_equal(send(&w, 0, "feed", 2, "second", true), CVM_OK);
    assert_int_equal(send(&w, 0, "feed", 3, "after the end", false), CVM_E_INPUT_ENDED);
    assert_int_equal(send(&w, 1, "other", 1, "", true), CVM_OK);
    assert_true(world_await(&w, "releasing"));
    assert_output(&w, "result", "first,second");
    world_close(&w);
}

static void test_budgets(void **state)
{
    (void)state;
    struct world w;
    running(&w, "read-stream 0 0\n", "copy-stream 0\n", 100000);
    assert_int_equal(world_op(&w, "run"), CVM_OK);
    size_t sent = 0;
    for (uint64_t n = 1; n <= 3; n++, sent += CVM_ITEM_BYTES_MAX) {
        struct cvm_act act = item(&w, 0, "feed", n, pattern + sent, CVM_ITEM_BYTES_MAX, false);
        enum cvm_code got = CVM_E_STREAM_FULL;
        for (int i = 0; i < 500 && got == CVM_E_STREAM_FULL; i++, poll(NULL, 0, 10))
            got = world_act(&w, 0, &act);
        assert_int_equal(got, CVM_OK);
    }
    /* By one byte, then exactly, then nothing more but the end. */
    struct cvm_act beyond = item(&w, 0, "feed", 4, pattern + sent, 100001 - sent, false);
    assert_int_equal(world_act(&w, 0, &beyond), CVM_E_CHANNEL_BYTES);
    struct cvm_act exact = item(&w, 0, "feed", 4, pattern + sent, 100000 - sent, false);
    assert_int_equal(world_act(&w, 0, &exact), CVM_OK);
    assert_int_equal(send(&w, 0, "feed", 5, "x", true), CVM_E_CHANNEL_BYTES);
    assert_int_equal(send(&w, 0, "feed", 5, "", true), CVM_OK);

    for (uint64_t n = 1; n < MAX_ITEMS; n++)
        assert_int_equal(send(&w, 1, "other", n, "x", false), CVM_OK);
    assert_int_equal(send(&w, 1, "other", MAX_ITEMS, "y", false), CVM_OK);
    assert_int_equal(send(&w, 1, "other", MAX_ITEMS + 1, "", true), CVM_E_CHANNEL_CALLS);
    CVM_AUTO_JSON json_t *status = world_status(&w);
    assert_string_equal(json_string_value(json_object_get(status, "state")), "running");
    world_close(&w);
}

/* A component that is slow, and one that never reads at all. */
static void test_back_pressure(void **state)
{
    (void)state;
    struct world w;
    running(&w, "read-stream 0 20000\n", "sleep\n", MAX_BYTES);
    assert_int_equal(world_op(&w, "run"), CVM_OK);
    size_t sent = 0;
    unsigned full = 0;
    uint64_t n = 1;
    for (; n <= 10; n++) {
        struct cvm_act act = item(&w, 0, "feed", n, pattern + sent, 30000, n == 10);
        enum cvm_code got;
        while ((got = world_act(&w, 0, &act)) == CVM_E_STREAM_FULL && full < 1000) {
            full++;
            poll(NULL, 0, 20);
        }
        assert_int_equal(got, CVM_OK); /* the very same act, later */
        sent += 30000;
    }
    assert_true(full > 0);
    for (n = 1; n <= MAX_ITEMS; n++) {
        struct cvm_act act = item(&w, 1, "other", n, pattern, 32764, false);
        if (world_act(&w, 1, &act) != CVM_OK)
            break;
    }
    assert_in_range(n, 3, 6); /* what pipe and queue hold, and no more */
    struct cvm_act again = item(&w, 1, "other", n, pattern, 32764, false);
    assert_int_equal(world_act(&w, 1, &again), CVM_E_STREAM_FULL); /* its number is not spent */
    assert_int_equal(send(&w, 1, "other", n + 1, "x", false), CVM_E_ITEM_SEQUENCE);
    struct cvm_act stop = {.kind = CVM_ACT_ABORT, .participant = 1, .seq = 900};
    assert_int_equal(world_act(&w, 1, &stop), CVM_OK);
    world_close(&w);
}

/* The reader ends before its input does: nobody reads what still comes. */
static void test_reader_ends_first(void **state)
{
    (void)state;
    struct world w;
    running(&w, "read-stream 5 0\n", "copy-stream 0\n", MAX_BYTES);
    assert_int_equal(world_op(&w, "run"), CVM_OK);
    assert_int_equal(send(&w, 0, "feed", 1, "abcde", false), CVM_OK);
    enum cvm_code got = CVM_OK;
    for (uint64_t n = 2; n < MAX_ITEMS && got == CVM_OK; n++, poll(NULL, 0, 50))
        got = send(&w, 0, "feed", n, "more", false);
    assert_int_equal(got, CVM_E_INPUT_ENDED);
    assert_int_equal(send(&w, 1, "other", 1, "", true), CVM_OK);
    assert_true(world_await(&w, "releasing"));
    assert_output(&w, "result", "5 bytes, 0 wrong");
    world_close(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_items_reach_their_component),
        cmocka_unit_test(test_items_out_of_place),
        cmocka_unit_test(test_budgets),
        cmocka_unit_test(test_back_pressure),
        cmocka_unit_test(test_reader_ends_first),
    };
    return WORLD_MAIN(tests);
}
