#include "core/manifest/test-fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_reads_every_field(void **state)
{
    (void)state;
    CVM_AUTO_MANIFEST struct cvm_manifest m;
    fixture_manifest(&m);
    assert_string_equal(m.title, "Joint study");
    assert_int_equal(m.n_participants, 3);
    assert_int_equal(cvm_manifest_items(&m), 4);
    assert_int_equal(cvm_manifest_item(&m, "train"), 0);
    assert_int_equal(cvm_manifest_item(&m, "rows-b"), 3);
    assert_int_equal(cvm_manifest_item(&m, "model"), -1);
    assert_int_equal(cvm_manifest_output(&m, "report"), 1);
    assert_int_equal(cvm_manifest_participant(&m, "analyst"), 2);
    assert_int_equal(cvm_manifest_participant(&m, "nobody"), -1);
    assert_int_equal(cvm_manifest_participant_by_thumb(&m, &m.participants[1].sign_thumb), 1);
    assert_int_equal(cvm_manifest_participant_by_thumb(&m, &m.participants[1].seal_thumb), -1);
    assert_true(m.isolate.simulated);
    assert_true(m.isolate.smt);
    assert_true(m.isolate.any_chip);
    assert_int_equal(m.isolate.waive, 1u << CVM_PROTECTION_CGROUP);
    assert_int_equal(m.isolate.measurements[0][1], 0x11);
    assert_int_equal(m.components[0].n_args, 2);
    assert_string_equal(m.components[0].args[1], "40");
    assert_int_equal(m.components[0].fuel, 0);
    assert_int_equal(m.components[0].random, CVM_RANDOM_SEEDED);
    assert_int_equal(m.components[1].owner, 1);
    assert_int_equal(m.data[0].padding, CVM_PADDING_MAX);
    assert_int_equal(m.data[1].padding, CVM_PADDING_NONE);
    assert_int_equal(m.channels[2].max_bytes, 2097152);
    assert_int_equal(m.channels[0].max_bytes, 1048576);
    assert_int_equal(m.outputs[0].recipients, 7);
    assert_int_equal(m.outputs[0].n_release, 2);
    assert_int_equal(m.outputs[0].release[1].time, 1700000000);
    assert_int_equal(m.outputs[0].channel, 3);
    assert_int_equal(m.outputs[2].channel, -1);
    struct cvm_digest d = cvm_sha256(m.bytes, m.len);
    assert_memory_equal(d.b, m.digest.b, sizeof d.b);
}

static void test_order_and_channels(void **state)
{
    (void)state;
    CVM_AUTO_MANIFEST struct cvm_manifest m;
    fixture_manifest(&m);
    assert_int_equal(m.order[0], 1); /* clean feeds train */
    assert_int_equal(m.order[1], 0);
    int list[CVM_CHANNELS_MAX];
    assert_int_equal(cvm_manifest_inbound(&m, CVM_CHANNEL_KIND_FILE, 0, list), 2);
    assert_int_equal(list[0], 0);
    assert_int_equal(list[1], 2);
    assert_int_equal(cvm_manifest_outbound(&m, CVM_CHANNEL_KIND_FILE, 0, list), 2);
    assert_int_equal(cvm_manifest_outbound(&m, CVM_CHANNEL_KIND_FILE, 1, list), 1);
    /* 1 MiB + 64 KiB items, 2 MiB data, 132 KiB outputs, 2 MiB channel, 65 MiB memory: 70.2,
     * rounded up, and the reserve */
    assert_int_equal(cvm_manifest_memory_needed(&m), 71 + 128);
}

#define ID_KEY                                                                                     \
    "\"sha384:abababababababababababababababababababababababab"                                    \
    "abababababababababababababababababababababababab\""

static void test_accepts(void **state)
{
    (void)state;
    static const struct {
        const char *where, *value;
    } FINE[] = {
        {"isolate.platforms", "[\"sim-vm\",\"sim-process\"]"},
        {"isolate.platforms", "[\"sev-snp\"]"},
        {"isolate.chips", "[\"0123456789abcdef\"]"},
        {"isolate.min_tcb",
         "{\"turin\":{\"bootloader\":1,\"fmc\":2,\"microcode\":255,\"snp\":0,\"tee\":4}}"},
        {"isolate.policy",
         "{\"abi_major\":1,\"abi_minor\":55,\"single_socket\":true,\"smt\":false}"},
        {"isolate.id_block",
         "{\"author_keys\":[" ID_KEY "],\"guest_svn\":4,\"id_keys\":[" ID_KEY "]}"},
        {"isolate.memory_mib", "199"},
        {"components.0.limits.fuel", "1000"},
        {"components.0.padding", "\"none\""},
        {"components.0.clock", "\"host\""},
        {"channels.0.to_path", "\"in/1/2/3/4/5/6/7\""},
        {"channels.2.max_bytes", NULL},
        {"title", "\"\xc3\xa9tude \xe2\x80\x94 \xe7\xa0\x94\xe7\xa9\xb6\""},
        {"outputs.0.release", "[]"},
        {"outputs.2", NULL},
    };
    for (size_t i = 0; i < sizeof FINE / sizeof FINE[0]; i++) {
        CVM_AUTO_JSON json_t *doc = fixture_document();
        fixture_edit(doc, FINE[i].where, FINE[i].value);
        CVM_AUTO_MANIFEST struct cvm_manifest m = {0};
        struct cvm_error err = {0};
        if (fixture_parse(doc, &m, &err) < 0)
            fail_msg("%s = %s refused: %s", FINE[i].where, FINE[i].value, err.message);
    }
}

