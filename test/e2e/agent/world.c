#include "test/e2e/agent/world.h"

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

static const char *const names[3] = {"anna", "berta", "carl"};
static const char image[] = CVM_BINARY_DIR "/test-image";
#ifndef CVM_TEST_SANITIZED
static const char psp[] = CVM_BINARY_DIR "/bin/2cvm-psp";
#endif

#define WAIT_MS 20000
#define WORLD_MIB 1024

static void must(int r, const struct cvm_error *err)
{
    char line[1024];
    if (r < 0)
        fail_msg("%s", cvm_error_line(err, line, sizeof line));
}

static unsigned protections(void)
{
    static unsigned have;
    struct cvm_error err;
    if (!have)
        must(cvm_sandbox_probe(&have, &err), &err);
    return have;
}

static json_t *draft_isolate(void)
{
    struct cvm_error err;
    uint8_t m[CVM_SHA384_LEN];
    must(cvm_measure_sim_folder(image, 1, m, &err), &err);
    CVM_AUTO_FREE char *hex = cvm_hex(m, sizeof m);
    CVM_AUTO_FREE char *text = cvm_printf("sha384:%s", hex);
    json_t *waive = json_array();
    for (int p = 0; p < CVM_PROTECTION_COUNT; p++)
        if (!(protections() >> p & 1))
            json_array_append_new(waive, json_string(cvm_protection_word((enum cvm_protection)p)));
    return json_pack("{s:[s], s:[s], s:s, s:{}, s:i, s:i, s:o}", "platforms", "sim-process",
                     "measurements", text, "chips", "any", "min_tcb", "vcpus", 1, "memory_mib",
                     WORLD_MIB, "waive", waive);
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
        must(cvm_key_generate(&w->sign[i], CVM_ED25519, &err), &err);
        must(cvm_key_generate(&w->seal[i], CVM_X25519, &err), &err);
        must(cvm_secret_random(&w->share[i], CVM_SEED_LEN, &err), &err);
        struct cvm_digest d = cvm_seed_commitment(w->share[i].data);
        char seed[CVM_DIGEST_TEXT];
        json_array_append_new(participants,
                              json_pack("{s:s, s:s, s:o, s:o, s:s}", "id", names[i], "name",
                                        names[i], "sign", cvm_jwk(&w->sign[i].pub, CVM_ED25519),
                                        "seal", cvm_jwk(&w->seal[i].pub, CVM_X25519), "seed",
                                        cvm_digest_text(&d, seed)));
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
    pid_t agent = read_pid(w, "agent.pid"), owner = read_pid(w, "psp.pid");
    if (agent > 0)
        kill(agent, SIGTERM);
    for (int i = 0; agent > 0 && i < 500 && kill(agent, 0) == 0; i++)
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
    must(cvm_secret_random(&it->key, CVM_CONTENT_KEY_LEN, &err), &err);
    int out = memfd_create("out", MFD_CLOEXEC);
    uint8_t salt[CVM_SALT_LEN];
    must(cvm_random(salt, sizeof salt, &err), &err);
    CVM_AUTO_BUF struct cvm_buf associated = {0};
    cvm_blob_associated(id, &associated);
    struct cvm_blob_spec spec = {.key = &it->key,
                                 .associated = CVM_BYTES(associated.data, associated.len),
                                 .padding = CVM_PADDING_MAX,
                                 .max_bytes = max};
    struct cvm_digest d;
    must(cvm_blob_seal_fd(&spec, salt, in, len, out, &d, &err), &err);
    cvm_digest_text(&d, digest);
    return out;
}

static void add_item(struct world *w, const char *id, int owner, const char *content, uint64_t max,
                     char digest[CVM_DIGEST_TEXT])
{
    CVM_AUTO_CLOSE int in = memfd_create("in", MFD_CLOEXEC);
    size_t len = strlen(content);
    assert_int_equal(write(in, content, len), len);
    lseek(in, 0, SEEK_SET);
    CVM_AUTO_CLOSE int out = seal_item(w, id, owner, in, len, max, digest);
    size_t size = (size_t)lseek(out, 0, SEEK_END);
    struct world_item *it = &w->items[w->n_items - 1];
    assert_int_equal(pread(out, cvm_buf_extend(&it->blob, size), size, 0), size);
}

