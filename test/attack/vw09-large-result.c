/*
 * VW9: a result of 18,378 bytes or more does not arrive whole. Here one of a megabyte does, byte
 * for byte, and one byte above what was declared ends the run. Would succeed if anything were cut,
 * or let through beyond its size.
 */
#include "test/attack/attack.h"

#define BYTES (1 << 20)

static void writes(struct world *w, unsigned bytes)
{
    CVM_AUTO_FREE char *args = cvm_printf("[\"exact\",\"%u\"]", bytes);
    world_open(w);
    world_component_file(w, "c", "probe", args);
    world_channel(w, "c", "out/sub/b.txt", "result", NULL);
    world_output(w, "result", BYTES);
    world_diagnostics(w, "how");
}

static void test_large_result(void **state)
{
    (void)state;
    struct world w;
    CVM_AUTO_BUF struct cvm_buf got = {0};
    writes(&w, BYTES);
    world_seal(&w);
    world_fill(&w);
    assert_string_equal(world_run(&w), "releasing");
    world_open_output(&w, 0, "result", &got);
    assert_int_equal(got.len, BYTES);
    for (size_t i = 0; i < got.len; i++)
        assert_int_equal(got.data[i], 0);
    world_close(&w);
    writes(&w, BYTES + 1);
    world_assert_fails(&w, "c", "output", "max_bytes");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_large_result)};
    world_image = CVM_BINARY_DIR "/real-image";
    return WORLD_MAIN(tests);
}