struct edit {
    const char *where, *value;
    enum cvm_code code;
};

static const struct edit BAD[] = {
    {"version", "2", CVM_E_MANIFEST_VERSION},
    {"version", "\"1\"", CVM_E_JSON_TYPE},
    {"version", NULL, CVM_E_JSON_MISSING},
    {"note", "1", CVM_E_JSON_UNKNOWN},
    {"collaboration", "\"7F1D5C1E-2B6A-4F43-9A0E-5D2B8F4F6A11\"", CVM_E_BAD_ENCODING},
    {"collaboration", "\"../../keys\"", CVM_E_BAD_ENCODING},
    {"title", "\"\"", CVM_E_MANIFEST_TEXT},
    {"title", "\"a\\u001b[2Jb\"", CVM_E_MANIFEST_TEXT},
    {"title", "\"a\xe2\x80\xae\x62\"", CVM_E_MANIFEST_TEXT}, /* right-to-left override */
    {"title", "\"a\xc2\x9b\x62\"", CVM_E_MANIFEST_TEXT},     /* a control of C1 */
    {"not_after", "0", CVM_E_MANIFEST_RANGE},
    /* participants */
    {"participants", "[]", CVM_E_MANIFEST_RANGE},
    {"participants", "{}", CVM_E_JSON_TYPE},
    {"participants.0.id", "\"../keys/x\"", CVM_E_MANIFEST_ID},
    {"participants.0.id", "\"A\"", CVM_E_MANIFEST_ID},
    {"participants.0.id", "\"seed\"", CVM_E_MANIFEST_ID},
    {"participants.0.id", "\"clinic-b\"", CVM_E_MANIFEST_DUPLICATE_ID},
    {"participants.0.sign.x", "\"AAAA\"", CVM_E_MANIFEST_KEY},
    {"participants.0.sign.crv", "\"X25519\"", CVM_E_MANIFEST_KEY},
    {"participants.0.sign.d", "\"AAAA\"", CVM_E_MANIFEST_KEY},
    {"participants.0.seal.x", "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"",
     CVM_E_MANIFEST_KEY},
    {"participants.0.seed", "\"sha256:00\"", CVM_E_MANIFEST_DIGEST},
    {"participants.0.admin", "true", CVM_E_JSON_UNKNOWN},
    /* isolate */
    {"isolate.platforms", "[]", CVM_E_MANIFEST_RANGE},
    {"isolate.platforms", "[\"sev-snp\",\"sim-process\"]", CVM_E_MANIFEST_MIXED},
    {"isolate.platforms", "[\"sgx\"]", CVM_E_MANIFEST_ENUM},
    {"isolate.platforms", "[\"sim-vm\",\"sim-vm\"]", CVM_E_MANIFEST_DUPLICATE_ID},
    {"isolate.measurements", "[]", CVM_E_MANIFEST_RANGE},
    {"isolate.measurements.0", "\"sha384:00\"", CVM_E_MANIFEST_DIGEST},
    {"isolate.measurements.0", "7", CVM_E_MANIFEST_DIGEST},
    {"isolate.chips", "\"all\"", CVM_E_JSON_TYPE},
    {"isolate.chips", "[]", CVM_E_MANIFEST_RANGE},
    {"isolate.chips", "[\"0123\"]", CVM_E_BAD_ENCODING},
    {"isolate.min_tcb", "{\"rome\":{}}", CVM_E_JSON_UNKNOWN},
    {"isolate.min_tcb", "{\"milan\":{}}", CVM_E_JSON_MISSING},
    {"isolate.min_tcb",
     "{\"milan\":{\"bootloader\":1,\"fmc\":2,\"microcode\":25,\"snp\":0,\"tee\":4}}",
     CVM_E_JSON_UNKNOWN},
    {"isolate.min_tcb", "{\"milan\":{\"bootloader\":256,\"microcode\":25,\"snp\":0,\"tee\":4}}",
     CVM_E_MANIFEST_RANGE},
    {"isolate.policy", "{\"debug\":true}", CVM_E_JSON_MISSING},
    {"isolate.policy",
     "{\"abi_major\":1,\"abi_minor\":55,\"debug\":true,\"single_socket\":true,\"smt\":false}",
     CVM_E_JSON_UNKNOWN},
    {"isolate.id_block", "{\"author_keys\":[],\"guest_svn\":1}", CVM_E_JSON_MISSING},
    {"isolate.id_block", "{\"author_keys\":[],\"guest_svn\":1,\"id_keys\":[]}",
     CVM_E_MANIFEST_RANGE},
    {"isolate.id_block", "{\"author_keys\":[],\"guest_svn\":4294967296,\"id_keys\":[" ID_KEY "]}",
     CVM_E_MANIFEST_RANGE},
    {"isolate.id_block", "{\"author_keys\":[],\"guest_svn\":1,\"id_keys\":[\"sha384:00\"]}",
     CVM_E_MANIFEST_DIGEST},
    {"isolate.id_block",
     "{\"author_keys\":[" ID_KEY "," ID_KEY "],\"guest_svn\":1,\"id_keys\":[" ID_KEY "]}",
     CVM_E_MANIFEST_DUPLICATE_ID},
    {"isolate.id_block", "{\"author_keys\":[],\"guest_svn\":1,\"id_keys\":[" ID_KEY "],\"key\":1}",
     CVM_E_JSON_UNKNOWN},
    {"isolate.id_block", "[]", CVM_E_JSON_TYPE},
    {"isolate.vcpus", "0", CVM_E_MANIFEST_RANGE},
    {"isolate.memory_mib", "198", CVM_E_MANIFEST_MEMORY},
    {"isolate.waive", "[\"hardware\"]", CVM_E_MANIFEST_ENUM},
    {"isolate.waive", "[\"cgroup\",\"cgroup\"]", CVM_E_MANIFEST_DUPLICATE_ID},
    {"isolate.waive", NULL, CVM_E_JSON_MISSING},
    {"isolate.debug", "true", CVM_E_JSON_UNKNOWN},
    /* components */
    {"components", "[]", CVM_E_MANIFEST_RANGE},
    {"components.0.id", "\"rows-a\"", CVM_E_MANIFEST_DUPLICATE_ID},
    {"components.0.id", "\"model\"", CVM_E_MANIFEST_DUPLICATE_ID},
    {"components.0.id", "\"seed\"", CVM_E_MANIFEST_ID},
    {"components.0.owner", "\"nobody\"", CVM_E_MANIFEST_UNKNOWN_REF},
    {"components.0.digest", "\"sha256:xyz\"", CVM_E_MANIFEST_DIGEST},
    {"components.0.max_bytes", "209715200", CVM_E_MANIFEST_RANGE},
    {"components.0.max_bytes", "0", CVM_E_MANIFEST_RANGE},
    {"components.0.padding", "\"pow2\"", CVM_E_MANIFEST_ENUM},
    {"components.0.kind", "\"plugin\"", CVM_E_MANIFEST_ENUM},
    {"components.0.kind", "\"library\"", CVM_E_MANIFEST_UNUSED},
    {"components.0.args.0", "1", CVM_E_JSON_TYPE},
    {"components.0.args.0", "\"a\\nb\"", CVM_E_MANIFEST_TEXT},
    {"components.0.grants", "[\"wasi:sockets\"]", CVM_E_MANIFEST_ENUM},
    {"components.0.grants", "[\"wasi:cli\"]", CVM_E_MANIFEST_GRAPH},
    {"components.0.grants", "[\"wasi:filesystem\"]", CVM_E_MANIFEST_GRAPH},
    {"components.0.clock", "\"real\"", CVM_E_MANIFEST_ENUM},
    {"components.0.random", "\"host\"", CVM_E_MANIFEST_ENUM},
    {"components.0.limits.memory_bytes", "4294967297", CVM_E_MANIFEST_RANGE},
    {"components.0.limits.cpu_ms", "0", CVM_E_MANIFEST_RANGE},
    {"components.0.limits.wall_ms", NULL, CVM_E_JSON_MISSING},
    {"components.0.limits.fuel", "0", CVM_E_MANIFEST_RANGE},
    {"components.0.limits.threads", "2", CVM_E_JSON_UNKNOWN},
    {"components.0.env", "{}", CVM_E_JSON_UNKNOWN},
    /* data */
    {"data.0.owner", "\"nobody\"", CVM_E_MANIFEST_UNKNOWN_REF},
    {"data.0.max_bytes", "1099511627777", CVM_E_MANIFEST_RANGE},
    {"data.0.id", "\"rows-z\"", CVM_E_MANIFEST_UNKNOWN_REF}, /* its channel now names nothing */
    {"data.1.id", "\"rows-a\"", CVM_E_MANIFEST_DUPLICATE_ID},
    {"data.0.padding", "\"pow2\"", CVM_E_MANIFEST_ENUM},
    /* channels */
    {"channels.0", NULL, CVM_E_MANIFEST_UNUSED},
    {"channels.3", NULL, CVM_E_MANIFEST_GRAPH},
    {"channels.0.kind", "\"call\"", CVM_E_MANIFEST_GRAPH},   /* from a data item */
    {"channels.0.kind", "\"stream\"", CVM_E_MANIFEST_GRAPH}, /* from one that is not open */
    {"components.0.instance", "\"run\"", CVM_E_JSON_UNKNOWN},
    {"components.0.gate", "true", CVM_E_MANIFEST_GRAPH},
    {"data.0.max_items", "5", CVM_E_JSON_UNKNOWN},
    {"data.0.open", "true", CVM_E_JSON_MISSING},
    {"channels.0.kind", "\"pipe\"", CVM_E_MANIFEST_ENUM},
    {"channels.0.from", "\"rows-z\"", CVM_E_MANIFEST_UNKNOWN_REF},
    {"channels.0.to", "\"seed\"", CVM_E_MANIFEST_UNKNOWN_REF},
    {"channels.0.to", "\"rows-b\"", CVM_E_MANIFEST_GRAPH},
    {"channels.0.to", "\"model\"", CVM_E_MANIFEST_GRAPH},
    {"channels.0.from", "\"model\"", CVM_E_MANIFEST_GRAPH},
    {"channels.4.to", "\"model\"", CVM_E_MANIFEST_GRAPH},
    {"channels.4.to", "\"run-log\"", CVM_E_MANIFEST_GRAPH},
    {"channels.0.to_path", NULL, CVM_E_JSON_MISSING},
    {"channels.0.from_path", "\"out/x\"", CVM_E_JSON_UNKNOWN},
    {"channels.0.max_bytes", "5", CVM_E_JSON_UNKNOWN},
    {"channels.3.to_path", "\"in/x\"", CVM_E_JSON_UNKNOWN},
    {"channels.0.to_path", "\"out/a.csv\"", CVM_E_MANIFEST_PATH},
    {"channels.0.to_path", "\"/in/a.csv\"", CVM_E_MANIFEST_PATH},
    {"channels.0.to_path", "\"in\"", CVM_E_MANIFEST_PATH},
    {"channels.0.to_path", "\"in/\"", CVM_E_MANIFEST_PATH},
    {"channels.0.to_path", "\"in//a\"", CVM_E_MANIFEST_PATH},
    {"channels.0.to_path", "\"in/../a\"", CVM_E_MANIFEST_PATH},
    {"channels.0.to_path", "\"in/.\"", CVM_E_MANIFEST_PATH},
    {"channels.0.to_path", "\"in/a b\"", CVM_E_MANIFEST_PATH},
    {"channels.0.to_path", "\"in/1/2/3/4/5/6/7/8\"", CVM_E_MANIFEST_PATH},
    {"channels.0.to_path", "\"/dev/stdout\"", CVM_E_MANIFEST_PATH},
    {"channels.0.to_path", "\"in/b.csv\"", CVM_E_MANIFEST_PATH},   /* twice */
    {"channels.0.to_path", "\"in/b.csv/x\"", CVM_E_MANIFEST_PATH}, /* a folder that is a file */
    {"channels.3.from_path", "\"/dev/stderr\"", CVM_E_MANIFEST_PATH},
    {"channels.3.from_path", "\"/dev/stdout\"", CVM_E_MANIFEST_PATH},
    {"channels.+",
     "{\"kind\":\"file\",\"from\":\"train\",\"from_path\":\"out/"
     "c\",\"to\":\"clean\",\"to_path\":\"in/c\"}",
     CVM_E_MANIFEST_CYCLE},
    {"channels.+",
     "{\"kind\":\"file\",\"from\":\"train\",\"from_path\":\"out/"
     "c\",\"to\":\"train\",\"to_path\":\"in/c\"}",
     CVM_E_MANIFEST_CYCLE},
    /* outputs */
    {"outputs", "[]", CVM_E_MANIFEST_RANGE},
    {"outputs.0.recipients", "[]", CVM_E_MANIFEST_RANGE},
    {"outputs.0.recipients", "[\"clinic-a\",\"clinic-a\"]", CVM_E_MANIFEST_DUPLICATE_ID},
    {"outputs.0.recipients", "[\"everyone\"]", CVM_E_MANIFEST_UNKNOWN_REF},
    {"outputs.0.padding", "\"random\"", CVM_E_MANIFEST_ENUM},
    {"outputs.0.padding", NULL, CVM_E_JSON_MISSING},
    {"outputs.0.release.0.when", "\"always\"", CVM_E_MANIFEST_ENUM},
    {"outputs.0.release.0.by", "[]", CVM_E_MANIFEST_RANGE},
    {"outputs.0.release.0.by", "[\"nobody\"]", CVM_E_MANIFEST_UNKNOWN_REF},
    {"outputs.0.release.0.time", "5", CVM_E_JSON_UNKNOWN},
    {"outputs.0.release.1.time", NULL, CVM_E_JSON_MISSING},
    {"outputs.0.release.1.time", "1798761601",
     CVM_E_MANIFEST_RANGE}, /* behind not_after: could never come out */
    {"outputs.2.padding", "\"none\"", CVM_E_MANIFEST_GRAPH},
    {"outputs.2.release", "[{\"when\":\"approved\",\"by\":[\"clinic-a\"]}]", CVM_E_MANIFEST_GRAPH},
    {"outputs.2.max_bytes", "4095", CVM_E_MANIFEST_RANGE},
    {"outputs.2.diagnostics", "1", CVM_E_JSON_TYPE},
};

