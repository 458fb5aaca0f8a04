/*
 * Every reachable state of three small collaborations, by every request from a fixed alphabet, good
 * and bad, in every order, until nothing new is reached; the promises are checked on every edge.
 * The first has 2 participants, 2 items, 1 component, 1 output with both kinds of condition; the
 * second 2 components that a call and a stream channel join, and an open input; the third an open
 * input of one of 2 participants, who both have to approve.
 */
#include "core/policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEQ_MAX 3 /* longest history of acts a participant that is explored */
#define TABLE (1u << 20)

static const struct cvm_policy_rules RULES = {
    .n_participants = 2,
    .n_components = 1,
    .n_items = 2,
    .n_outputs = 1,
    .n_conditions = 2,
    .owner = {0, 0}, /* participant 1 brings nothing, and has to release all the same */
    .not_after = 10,
    .conditions = {{.output = 0, .approved = true, .by = 1}, {.output = 0, .by = 2, .time = 10}},
};

static const struct cvm_policy_rules CHANNELS = {
    .n_participants = 1,
    .n_components = 2,
    .n_items = 2,
    .n_outputs = 1,
    .n_channels = 3,
    .open = {2}, /* the second item comes while it runs */
    .not_after = 10,
    .channels =
        {{.carries = CVM_CARRIES_CALLS,
          .from = 0,
          .to = 1,
          .max_calls = 2,
          .max_call_bytes = 2,
          .max_bytes = 5},
         {.carries = CVM_CARRIES_STREAM, .from = 0, .to = 1, .max_bytes = 3},
         {.carries = CVM_CARRIES_ITEMS, .from = 1, .to = 1, .max_calls = 2, .max_bytes = 3}},
};

static const struct cvm_policy_rules SEVERAL = {
    .n_participants = 2,
    .n_components = 1,
    .n_items = 2,
    .n_outputs = 1,
    .n_conditions = 1,
    .n_channels = 1,
    .owner = {0, 1},
    .open = {2}, /* the second item comes while it runs */
    .not_after = 10,
    .conditions = {{.output = 0, .approved = true, .by = 3}},
    .channels =
        {{.carries = CVM_CARRIES_ITEMS, .from = 1, .to = 0, .max_calls = 2, .max_bytes = 2}},
};

/* A state without the budgets that its rules do not have; those are zero. */
#define CHANNELS_KEPT 3
#define KEPT                                                                                       \
    (offsetof(struct cvm_policy_state, spent) + CHANNELS_KEPT * sizeof(struct cvm_policy_spent))

struct kept {
    uint64_t words[KEPT / 8];
};
_Static_assert(sizeof(struct kept) == KEPT, "the state up to the budgets is of whole words");

static struct kept *seen;
static uint8_t *used;
static struct kept **queue;
static size_t queued;
static unsigned long taken, refused;

static uint64_t hash(const struct kept *k)
{
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < sizeof k->words / sizeof k->words[0]; i++)
        h = (h ^ k->words[i] ^ h >> 29) * 1099511628211u;
    return h;
}

static struct cvm_policy_state unkept(const struct kept *k)
{
    struct cvm_policy_state s;
    memset(&s, 0, sizeof s);
    memcpy(&s, k, sizeof *k);
    return s;
}

static bool same(const struct cvm_policy_state *a, const struct cvm_policy_state *b)
{
    return memcmp(a, b, KEPT) == 0;
}

/* What is tried from *s goes on in here; the budgets beyond are looked at once a state. */
static struct cvm_policy_state next;

static void check_rest_is_zero(void)
{
    static const uint8_t ZEROS[sizeof next - KEPT];
    assert_true(memcmp((const uint8_t *)&next + KEPT, ZEROS, sizeof ZEROS) == 0);
}

static void visit(const struct cvm_policy_state *s)
{
    struct kept k;
    memcpy(&k, s, sizeof k);
    size_t at = hash(&k) % TABLE;
    while (used[at] && memcmp(&seen[at], &k, sizeof k) != 0)
        at = (at + 1) % TABLE;
    if (used[at])
        return;
    used[at] = 1;
    seen[at] = k;
    queue[queued++] = &seen[at];
    assert_true(queued < TABLE / 2);
}