void world_component(struct world *w, const char *id, const char *program)
{
    char digest[CVM_DIGEST_TEXT];
    add_item(w, id, 2, program, 65536, digest);
    json_array_append_new(
        json_object_get(w->draft, "components"),
        json_pack("{s:s, s:s, s:s, s:i, s:s, s:[s], s:[s, s], s:s, s:s, s:{s:i, s:i, s:i}}", "id",
                  id, "owner", "carl", "digest", digest, "max_bytes", 65536, "kind", "command",
                  "args", "--test", "grants", "wasi:cli", "wasi:filesystem", "clock", "none",
                  "random", "none", "limits", "memory_bytes", 32 << 20, "cpu_ms", 5000, "wall_ms",
                  10000));
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
    add_item(w, id, owner, content, 20000, digest);
    json_array_append_new(json_object_get(w->draft, "data"),
                          json_pack("{s:s, s:s, s:s, s:i}", "id", id, "owner", names[owner],
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
                          json_pack("{s:s, s:s, s:s, s:I}", "id", id, "owner", names[owner],
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
    must(cvm_json_write(w->draft, &bytes, &err), &err);
    must(cvm_manifest_parse(bytes.data, bytes.len, &w->manifest, &err), &err);
    for (int i = 0; i < 3; i++)
        must(cvm_commitment_make(&w->manifest, i, &w->sign[i], &w->commitments[i], &err), &err);
}

int world_socket(struct world *w)
{
    struct cvm_error err;
    CVM_AUTO_FREE char *path = cvm_printf("%s/agent.sock", w->folder);
    for (int tries = 0; tries < 500; tries++) {
        int fd = cvm_unix_connect(path, &err);
        if (fd >= 0)
            return fd;
        poll(NULL, 0, 10);
    }
    must(-1, &err);
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
    must(cvm_link_open(world_socket(w), WAIT_MS, on_event, w, &w->link, &err), &err);
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
        cvm_measure_sim_folder(image, 1, p.measurement, &err) < 0)
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
    must(listener, &err);
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
    char *argv[] = {(char *)psp, "--image", (char *)image, "--host-data", host_data,
                    "--socket",  path,      "--state-dir", w->folder,     "--memory-mib",
                    memory,      "--vcpus", "1",           NULL};
    char *envp[] = {NULL};
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
    return read_pid(w, "agent.pid");
}

static json_t *call(struct world *w, json_t *request, const struct cvm_link_body *body,
                    enum cvm_code *ret)
{
    struct cvm_error err = {0};
    json_t *answer = cvm_link_call(w->link, request, body, WAIT_MS, &err);
    json_decref(request);
    *ret = answer ? CVM_OK : err.code;
    char line[1024];
    if (!answer)
        print_message("           refused: %s\n", cvm_error_line(&err, line, sizeof line));
    return answer;
}

static enum cvm_code call_simple(struct world *w, json_t *request, const void *data, size_t len)
{
    enum cvm_code code;
    struct cvm_link_body body = {.data = data, .fd = -1, .len = len};
    json_decref(call(w, request, data ? &body : NULL, &code));
    return code;
}

enum cvm_code world_lock_with(struct world *w, const struct cvm_buf *manifest,
                              const struct cvm_buf *commitments, int n)
{
    CVM_AUTO_BUF struct cvm_buf body = {0};
    json_t *list = json_array();
    cvm_buf_append(&body, manifest->data, manifest->len);
    for (int i = 0; i < n; i++) {
        cvm_buf_append(&body, commitments[i].data, commitments[i].len);
        json_array_append_new(list, json_pack("{s:s, s:I}", "participant", names[i], "bytes",
                                              (json_int_t)commitments[i].len));
    }
    json_t *request =
        json_pack("{s:s, s:I, s:o, s:I}", "op", "lock", "manifest_bytes", (json_int_t)manifest->len,
                  "commitments", list, "bytes", (json_int_t)body.len);
    return call_simple(w, request, body.data, body.len);
}

enum cvm_code world_lock(struct world *w)
{
    struct cvm_buf manifest = {.data = w->manifest.bytes, .len = w->manifest.len};
    return world_lock_with(w, &manifest, w->commitments, 3);
}

/* Believes the evidence only after it was appraised, as a participant's machine does. */
static void check_bundle(struct world *w, const struct cvm_buf *bytes, struct cvm_bytes nonce)
{
    struct cvm_error err;
    CVM_AUTO_BUNDLE struct cvm_bundle b = {0};
    must(cvm_bundle_parse(bytes->data, bytes->len, &b, &err), &err);
    struct cvm_appraise_options o = {.time = time(NULL), .nonce = nonce};
    CVM_AUTO_FREE struct cvm_appraisal *a = cvm_alloc(sizeof *a);
    must(cvm_evidence_appraise(&b, &w->manifest, &o, a, &err), &err);
    must(cvm_appraisal_error(a, &err), &err);
    assert_int_equal(a->outcome, CVM_OUTCOME_SIMULATED);
    w->session_seal = b.seal;
    w->session_sign = b.sign;
    w->session = cvm_jwk_thumbprint(&b.sign, CVM_ED25519);
}

enum cvm_code world_challenge(struct world *w)
{
    struct cvm_error err;
    json_t *nonces = json_array();
    for (int i = 0; i < 3; i++) {
        must(cvm_random(w->nonce[i], sizeof w->nonce[i], &err), &err);
        CVM_AUTO_FREE char *text = cvm_b64u(w->nonce[i], sizeof w->nonce[i]);
        json_array_append_new(nonces, json_string(text));
    }
    enum cvm_code code;
    CVM_AUTO_JSON json_t *answer =
        call(w, json_pack("{s:s, s:o}", "op", "challenge", "nonces", nonces), NULL, &code);
    if (!answer)
        return code;
    CVM_AUTO_BUF struct cvm_buf all = {0};
    const json_t *sizes = json_object_get(answer, "bundles");
    uint64_t sum = 0;
    for (size_t i = 0; i < json_array_size(sizes); i++)
        sum += (uint64_t)json_integer_value(json_array_get(sizes, i));
    must(cvm_link_read(w->link, sum, &all, -1, WAIT_MS, &err), &err);
    size_t at = 0;
    for (size_t i = 0; i < 3; i++) {
        CVM_AUTO_BUF struct cvm_buf one = {0};
        size_t len = (size_t)json_integer_value(json_array_get(sizes, i));
        cvm_buf_append(&one, all.data + at, len);
        at += len;
        check_bundle(w, &one, CVM_BYTES(w->nonce[i], sizeof w->nonce[i]));
    }
    return CVM_OK;
}

enum cvm_code world_act_bytes(struct world *w, const struct cvm_buf *jws)
{
    return call_simple(w, json_pack("{s:s, s:I}", "op", "act", "bytes", (json_int_t)jws->len),
                       jws->data, jws->len);
}

enum cvm_code world_act(struct world *w, int who, const struct cvm_act *act)
{
    struct cvm_error err;
    CVM_AUTO_BUF struct cvm_buf jws = {0};
    must(cvm_act_make(&w->manifest, &w->session, act, &w->sign[who], &jws, &err), &err);
    return world_act_bytes(w, &jws);
}

enum cvm_code world_act_json(struct world *w, int who, json_t *payload)
{
    struct cvm_error err;
    CVM_AUTO_BUF struct cvm_buf text = {0}, jws = {0};
    must(cvm_json_write(payload, &text, &err), &err);
    json_decref(payload);
    must(cvm_jws_create(&w->sign[who], CVM_JWS_ACT, text.data, text.len, &jws, &err), &err);
    return world_act_bytes(w, &jws);
}

json_t *world_act_payload(struct world *w, int who, const char *act)
{
    char manifest[CVM_DIGEST_TEXT], session[CVM_KID_TEXT];
    return json_pack("{s:i, s:s, s:s, s:s, s:I, s:s}", "version", 1, "manifest",
                     cvm_digest_text(&w->manifest.digest, manifest), "session",
                     cvm_kid_text(&w->session, session), "participant", names[who], "seq",
                     (json_int_t)++w->seq[who], "act", act);
}

static const struct cvm_secret *key_of(const struct world *w, const char *id)
{
    for (size_t i = 0; i < w->n_items; i++)
        if (!strcmp(w->items[i].id, id))
            return &w->items[i].key;
    fail();
    return NULL;
}

void world_make_release(struct world *w, int who, struct cvm_act *act)
{
    struct cvm_error err;
    *act = (struct cvm_act){.kind = CVM_ACT_RELEASE, .participant = who, .seq = ++w->seq[who]};
    memcpy(act->nonce, w->nonce[who], sizeof w->nonce[who]);
    act->nonce_len = sizeof w->nonce[who];
    act->n_items = cvm_act_wants(&w->manifest, who, act->items);
    for (uint32_t i = 0; i < act->n_items; i++) {
        int item = act->items[i].item;
        const char *id = item < 0 ? "seed" : cvm_manifest_item_at(&w->manifest, (uint32_t)item).id;
        const struct cvm_secret *secret = item < 0 ? &w->share[who] : key_of(w, id);
        must(cvm_release_seal(&w->session_seal, &w->manifest.digest, &w->session, id, secret,
                              &act->items[i].sealed, &err),
             &err);
    }
}

enum cvm_code world_release(struct world *w, int who)
{
    struct cvm_act act;
    world_make_release(w, who, &act);
    return world_act(w, who, &act);
}

enum cvm_code world_item_bytes(struct world *w, const char *id, const void *data, size_t len)
{
    return call_simple(
        w, json_pack("{s:s, s:s, s:I}", "op", "item", "id", id, "bytes", (json_int_t)len), data,
        len);
}

static enum cvm_code item_file(struct world *w, const struct world_item *it)
{
    enum cvm_code code;
    off_t size = lseek(it->blob_fd, 0, SEEK_END);
    struct cvm_link_body body = {.fd = it->blob_fd, .len = (uint64_t)size};
    json_decref(
        call(w, json_pack("{s:s, s:s, s:I}", "op", "item", "id", it->id, "bytes", (json_int_t)size),
             &body, &code));
    return code;
}

enum cvm_code world_item(struct world *w, const char *id)
{
    for (size_t i = 0; i < w->n_items; i++) {
        const struct world_item *it = &w->items[i];
        if (strcmp(it->id, id))
            continue;
        return it->blob_fd >= 0 ? item_file(w, it)
                                : world_item_bytes(w, id, it->blob.data, it->blob.len);
    }
    fail();
    return CVM_E_NOT_FOUND;
}

enum cvm_code world_op(struct world *w, const char *op)
{
    return call_simple(w, json_pack("{s:s}", "op", op), NULL, 0);
}

json_t *world_status(struct world *w)
{
    enum cvm_code code;
    json_t *answer = call(w, json_pack("{s:s}", "op", "status"), NULL, &code);
    assert_int_equal(code, CVM_OK);
    return answer;
}

static json_t *ask(const char *op, const char *id)
{
    return id ? json_pack("{s:s, s:s}", "op", op, "id", id) : json_pack("{s:s}", "op", op);
}

void world_fetch(struct world *w, const char *op, const char *id, struct cvm_buf *ret)
{
    enum cvm_code code;
    struct cvm_error err;
    CVM_AUTO_JSON json_t *answer = call(w, ask(op, id), NULL, &code);
    assert_int_equal(code, CVM_OK);
    uint64_t len = (uint64_t)json_integer_value(json_object_get(answer, "bytes"));
    must(cvm_link_read(w->link, len, ret, -1, WAIT_MS, &err), &err);
}

uint64_t world_fetch_file(struct world *w, const char *id, int fd)
{
    enum cvm_code code;
    struct cvm_error err;
    CVM_AUTO_JSON json_t *answer = call(w, ask("output", id), NULL, &code);
    assert_int_equal(code, CVM_OK);
    uint64_t len = (uint64_t)json_integer_value(json_object_get(answer, "bytes"));
    must(cvm_link_read(w->link, len, NULL, fd, WAIT_MS, &err), &err);
    return len;
}

enum cvm_code world_refusal(struct world *w, const char *op, const char *id)
{
    enum cvm_code code;
    json_decref(call(w, ask(op, id), NULL, &code));
    return code;
}

bool world_await(struct world *w, const char *state)
{
    struct cvm_error err;
    for (int i = 0; i < 100 && strcmp(w->state, state); i++)
        must(cvm_link_wait(w->link, -1, 200, &err), &err);
    return !strcmp(w->state, state);
}

void world_fill(struct world *w)
{
    world_start(w);
    assert_int_equal(world_lock(w), CVM_OK);
    assert_int_equal(world_challenge(w), CVM_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(world_release(w, i), CVM_OK);
    for (size_t i = 0; i < w->n_items; i++)
        assert_int_equal(world_item(w, w->items[i].id), CVM_OK);
    assert_true(world_await(w, "sealed"));
}

const char *world_run(struct world *w)
{
    struct cvm_error err;
    assert_int_equal(world_op(w, "run"), CVM_OK);
    for (int i = 0;
         i < 300 && (!*w->state || !strcmp(w->state, "sealed") || !strcmp(w->state, "running"));
         i++)
        must(cvm_link_wait(w->link, -1, 200, &err), &err);
    while (cvm_link_wait(w->link, -1, 50, &err) == 1)
        ;
    return w->state;
}

void world_open_output(struct world *w, int who, const char *id, struct cvm_buf *ret)
{
    struct cvm_error err;
    CVM_AUTO_BUF struct cvm_buf sealed = {0};
    world_fetch(w, "output", id, &sealed);
    const struct cvm_output *o = &w->manifest.outputs[cvm_manifest_output(&w->manifest, id)];
    CVM_AUTO_CLOSE int in = memfd_create("in", 0), out = memfd_create("out", 0);
    assert_int_equal(write(in, sealed.data, sealed.len), sealed.len);
    lseek(in, 0, SEEK_SET);
    struct cvm_output_binding binding = {
        .manifest = w->manifest.digest, .session = w->session, .output = id};
    uint64_t len;
    must(cvm_output_open(&binding, &w->seal[who], o->padding, o->max_bytes, in, out, NULL, &len,
                         &err),
         &err);
    assert_int_equal(pread(out, cvm_buf_extend(ret, len), len, 0), len);
}
