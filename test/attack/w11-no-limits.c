/*
 * W11 and VW4: no limit of memory, time or output, and a run that failed looks as if it were not
 * over yet. Here components in real cells take what they can get. Would succeed if one took more
 * than the manifest gives it, if the agent or the other component suffered, or if anybody were left
 * waiting: the status and the signed receipt must say that the run has failed.
 */
#include "core/record/receipt.h"
#include "test/attack/attack.h"

static void limit(struct world *w, const char *name, json_int_t value)
{
    json_object_set_new(json_object_get(world_last_component(w), "limits"), name,
                        json_integer(value));
}

static void greedy(struct world *w, const char *what)
{
    CVM_AUTO_FREE char *args = cvm_printf("[\"%s\"]", what);
    world_open(w);
    world_component_file(w, "greedy", "probe", args);
    world_channel(w, "greedy", "out/sub/b.txt", "result", NULL);
    world_output(w, "result", 4096);
    world_diagnostics(w, "how");
}

static void test_takes_what_it_can(void **state)
{
    (void)state;
    struct world w;
    static const struct {
        const char *what, *why, *limit;
    } GREEDY[] = {{"memory-bomb", "memory", "memory_bytes"},
                  {"recurse", "trap", ""},
                  {"one-too-many\",\"4096", "output", "max_bytes"},
                  {"file-bomb", "exit", ""}, /* its disk is full */
                  {"scratch-bomb", "exit", ""}};
    for (size_t i = 0; i < sizeof GREEDY / sizeof GREEDY[0]; i++) {
        print_message("%s\n", GREEDY[i].what);
        greedy(&w, GREEDY[i].what);
        world_assert_fails(&w, "greedy", GREEDY[i].why, GREEDY[i].limit);
    }
    greedy(&w, "loop");
    limit(&w, "cpu_ms", world_is_machine() ? 3000 : 300);
    world_assert_fails(&w, "greedy", "cpu", "cpu_ms");
}

static void test_it_is_said(void **state)
{
    (void)state;
    struct world w;
    struct cvm_receipt r;
    struct cvm_error err;
    CVM_AUTO_BUF struct cvm_buf receipt = {0}, last = {0};
    greedy(&w, "recurse");
    world_seal(&w);
    world_fill(&w);
    assert_string_equal(world_run(&w), "releasing");
    world_fetch(&w, "receipt", NULL, &receipt);
    assert_int_equal(
        cvm_receipt_verify(&w.manifest, &w.session_sign, receipt.data, receipt.len, &r, &err), 0);
    assert_false(r.completed);
    assert_false(r.ok[0]);
    assert_false(r.outputs[0].present);
    world_fetch(&w, "close", NULL, &last);
    assert_int_not_equal(world_op(&w, "run"), CVM_OK);
    world_close(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_takes_what_it_can),
                                       cmocka_unit_test(test_it_is_said)};
    world_image = CVM_BINARY_DIR "/real-image";
    return WORLD_MAIN(tests);
}
