/* One decision of the policy: nanoseconds, and how often it allocates (the allocator is counted
 * here, by wrapping it). */
#include <malloc.h>
#include <stddef.h>
#include <string.h>

#include "benchmarks/bench.h"
#include "core/policy/policy.h"

enum { PEOPLE = 8, ITEMS = 24, ROUNDS = 200000 };

static unsigned long allocations;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t m);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t m);
void *__wrap_realloc(void *p, size_t n);

void *__wrap_malloc(size_t n)
{
    allocations++;
    return __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t m)
{
    allocations++;
    return __real_calloc(n, m);
}

void *__wrap_realloc(void *p, size_t n)
{
    allocations++;
    return __real_realloc(p, n);
}

/* A whole life: lock, challenge, every release, every item, a refused second run. Returns the
 * number of decisions. */
static int life(const struct cvm_policy_rules *rules)
{
    static struct cvm_policy_state s;
    memset(&s, 0, offsetof(struct cvm_policy_state, spent)); /* this life spends on no channel */
    int steps = 0, bad = 0;
#define STEP(...)                                                                                  \
    (steps++,                                                                                      \
     bad += cvm_policy_step(rules, &s, &(struct cvm_policy_request){__VA_ARGS__}) != CVM_OK)
    STEP(.kind = CVM_REQUEST_LOCK);
    STEP(.kind = CVM_REQUEST_CHALLENGE, .nonces = PEOPLE);
    for (uint32_t p = 0; p < PEOPLE; p++)
        STEP(.kind = CVM_REQUEST_ACT_RELEASE, .participant = p, .seq = 1, .nonce_known = true);
    for (uint32_t i = 0; i < ITEMS; i++)
        STEP(.kind = CVM_REQUEST_ITEM_ADMITTED, .item = i);
    STEP(.kind = CVM_REQUEST_RUN);
    STEP(.kind = CVM_REQUEST_RUN);
#undef STEP
    if (bad != 1 || s.phase != CVM_PHASE_RUNNING) {
        fprintf(stderr, "the life did not go as it should: %d refusals\n", bad);
        exit(1);
    }
    return steps;
}

/* One call and its reply, on the last of `n` channels; nanoseconds a decision. */
static double call_decision(struct cvm_policy_rules *rules, uint32_t n)
{
    rules->n_channels = n;
    rules->n_components = 2;
    for (uint32_t c = 0; c < n; c++)
        rules->channels[c] = (struct cvm_policy_channel){.carries = CVM_CARRIES_CALLS,
                                                         .from = 0,
                                                         .to = 1,
                                                         .max_calls = UINT64_MAX,
                                                         .max_call_bytes = 4096,
                                                         .max_bytes = UINT64_MAX};
    static struct cvm_policy_state s;
    s = (struct cvm_policy_state){.phase = CVM_PHASE_RUNNING, .started = 3};
    double best = 1e9;
    for (int round = 0; round < 5; round++) {
        double begin = bench_now();
        for (int i = 0; i < ROUNDS; i++) {
            struct cvm_policy_request q = {.kind = CVM_REQUEST_CALL, .channel = n - 1, .bytes = 64};
            enum cvm_code code = cvm_policy_step(rules, &s, &q);
            q.kind = CVM_REQUEST_CALL_REPLY;
            if (code != CVM_OK || cvm_policy_step(rules, &s, &q) != CVM_OK) {
                fprintf(stderr, "a call was refused\n");
                exit(1);
            }
        }
        double each = (bench_now() - begin) / (2.0 * ROUNDS);
        best = each < best ? each : best;
    }
    return best;
}

int main(void)
{
    static struct cvm_policy_rules rules = {.n_participants = PEOPLE,
                                            .n_components = 1,
                                            .n_items = ITEMS,
                                            .n_outputs = 1,
                                            .not_after = 1LL << 40};
    for (uint32_t i = 0; i < ITEMS; i++)
        rules.owner[i] = (uint8_t)(i % PEOPLE);
    unsigned long before = allocations;
    double best = 1e9;
    for (int round = 0; round < 5; round++) {
        long steps = 0;
        double begin = bench_now();
        for (int i = 0; i < ROUNDS / 5; i++)
            steps += life(&rules);
        double each = (bench_now() - begin) / (double)steps;
        best = each < best ? each : best;
    }
    bench_figure("policy", "one decision", best * 1e9, "ns");
    static const uint32_t CHANNELS[] = {10, 100, 1000};
    for (size_t i = 0; i < sizeof CHANNELS / sizeof CHANNELS[0]; i++) {
        char name[64];
        snprintf(name, sizeof name, "one decision on a call, %u channels", CHANNELS[i]);
        bench_figure("policy", name, call_decision(&rules, CHANNELS[i]) * 1e9, "ns");
    }
    bench_figure("policy", "allocations in it", (double)(allocations - before), "");
    return 0;
}
