/* Calls the library, by its own clock: one line a figure, nanoseconds a call.
 *   ask ROUNDS          empty calls and lists, so many empty ones in a part
 *   ask ROUNDS empty    empty calls alone */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define IMPORT(name) __attribute__((import_module("bench:calls/work@1.0.0"), import_name(name)))

IMPORT("empty") void work_empty(void);
IMPORT("take-bytes") uint32_t work_take_bytes(const uint8_t *x, uint32_t n);
IMPORT("give-bytes") void work_give_bytes(uint32_t n, uint32_t *ret);
IMPORT("take-numbers") uint32_t work_take_numbers(const double *x, uint32_t n);
IMPORT("give-numbers") void work_give_numbers(uint32_t n, uint32_t *ret);

static _Alignas(16) uint8_t room[1 << 20], list[1 << 20];

static int giving; /* a call that gives a list is under way */

/* What a call gives is read nowhere and may lie on what the one before gave; everything else that
 * is asked for, by the adapter, stays. */
__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, size_t old_size,
                                                                size_t align, size_t size);
void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size)
{
    if (giving && size <= sizeof room)
        return room;
    if (old)
        return realloc(old, size);
    (void)old_size;
    return aligned_alloc(align < 16 ? 16 : align, (size + 15) & ~(size_t)15);
}

static void empty(uint32_t n)
{
    (void)n;
    work_empty();
}

static void take_bytes(uint32_t n)
{
    if (work_take_bytes(list, n) != 1)
        abort();
}

static void give_bytes(uint32_t n)
{
    uint32_t ret[2];
    giving = 1;
    work_give_bytes(n, ret);
    giving = 0;
}

static void take_numbers(uint32_t n)
{
    work_take_numbers((const double *)list, n / 8);
}

static void give_numbers(uint32_t n)
{
    uint32_t ret[2];
    giving = 1;
    work_give_numbers(n / 8, ret);
    giving = 0;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

enum { PARTS = 400 };

/* The best of many short parts: a busy machine is no property of the call. Returns the mean of all.
 */
static double measure(const char *name, void (*call)(uint32_t), uint32_t bytes, unsigned rounds)
{
    double best = 1e18, sum = 0;
    for (int part = 0; part < PARTS; part++) {
        double begin = now();
        for (unsigned i = 0; i < rounds; i++)
            call(bytes);
        double each = (now() - begin) / rounds;
        best = each < best ? each : best;
        sum += each;
    }
    printf("%s %.0f\n", name, best);
    return sum / PARTS;
}

int main(int argc, char **argv)
{
    unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000;
    printf("mean %.0f\n", measure("empty", empty, 0, rounds));
    if (argc > 2)
        return 0;
    /* memory that was never written is one page of zeroes, which is always hot */
    memset(list, 1, sizeof list);
    static const uint32_t SIZES[] = {64 << 10, 1 << 20};
    for (int i = 0; i < 2; i++) {
        char name[40];
        /* one element less: a list's count takes room in the region, too */
        uint32_t bytes = SIZES[i] - 8;
        unsigned some = rounds / (i ? 100 : 10) + 1;
        snprintf(name, sizeof name, "take-bytes-%u", SIZES[i] >> 10);
        measure(name, take_bytes, bytes, some);
        snprintf(name, sizeof name, "give-bytes-%u", SIZES[i] >> 10);
        measure(name, give_bytes, bytes, some);
        snprintf(name, sizeof name, "take-numbers-%u", SIZES[i] >> 10);
        measure(name, take_numbers, bytes, some);
        snprintf(name, sizeof name, "give-numbers-%u", SIZES[i] >> 10);
        measure(name, give_numbers, bytes, some);
    }
    return 0;
}