static void explore(void (*try_all)(const struct cvm_policy_state *), bool *reached)
{
    seen = calloc(TABLE, sizeof *seen);
    used = calloc(TABLE, 1);
    queue = calloc(TABLE, sizeof *queue);
    assert_true(seen && used && queue);
    queued = 0;
    struct cvm_policy_state start;
    memset(&start, 0, sizeof start);
    visit(&start);
    taken = refused = 0;
    size_t depth = 0, level_end = queued; /* the states before it are reached by `depth` requests */
    for (size_t i = 0; i < queued; i++) {
        if (i == level_end) {
            depth++;
            level_end = queued;
        }
        struct cvm_policy_state s = unkept(queue[i]);
        reached[s.phase] = true;
        try_all(&s);
        check_rest_is_zero();
    }
    print_message("%zu states, %lu requests taken, %lu refused, every order of up to %zu requests "
                  "(no longer one reaches anything new)\n",
                  queued, taken, refused, depth);
    free(seen);
    free(used);
    free(queue);
}

/* What holds on every edge of every collaboration; false: the request was refused. */
static bool check_always(const struct cvm_policy_state *a, const struct cvm_policy_request *q,
                         enum cvm_code code, const struct cvm_policy_state *b)
{
    if (code != CVM_OK) { /* a refusal changes nothing */
        assert_true(same(a, b));
        refused++;
        return false;
    }
    taken++;
    assert_true(a->phase == b->phase || cvm_phase_may_move(a->phase, b->phase));
    assert_true(a->phase != CVM_PHASE_CLOSED && a->phase != CVM_PHASE_ABORTED); /* final */
    /* nothing is given back */
    assert_true((a->released & ~b->released) == 0 && (a->approved[0] & ~b->approved[0]) == 0);
    assert_true((a->admitted[0] & ~b->admitted[0]) == 0 && (a->started & ~b->started) == 0 &&
                (a->ended_ok & ~b->ended_ok) == 0);
    assert_true(b->nonces >= a->nonces && b->nonces <= CVM_POLICY_NONCES);
    assert_true(b->latest >= a->latest && (!a->run || b->run));
    assert_false(q->kind == CVM_REQUEST_RUN && a->run); /* once */
    if (q->kind == CVM_REQUEST_RUN)
        assert_true(a->latest <= 10); /* of all three: not_after */
    assert_true((b->phase == CVM_PHASE_ABORTED) == (b->reason != CVM_OK));
    assert_true(b->phase != CVM_PHASE_ABORTED || a->phase <= CVM_PHASE_WAITING);
    if (b->phase != CVM_PHASE_ABORTED)
        assert_true(b->run == (b->phase >= CVM_PHASE_RUNNING));
    if (q->kind == CVM_REQUEST_ACT_WITHDRAW) { /* only before anything runs */
        assert_true(a->phase < CVM_PHASE_SEALED && !a->run);
        assert_int_equal(b->reason, CVM_E_WITHDRAWN);
    }
    if (q->kind == CVM_REQUEST_COMPONENT_ENDED && !q->ok)
        assert_true(b->phase == CVM_PHASE_RELEASING && b->result == CVM_RESULT_FAILED);
    uint32_t spent = q->kind == CVM_REQUEST_CHALLENGE ? q->nonces : 0;
    assert_int_equal(b->nonces, a->nonces + spent);
    for (uint32_t p = 0; p < 2; p++) { /* no act counts twice, or for another */
        bool acts = q->kind >= CVM_REQUEST_ACT_RELEASE && q->kind <= CVM_REQUEST_ACT_ITEM &&
                    q->participant == p;
        assert_true(b->time[p] >= a->time[p]);
        assert_true(acts ? q->seq > a->seq[p] && b->seq[p] == q->seq : b->seq[p] == a->seq[p]);
        assert_int_equal(b->acts[p], a->acts[p] + acts);
    }
    return true;
}

static void check_edge(const struct cvm_policy_state *a, const struct cvm_policy_request *q,
                       enum cvm_code code, const struct cvm_policy_state *b)
{
    if (!check_always(a, q, code, b))
        return;
    if (b->phase >= CVM_PHASE_SEALED && b->phase <= CVM_PHASE_CLOSED) {
        assert_int_equal(b->released, 3); /* everyone verified and released before anything runs */
        assert_true(cvm_policy_is_admitted(b, 0) && cvm_policy_is_admitted(b, 1));
    }
    if (b->phase == CVM_PHASE_RELEASING && b->result == CVM_RESULT_COMPLETED) {
        assert_int_equal(b->ended_ok, 1);
        assert_true((b->approved[0] & 1) && b->time[1] >= 10);
    }
    if (b->phase == CVM_PHASE_RELEASING || b->phase == CVM_PHASE_CLOSED)
        assert_true(b->result != CVM_RESULT_NONE);
    if (q->kind == CVM_REQUEST_ACT_RELEASE)
        assert_true(q->nonce_known && a->latest <= 10 &&
                    (a->released ^ b->released) == 1u << q->participant);
    if (q->kind == CVM_REQUEST_ACT_APPROVE)
        assert_true(q->head_known && a->phase == CVM_PHASE_WAITING && b->approved[0] == 1);
    if (q->kind == CVM_REQUEST_ITEM_ADMITTED)
        assert_true(a->released & 1); /* the owner of both */
}

