#include "test/e2e/agent/world-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <time.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "core/evidence/appraise.h"
#include "core/evidence/measure-sim.h"
#include "core/manifest/commitment.h"
#include "core/seal/blob.h"
#include "core/seal/jws.h"
#include "core/seal/output.h"
#include "core/seal/release.h"
#include "core/seal/seed.h"
#include "guest-agent/sandbox/sandbox.h"
#include "orchestrator/transport/unix-socket.h"
#ifdef CVM_TEST_SANITIZED
#include <sys/syscall.h>

#include "guest-agent/agent/agent.h"
#include "orchestrator/psp/serve.h"
#endif

const char *const world_names[3] = {"anna", "berta", "carl"};
const char *world_image = CVM_BINARY_DIR "/test-image";
#ifndef CVM_TEST_SANITIZED
static const char psp[] = CVM_BINARY_DIR "/bin/2cvm-psp";
#endif

#define WORLD_MIB (world_is_machine() ? WORLD_MACHINE_MIB : 1024)
#define WORLD_COMPONENT_MAX (128 << 10)

void world_must(int r, const struct cvm_error *err)
{
    char line[1024];
    if (r < 0)
        fail_msg("%s", cvm_error_line(err, line, sizeof line));
}

bool world_is_machine(void)
{
    return world_backend != NULL;
}

int world_main(int argc, char **argv, const struct CMUnitTest *tests, size_t n)
{
    int at = 1;
    if (argc > 2 && !strcmp(argv[1], "--machine")) {
        world_backend = argv[2];
        at = 3;
    }
    if (argc > at + 1 || (argc > at && argv[at][0] == '-')) {
        fprintf(stderr, "usage: %s [--machine BACKEND] [TEST]\n", argv[0]);
        return 2;
    }
    if (argc > at)
        cmocka_set_test_filter(argv[at]);
    return _cmocka_run_group_tests("tests", tests, n, NULL, NULL);
}

static unsigned protections(void)
{
    static unsigned have;
    struct cvm_error err;
    if (!have)
        world_must(cvm_sandbox_probe(&have, &err), &err);
    return have;
}

static json_t *draft_isolate(void)
{
    struct cvm_error err;
    uint8_t m[CVM_SHA384_LEN];
    unsigned have = ~0u ^ 1u << CVM_PROTECTION_SPECULATION_CONTROL;
    if (world_is_machine()) { /* our kernel has all that an emulated processor can have */
        world_machine_measure(m);
    } else {
        have = protections();
        world_must(cvm_measure_sim_folder(world_image, 1, m, &err), &err);
    }
    CVM_AUTO_FREE char *hex = cvm_hex(m, sizeof m);
    CVM_AUTO_FREE char *text = cvm_printf("sha384:%s", hex);
    json_t *waive = json_array();
    for (int p = 0; p < CVM_PROTECTION_COUNT; p++)
        if (!(have >> p & 1))
            json_array_append_new(waive, json_string(cvm_protection_word((enum cvm_protection)p)));
    return json_pack("{s:[s], s:[s], s:s, s:{}, s:i, s:i, s:o}", "platforms",
                     world_is_machine() ? "sim-vm" : "sim-process", "measurements", text, "chips",
                     "any", "min_tcb", "vcpus", world_is_machine() ? WORLD_MACHINE_VCPUS : 1,
                     "memory_mib", WORLD_MIB, "waive", waive);
}

/* A test that fails leaves its world behind: its isolate ends with the program. */
static pid_t left[64];

static void remember(pid_t pid)
{
    for (size_t i = 0; i < sizeof left / sizeof *left; i++)
        if (!left[i]) {
            left[i] = pid;
            return;
        }
}

static void forget(pid_t pid)
{
    for (size_t i = 0; i < sizeof left / sizeof *left; i++)
        if (left[i] == pid)
            left[i] = 0;
}

static void end_left(void)
{
    for (size_t i = 0; i < sizeof left / sizeof *left; i++)
        if (left[i])
            kill(left[i], SIGTERM);
}

