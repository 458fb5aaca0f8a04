/*
 * Every reachable state of a small collaboration (2 participants, 2 items, 1 component, 1 output
 * with both kinds of condition), by every request from a fixed alphabet, good and bad; the promises
 * are checked on every edge.
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
    .owner = {0, 1},
    .not_after = 10,
    .conditions = {{.output = 0, .approved = true, .by = 1}, {.output = 0, .by = 2, .time = 10}},
};

static struct cvm_policy_state *seen;
static uint8_t *used;
static struct cvm_policy_state **queue;
static size_t queued;

static uint64_t hash(const struct cvm_policy_state *s)
{
    uint64_t words[sizeof *s / 8], h = 14695981039346656037u;
    memcpy(words, s, sizeof words);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        h = (h ^ words[i] ^ h >> 29) * 1099511628211u;
    return h;
}

static void visit(const struct cvm_policy_state *s)
{
    size_t at = hash(s) % TABLE;
    while (used[at] && memcmp(&seen[at], s, sizeof *s) != 0)
        at = (at + 1) % TABLE;
    if (used[at])
        return;
    used[at] = 1;
    memcpy(&seen[at], s, sizeof *s);
    queue[queued++] = &seen[at];
    assert_true(queued < TABLE / 2);
}

static void check_edge(const struct cvm_policy_state *a, const struct cvm_policy_request *q,
                       enum cvm_code code, const struct cvm_policy_state *b)
{
    if (code != CVM_OK) { /* a refusal changes nothing */
        assert_true(memcmp(a, b, sizeof *a) == 0);
        return;
    }
    assert_true(a->phase == b->phase || cvm_phase_may_move(a->phase, b->phase));
    assert_true(a->phase != CVM_PHASE_CLOSED && a->phase != CVM_PHASE_ABORTED); /* final */
    assert_true((a->released & ~b->released) == 0 &&
                b->nonces >= a->nonces); /* nothing is given back */
    assert_true(!a->run || b->run);
    assert_false(q->kind == CVM_REQUEST_RUN && a->run); /* once */
    if (b->phase >= CVM_PHASE_SEALED && b->phase <= CVM_PHASE_CLOSED) {
        assert_int_equal(b->released, 3); /* everyone verified and released before anything runs */
        assert_true(cvm_policy_is_admitted(b, 0) && cvm_policy_is_admitted(b, 1));
    }
    if (b->phase >= CVM_PHASE_RUNNING && b->phase <= CVM_PHASE_CLOSED)
        assert_true(b->run);
    if (b->phase == CVM_PHASE_RELEASING && b->result == CVM_RESULT_COMPLETED) {
        assert_int_equal(b->ended_ok, 1);
        assert_true((b->approved[0] & 1) && b->time[1] >= 10);
    }
    if (b->phase == CVM_PHASE_RELEASING || b->phase == CVM_PHASE_CLOSED)
        assert_true(b->result != CVM_RESULT_NONE);
    for (int p = 0; p < 2; p++) {
        assert_true(b->seq[p] >= a->seq[p]);
        assert_true(b->acts[p] <= a->acts[p] + 1);
    }
    if (q->kind == CVM_REQUEST_ACT_RELEASE)
        assert_true(q->nonce_known && a->latest <= 10 && !(a->released >> q->participant & 1));
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
            struct cvm_policy_state next;
            memcpy(&next, s, sizeof next);
            enum cvm_code code = cvm_policy_step(&RULES, &next, &q);
            check_edge(s, &q, code, &next);
            if (code == CVM_OK && memcmp(&next, s, sizeof next) != 0)
                visit(&next);
        }
    }
}

static void test_every_state(void **state)
{
    (void)state;
    seen = calloc(TABLE, sizeof *seen);
    used = calloc(TABLE, 1);
    queue = calloc(TABLE, sizeof *queue);
    assert_true(seen && used && queue);
    struct cvm_policy_state start;
    memset(&start, 0, sizeof start);
    visit(&start);
    bool reached[CVM_PHASE_COUNT] = {false};
    for (size_t i = 0; i < queued; i++) {
        reached[queue[i]->phase] = true;
        try_all(queue[i]);
    }
    for (int p = 0; p < CVM_PHASE_COUNT; p++)
        assert_true(reached[p]);
    print_message("%zu states\n", queued);
    free(seen);
    free(used);
    free(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_state)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
