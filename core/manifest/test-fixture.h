/* A manifest for tests: three parties, two components in a row, fixed keys. Shared by the tests of
 * manifest, policy and record. */
#ifndef CVM_MANIFEST_TEST_FIXTURE_H
#define CVM_MANIFEST_TEST_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include "core/manifest/act.h"
#include "core/manifest/commitment.h"
#include "core/seal/seed.h"

#define FIXTURE __attribute__((unused)) static

/* Key pair `n` (participants 0 to 2, session 9): the private bytes are SHA-256 of "2cvm test key
 * <n> sign|seal". */
FIXTURE struct cvm_key fixture_key(int n, enum cvm_curve curve)
{
    char label[40];
    snprintf(label, sizeof label, "2cvm test key %d %s", n, curve == CVM_ED25519 ? "sign" : "seal");
    struct cvm_digest d = cvm_sha256(label, strlen(label));
    struct cvm_key key;
    if (cvm_key_from_secret(&key, curve, d.b, NULL) < 0)
        abort();
    return key;
}

FIXTURE json_t *fixture_jwk(int n, enum cvm_curve curve)
{
    CVM_AUTO_KEY struct cvm_key key = fixture_key(n, curve);
    return cvm_jwk(&key.pub, curve);
}

FIXTURE json_t *fixture_digest(const char *of)
{
    struct cvm_digest d = cvm_sha256(of, strlen(of));
    return cvm_json_of_digest(&d);
}

/* The share of participant n is SHA-256 of "2cvm test share <n>". */
FIXTURE struct cvm_digest fixture_share(int n)
{
    char label[40];
    snprintf(label, sizeof label, "2cvm test share %d", n);
    return cvm_sha256(label, strlen(label));
}

FIXTURE json_t *fixture_participant(int n, const char *id, const char *name)
{
    struct cvm_digest share = fixture_share(n), seed = cvm_seed_commitment(share.b);
    json_t *o = json_object();
    json_object_set_new(o, "id", json_string(id));
    json_object_set_new(o, "name", json_string(name));
    json_object_set_new(o, "sign", fixture_jwk(n, CVM_ED25519));
    json_object_set_new(o, "seal", fixture_jwk(n, CVM_X25519));
    json_object_set_new(o, "seed", cvm_json_of_digest(&seed));
    return o;
}

FIXTURE json_t *fixture_json(const char *text)
{
    json_t *o = json_loads(text, JSON_DECODE_ANY, NULL);
    if (!o)
        abort();
    return o;
}

FIXTURE json_t *fixture_item(const char *rest, const char *digest_of)
{
    json_t *o = fixture_json(rest);
    json_object_set_new(o, "digest", fixture_digest(digest_of));
    return o;
}

