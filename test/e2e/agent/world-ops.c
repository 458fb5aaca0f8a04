#include "test/e2e/agent/world-internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <cmocka.h>

#include "core/evidence/appraise.h"
#include "core/seal/jws.h"
#include "core/seal/output.h"
#include "core/seal/release.h"

static json_t *call(struct world *w, json_t *request, const struct cvm_link_body *body,
                    enum cvm_code *ret)
{
    struct cvm_error err = {0};
    json_t *answer = cvm_link_call(w->link, request, body, WORLD_WAIT_MS, &err);
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
        json_array_append_new(list, json_pack("{s:s, s:I}", "participant", world_names[i], "bytes",
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
    world_must(cvm_bundle_parse(bytes->data, bytes->len, &b, &err), &err);
    struct cvm_appraise_options o = {.time = time(NULL), .nonce = nonce};
    CVM_AUTO_FREE struct cvm_appraisal *a = cvm_alloc(sizeof *a);
    world_must(cvm_evidence_appraise(&b, &w->manifest, &o, a, &err), &err);
    world_must(cvm_appraisal_error(a, &err), &err);
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
        world_must(cvm_random(w->nonce[i], sizeof w->nonce[i], &err), &err);
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
    world_must(cvm_link_read(w->link, sum, &all, -1, WORLD_WAIT_MS, &err), &err);
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

enum cvm_code world_challenge_many(struct world *w, int n)
{
    struct cvm_error err;
    enum cvm_code code;
    json_t *nonces = json_array();
    for (int i = 0; i < n; i++) {
        uint8_t nonce[16];
        world_must(cvm_random(nonce, sizeof nonce, &err), &err);
        CVM_AUTO_FREE char *text = cvm_b64u(nonce, sizeof nonce);
        json_array_append_new(nonces, json_string(text));
    }
    CVM_AUTO_JSON json_t *answer =
        call(w, json_pack("{s:s, s:o}", "op", "challenge", "nonces", nonces), NULL, &code);
    const json_t *sizes = json_object_get(answer, "bundles");
    uint64_t sum = 0;
    for (size_t i = 0; i < json_array_size(sizes); i++)
        sum += (uint64_t)json_integer_value(json_array_get(sizes, i));
    CVM_AUTO_BUF struct cvm_buf all = {0};
    if (answer)
        world_must(cvm_link_read(w->link, sum, &all, -1, WORLD_WAIT_MS, &err), &err);
    return code;
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
    world_must(cvm_act_make(&w->manifest, &w->session, act, &w->sign[who], &jws, &err), &err);
    return world_act_bytes(w, &jws);
}

enum cvm_code world_act_json(struct world *w, int who, json_t *payload)
{
    struct cvm_error err;
    CVM_AUTO_BUF struct cvm_buf text = {0}, jws = {0};
    world_must(cvm_json_write(payload, &text, &err), &err);
    json_decref(payload);
    world_must(cvm_jws_create(&w->sign[who], CVM_JWS_ACT, text.data, text.len, &jws, &err), &err);
    return world_act_bytes(w, &jws);
}

json_t *world_act_payload(struct world *w, int who, const char *act)
{
    char manifest[CVM_DIGEST_TEXT], session[CVM_KID_TEXT];
    return json_pack("{s:i, s:s, s:s, s:s, s:I, s:s}", "version", 1, "manifest",
                     cvm_digest_text(&w->manifest.digest, manifest), "session",
                     cvm_kid_text(&w->session, session), "participant", world_names[who], "seq",
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
        world_must(cvm_release_seal(&w->session_seal, &w->manifest.digest, &w->session, id, secret,
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
    world_must(cvm_link_read(w->link, len, ret, -1, WORLD_WAIT_MS, &err), &err);
}

uint64_t world_fetch_file(struct world *w, const char *id, int fd)
{
    enum cvm_code code;
    struct cvm_error err;
    CVM_AUTO_JSON json_t *answer = call(w, ask("output", id), NULL, &code);
    assert_int_equal(code, CVM_OK);
    uint64_t len = (uint64_t)json_integer_value(json_object_get(answer, "bytes"));
    world_must(cvm_link_read(w->link, len, NULL, fd, WORLD_WAIT_MS, &err), &err);
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
    for (int i = 0; i < WORLD_WAIT_MS / 200 && strcmp(w->state, state); i++)
        world_must(cvm_link_wait(w->link, -1, 200, &err), &err);
    return !strcmp(w->state, state);
}

void world_start_locked(struct world *w)
{
    world_start(w);
    assert_int_equal(world_lock(w), CVM_OK);
    assert_int_equal(world_challenge(w), CVM_OK);
}

void world_release_all(struct world *w)
{
    for (int i = 0; i < 3; i++)
        assert_int_equal(world_release(w, i), CVM_OK);
}

void world_take_key(struct world *w, size_t item, const struct world *from)
{
    struct cvm_error err;
    const struct cvm_secret *key = &from->items[item].key;
    cvm_secret_free(&w->items[item].key);
    assert_int_equal(cvm_secret_copy(&w->items[item].key, key->data, key->len, &err), 0);
}

void world_fill(struct world *w)
{
    world_start_locked(w);
    world_release_all(w);
    for (size_t i = 0; i < w->n_items; i++)
        assert_int_equal(world_item(w, w->items[i].id), CVM_OK);
    assert_true(world_await(w, "sealed"));
}

const char *world_run(struct world *w)
{
    struct cvm_error err;
    assert_int_equal(world_op(w, "run"), CVM_OK);
    for (int i = 0; i < WORLD_WAIT_MS * 3 / 200 &&
                    (!*w->state || !strcmp(w->state, "sealed") || !strcmp(w->state, "running"));
         i++)
        world_must(cvm_link_wait(w->link, -1, 200, &err), &err);
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
    world_must(cvm_output_open(&binding, &w->seal[who], o->padding, o->max_bytes, in, out, NULL,
                               &len, &err),
               &err);
    assert_int_equal(pread(out, cvm_buf_extend(ret, len), len, 0), len);
}