void world_open(struct world *w)
{
    struct cvm_error err;
    static bool registered;
    if (!registered)
        registered = atexit(end_left) == 0;
    *w = (struct world){0};
    snprintf(w->folder, sizeof w->folder, "/tmp/2cvm-agent-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    json_t *participants = json_array();
    for (int i = 0; i < 3; i++) {
        world_must(cvm_key_generate(&w->sign[i], CVM_ED25519, &err), &err);
        world_must(cvm_key_generate(&w->seal[i], CVM_X25519, &err), &err);
        world_must(cvm_secret_random(&w->share[i], CVM_SEED_LEN, &err), &err);
        struct cvm_digest d = cvm_seed_commitment(w->share[i].data);
        char seed[CVM_DIGEST_TEXT];
        json_array_append_new(participants, json_pack("{s:s, s:s, s:o, s:o, s:s}", "id",
                                                      world_names[i], "name", world_names[i],
                                                      "sign", cvm_jwk(&w->sign[i].pub, CVM_ED25519),
                                                      "seal", cvm_jwk(&w->seal[i].pub, CVM_X25519),
                                                      "seed", cvm_digest_text(&d, seed)));
    }
    w->memory_mib = WORLD_MIB;
    w->draft = json_pack("{s:i, s:s, s:s, s:I, s:o, s:o, s:[], s:[], s:[], s:[]}", "version", 1,
                         "collaboration", "5f0c0e9e-9d3e-4c39-8f0b-0a5d2f1f7f11", "title", "test",
                         "not_after", (json_int_t)1900000000, "participants", participants,
                         "isolate", draft_isolate(), "components", "data", "channels", "outputs");
    assert_non_null(w->draft);
}

static void read_file(struct world *w, const char *name, struct cvm_buf *ret)
{
    CVM_AUTO_FREE char *path = cvm_printf("%s/%s", w->folder, name);
    CVM_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    char bytes[4096];
    ssize_t n;
    while (fd >= 0 && (n = read(fd, bytes, sizeof bytes)) > 0)
        cvm_buf_append(ret, bytes, (size_t)n);
}

static pid_t read_pid(struct world *w, const char *name)
{
    CVM_AUTO_BUF struct cvm_buf text = {0};
    read_file(w, name, &text);
    return (pid_t)strtol(cvm_buf_cstr(&text), NULL, 10);
}

/* The agent is asked to end first: then it wipes, and a sanitizer has its say. */
static void end_psp(struct world *w)
{
    if (!w->psp)
        return;
    if (world_is_machine()) {
        forget(w->psp);
        forget(w->backend);
        world_machine_end(w);
        return;
    }
    pid_t agent = read_pid(w, "agent.pid"), owner = read_pid(w, "psp.pid");
    if (agent > 0)
        kill(agent, SIGTERM);
    for (int i = 0; agent > 0 && i < 6000 && kill(agent, 0) == 0; i++) /* leaks are looked for */
        poll(NULL, 0, 10);
    if (agent > 0)
        assert_int_not_equal(kill(agent, 0), 0);
    if (owner > 0 && owner != w->psp)
        kill(owner, SIGTERM);
    waitpid(w->psp, NULL, 0);
    forget(w->psp);
    w->psp = 0;
    CVM_AUTO_BUF struct cvm_buf log = {0};
    world_log(w, &log);
    const char *text = cvm_buf_cstr(&log);
    if (strstr(text, "Sanitizer") || strstr(text, "runtime error"))
        fail_msg("%s", text);
}

void world_close(struct world *w)
{
    w->link = cvm_link_close(w->link);
    end_psp(w);
    for (int i = 0; i < 3; i++) {
        cvm_key_free(&w->sign[i]);
        cvm_key_free(&w->seal[i]);
        cvm_secret_free(&w->share[i]);
        cvm_buf_free(&w->commitments[i]);
    }
    for (size_t i = 0; i < w->n_items; i++) {
        cvm_secret_free(&w->items[i].key);
        cvm_buf_free(&w->items[i].blob);
        if (w->items[i].blob_fd >= 0)
            close(w->items[i].blob_fd);
    }
    cvm_manifest_free(&w->manifest);
    json_decref(w->draft);
    static const char *const files[] = {"agent.sock", "psp.pid",   "agent.pid",
                                        "psp.log",    "agent.log", "psp.lock"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        CVM_AUTO_FREE char *path = cvm_printf("%s/%s", w->folder, files[i]);
        unlink(path);
    }
    rmdir(w->folder);
}

/* Seals what `in` holds as a blob with its own salt; the digest for the manifest comes back as
 * text.
 */
static int seal_item(struct world *w, const char *id, int owner, int in, uint64_t len, uint64_t max,
                     char digest[CVM_DIGEST_TEXT])
{
    struct cvm_error err;
    struct world_item *it = &w->items[w->n_items++];
    it->id = id;
    it->owner = owner;
    it->blob_fd = -1;
    world_must(cvm_secret_random(&it->key, CVM_CONTENT_KEY_LEN, &err), &err);
    int out = memfd_create("out", MFD_CLOEXEC);
    uint8_t salt[CVM_SALT_LEN];
    world_must(cvm_random(salt, sizeof salt, &err), &err);
    CVM_AUTO_BUF struct cvm_buf associated = {0};
    cvm_blob_associated(id, &associated);
    struct cvm_blob_spec spec = {.key = &it->key,
                                 .associated = CVM_BYTES(associated.data, associated.len),
                                 .padding = CVM_PADDING_MAX,
                                 .max_bytes = max};
    struct cvm_digest d;
    world_must(cvm_blob_seal_fd(&spec, salt, in, len, out, &d, &err), &err);
    cvm_digest_text(&d, digest);
    return out;
}

static void add_item(struct world *w, const char *id, int owner, const void *content, size_t len,
                     uint64_t max, char digest[CVM_DIGEST_TEXT])
{
    CVM_AUTO_CLOSE int in = memfd_create("in", MFD_CLOEXEC);
    assert_int_equal(write(in, content, len), len);
    lseek(in, 0, SEEK_SET);
    CVM_AUTO_CLOSE int out = seal_item(w, id, owner, in, len, max, digest);
    size_t size = (size_t)lseek(out, 0, SEEK_END);
    struct world_item *it = &w->items[w->n_items - 1];
    assert_int_equal(pread(out, cvm_buf_extend(&it->blob, size), size, 0), size);
}

void world_component(struct world *w, const char *id, const char *program)
{
    world_component_bytes(w, id, program, strlen(program));
}

void world_component_bytes(struct world *w, const char *id, const void *bytes, size_t len)
{
    char digest[CVM_DIGEST_TEXT];
    int slower = world_is_machine() ? WORLD_MACHINE_SLOWER : 1;
    add_item(w, id, 2, bytes, len, WORLD_COMPONENT_MAX, digest);
    json_array_append_new(
        json_object_get(w->draft, "components"),
        json_pack("{s:s, s:s, s:s, s:i, s:s, s:[s], s:[s, s], s:s, s:s, s:{s:i, s:i, s:i}}", "id",
                  id, "owner", "carl", "digest", digest, "max_bytes", WORLD_COMPONENT_MAX, "kind",
                  "command", "args", "--test", "grants", "wasi:cli", "wasi:filesystem", "clock",
                  "none", "random", "none", "limits", "memory_bytes", 32 << 20, "cpu_ms",
                  5000 * slower, "wall_ms", 10000 * slower));
}

static json_t *last(struct world *w, const char *list)
{
    json_t *all = json_object_get(w->draft, list);
    return json_array_get(all, json_array_size(all) - 1);
}

json_t *world_last_component(struct world *w)
{
    return last(w, "components");
}

json_t *world_last_output(struct world *w)
{
    return last(w, "outputs");
}

void world_data(struct world *w, const char *id, int owner, const char *content)
{
    char digest[CVM_DIGEST_TEXT];
    add_item(w, id, owner, content, strlen(content), 20000, digest);
    json_array_append_new(json_object_get(w->draft, "data"),
                          json_pack("{s:s, s:s, s:s, s:i}", "id", id, "owner", world_names[owner],
                                    "digest", digest, "max_bytes", 20000));
}

void world_data_large(struct world *w, const char *id, int owner, uint64_t bytes)
{
    char digest[CVM_DIGEST_TEXT];
    CVM_AUTO_CLOSE int in = memfd_create("in", MFD_CLOEXEC);
    assert_int_equal(ftruncate(in, (off_t)bytes), 0);
    int out = seal_item(w, id, owner, in, bytes, bytes, digest);
    w->items[w->n_items - 1].blob_fd = out;
    json_array_append_new(json_object_get(w->draft, "data"),
                          json_pack("{s:s, s:s, s:s, s:I}", "id", id, "owner", world_names[owner],
                                    "digest", digest, "max_bytes", (json_int_t)bytes));
}

void world_channel(struct world *w, const char *from, const char *from_path, const char *to,
                   const char *to_path)
{
    json_t *c = json_pack("{s:s, s:s, s:s}", "kind", "file", "from", from, "to", to);
    if (from_path)
        json_object_set_new(c, "from_path", json_string(from_path));
    if (to_path)
        json_object_set_new(c, "to_path", json_string(to_path));
    json_array_append_new(json_object_get(w->draft, "channels"), c);
}

void world_joint(struct world *w, const char *channel)
{
    CVM_AUTO_FREE char *text = cvm_strdup(channel);
    for (char *p = text; *p; p++)
        if (*p == '\'')
            *p = '"';
    json_t *c = json_loads(text, 0, NULL);
    assert_non_null(c);
    json_array_append_new(json_object_get(w->draft, "channels"), c);
}

void world_library(struct world *w, const char *instance)
{
    json_object_set_new(world_last_component(w), "kind", json_string("library"));
    json_object_set_new(world_last_component(w), "instance", json_string(instance));
}

void world_output(struct world *w, const char *id, uint64_t max_bytes)
{
    json_array_append_new(json_object_get(w->draft, "outputs"),
                          json_pack("{s:s, s:[s, s], s:I, s:s, s:[]}", "id", id, "recipients",
                                    "anna", "carl", "max_bytes", (json_int_t)max_bytes, "padding",
                                    "max", "release"));
}

void world_diagnostics(struct world *w, const char *id)
{
    world_output(w, id, 4096);
    json_object_set_new(world_last_output(w), "diagnostics", json_true());
}

void world_seal(struct world *w)
{
    struct cvm_error err;
    CVM_AUTO_BUF struct cvm_buf bytes = {0};
    world_must(cvm_json_write(w->draft, &bytes, &err), &err);
    world_must(cvm_manifest_parse(bytes.data, bytes.len, &w->manifest, &err), &err);
    for (int i = 0; i < 3; i++)
        world_must(cvm_commitment_make(&w->manifest, i, &w->sign[i], &w->commitments[i], &err),
                   &err);
}

int world_socket(struct world *w)
{
    struct cvm_error err;
    CVM_AUTO_FREE char *path = cvm_printf("%s/agent.sock", w->folder);
    for (int tries = 0; tries < 500; tries++) {
        /* The agent ends one connection for the next: a guest's that ends so early looks refused.
         */
        int fd = world_is_machine() ? world_connect_guest(w->folder) : cvm_unix_connect(path, &err);
        if (fd >= 0)
            return fd;
        poll(NULL, 0, 10);
    }
    fail_msg("the agent took no connection in 5 s");
    return -1;
}

static void on_event(void *arg, const json_t *event)
{
    struct world *w = arg;
    const char *state = json_string_value(json_object_get(event, "state"));
    if (state)
        snprintf(w->state, sizeof w->state, "%s", state);
}

void world_connect(struct world *w)
{
    struct cvm_error err;
    w->link = cvm_link_close(w->link);
    world_must(cvm_link_open(world_socket(w), WORLD_WAIT_MS, on_event, w, &w->link, &err), &err);
}

#ifdef CVM_TEST_SANITIZED
/*
 * A build with sanitizers can't be an isolate's program: its runtime needs a loader and more memory
 * than the walls leave. Here the agent's library runs in a child, below the PSP's library in
 * another.
 */
static _Noreturn void be_agent(struct world *w, int listener, int device)
{
    memset(left, 0, sizeof left);
    struct cvm_error err;
    static struct cvm_agent agent;
    static struct cvm_source signals;
    CVM_AUTO_FREE char *log = cvm_printf("%s/agent.log", w->folder);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    dup2(fd, STDERR_FILENO);
    close(fd);
    struct cvm_agent_setup setup = {
        .platform = "sim-process",
        .memory_mib = w->memory_mib,
        .listen_fd = listener,
        .device_fd = device,
        .compile_fd = open(CVM_BINARY_DIR "/test-image/2cvm-compile", O_PATH | O_CLOEXEC),
        .cell_fd = open(CVM_BINARY_DIR "/test-image/2cvm-cell", O_PATH | O_CLOEXEC),
    };
    int r = cvm_agent_open(&agent, &setup, &err);
    if (r == 0)
        r = cvm_agent_watch_signals(&agent, &signals, &err);
    if (r == 0)
        r = cvm_loop_run(&agent.loop, &err);
    if (r == 0)
        cvm_agent_close(&agent);
    free(CVM_TAKE(log));
    exit(r < 0); /* the leak checker looks now */
}

static void write_pid(struct world *w, const char *name, pid_t pid)
{
    CVM_AUTO_FREE char *path = cvm_printf("%s/%s", w->folder, name);
    CVM_AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    dprintf(fd, "%d\n", (int)pid);
}

static _Noreturn void be_psp(struct world *w, const struct cvm_digest *host_data, int listener)
{
    struct cvm_error err;
    struct cvm_psp p = {.log = fopen("/dev/null", "we")};
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 ||
        cvm_issuer_new(&p.issuer, time(NULL), &err) < 0 ||
        cvm_measure_sim_folder(world_image, 1, p.measurement, &err) < 0)
        _exit(1);
    memcpy(p.host_data, host_data->b, sizeof p.host_data);
    pid_t agent = fork();
    if (agent == 0) {
        close(pair[0]);
        be_agent(w, listener, pair[1]);
    }
    write_pid(w, "agent.pid", agent);
    write_pid(w, "psp.pid", getpid());
    close(pair[1]);
    close(listener);
    _exit(cvm_psp_serve(&p, pair[0], (int)syscall(SYS_pidfd_open, agent, 0), &err) < 0);
}

