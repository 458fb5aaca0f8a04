/* Large items and outputs pass in constant memory: what the agent itself holds does not grow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <cmocka.h>

#include "test/e2e/agent/world.h"

#define LARGE_MIB 256

/* A line of /proc/PID/status, in KiB. Memory files are not in it. */
static long status_kib(struct world *w, const char *name)
{
    CVM_AUTO_FREE char *path = cvm_printf("/proc/%d/status", (int)world_agent(w));
    CVM_AUTO_FCLOSE FILE *f = fopen(path, "re");
    char line[256];
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, name, strlen(name)))
            return strtol(line + strlen(name), NULL, 10);
    return -1;
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void test_large(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_component(&w, "c", "copy 0 0\n");
    json_object_set_new(json_object_get(world_last_component(&w), "limits"), "cpu_ms",
                        json_integer(60000));
    json_object_set_new(json_object_get(world_last_component(&w), "limits"), "wall_ms",
                        json_integer(60000));
    world_data_large(&w, "rows", 0, (uint64_t)LARGE_MIB << 20);
    world_channel(&w, "rows", NULL, "c", "in/rows");
    world_channel(&w, "c", "out/r", "result", NULL);
    world_output(&w, "result", (uint64_t)LARGE_MIB << 20);
    world_seal(&w);
    world_start(&w);
    long idle = status_kib(&w, "VmRSS:");
    assert_int_equal(world_lock(&w), CVM_OK);
    assert_int_equal(world_challenge(&w), CVM_OK);
    world_release_all(&w);
    double start = seconds();
    assert_int_equal(world_item(&w, "rows"), CVM_OK);
    double in = seconds() - start;
    assert_int_equal(world_item(&w, "c"), CVM_OK);
    assert_true(world_await(&w, "sealed"));
    start = seconds();
    assert_string_equal(world_run(&w), "releasing");
    double run = seconds() - start;
    CVM_AUTO_CLOSE int out = memfd_create("out", MFD_CLOEXEC);
    start = seconds();
    assert_true(world_fetch_file(&w, "result", out) > (uint64_t)LARGE_MIB << 20);
    double fetched = seconds() - start;
    long peak = status_kib(&w, "VmHWM:");
    print_message(
        "           idle %ld KiB, peak %ld KiB; in %.0f, run and seal %.0f, out %.0f MiB/s\n", idle,
        peak, LARGE_MIB / in, LARGE_MIB / run, LARGE_MIB / fetched);
#ifndef CVM_TEST_SANITIZED
    assert_true(idle > 0 && idle <= 5 * 1024);
    assert_true(peak > 0 && peak <= 16 * 1024);
#endif
    world_close(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_large)};
    return WORLD_MAIN(tests);
}