static void try_all(const struct cvm_policy_state *s)
{
    struct cvm_policy_request q = {0};
    for (int kind = 0; kind < CVM_REQUEST_COUNT; kind++) {
        for (unsigned bits = 0; bits < 64; bits++) {
            uint32_t who = bits & 1;
            q = (struct cvm_policy_request){.kind = (enum cvm_policy_kind)kind,
                                            .participant = who,
                                            .item = who,
                                            .component = 0,
                                            .output = bits >> 4 & 1,
                                            .nonces = 512 + (bits & 1),
                                            .seq = s->seq[who] + (bits >> 1 & 1),
                                            .time = bits >> 4 & 1 ? 9 + (bits >> 5 & 1) : 11,
                                            .nonce_known = bits >> 2 & 1,
                                            .head_known = bits >> 2 & 1,
                                            .ok = bits >> 3 & 1,
                                            .reason = CVM_E_IO};
            if (q.seq > SEQ_MAX)
                continue;
            memcpy(&next, s, KEPT);
            enum cvm_code code = cvm_policy_step(&RULES, &next, &q);
            check_edge(s, &q, code, &next);
            if (code == CVM_OK && !same(&next, s))
                visit(&next);
        }
    }
}

static void test_every_state(void **state)
{
    (void)state;
    bool reached[CVM_PHASE_COUNT] = {false};
    explore(try_all, reached);
    for (int p = 0; p < CVM_PHASE_COUNT; p++)
        assert_true(reached[p]);
}

static bool runs(const struct cvm_policy_state *s, unsigned c)
{
    return (s->started >> c & 1) && !(s->ended_ok >> c & 1);
}

static unsigned long calls_made, streamed, items_sent;

static void check_budgets(const struct cvm_policy_state *a, const struct cvm_policy_request *q,
                          enum cvm_code code, const struct cvm_policy_state *b)
{
    if (!check_always(a, q, code, b))
        return;
    if (b->phase >= CVM_PHASE_SEALED && b->phase <= CVM_PHASE_CLOSED)
        assert_int_equal(b->admitted[0], 1); /* the open input is none of what must be there */
    if (b->phase == CVM_PHASE_WAITING)
        assert_int_equal(b->ended_ok, 3);
    bool moves_bytes = q->kind == CVM_REQUEST_CALL || q->kind == CVM_REQUEST_CALL_REPLY ||
                       q->kind == CVM_REQUEST_STREAM || q->kind == CVM_REQUEST_ACT_ITEM;
    for (uint32_t c = 0; c < CHANNELS.n_channels; c++) {
        const struct cvm_policy_channel *rule = &CHANNELS.channels[c];
        const struct cvm_policy_spent *was = &a->spent[c], *is = &b->spent[c];
        assert_true(is->calls <= rule->max_calls && is->bytes <= rule->max_bytes);
        bool asked = moves_bytes && q->channel == c;
        assert_int_equal(is->bytes - was->bytes, asked ? q->bytes : 0);
        assert_int_equal(is->calls - was->calls,
                         asked && (q->kind == CVM_REQUEST_CALL || q->kind == CVM_REQUEST_ACT_ITEM));
        assert_true(is->open <= 1);
    }
    if (!moves_bytes)
        return;
    assert_true(a->phase == CVM_PHASE_RUNNING && b->phase == CVM_PHASE_RUNNING);
    if (q->kind == CVM_REQUEST_ACT_ITEM) { /* in order, none after the last */
        assert_int_equal(q->channel, 2);
        assert_int_equal(q->number, b->spent[2].calls);
        assert_true(!a->spent[2].open && b->spent[2].open == q->last);
        assert_false(a->ended_ok >> 1 & 1);
        assert_true(b->seq[0] > a->seq[0]);
        items_sent++;
        return;
    }
    assert_true(runs(a, 1));
    if (q->kind == CVM_REQUEST_STREAM) {
        assert_int_equal(q->channel, 1);
        streamed++;
        return;
    }
    assert_int_equal(q->channel, 0);
    assert_true(runs(a, 0) && q->bytes <= 2);
    assert_true(a->spent[0].open == (q->kind == CVM_REQUEST_CALL_REPLY));
    assert_true(b->spent[0].open == (q->kind == CVM_REQUEST_CALL));
    calls_made += q->kind == CVM_REQUEST_CALL;
}

