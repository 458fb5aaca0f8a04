#include "core/manifest/test-fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/policy/policy-rules.h"

static struct cvm_policy_rules rules;

static int setup(void **state)
{
    (void)state;
    CVM_AUTO_MANIFEST struct cvm_manifest m;
    fixture_manifest(&m);
    cvm_policy_compile(&m, &rules);
    return 0;
}

static void expect(struct cvm_policy_state *s, struct cvm_policy_request q, enum cvm_code code)
{
    struct cvm_policy_state before = *s;
    enum cvm_code got = cvm_policy_step(&rules, s, &q);
    if (got != code)
        fail_msg("request %d in %s: %s, not %s", (int)q.kind, cvm_phase_word(before.phase),
                 got == CVM_OK ? "ok" : cvm_code_info(got)->name,
                 code == CVM_OK ? "ok" : cvm_code_info(code)->name);
    if (code != CVM_OK)
        assert_memory_equal(&before, s, sizeof before);
}

#define ACT(k, p, n, ...)                                                                          \
    ((struct cvm_policy_request){.kind = CVM_REQUEST_ACT_##k,                                      \
                                 .participant = (p),                                               \
                                 .seq = (n),                                                       \
                                 .nonce_known = true,                                              \
                                 .head_known = true,                                               \
                                 ##__VA_ARGS__})
/* The same where nonce or transcript entry are not known. */
#define ACT_UNKNOWN(k, p, n, ...)                                                                  \
    ((struct cvm_policy_request){                                                                  \
        .kind = CVM_REQUEST_ACT_##k, .participant = (p), .seq = (n), ##__VA_ARGS__})
#define ASK(k, ...) ((struct cvm_policy_request){.kind = CVM_REQUEST_##k, ##__VA_ARGS__})

static struct cvm_policy_state in_filling(void)
{
    struct cvm_policy_state s = {0};
    expect(&s, ASK(LOCK), CVM_OK);
    expect(&s, ASK(CHALLENGE, .nonces = 3), CVM_OK);
    expect(&s, ACT(RELEASE, 0, 1), CVM_OK);
    assert_int_equal(s.phase, CVM_PHASE_FILLING);
    return s;
}

static struct cvm_policy_state in_sealed(void)
{
    struct cvm_policy_state s = in_filling();
    expect(&s, ACT(RELEASE, 1, 1), CVM_OK);
    expect(&s, ACT(RELEASE, 2, 1), CVM_OK);
    for (uint32_t i = 0; i < rules.n_items; i++)
        expect(&s, ASK(ITEM_ADMITTED, .item = i), CVM_OK);
    assert_int_equal(s.phase, CVM_PHASE_SEALED);
    return s;
}

static struct cvm_policy_state in_waiting(void)
{
    struct cvm_policy_state s = in_sealed();
    expect(&s, ASK(RUN), CVM_OK);
    for (uint32_t c = 0; c < rules.n_components; c++) {
        expect(&s, ASK(COMPONENT_STARTED, .component = c), CVM_OK);
        expect(&s, ASK(COMPONENT_ENDED, .component = c, .ok = true), CVM_OK);
    }
    assert_int_equal(s.phase, CVM_PHASE_WAITING);
    return s;
}

static void test_compiles_rules(void **state)
{
    (void)state;
    assert_int_equal(rules.n_participants, 3);
    assert_int_equal(rules.n_items, 4);
    assert_int_equal(rules.owner[0], 2);
    assert_int_equal(rules.owner[1], 1);
    assert_int_equal(rules.owner[2], 0);
    assert_int_equal(rules.n_conditions, 2);
    assert_true(rules.conditions[0].approved);
    assert_int_equal(rules.conditions[1].time, 1700000000);
    assert_int_equal(rules.not_after, 1798761600);
}

static void test_whole_life(void **state)
{
    (void)state;
    struct cvm_policy_state s = in_waiting();
    expect(&s, ASK(RELEASE_OUTPUTS), CVM_E_CONDITION);
    expect(&s, ACT(APPROVE, 0, 2, .output = 0), CVM_OK);
    expect(&s, ASK(RELEASE_OUTPUTS), CVM_E_CONDITION);
    expect(&s, ACT(TIME, 1, 2, .time = 1699999999), CVM_OK);
    expect(&s, ASK(RELEASE_OUTPUTS), CVM_E_CONDITION);
    expect(&s, ACT(TIME, 1, 3, .time = 1700000000), CVM_OK);
    assert_true(cvm_policy_conditions_hold(&rules, &s));
    expect(&s, ASK(RELEASE_OUTPUTS), CVM_OK);
    assert_int_equal(s.result, CVM_RESULT_COMPLETED);
    expect(&s, ASK(RELEASE_OUTPUTS), CVM_E_WRONG_PHASE);
    expect(&s, ACT(ABORT, 0, 9), CVM_E_WRONG_PHASE);
    expect(&s, ASK(FAULT, .reason = CVM_E_IO), CVM_E_WRONG_PHASE);
    expect(&s, ASK(CLOSE), CVM_OK);
    for (int k = 0; k < CVM_REQUEST_COUNT; k++) { /* closed is final */
        struct cvm_policy_state before = s;
        struct cvm_policy_request q = {
            .kind = (enum cvm_policy_kind)k, .seq = 99, .nonce_known = true, .nonces = 1};
        assert_int_not_equal(cvm_policy_step(&rules, &s, &q), CVM_OK);
        assert_memory_equal(&before, &s, sizeof s);
    }
}

static void test_release_acts(void **state)
{
    (void)state;
    struct cvm_policy_state s = {0};
    expect(&s, ACT(RELEASE, 0, 1), CVM_E_WRONG_PHASE);
    expect(&s, ASK(LOCK), CVM_OK);
    expect(&s, ASK(LOCK), CVM_E_ALREADY_LOCKED);
    expect(&s, ACT(RELEASE, 3, 1), CVM_E_NOT_A_PARTICIPANT);
    expect(&s, ACT(RELEASE, 0, 0), CVM_E_ACT_SEQUENCE);
    expect(&s, ACT_UNKNOWN(RELEASE, 0, 1), CVM_E_ACT_NONCE);
    expect(&s, ACT(RELEASE, 0, 5), CVM_OK);
    expect(&s, ACT(RELEASE, 0, 5), CVM_E_ACT_SEQUENCE); /* replayed */
    expect(&s, ACT(RELEASE, 0, 4), CVM_E_ACT_SEQUENCE); /* reordered */
    expect(&s, ACT(RELEASE, 0, 6), CVM_E_ALREADY_RELEASED);
    expect(&s, ACT(APPROVE, 0, 6, .output = 0), CVM_E_WRONG_PHASE);
    assert_int_equal(s.seq[0], 5);
    assert_int_equal(s.released, 1);
}

static void test_items(void **state)
{
    (void)state;
    struct cvm_policy_state s = in_filling();
    assert_true(cvm_policy_wants_item(&rules, &s, 2));
    assert_false(cvm_policy_wants_item(&rules, &s, 0)); /* its owner has not released */
    expect(&s, ASK(ITEM_ADMITTED, .item = 0), CVM_E_ITEM_NOT_WANTED);
    expect(&s, ASK(ITEM_ADMITTED, .item = 4), CVM_E_ITEM_NOT_WANTED);
    expect(&s, ASK(ITEM_ADMITTED, .item = UINT32_MAX), CVM_E_ITEM_NOT_WANTED);
    expect(&s, ASK(ITEM_REFUSED, .item = 2), CVM_OK);
    assert_true(cvm_policy_wants_item(&rules, &s, 2)); /* may be sent again */
    expect(&s, ASK(ITEM_ADMITTED, .item = 2), CVM_OK);
    assert_true(cvm_policy_is_admitted(&s, 2));
    expect(&s, ASK(ITEM_ADMITTED, .item = 2), CVM_E_ITEM_NOT_WANTED);
    expect(&s, ASK(ITEM_REFUSED, .item = 2), CVM_E_ITEM_NOT_WANTED);
    expect(&s, ASK(RUN), CVM_E_NOT_EVERYONE_RELEASED);
    expect(&s, ACT(RELEASE, 1, 1), CVM_OK);
    expect(&s, ASK(RUN), CVM_E_NOT_EVERYONE_RELEASED);
    expect(&s, ACT(RELEASE, 2, 1), CVM_OK);
    expect(&s, ASK(RUN), CVM_E_ITEM_MISSING);
    struct cvm_policy_state fresh = {0};
    expect(&fresh, ASK(ITEM_ADMITTED, .item = 0), CVM_E_WRONG_PHASE);
}

/* The last one to release owns nothing that is missing: that act seals. */
static void test_last_release_seals(void **state)
{
    (void)state;
    struct cvm_policy_rules own = rules;
    own.owner[0] = 1; /* participant 2 brings nothing */
    struct cvm_policy_state s = {0};
    struct cvm_policy_request q[] = {ASK(LOCK),
                                     ACT(RELEASE, 0, 1),
                                     ACT(RELEASE, 1, 1),
                                     ASK(ITEM_ADMITTED, .item = 0),
                                     ASK(ITEM_ADMITTED, .item = 1),
                                     ASK(ITEM_ADMITTED, .item = 2),
                                     ASK(ITEM_ADMITTED, .item = 3)};
    for (size_t i = 0; i < sizeof q / sizeof q[0]; i++)
        assert_int_equal(cvm_policy_step(&own, &s, &q[i]), CVM_OK);
    assert_int_equal(s.phase, CVM_PHASE_FILLING);
    struct cvm_policy_request last = ACT(RELEASE, 2, 1);
    assert_int_equal(cvm_policy_step(&own, &s, &last), CVM_OK);
    assert_int_equal(s.phase, CVM_PHASE_SEALED);
}

static void test_run_once(void **state)
{
    (void)state;
    struct cvm_policy_state s = in_sealed();
    expect(&s, ASK(COMPONENT_STARTED, .component = 0), CVM_E_WRONG_PHASE);
    expect(&s, ASK(RUN), CVM_OK);
    expect(&s, ASK(RUN), CVM_E_ALREADY_RUN);
    expect(&s, ASK(COMPONENT_ENDED, .component = 0, .ok = true), CVM_E_WRONG_PHASE);
    expect(&s, ASK(COMPONENT_STARTED, .component = 0), CVM_OK);
    expect(&s, ASK(COMPONENT_STARTED, .component = 0), CVM_E_WRONG_PHASE);
    expect(&s, ASK(COMPONENT_STARTED, .component = 2), CVM_E_WRONG_PHASE);
    expect(&s, ASK(COMPONENT_STARTED, .component = 200), CVM_E_WRONG_PHASE);
    expect(&s, ASK(COMPONENT_ENDED, .component = 0, .ok = true), CVM_OK);
    expect(&s, ASK(COMPONENT_ENDED, .component = 0, .ok = true), CVM_E_WRONG_PHASE);
    expect(&s, ASK(RELEASE_OUTPUTS), CVM_E_WRONG_PHASE);
    expect(&s, ASK(COMPONENT_STARTED, .component = 1), CVM_OK);
    expect(&s, ASK(COMPONENT_ENDED, .component = 1, .ok = false), CVM_OK);
    assert_int_equal(s.phase, CVM_PHASE_RELEASING);
    assert_int_equal(s.result, CVM_RESULT_FAILED);
    assert_int_equal(s.ended_ok, 1);
    expect(&s, ASK(RUN), CVM_E_ALREADY_RUN);
    expect(&s, ASK(CLOSE), CVM_OK);
    expect(&s, ASK(RUN), CVM_E_ALREADY_RUN);
}

static void test_approvals(void **state)
{
    (void)state;
    struct cvm_policy_state s = in_waiting();
    expect(&s, ACT(APPROVE, 1, 2, .output = 0), CVM_E_ACT_OUTPUT); /* not asked */
    expect(&s, ACT(APPROVE, 0, 2, .output = 1), CVM_E_ACT_OUTPUT);
    expect(&s, ACT(APPROVE, 0, 2, .output = 3), CVM_E_ACT_OUTPUT);
    expect(&s, ACT_UNKNOWN(APPROVE, 0, 2, .output = 0), CVM_E_ACT_TRANSCRIPT);
    expect(&s, ACT(APPROVE, 0, 1, .output = 0), CVM_E_ACT_SEQUENCE);
    expect(&s, ACT(APPROVE, 0, 2, .output = 0), CVM_OK);
    expect(&s, ACT(APPROVE, 0, 3, .output = 0), CVM_E_ACT_OUTPUT); /* once */
}

static void test_time_and_expiry(void **state)
{
    (void)state;
    struct cvm_policy_state s = in_filling();
    expect(&s, ACT(TIME, 1, 1, .time = 1798761600), CVM_OK); /* exactly at the end: not past */
    expect(&s, ACT(TIME, 1, 2, .time = 1798761599), CVM_E_TIME_BACKWARD);
    expect(&s, ACT(RELEASE, 1, 2), CVM_OK);
    expect(&s, ACT(TIME, 0, 2, .time = 1798761601), CVM_OK);
    expect(&s, ACT(RELEASE, 2, 1), CVM_E_MANIFEST_EXPIRED);
    s = in_sealed();
    expect(&s, ACT(TIME, 0, 2, .time = 1798761601), CVM_OK);
    expect(&s, ACT(TIME, 2, 2, .time = 5),
           CVM_OK); /* another's clock may be behind; the latest counts */
    expect(&s, ASK(RUN), CVM_E_MANIFEST_EXPIRED);
    assert_false(s.run);
}

static void test_limits(void **state)
{
    (void)state;
    struct cvm_policy_state s = in_filling();
    expect(&s, ASK(CHALLENGE), CVM_E_USAGE);
    expect(&s, ASK(CHALLENGE, .nonces = 1022), CVM_E_TOO_MANY_CHALLENGES);
    expect(&s, ASK(CHALLENGE, .nonces = UINT32_MAX), CVM_E_TOO_MANY_CHALLENGES);
    expect(&s, ASK(CHALLENGE, .nonces = 1021), CVM_OK);
    expect(&s, ASK(CHALLENGE, .nonces = 1), CVM_E_TOO_MANY_CHALLENGES);
    for (uint64_t i = 1; i < CVM_POLICY_ACTS; i++)
        expect(&s, ACT(TIME, 0, i + 1, .time = 5), CVM_OK);
    expect(&s, ACT(TIME, 0, 9999, .time = 5), CVM_E_TOO_MANY_ACTS);
    expect(&s, ACT(TIME, 1, 1, .time = 5), CVM_OK);
    expect(&s, ACT(ABORT, 0, 9999), CVM_OK); /* stopping is never used up */
}

static void test_abort(void **state)
{
    (void)state;
    struct cvm_policy_state s = in_waiting();
    expect(&s, ACT(ABORT, 2, 1), CVM_E_ACT_SEQUENCE);
    expect(&s, ACT(ABORT, 2, 2), CVM_OK);
    assert_int_equal(s.reason, CVM_E_ABORTED);
    expect(&s, ASK(RELEASE_OUTPUTS), CVM_E_ABORTED);
    expect(&s, ASK(CHALLENGE, .nonces = 1), CVM_E_ABORTED);
    expect(&s, ASK(LOCK), CVM_E_ABORTED);
    expect(&s, ASK(CLOSE), CVM_E_ABORTED);
    s = in_filling();
    expect(&s, ASK(FAULT, .reason = CVM_E_COMPONENT_IMPORT), CVM_OK);
    assert_int_equal(s.reason, CVM_E_COMPONENT_IMPORT);
    expect(&s, ASK(FAULT, .reason = CVM_E_IO), CVM_E_ABORTED);
    expect(&s, ASK(COUNT), CVM_E_INTERNAL);
}

static void test_withdraw(void **state)
{
    (void)state;
    struct cvm_policy_state s = {0};
    expect(&s, ACT(WITHDRAW, 0, 1), CVM_E_WRONG_PHASE); /* nothing is locked */
    s = in_filling();
    expect(&s, ACT(WITHDRAW, 99, 1), CVM_E_NOT_A_PARTICIPANT);
    expect(&s, ACT(WITHDRAW, 0, 1), CVM_E_ACT_SEQUENCE);
    expect(&s, ACT(WITHDRAW, 1, 1), CVM_OK); /* also one that has given nothing yet */
    assert_int_equal(s.phase, CVM_PHASE_ABORTED);
    assert_int_equal(s.reason, CVM_E_WITHDRAWN);
    expect(&s, ACT(WITHDRAW, 0, 2), CVM_E_ABORTED);
    expect(&s, ACT(RELEASE, 2, 1), CVM_E_ABORTED);
    expect(&s, ASK(RUN), CVM_E_ABORTED);
    s = in_filling();
    s.acts[0] = CVM_POLICY_ACTS;
    expect(&s, ACT(TIME, 0, 2, .time = 5), CVM_E_TOO_MANY_ACTS);
    expect(&s, ACT(WITHDRAW, 0, 2), CVM_OK); /* never used up */
    s = in_sealed();
    expect(&s, ACT(WITHDRAW, 0, 2), CVM_E_WRONG_PHASE); /* too late: abort is left */
    assert_int_equal(s.phase, CVM_PHASE_SEALED);
    expect(&s, ACT(ABORT, 0, 2), CVM_OK);
    s = in_waiting();
    expect(&s, ACT(WITHDRAW, 0, 2), CVM_E_WRONG_PHASE);
}

/* The manifest whose components run together: channels 0 to 2 carry calls, 3 a stream, 4 items. */
static struct cvm_policy_state together(void)
{
    CVM_AUTO_JSON json_t *doc = fixture_together();
    CVM_AUTO_MANIFEST struct cvm_manifest m = {0};
    assert_int_equal(fixture_parse(doc, &m, NULL), 0);
    cvm_policy_compile(&m, &rules);
    struct cvm_policy_state s = {0};
    expect(&s, ASK(LOCK), CVM_OK);
    for (uint32_t p = 0; p < 3; p++)
        expect(&s, ACT(RELEASE, p, 1), CVM_OK);
    for (uint32_t i = 0; i < rules.n_items; i++)
        expect(&s, ASK(ITEM_ADMITTED, .item = i), i == 5 ? CVM_E_ITEM_NOT_WANTED : CVM_OK);
    assert_int_equal(s.phase, CVM_PHASE_SEALED); /* without the open input */
    expect(&s, ASK(CALL, .channel = 0), CVM_E_WRONG_PHASE);
    expect(&s, ASK(RUN), CVM_OK);
    for (uint32_t c = 0; c < 4; c++)
        expect(&s, ASK(COMPONENT_STARTED, .component = c), CVM_OK);
    return s;
}

static void test_calls(void **state)
{
    (void)state;
    struct cvm_policy_state s = together();
    expect(&s, ASK(CALL_REPLY, .channel = 0), CVM_E_CELL_MESSAGE); /* to no call */
    expect(&s, ASK(CALL, .channel = 0, .bytes = 4097), CVM_E_CALL_BYTES);
    expect(&s, ASK(CALL, .channel = 0, .bytes = 4096), CVM_OK);
    expect(&s, ASK(CALL, .channel = 0), CVM_E_CELL_MESSAGE); /* a second one */
    expect(&s, ASK(CALL, .channel = 1, .bytes = 1), CVM_OK); /* of another caller */
    expect(&s, ASK(CALL_REPLY, .channel = 0, .bytes = UINT64_MAX), CVM_E_CALL_BYTES);
    expect(&s, ASK(CALL_REPLY, .channel = 0, .bytes = 4096), CVM_OK);
    expect(&s, ASK(CALL_REPLY, .channel = 0), CVM_E_CELL_MESSAGE);           /* a second one */
    expect(&s, ASK(CALL, .channel = 0, .bytes = 1809), CVM_E_CHANNEL_BYTES); /* one too many */
    expect(&s, ASK(CALL, .channel = 0, .bytes = 1808), CVM_OK);
    expect(&s, ASK(CALL_REPLY, .channel = 0, .bytes = 1), CVM_E_CHANNEL_BYTES);
    expect(&s, ASK(CALL_REPLY, .channel = 0), CVM_OK);
    expect(&s, ASK(CALL, .channel = 0), CVM_OK);
    expect(&s, ASK(CALL_REPLY, .channel = 0), CVM_OK);
    expect(&s, ASK(CALL, .channel = 0), CVM_E_CHANNEL_CALLS); /* the fourth */
    assert_int_equal(s.spent[0].calls, 3);
    assert_int_equal(s.spent[0].bytes, 10000);
    assert_int_equal(s.spent[1].bytes, 1);
    for (uint32_t k = 3; k < 8; k++) /* stream, items, files */
        expect(&s, ASK(CALL, .channel = k), CVM_E_CELL_MESSAGE);
    expect(&s, ASK(CALL, .channel = 8), CVM_E_CELL_MESSAGE);
    expect(&s, ASK(CALL, .channel = UINT32_MAX), CVM_E_CELL_MESSAGE);
    expect(&s, ASK(COMPONENT_ENDED, .component = 1, .ok = true), CVM_OK);
    expect(&s, ASK(CALL_REPLY, .channel = 1), CVM_E_CELL_MESSAGE); /* its caller has ended */
    expect(&s, ASK(COMPONENT_ENDED, .component = 3, .ok = false), CVM_OK);
    expect(&s, ASK(CALL, .channel = 2), CVM_E_WRONG_PHASE);
    assert_int_equal(setup(NULL), 0);
}

static void test_streams(void **state)
{
    (void)state;
    struct cvm_policy_state s = together();
    expect(&s, ASK(STREAM, .channel = 0, .bytes = 1), CVM_E_CELL_MESSAGE);
    expect(&s, ASK(STREAM, .channel = 4, .bytes = 1), CVM_E_CELL_MESSAGE); /* items */
    expect(&s, ASK(STREAM, .channel = 7, .bytes = 1), CVM_E_CELL_MESSAGE);
    expect(&s, ASK(STREAM, .channel = 99, .bytes = 1), CVM_E_CELL_MESSAGE);
    expect(&s, ASK(STREAM, .channel = 3, .bytes = 1001), CVM_E_CHANNEL_BYTES);
    expect(&s, ASK(STREAM, .channel = 3, .bytes = 999), CVM_OK);
    expect(&s, ASK(STREAM, .channel = 3, .bytes = UINT64_MAX), CVM_E_CHANNEL_BYTES);
    expect(&s, ASK(COMPONENT_ENDED, .component = 0, .ok = true), CVM_OK);
    expect(&s, ASK(STREAM, .channel = 3, .bytes = 1), CVM_OK); /* what the writer left */
    expect(&s, ASK(STREAM, .channel = 3, .bytes = 1), CVM_E_CHANNEL_BYTES);
    expect(&s, ASK(COMPONENT_ENDED, .component = 1, .ok = true), CVM_OK);
    expect(&s, ASK(STREAM, .channel = 3), CVM_E_CELL_MESSAGE); /* nobody reads any more */
    assert_int_equal(s.spent[3].bytes, 1000);
    assert_int_equal(setup(NULL), 0);
}

static void test_phases(void **state)
{
    (void)state;
    int moves = 0;
    for (int a = 0; a < CVM_PHASE_COUNT; a++) {
        assert_int_equal(cvm_phase_by_word(cvm_phase_word((enum cvm_phase)a)), a);
        for (int b = 0; b < CVM_PHASE_COUNT; b++)
            moves += cvm_phase_may_move((enum cvm_phase)a, (enum cvm_phase)b);
        assert_false(cvm_phase_may_move(CVM_PHASE_CLOSED, (enum cvm_phase)a));
        assert_false(cvm_phase_may_move(CVM_PHASE_ABORTED, (enum cvm_phase)a));
    }
    assert_int_equal(moves, 14);
    assert_false(cvm_phase_may_move(CVM_PHASE_RELEASING, CVM_PHASE_ABORTED));
    assert_false(cvm_phase_may_move(CVM_PHASE_COUNT, CVM_PHASE_EMPTY));
    assert_null(cvm_phase_word(CVM_PHASE_COUNT));
    assert_int_equal(cvm_phase_by_word("open"), -1);
}

/* Channel 4 carries at most so many items of participant `who` to component `to`. */
static void test_open_items(void **state)
{
    (void)state;
    struct cvm_policy_state s = together();
    const struct cvm_policy_channel *rule = &rules.channels[4];
    assert_int_equal(rule->carries, CVM_CARRIES_ITEMS);
    uint32_t who = rules.owner[rule->from], other = (who + 1) % rules.n_participants;
    uint64_t seq = 2, most = rule->max_calls;
    assert_true(most >= 2 && rule->max_bytes >= most);
    expect(&s, ACT(ITEM, other, seq, .channel = 4, .number = 1), CVM_E_NOT_OWNER);
    expect(&s, ACT(ITEM, who, 1, .channel = 4, .number = 1), CVM_E_ACT_SEQUENCE);
    for (uint32_t k = 0; k < 10; k++)
        if (k != 4)
            expect(&s, ACT(ITEM, who, seq, .channel = k, .number = 1), CVM_E_ACT_ITEM);
    expect(&s, ACT(ITEM, who, seq, .channel = UINT32_MAX, .number = 1), CVM_E_ACT_ITEM);
    expect(&s, ACT(ITEM, who, seq, .channel = 4, .number = 2), CVM_E_ITEM_SEQUENCE);
    expect(&s, ACT(ITEM, who, seq, .channel = 4), CVM_E_ITEM_SEQUENCE);
    expect(&s, ACT(ITEM, who, seq, .channel = 4, .number = 1, .bytes = rule->max_bytes + 1),
           CVM_E_CHANNEL_BYTES);
    expect(&s, ACT(ITEM, who, seq, .channel = 4, .number = 1, .bytes = UINT64_MAX),
           CVM_E_CHANNEL_BYTES);
    assert_int_equal(s.spent[4].calls, 0); /* refused ones cost nothing, not even a number */
    expect(&s, ACT(ITEM, who, seq++, .channel = 4, .number = 1, .bytes = rule->max_bytes), CVM_OK);
    expect(&s, ACT(ITEM, who, seq, .channel = 4, .number = 1), CVM_E_ITEM_SEQUENCE);
    expect(&s, ACT(ITEM, who, seq, .channel = 4, .number = 2, .bytes = 1), CVM_E_CHANNEL_BYTES);
    for (uint64_t n = 2; n <= most; n++)
        expect(&s, ACT(ITEM, who, seq++, .channel = 4, .number = n), CVM_OK);
    expect(&s, ACT(ITEM, who, seq, .channel = 4, .number = most + 1), CVM_E_CHANNEL_CALLS);
    assert_int_equal(s.spent[4].calls, most);
    assert_int_equal(setup(NULL), 0);

    s = together();
    expect(&s, ACT(ITEM, who, 2, .channel = 4, .number = 1, .last = true), CVM_OK);
    expect(&s, ACT(ITEM, who, 3, .channel = 4, .number = 2), CVM_E_INPUT_ENDED);
    assert_int_equal(setup(NULL), 0);

    s = together();
    expect(&s, ASK(COMPONENT_ENDED, .component = rules.channels[4].to, .ok = true), CVM_OK);
    expect(&s, ACT(ITEM, who, 2, .channel = 4, .number = 1), CVM_E_INPUT_ENDED);
    assert_int_equal(setup(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compiles_rules),
        cmocka_unit_test(test_whole_life),
        cmocka_unit_test(test_release_acts),
        cmocka_unit_test(test_items),
        cmocka_unit_test(test_last_release_seals),
        cmocka_unit_test(test_run_once),
        cmocka_unit_test(test_approvals),
        cmocka_unit_test(test_time_and_expiry),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_abort),
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_withdraw),
        cmocka_unit_test(test_open_items),
        cmocka_unit_test(test_phases),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
