/*
 * The participants, the daemon and the software PSP of one collaboration in a virtual machine:
 *
 *   vm-life-driver FOLDER MEASUREMENT COMPONENT
 *
 * FOLDER holds the Unix sockets of the machine's vsock (lib_vm.py). It makes a manifest for that
 * measurement, serves reports at port 1025, says "serving", waits for a line of input (by then the
 * guest has started), and takes the collaboration from lock to exit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <cmocka.h>

#include "core/base/encode.h"
#include "core/seal/blob.h"
#include "test/e2e/agent/world-internal.h"

#define MEMORY_MIB 512
#define BULK (32 << 20)
#define SLOW_MS 120000 /* a processor that is emulated compiles slowly */

static const char *folder, *measurement, *component;

/* A component of real bytes; the world's own are texts. */
static void add_component(struct world *w)
{
    struct cvm_error err;
    world_component(w, "upper", "replaced below");
    struct world_item *it = &w->items[w->n_items - 1];
    json_t *c = world_last_component(w);
    CVM_AUTO_FCLOSE FILE *f = fopen(component, "rbe");
    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    long len = ftell(f);
    assert_true(len > 0 && len < 4 << 20);
    CVM_AUTO_CLOSE int out = memfd_create("out", MFD_CLOEXEC);
    uint8_t salt[CVM_SALT_LEN];
    world_must(cvm_random(salt, sizeof salt, &err), &err);
    CVM_AUTO_BUF struct cvm_buf associated = {0};
    cvm_blob_associated(it->id, &associated);
    const struct cvm_blob_spec spec = {.key = &it->key,
                                       .associated = CVM_BYTES(associated.data, associated.len),
                                       .padding = CVM_PADDING_MAX,
                                       .max_bytes = 4 << 20};
    struct cvm_digest d;
    rewind(f);
    world_must(cvm_blob_seal_fd(&spec, salt, fileno(f), (uint64_t)len, out, &d, &err), &err);
    size_t size = (size_t)lseek(out, 0, SEEK_END);
    cvm_buf_free(&it->blob);
    assert_int_equal(pread(out, cvm_buf_extend(&it->blob, size), size, 0), size);
    json_object_set_new(c, "digest", cvm_json_of_digest(&d));
    json_object_set_new(c, "max_bytes", json_integer(4 << 20));
    json_object_set_new(c, "args", json_pack("[s]", "copy"));
    json_object_set_new(
        c, "limits",
        json_pack("{s:i, s:i, s:i}", "memory_bytes", 64 << 20, "cpu_ms", 60000, "wall_ms", 120000));
}

static void write_manifest(struct world *w)
{
    world_open(w);
    json_t *isolate = json_object_get(w->draft, "isolate");
    CVM_AUTO_FREE char *text = cvm_printf("sha384:%s", measurement);
    json_object_set_new(isolate, "platforms", json_pack("[s]", "sim-vm"));
    json_object_set_new(isolate, "measurements", json_pack("[s]", text));
    json_object_set_new(isolate, "memory_mib", json_integer(MEMORY_MIB));
    json_object_set_new(isolate, "vcpus", json_integer(2));
    /* Our kernel lacks nothing, but an emulated processor lets nobody switch its predictions off.
     */
    json_object_set_new(isolate, "waive", json_pack("[s]", "speculation-control"));
    add_component(w);
    world_data(w, "words", 0, "whispered in a cell");
    world_data_large(w, "bulk", 1, BULK);
    world_channel(w, "words", NULL, "upper", "in/a.txt");
    world_channel(w, "bulk", NULL, "upper", "in/bulk.bin");
    world_channel(w, "upper", "out/sub/b.txt", "loud", NULL);
    world_output(w, "loud", 1000);
    world_diagnostics(w, "how");
    world_seal(w);
}

static void on_event(void *arg, const json_t *event)
{
    struct world *w = arg;
    const char *state = json_string_value(json_object_get(event, "state"));
    if (state)
        snprintf(w->state, sizeof w->state, "%s", state);
}

static void connect_guest(struct world *w)
{
    struct cvm_error err;
    int fd = world_connect_guest(folder);
    assert_int_not_equal(fd, -1);
    world_must(cvm_link_open(fd, SLOW_MS, on_event, w, &w->link, &err), &err);
}

static void await(struct world *w, const char *state)
{
    struct cvm_error err;
    time_t end = time(NULL) + SLOW_MS / 1000;
    while (strcmp(w->state, state) != 0) {
        if (time(NULL) > end || !strcmp(w->state, "aborted"))
            fail_msg("the state is %s, not %s", w->state, state);
        world_must(cvm_link_wait(w->link, -1, 1000, &err), &err);
    }
    printf("%s\n", state);
    fflush(stdout);
}

static void test_life(void **state)
{
    (void)state;
    struct world w;
    struct cvm_error err;
    write_manifest(&w);
    struct cvm_digest host_data = cvm_sha256(w.manifest.bytes, w.manifest.len);
    uint8_t bytes[CVM_SHA384_LEN];
    world_must(cvm_hex_decode(measurement, bytes, sizeof bytes, &err), &err);
    world_serve_reports(folder, bytes, &host_data);
    printf("serving\n");
    fflush(stdout);
    assert_int_equal(getchar(), '\n');

    connect_guest(&w);
    assert_int_equal(world_lock(&w), CVM_OK);
    assert_int_equal(world_challenge(&w), CVM_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(world_release(&w, i), CVM_OK);
    for (size_t i = 0; i < w.n_items; i++) {
        assert_int_equal(world_item(&w, w.items[i].id), CVM_OK);
        printf("item %s\n", w.items[i].id);
        fflush(stdout);
    }
    await(&w, "sealed");
    assert_int_equal(world_op(&w, "run"), CVM_OK);
    await(&w, "releasing");
    CVM_AUTO_BUF struct cvm_buf how = {0}, loud = {0}, last = {0}, receipt = {0};
    world_open_output(&w, 0, "how", &how);
    printf("%s\n", cvm_buf_cstr(&how));
    world_open_output(&w, 0, "loud", &loud);
    assert_string_equal(cvm_buf_cstr(&loud), "WHISPERED IN A CELL");
    world_fetch(&w, "close", NULL, &last);
    world_fetch(&w, "receipt", NULL, &receipt);
    struct cvm_receipt r;
    world_must(
        cvm_receipt_verify(&w.manifest, &w.session_sign, receipt.data, receipt.len, &r, &err),
        &err);
    assert_true(r.completed);
    assert_int_equal(world_op(&w, "exit"), CVM_OK);
    world_close(&w);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fputs("usage: vm-life-driver FOLDER MEASUREMENT COMPONENT\n", stderr);
        return 2;
    }
    folder = argv[1];
    measurement = argv[2];
    component = argv[3];
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_life)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
