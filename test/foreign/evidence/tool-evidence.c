/*
 * Judges evidence as the program in go-sev-guest/ does, with the same requests and answers, so that
 * test-go-sev-guest.py can compare the two and scripts/bench their speed. A test tool.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/cursor.h"
#include "core/evidence/appraise.h"

#define PARTS 5 /* kind, report, signing key, issuer, root */
#define PART_MAX (1 << 20)

/* 1, 0 at the end of the input, -1 when it is cut short. */
static int read_part(struct cvm_buf *ret)
{
    uint8_t size[4];
    size_t n = fread(size, 1, 4, stdin);
    if (n == 0)
        return 0;
    struct cvm_cursor c = cvm_cursor(size, n);
    uint32_t len = cvm_cursor_u32be(&c);
    if (c.failed || len > PART_MAX)
        return -1;
    uint8_t *p = cvm_buf_extend(ret, len);
    return fread(p, 1, len, stdin) == len ? 1 : -1;
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void judge(const struct cvm_buf parts[PARTS], int64_t at, struct cvm_appraisal *ret)
{
    CVM_AUTO_CERTIFICATES struct cvm_certificates c = {0};
    const struct cvm_expectations e = {.time = at};
    for (size_t i = 2; i < PARTS; i++)
        (void)!cvm_certificates_add_der(&c, parts[i].data, parts[i].len, NULL);
    cvm_evidence_check(parts[1].data, parts[1].len, &c, &e, ret);
}

static void answer(const struct cvm_appraisal *a, int64_t each)
{
    char ns[32] = "";
    if (each)
        snprintf(ns, sizeof(ns), " %" PRId64, each);
    struct cvm_error err = {0};
    if (cvm_appraisal_error(a, &err) < 0)
        printf("0%s %s\n", ns, err.message);
    else
        printf("%d%s\n", a->outcome == CVM_OUTCOME_VERIFIED, ns);
}

int main(int argc, char **argv)
{
    int64_t at = time(NULL), times = 1;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "-at") == 0)
            at = strtoll(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "-times") == 0)
            times = strtoll(argv[i + 1], NULL, 10);
    }
    CVM_AUTO_FREE struct cvm_appraisal *a = cvm_alloc(sizeof(*a));
    for (;;) {
        struct cvm_buf parts[PARTS] = {0};
        int r = 1;
        for (size_t i = 0; i < PARTS && r == 1; i++) {
            r = read_part(&parts[i]);
            if (r == 0 && i == 0)
                return 0;
        }
        if (r != 1)
            return 2;
        int64_t begin = now_ns();
        for (int64_t i = 0; i < times; i++)
            judge(parts, at, a);
        answer(a, times > 1 ? (now_ns() - begin) / times : 0);
        fflush(stdout);
        for (size_t i = 0; i < PARTS; i++)
            cvm_buf_free(&parts[i]);
    }
}