#define CALL(from, to, interface)                                                                  \
    "{\"kind\":\"call\",\"from\":\"" from "\",\"to\":\"" to                                        \
    "\",\"interface\":\"" interface "\",\"max_calls\":1,\"max_bytes\":1}"
#define STREAM(from, to)                                                                           \
    "{\"kind\":\"stream\",\"from\":\"" from "\",\"from_path\":\"/dev/stdout\",\"to\":\"" to        \
    "\",\"to_path\":\"/dev/stdin\",\"max_bytes\":1}"
#define FILE_CHANNEL(from, to)                                                                     \
    "{\"kind\":\"file\",\"from\":\"" from "\",\"from_path\":\"out/x\",\"to\":\"" to                \
    "\",\"to_path\":\"in/x\"}"

/* Edits of the manifest whose components run together. */
static const struct edit BAD_TOGETHER[] = {
    /* calls */
    {"channels.+", CALL("tell", "ask", "a:b/c"), CVM_E_MANIFEST_GRAPH}, /* a command */
    {"channels.+", CALL("ask", "answer", "a:b/c"), CVM_E_MANIFEST_GRAPH},
    {"channels.+", CALL("feed", "model", "a:b/c"), CVM_E_MANIFEST_GRAPH},
    {"channels.+", CALL("ask", "nothing", "a:b/c"), CVM_E_MANIFEST_UNKNOWN_REF},
    {"channels.+", CALL("ask", "score", "study:model/infer@1.0.0"), CVM_E_MANIFEST_DUPLICATE_ID},
    {"channels.+", CALL("score", "model", "a:b/c"), CVM_E_MANIFEST_CYCLE},
    {"channels.+", CALL("model", "model", "a:b/c"), CVM_E_MANIFEST_CYCLE},
    {"channels.0.interface", "\"wasi:filesystem/types@0.2.0\"", CVM_E_MANIFEST_INTERFACE},
    {"channels.0.interface", "\"infer\"", CVM_E_MANIFEST_INTERFACE},
    {"channels.0.interface", "\"study:model\"", CVM_E_MANIFEST_INTERFACE},
    {"channels.0.interface", "\"study:model/\"", CVM_E_MANIFEST_INTERFACE},
    {"channels.0.interface", "\"study:model/infer@\"", CVM_E_MANIFEST_INTERFACE},
    {"channels.0.interface", "\"study:model/infer@1\"", CVM_E_MANIFEST_INTERFACE},
    {"channels.0.interface", "\"study:model/infer@1.0.0 \"", CVM_E_MANIFEST_INTERFACE},
    {"channels.0.interface", "\"study:model/in--fer\"", CVM_E_MANIFEST_INTERFACE},
    {"channels.0.interface", "\"Study:model/infer\"", CVM_E_MANIFEST_INTERFACE},
    {"channels.0.interface", "\"study:model/infer\\n\"", CVM_E_MANIFEST_INTERFACE},
    {"channels.0.max_calls", "0", CVM_E_MANIFEST_RANGE},
    {"channels.0.max_calls", NULL, CVM_E_JSON_MISSING},
    {"channels.0.max_bytes", NULL, CVM_E_JSON_MISSING},
    {"channels.0.max_bytes", "1099511627777", CVM_E_MANIFEST_RANGE},
    {"channels.0.max_call_bytes", "268435457", CVM_E_MANIFEST_RANGE},
    {"channels.0.to_path", "\"in/x\"", CVM_E_JSON_UNKNOWN},
    {"channels.5.interface", "\"a:b/c\"", CVM_E_JSON_UNKNOWN}, /* of a file channel */
    {"channels.5.max_calls", "1", CVM_E_JSON_UNKNOWN},
    {"channels.3.max_calls", "1", CVM_E_JSON_UNKNOWN}, /* of a stream */
    {"channels.2", NULL, CVM_E_MANIFEST_UNUSED},       /* `score` is then reached by nobody */
    {"isolate.memory_mib", "137", CVM_E_MANIFEST_MEMORY},
    /* libraries */
    {"components.2.instance", "\"forever\"", CVM_E_MANIFEST_ENUM},
    {"components.2.gate", "true", CVM_E_JSON_UNKNOWN},
    {"components.2.kind", "\"command\"", CVM_E_MANIFEST_GRAPH},
    {"channels.+", STREAM("score", "model"), CVM_E_MANIFEST_GRAPH}, /* lives for one call */
    {"channels.+", STREAM("model", "score"), CVM_E_MANIFEST_GRAPH},
    {"channels.7.from", "\"score\"", CVM_E_MANIFEST_GRAPH},
    /* streams */
    {"channels.4.to", "\"tell\"", CVM_E_MANIFEST_PATH},            /* a second one into it */
    {"channels.+", STREAM("ask", "model"), CVM_E_MANIFEST_PATH},   /* a second one out of it */
    {"channels.+", STREAM("model", "tell"), CVM_E_MANIFEST_CYCLE}, /* which calls it */
    {"channels.+", STREAM("tell", "ask"), CVM_E_MANIFEST_CYCLE},
    {"channels.+", STREAM("rows-b", "model"), CVM_E_MANIFEST_GRAPH},
    {"channels.3.from_path", "\"out/x\"", CVM_E_MANIFEST_PATH},
    {"channels.3.to_path", "\"in/x\"", CVM_E_MANIFEST_PATH},
    {"channels.3.max_bytes", NULL, CVM_E_JSON_MISSING},
    {"channels.3.to", "\"answer\"", CVM_E_MANIFEST_GRAPH},
    {"components.1.grants", "[\"wasi:filesystem\"]", CVM_E_MANIFEST_GRAPH},
    {"components.0.grants", "[]", CVM_E_MANIFEST_GRAPH},
    /* groups: a file is there when its writer has ended */
    {"channels.+", FILE_CHANNEL("ask", "tell"), CVM_E_MANIFEST_CYCLE},
    {"channels.+", FILE_CHANNEL("model", "ask"), CVM_E_MANIFEST_CYCLE},
    /* open inputs */
    {"channels.4.kind", "\"file\"", CVM_E_MANIFEST_GRAPH},
    {"channels.4.max_bytes", "5", CVM_E_JSON_UNKNOWN},
    {"channels.+",
     "{\"kind\":\"stream\",\"from\":\"feed\",\"to\":\"model\",\"to_path\":\"/dev/stdin\"}",
     CVM_E_MANIFEST_GRAPH},
    {"channels.4", NULL, CVM_E_MANIFEST_UNUSED},
    {"data.0.max_items", "0", CVM_E_MANIFEST_RANGE},
    {"data.0.max_items", "4001", CVM_E_MANIFEST_RANGE},
    {"data.0.max_items", NULL, CVM_E_JSON_MISSING},
    {"data.0.digest", "\"sha256:00\"", CVM_E_JSON_UNKNOWN},
    {"data.0.padding", "\"max\"", CVM_E_JSON_UNKNOWN},
    {"data.0.open", "1", CVM_E_JSON_TYPE},
    /* gates */
    {"components.4.owner", "\"analyst\"", CVM_E_MANIFEST_GRAPH}, /* owns no data */
    {"components.4.gate", "1", CVM_E_JSON_TYPE},
    {"channels.+", FILE_CHANNEL("tell", "guard"), CVM_E_MANIFEST_GRAPH},
    {"channels.+", "{\"kind\":\"file\",\"from\":\"rows-b\",\"to\":\"guard\",\"to_path\":\"in/b\"}",
     CVM_E_MANIFEST_GRAPH},
    {"channels.6.from", "\"rows-b\"", CVM_E_JSON_UNKNOWN},
    {"channels.+", CALL("guard", "model", "a:b/c"), CVM_E_MANIFEST_GRAPH},
    {"channels.7.to", "\"tell\"", CVM_E_JSON_MISSING},
    {"channels.7", NULL, CVM_E_MANIFEST_GRAPH},
};