FIXTURE json_t *fixture_document(void)
{
    json_t *m = json_object(), *list;
    json_object_set_new(m, "version", json_integer(1));
    json_object_set_new(m, "collaboration", json_string("7f1d5c1e-2b6a-4f43-9a0e-5d2b8f4f6a11"));
    json_object_set_new(m, "title", json_string("Joint study"));
    json_object_set_new(m, "not_after", json_integer(1798761600));
    json_object_set_new(m, "participants", list = json_array());
    json_array_append_new(list, fixture_participant(0, "clinic-a", "Clinic A"));
    json_array_append_new(list, fixture_participant(1, "clinic-b", "Clinic B"));
    json_array_append_new(list, fixture_participant(2, "analyst", "The analyst"));
    json_object_set_new(m, "isolate",
                        fixture_json("{\"platforms\":[\"sim-process\"],\"measurements\":[\"sha384:"
                                     "00112233445566778899aabbccddeeff00112233445566778899aabbccdde"
                                     "eff00112233445566778899aabbccddeeff"
                                     "\"],\"chips\":\"any\",\"min_tcb\":{},\"vcpus\":2,\"memory_"
                                     "mib\":512,\"waive\":[\"cgroup\"]}"));
    json_object_set_new(m, "components", list = json_array());
    json_array_append_new(
        list,
        fixture_item(
            "{\"id\":\"train\",\"owner\":\"analyst\",\"max_bytes\":1048576,\"kind\":\"command\","
            "\"args\":[\"--rounds\",\"40\"],\"grants\":[\"wasi:cli\",\"wasi:filesystem\"],"
            "\"clock\":\"none\",\"random\":\"seeded\","
            "\"limits\":{\"memory_bytes\":67108864,\"cpu_ms\":60000,\"wall_ms\":120000}}",
            "train"));
    json_array_append_new(
        list,
        fixture_item(
            "{\"id\":\"clean\",\"owner\":\"clinic-b\",\"max_bytes\":65536,\"kind\":\"command\","
            "\"grants\":[\"wasi:cli\",\"wasi:filesystem\"],\"clock\":\"none\",\"random\":\"none\","
            "\"limits\":{\"memory_bytes\":1048576,\"cpu_ms\":1000,\"wall_ms\":2000}}",
            "clean"));
    json_object_set_new(m, "data", list = json_array());
    json_array_append_new(
        list,
        fixture_item("{\"id\":\"rows-a\",\"owner\":\"clinic-a\",\"max_bytes\":1048576}", "rows-a"));
    json_array_append_new(
        list, fixture_item("{\"id\":\"rows-b\",\"owner\":\"clinic-b\",\"max_bytes\":1048576,"
                           "\"padding\":\"none\"}",
                           "rows-b"));
    json_object_set_new(
        m, "channels",
        fixture_json(
            "[{\"kind\":\"file\",\"from\":\"rows-a\",\"to\":\"train\",\"to_path\":\"in/a.csv\"},"
            "{\"kind\":\"file\",\"from\":\"rows-b\",\"to\":\"clean\",\"to_path\":\"in/b.csv\"},"
            "{\"kind\":\"file\",\"from\":\"clean\",\"from_path\":\"out/b.csv\",\"to\":\"train\","
            "\"to_path\":\"in/b.csv\",\"max_bytes\":2097152},"
            "{\"kind\":\"file\",\"from\":\"train\",\"from_path\":\"out/"
            "model.json\",\"to\":\"model\"},"
            "{\"kind\":\"file\",\"from\":\"train\",\"from_path\":\"/dev/"
            "stdout\",\"to\":\"report\"}]"));
    json_object_set_new(
        m, "outputs",
        fixture_json(
            "[{\"id\":\"model\",\"recipients\":[\"clinic-a\",\"clinic-b\",\"analyst\"],\"max_"
            "bytes\":65536,"
            "\"padding\":\"max\",\"release\":[{\"when\":\"approved\",\"by\":[\"clinic-a\"]},"
            "{\"when\":\"not-before\",\"by\":[\"clinic-b\"],\"time\":1700000000}]},"
            "{\"id\":\"report\",\"recipients\":[\"analyst\"],\"max_bytes\":65536,\"padding\":"
            "\"pow2\","
            "\"release\":[]},"
            "{\"id\":\"run-log\",\"recipients\":[\"analyst\"],\"max_bytes\":4096,\"padding\":"
            "\"max\","
            "\"release\":[],\"diagnostics\":true}]"));
    return m;
}

/*
 * The same parties, and components that run together: `ask` calls `model` (for the run), which
 * calls `score` (a fresh one for each call); `tell` calls `model`, too, and takes what `ask`
 * streams; `feed` is an open input of clinic-a that `ask` reads; the gate `guard` stands before
 * `answer`.
 */