void world_start_for(struct world *w, const struct cvm_buf *manifest)
{
    struct cvm_error err;
    struct cvm_digest digest = cvm_sha256(manifest->data, manifest->len);
    CVM_AUTO_FREE char *path = cvm_printf("%s/agent.sock", w->folder);
    int listener = cvm_unix_listen(path, &err);
    world_must(listener, &err);
    w->psp = fork();
    if (w->psp == 0)
        be_psp(w, &digest, listener);
    close(listener);
    remember(w->psp);
    world_connect(w);
}
#else
void world_start_for(struct world *w, const struct cvm_buf *manifest)
{
    struct cvm_digest digest = cvm_sha256(manifest->data, manifest->len);
    CVM_AUTO_FREE char *path = cvm_printf("%s/agent.sock", w->folder);
    CVM_AUTO_FREE char *host_data = cvm_hex(digest.b, sizeof digest.b);
    CVM_AUTO_FREE char *memory = cvm_printf("%u", w->memory_mib);
    char *argv[] = {
        (char *)psp,   "--image", (char *)world_image, "--host-data", host_data, "--socket", path,
        "--state-dir", w->folder, "--memory-mib",      memory,        "--vcpus", "1",        NULL};
    char *envp[] = {NULL};
    if (world_is_machine()) {
        forget(w->backend);
        world_machine_start(w, &digest);
        remember(w->backend);
    } else
        assert_int_equal(posix_spawn(&w->psp, psp, NULL, NULL, argv, envp), 0);
    remember(w->psp);
    world_connect(w);
}
#endif

void world_start(struct world *w)
{
    world_start_for(w, &(struct cvm_buf){.data = w->manifest.bytes, .len = w->manifest.len});
}

void world_log(struct world *w, struct cvm_buf *ret)
{
    read_file(w, "agent.log", ret);
}

pid_t world_agent(struct world *w)
{
    if (world_is_machine())
        return w->psp;
    return read_pid(w, "agent.pid");
}