static void refuses(json_t *(*document)(void), const struct edit *edits, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        CVM_AUTO_JSON json_t *doc = document();
        fixture_edit(doc, edits[i].where, edits[i].value);
        CVM_AUTO_MANIFEST struct cvm_manifest m = {0};
        struct cvm_error err = {0};
        if (fixture_parse(doc, &m, &err) == 0)
            fail_msg("%s = %s accepted", edits[i].where, edits[i].value);
        if (err.code != edits[i].code)
            fail_msg("%s = %s: %s (%s), not %s", edits[i].where, edits[i].value,
                     cvm_code_info(err.code)->name, err.message,
                     cvm_code_info(edits[i].code)->name);
        assert_null(m.bytes);
    }
}

static void test_refuses(void **state)
{
    (void)state;
    refuses(fixture_document, BAD, sizeof BAD / sizeof BAD[0]);
    refuses(fixture_together, BAD_TOGETHER, sizeof BAD_TOGETHER / sizeof BAD_TOGETHER[0]);
}

static void test_reads_what_runs_together(void **state)
{
    (void)state;
    CVM_AUTO_JSON json_t *doc = fixture_together();
    CVM_AUTO_MANIFEST struct cvm_manifest m = {0};
    assert_int_equal(fixture_parse(doc, &m, NULL), 0);
    assert_int_equal(m.channels[0].kind, CVM_CHANNEL_KIND_CALL);
    assert_string_equal(m.channels[0].interface, "study:model/infer@1.0.0");
    assert_int_equal(m.channels[0].max_calls, 3);
    assert_int_equal(m.channels[0].max_call_bytes, 4096);
    assert_int_equal(m.channels[0].max_bytes, 10000);
    assert_int_equal(m.channels[1].max_call_bytes, CVM_CALL_BYTES_DEFAULT);
    assert_int_equal(m.channels[3].kind, CVM_CHANNEL_KIND_STREAM);
    assert_int_equal(m.channels[4].from_data, 0);
    assert_int_equal(m.channels[4].max_bytes, 65536);
    assert_int_equal(m.components[2].instance, CVM_INSTANCE_RUN);
    assert_int_equal(m.components[3].instance, CVM_INSTANCE_CALL);
    assert_true(m.components[4].gate);
    assert_false(m.components[0].gate);
    assert_true(m.data[0].open && cvm_manifest_item_at(&m, 5).open);
    assert_int_equal(m.data[0].max_items, 10);
    int list[CVM_CHANNELS_MAX];
    assert_int_equal(cvm_manifest_inbound(&m, CVM_CHANNEL_KIND_CALL, 2, list), 2);
    assert_int_equal(cvm_manifest_inbound(&m, CVM_CHANNEL_KIND_FILE, 2, list), 1);
    assert_int_equal(cvm_manifest_outbound(&m, CVM_CHANNEL_KIND_STREAM, 0, list), 1);
    /* Two groups; callees and readers come first: score, model, tell, ask; then the gate. */
    static const int ORDER[] = {3, 2, 1, 0, 4};
    assert_int_equal(m.n_groups, 2);
    assert_int_equal(m.groups[0].n, 4);
    assert_int_equal(m.groups[1].first, 4);
    assert_memory_equal(m.order, ORDER, sizeof ORDER);
    assert_int_equal(m.components[3].group, 0);
    assert_int_equal(m.components[4].group, 1);
    /* 5 x 64 KiB + 5 MiB components, 128 KiB data, 64 KiB output, 16 MiB file channel, regions of
     * 2 x (4 KiB + 1 MiB + 1 MiB) */
    assert_int_equal(cvm_manifest_memory_needed(&m), 26 + 128);
}