FIXTURE json_t *fixture_together(void)
{
    json_t *m = fixture_document(), *list;
    static const char *const COMPONENTS[] = {
        "{\"id\":\"ask\",\"owner\":\"analyst\",\"kind\":\"command\",\"grants\":[\"wasi:cli\"]}",
        "{\"id\":\"tell\",\"owner\":\"clinic-b\",\"kind\":\"command\","
        "\"grants\":[\"wasi:cli\",\"wasi:filesystem\"]}",
        "{\"id\":\"model\",\"owner\":\"analyst\",\"kind\":\"library\",\"grants\":[\"wasi:cli\","
        "\"wasi:filesystem\"]}",
        "{\"id\":\"score\",\"owner\":\"analyst\",\"kind\":\"library\",\"instance\":\"call\","
        "\"grants\":[]}",
        "{\"id\":\"guard\",\"owner\":\"clinic-b\",\"kind\":\"command\",\"gate\":true,"
        "\"grants\":[\"wasi:cli\",\"wasi:filesystem\"]}"};
    json_object_set_new(m, "components", list = json_array());
    for (size_t i = 0; i < sizeof COMPONENTS / sizeof COMPONENTS[0]; i++) {
        json_t *c = fixture_item(COMPONENTS[i], COMPONENTS[i]);
        json_object_set_new(c, "max_bytes", json_integer(65536));
        json_object_set_new(c, "clock", json_string("none"));
        json_object_set_new(c, "random", json_string("none"));
        json_object_set_new(
            c, "limits",
            fixture_json("{\"memory_bytes\":1048576,\"cpu_ms\":1000,\"wall_ms\":2000}"));
        json_array_append_new(list, c);
    }
    json_object_set_new(m, "data", list = json_array());
    json_array_append_new(list,
                          fixture_json("{\"id\":\"feed\",\"owner\":\"clinic-a\",\"open\":true,"
                                       "\"max_items\":10,\"max_bytes\":65536}"));
    json_array_append_new(
        list,
        fixture_item("{\"id\":\"rows-b\",\"owner\":\"clinic-b\",\"max_bytes\":65536}", "rows-b"));
    json_object_set_new(
        m, "channels",
        fixture_json(
            "[{\"kind\":\"call\",\"from\":\"ask\",\"to\":\"model\",\"interface\":"
            "\"study:model/"
            "infer@1.0.0\",\"max_calls\":3,\"max_call_bytes\":4096,\"max_bytes\":10000},"
            "{\"kind\":\"call\",\"from\":\"tell\",\"to\":\"model\",\"interface\":"
            "\"study:model/infer@1.0.0\",\"max_calls\":5,\"max_bytes\":10000},"
            "{\"kind\":\"call\",\"from\":\"model\",\"to\":\"score\",\"interface\":"
            "\"study:score/one\",\"max_calls\":100,\"max_bytes\":10000},"
            "{\"kind\":\"stream\",\"from\":\"ask\",\"from_path\":\"/dev/stdout\",\"to\":\"tell\","
            "\"to_path\":\"/dev/stdin\",\"max_bytes\":1000},"
            "{\"kind\":\"stream\",\"from\":\"feed\",\"to\":\"ask\",\"to_path\":\"/dev/stdin\"},"
            "{\"kind\":\"file\",\"from\":\"rows-b\",\"to\":\"model\",\"to_path\":\"in/model\"},"
            "{\"kind\":\"file\",\"from\":\"tell\",\"from_path\":\"out/a\",\"to\":\"guard\","
            "\"to_path\":\"in/a\"},"
            "{\"kind\":\"file\",\"from\":\"guard\",\"from_path\":\"/dev/"
            "stdout\",\"to\":\"answer\"}]"));
    json_object_set_new(
        m, "outputs",
        fixture_json("[{\"id\":\"answer\",\"recipients\":[\"clinic-a\"],\"max_bytes\":"
                     "65536,\"padding\":\"max\",\"release\":[]}]"));
    return m;
}

FIXTURE int fixture_parse(const json_t *document, struct cvm_manifest *ret, struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf bytes = {0};
    if (cvm_json_write(document, &bytes, err) < 0)
        return -1;
    return cvm_manifest_parse(bytes.data, bytes.len, ret, err);
}

FIXTURE void fixture_manifest(struct cvm_manifest *ret)
{
    CVM_AUTO_JSON json_t *document = fixture_document();
    struct cvm_error err = {0};
    if (fixture_parse(document, ret, &err) < 0) {
        fprintf(stderr, "fixture: %s (%s)\n", err.message, cvm_code_info(err.code)->name);
        abort();
    }
}

/* "components.0.limits.cpu_ms": sets the member (value is JSON text) or, with NULL, removes it. "+"
 * as the last part appends. */
FIXTURE void fixture_edit(json_t *document, const char *where, const char *value)
{
    json_t *at = document;
    char part[64];
    for (;;) {
        size_t len = strcspn(where, ".");
        snprintf(part, sizeof part, "%.*s", (int)len, where);
        where += len;
        if (!*where)
            break;
        where++;
        at = json_is_array(at) ? json_array_get(at, strtoul(part, NULL, 10))
                               : json_object_get(at, part);
        if (!at)
            abort();
    }
    if (json_is_array(at) && strcmp(part, "+") == 0)
        json_array_append_new(at, fixture_json(value));
    else if (json_is_array(at) && value)
        json_array_set_new(at, strtoul(part, NULL, 10), fixture_json(value));
    else if (json_is_array(at))
        json_array_remove(at, strtoul(part, NULL, 10));
    else if (value)
        json_object_set_new(at, part, fixture_json(value));
    else
        json_object_del(at, part);
}

#endif