static void try_channels(const struct cvm_policy_state *s)
{
    for (int kind = 0; kind < CVM_REQUEST_COUNT; kind++) {
        for (unsigned bits = 0; bits < 64; bits++) {
            struct cvm_policy_request q = {.kind = (enum cvm_policy_kind)kind,
                                           .item = bits & 1,
                                           .component = bits & 3,
                                           .channel = bits & 3,
                                           .bytes = bits >> 2 & 3,
                                           .nonces = CVM_POLICY_NONCES,
                                           .seq = s->seq[0] + 1,
                                           .number = s->spent[2].calls + 1 + (bits >> 4 & 1),
                                           .time = 1,
                                           .nonce_known = true,
                                           .ok = bits >> 4 & 1,
                                           .last = bits >> 2 & 1,
                                           .reason = CVM_E_IO};
            if (bits >> 5)
                q.bytes = UINT64_MAX - q.bytes;
            if (q.seq > SEQ_MAX && kind >= CVM_REQUEST_ACT_RELEASE && kind <= CVM_REQUEST_ACT_ITEM)
                continue;
            memcpy(&next, s, KEPT);
            enum cvm_code code = cvm_policy_step(&CHANNELS, &next, &q);
            check_budgets(s, &q, code, &next);
            if (code == CVM_OK && !same(&next, s))
                visit(&next);
        }
    }
}

static void test_every_state_of_channels(void **state)
{
    (void)state;
    bool reached[CVM_PHASE_COUNT] = {false};
    calls_made = streamed = items_sent = 0;
    explore(try_channels, reached);
    for (int p = 0; p < CVM_PHASE_COUNT; p++)
        assert_true(reached[p]);
    assert_true(calls_made > 0 && streamed > 0 && items_sent > 0);
}

static void check_several(const struct cvm_policy_state *a, const struct cvm_policy_request *q,
                          enum cvm_code code, const struct cvm_policy_state *b)
{
    if (!check_always(a, q, code, b))
        return;
    if (b->phase == CVM_PHASE_RELEASING && b->result == CVM_RESULT_COMPLETED)
        assert_int_equal(b->approved[0], 3); /* one of two is not enough */
    if (q->kind == CVM_REQUEST_ACT_APPROVE)
        assert_int_equal(a->approved[0] ^ b->approved[0], 1u << q->participant);
    if (q->kind == CVM_REQUEST_ACT_ITEM) {
        assert_int_equal(q->participant, 1); /* its owner, and nobody else */
        items_sent++;
    }
}

static void try_several(const struct cvm_policy_state *s)
{
    for (int kind = 0; kind < CVM_REQUEST_COUNT; kind++) {
        for (unsigned bits = 0; bits < 16; bits++) {
            uint32_t who = bits & 1;
            struct cvm_policy_request q = {.kind = (enum cvm_policy_kind)kind,
                                           .participant = who,
                                           .bytes = bits >> 1 & 1,
                                           .nonces = CVM_POLICY_NONCES,
                                           .seq = s->seq[who] + 1,
                                           .number = s->spent[0].calls + 1,
                                           .time = 1,
                                           .nonce_known = true,
                                           .head_known = true,
                                           .ok = bits >> 2 & 1,
                                           .last = bits >> 3 & 1,
                                           .reason = CVM_E_IO};
            if (q.seq > 2 * SEQ_MAX)
                continue;
            memcpy(&next, s, KEPT);
            enum cvm_code code = cvm_policy_step(&SEVERAL, &next, &q);
            check_several(s, &q, code, &next);
            if (code == CVM_OK && !same(&next, s))
                visit(&next);
        }
    }
}

static void test_every_state_of_several(void **state)
{
    (void)state;
    bool reached[CVM_PHASE_COUNT] = {false};
    items_sent = 0;
    explore(try_several, reached);
    for (int p = 0; p < CVM_PHASE_COUNT; p++)
        assert_true(reached[p]);
    assert_true(items_sent > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_state),
                                       cmocka_unit_test(test_every_state_of_channels),
                                       cmocka_unit_test(test_every_state_of_several)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