static void test_duplicate_keys_of_parties(void **state)
{
    (void)state;
    static const char *const MEMBERS[] = {"sign", "seal", "seed"};
    for (size_t i = 0; i < 3; i++) {
        CVM_AUTO_JSON json_t *doc = fixture_document();
        json_t *list = json_object_get(doc, "participants");
        json_object_set(json_array_get(list, 1), MEMBERS[i],
                        json_object_get(json_array_get(list, 0), MEMBERS[i]));
        CVM_AUTO_MANIFEST struct cvm_manifest m = {0};
        struct cvm_error err = {0};
        assert_int_equal(fixture_parse(doc, &m, &err), -1);
        assert_int_equal(err.code, CVM_E_MANIFEST_DUPLICATE_ID);
    }
}

static void expect_bytes(const void *bytes, size_t len, enum cvm_code code, const char *in_message)
{
    CVM_AUTO_MANIFEST struct cvm_manifest m = {0};
    struct cvm_error err = {0};
    assert_int_equal(cvm_manifest_parse(bytes, len, &m, &err), -1);
    assert_int_equal(err.code, code);
    assert_non_null(strstr(err.message, in_message));
}

static void test_only_canonical_bytes(void **state)
{
    (void)state;
    CVM_AUTO_MANIFEST struct cvm_manifest m;
    fixture_manifest(&m);
    CVM_AUTO_BUF struct cvm_buf b = {0};
    cvm_buf_append(&b, m.bytes, m.len);
    char offset[40];
    snprintf(offset, sizeof offset, "offset %zu", m.len);
    cvm_buf_append_u8(&b, '\n');
    expect_bytes(b.data, b.len, CVM_E_JSON_NOT_CANONICAL, offset);
    expect_bytes(m.bytes, m.len - 1, CVM_E_JSON_SYNTAX, "");
    b.data[0] = ' ';
    memcpy(b.data + 1, m.bytes, m.len);
    expect_bytes(b.data, b.len, CVM_E_JSON_NOT_CANONICAL, "offset 0");
    expect_bytes("{\"a\":1,\"a\":1}", 13, CVM_E_JSON_DUPLICATE, "");
    expect_bytes("{\"a\":1.0}", 9, CVM_E_JSON_NUMBER, "");
    expect_bytes("", 0, CVM_E_JSON_SYNTAX, "");
    CVM_AUTO_FREE char *large = cvm_alloc(CVM_MANIFEST_MAX + 1);
    expect_bytes(large, CVM_MANIFEST_MAX + 1, CVM_E_MANIFEST_TOO_LARGE, "");
}

static void test_cycle_is_named(void **state)
{
    (void)state;
    CVM_AUTO_JSON json_t *doc = fixture_document();
    fixture_edit(doc, "channels.+",
                 "{\"kind\":\"file\",\"from\":\"train\",\"from_path\":\"out/"
                 "c\",\"to\":\"clean\",\"to_path\":\"in/c\"}");
    CVM_AUTO_MANIFEST struct cvm_manifest m = {0};
    struct cvm_error err = {0};
    assert_int_equal(fixture_parse(doc, &m, &err), -1);
    assert_true(strstr(err.got, "train <- clean <- train") ||
                strstr(err.got, "clean <- train <- clean"));
    CVM_AUTO_JSON json_t *calls = fixture_together();
    fixture_edit(calls, "channels.+", CALL("score", "model", "a:b/c"));
    assert_int_equal(fixture_parse(calls, &m, &err), -1);
    assert_true(strstr(err.got, "model -> score -> model") ||
                strstr(err.got, "score -> model -> score"));
}

static void test_largest(void **state)
{
    (void)state;
    /* The bounds of counts hold one by one; 33 participants are refused before anything else is
     * looked at. */
    CVM_AUTO_JSON json_t *doc = fixture_document();
    json_t *list = json_object_get(doc, "participants");
    for (int i = 3; i < 33; i++) {
        char id[16];
        snprintf(id, sizeof id, "p%d", i);
        json_array_append_new(list, fixture_participant(i, id, "P"));
    }
    CVM_AUTO_MANIFEST struct cvm_manifest m = {0};
    struct cvm_error err = {0};
    assert_int_equal(fixture_parse(doc, &m, &err), -1);
    assert_int_equal(err.code, CVM_E_MANIFEST_RANGE);
    json_array_remove(list, 32);
    assert_int_equal(fixture_parse(doc, &m, &err), 0);
    assert_int_equal(m.n_participants, 32);
    cvm_manifest_free(&m);
    CVM_AUTO_JSON json_t *wide = fixture_document(); /* 257 channels at one component */
    for (int i = 0; i < 253; i++) {
        CVM_AUTO_FREE char *text = cvm_printf(
            "{\"kind\":\"file\",\"from\":\"rows-a\",\"to\":\"train\",\"to_path\":\"in/%d\"}", i);
        fixture_edit(wide, "channels.+", text);
    }
    assert_int_equal(fixture_parse(wide, &m, &err), -1);
    assert_int_equal(err.code, CVM_E_MANIFEST_RANGE);
    json_array_remove(json_object_get(wide, "channels"), 10);
    assert_int_equal(fixture_parse(wide, &m, NULL), 0);
    assert_int_equal(m.n_channels, 257);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_every_field),
        cmocka_unit_test(test_order_and_channels),
        cmocka_unit_test(test_accepts),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_reads_what_runs_together),
        cmocka_unit_test(test_duplicate_keys_of_parties),
        cmocka_unit_test(test_only_canonical_bytes),
        cmocka_unit_test(test_cycle_is_named),
        cmocka_unit_test(test_largest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
