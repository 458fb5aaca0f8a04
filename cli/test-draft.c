#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/draft.h"
#include "core/evidence/measure-sim.h"
#include "core/manifest/manifest.h"

static const char DRAFT[] =
    "{\"title\":\"T\",\"participants\":[\"a\",\"b\"],"
    "\"isolate\":{\"platforms\":[\"sim-process\"],\"measurements\":[\"sha384:%s\"]},"
    "\"components\":[{\"id\":\"train\",\"owner\":\"b\",\"grants\":[\"wasi:cli\",\"wasi:"
    "filesystem\"]}],"
    "\"data\":[{\"id\":\"rows\"}],"
    "\"channels\":[{\"kind\":\"file\",\"from\":\"rows\",\"to\":\"train\",\"to_path\":\"in/a\"},"
    "{\"kind\":\"file\",\"from\":\"train\",\"from_path\":\"out/m\",\"to\":\"model\"}],"
    "\"outputs\":[{\"id\":\"model\",\"recipients\":[\"a\"],\"max_bytes\":1024}]}";

static json_t *draft(void)
{
    struct cvm_error err = {0};
    char zeros[97];
    memset(zeros, '0', 96);
    zeros[96] = 0;
    CVM_AUTO_FREE char *text = cvm_printf(DRAFT, zeros);
    json_t *v = cvm_json_parse(text, strlen(text), &err);
    assert_non_null(v);
    return v;
}

static json_t *offer(const char *id, const char *item)
{
    struct cvm_error err = {0};
    CVM_AUTO_KEY struct cvm_key sign = {0};
    CVM_AUTO_KEY struct cvm_key seal = {0};
    char digest[CVM_DIGEST_TEXT];
    struct cvm_digest d = cvm_sha256(id, strlen(id));
    assert_int_equal(cvm_key_generate(&sign, CVM_ED25519, &err), 0);
    assert_int_equal(cvm_key_generate(&seal, CVM_X25519, &err), 0);
    struct cli_card card = {.sign = sign.pub, .seal = seal.pub};
    snprintf(card.id, sizeof card.id, "%s", id);
    snprintf(card.name, sizeof card.name, "Name of %s", id);
    cvm_digest_text(&d, digest);
    json_t *items = json_array();
    if (item)
        json_array_append_new(items, json_pack("{s:s, s:s, s:i, s:s}", "digest", digest, "id", item,
                                               "max_bytes", 4096, "padding", "none"));
    return json_pack("{s:o, s:o, s:s, s:i}", "items", items, "participant", cli_card_json(&card),
                     "seed", digest, "version", 1);
}

static const struct cli_draft_defaults DEFAULTS = {.days = 30};

static void makes_a_manifest(void **state)
{
    (void)state;
    struct cvm_error err = {0};
    unsigned unused;
    CVM_AUTO_BUF struct cvm_buf bytes = {0};
    CVM_AUTO_JSON json_t *d = draft();
    /* The draft's order counts, not that of the offers. */
    CVM_AUTO_JSON json_t *b = offer("b", "train");
    CVM_AUTO_JSON json_t *a = offer("a", "rows");
    assert_int_equal(cli_draft_offer(d, b, &unused, &err), 0);
    assert_int_equal(unused, 0);
    assert_int_equal(cli_draft_offer(d, a, &unused, &err), 0);
    if (cli_draft_finish(d, &DEFAULTS, &bytes, &err) < 0)
        fail_msg("%s", err.message);
    struct cvm_manifest *m = cvm_alloc(sizeof *m);
    assert_int_equal(cvm_manifest_parse(bytes.data, bytes.len, m, &err), 0);
    assert_string_equal(m->participants[0].id, "a");
    assert_int_equal(m->data[0].owner, 0);
    assert_int_equal(m->components[0].owner, 1);
    assert_int_equal(m->data[0].max_bytes, 4096);
    assert_int_equal(m->isolate.memory_mib, cvm_manifest_memory_needed(m));
    assert_true(m->not_after > cli_now() + 29 * 86400);
    /* Renewed: the same but for id, end and what the participants bring anew. */
    CVM_AUTO_JSON json_t *again = cli_draft_renew(m->document);
    assert_null(json_object_get(again, "collaboration"));
    assert_null(json_object_get(again, "not_after"));
    CVM_AUTO_BUF struct cvm_buf second = {0};
    assert_int_equal(cli_draft_finish(again, &DEFAULTS, &second, &err), -1);
    assert_int_equal(err.code, CVM_E_JSON_MISSING);
    assert_int_equal(cli_draft_offer(again, a, &unused, &err), 0);
    assert_int_equal(cli_draft_offer(again, b, &unused, &err), 0);
    assert_int_equal(cli_draft_finish(again, &DEFAULTS, &second, &err), 0);
    assert_true(second.len != bytes.len || memcmp(second.data, bytes.data, bytes.len) != 0);
    cvm_manifest_free(m);
    free(m);
}

static void refuses_who_is_not_asked(void **state)
{
    (void)state;
    struct cvm_error err = {0};
    unsigned unused = 0;
    CVM_AUTO_JSON json_t *d = draft();
    CVM_AUTO_JSON json_t *x = offer("x", NULL);
    assert_int_equal(cli_draft_offer(d, x, &unused, &err), -1);
    assert_int_equal(err.code, CVM_E_NOT_A_PARTICIPANT);
    /* What the draft gives to another owner, or does not know, is not taken over. */
    CVM_AUTO_JSON json_t *a = offer("a", "train");
    assert_int_equal(cli_draft_offer(d, a, &unused, &err), 0);
    assert_int_equal(unused, 1);
    CVM_AUTO_JSON json_t *a2 = offer("a", "unheard");
    assert_int_equal(cli_draft_offer(d, a2, &unused, &err), 0);
    assert_int_equal(unused, 1);
    assert_null(json_object_get(json_array_get(json_object_get(d, "components"), 0), "digest"));
}

static void refuses_offers_of_another_form(void **state)
{
    (void)state;
    struct cvm_error err = {0};
    unsigned unused;
    static const char *const MISSING[] = {"items", "participant", "seed", "version"};
    for (size_t i = 0; i < sizeof MISSING / sizeof *MISSING; i++) {
        CVM_AUTO_JSON json_t *d = draft();
        CVM_AUTO_JSON json_t *a = offer("a", "rows");
        json_object_del(a, MISSING[i]);
        assert_int_equal(cli_draft_offer(d, a, &unused, &err), -1);
    }
    CVM_AUTO_JSON json_t *d = draft();
    CVM_AUTO_JSON json_t *more = offer("a", "rows");
    json_object_set_new(more, "also", json_true());
    assert_int_equal(cli_draft_offer(d, more, &unused, &err), -1);
    assert_int_equal(err.code, CVM_E_JSON_UNKNOWN);
    CVM_AUTO_JSON json_t *list = json_array();
    assert_int_equal(cli_draft_offer(d, list, &unused, &err), -1);
}

static void names_what_is_missing(void **state)
{
    (void)state;
    struct cvm_error err = {0};
    unsigned unused;
    CVM_AUTO_BUF struct cvm_buf bytes = {0};
    CVM_AUTO_JSON json_t *d = draft();
    CVM_AUTO_JSON json_t *a = offer("a", "rows");
    assert_int_equal(cli_draft_offer(d, a, &unused, &err), 0);
    assert_int_equal(cli_draft_finish(d, &DEFAULTS, &bytes, &err), -1);
    assert_non_null(strstr(err.message, "b"));
    CVM_AUTO_JSON json_t *b = offer("b", "train");
    assert_int_equal(cli_draft_offer(d, b, &unused, &err), 0);
    json_object_del(json_object_get(d, "isolate"), "measurements");
    assert_int_equal(cli_draft_finish(d, &DEFAULTS, &bytes, &err), -1);
    assert_non_null(strstr(err.message, "measurements"));
    json_object_set_new(d, "isolate", json_integer(1));
    assert_int_equal(cli_draft_finish(d, &DEFAULTS, &bytes, &err), -1);
    assert_int_equal(err.code, CVM_E_JSON_TYPE);
    assert_int_equal(bytes.len, 0);
}

/* A simulated machine's memory is measured: it is chosen first, in the steps that a guest tells. */
static void measures_a_machine(void **state)
{
    (void)state;
    struct cvm_error err = {0};
    unsigned unused;
    char folder[] = "/tmp/cvm-draft-XXXXXX";
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < CVM_SIM_VM_FILES; i++) {
        CVM_AUTO_FREE char *path = cvm_printf("%s/%s", folder, cvm_sim_vm_file_names[i]);
        CVM_AUTO_FCLOSE FILE *f = fopen(path, "we");
        assert_non_null(f);
        fputs(cvm_sim_vm_file_names[i], f);
    }
    for (int given = 0; given < 2; given++) {
        CVM_AUTO_BUF struct cvm_buf bytes = {0};
        CVM_AUTO_JSON json_t *d = draft();
        CVM_AUTO_JSON json_t *a = offer("a", "rows");
        CVM_AUTO_JSON json_t *b = offer("b", "train");
        json_t *isolate = json_object_get(d, "isolate");
        json_object_del(isolate, "measurements");
        json_object_set_new(isolate, "platforms", json_pack("[s]", "sim-vm"));
        if (given)
            json_object_set_new(isolate, "memory_mib", json_integer(1024));
        assert_int_equal(cli_draft_offer(d, a, &unused, &err), 0);
        assert_int_equal(cli_draft_offer(d, b, &unused, &err), 0);
        const struct cli_draft_defaults defaults = {.days = 30, .image = folder};
        if (cli_draft_finish(d, &defaults, &bytes, &err) < 0)
            fail_msg("%s", err.message);
        struct cvm_manifest *m = cvm_alloc(sizeof *m);
        uint8_t expected[CVM_SHA384_LEN];
        assert_int_equal(cvm_manifest_parse(bytes.data, bytes.len, m, &err), 0);
        uint64_t memory = m->isolate.memory_mib;
        assert_true(given ? memory == 1024 : memory % 64 == 0 && memory < 1024);
        assert_true(memory >= cvm_manifest_memory_needed(m));
        assert_int_equal(cvm_measure_sim_vm_folder(folder, 1, memory, expected, &err), 0);
        assert_int_equal(m->isolate.n_measurements, 1);
        assert_memory_equal(m->isolate.measurements[0], expected, CVM_SHA384_LEN);
        cvm_manifest_free(m);
        free(m);
    }
    for (size_t i = 0; i < CVM_SIM_VM_FILES; i++) {
        CVM_AUTO_FREE char *path = cvm_printf("%s/%s", folder, cvm_sim_vm_file_names[i]);
        unlink(path);
    }
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_a_manifest),
        cmocka_unit_test(refuses_who_is_not_asked),
        cmocka_unit_test(refuses_offers_of_another_form),
        cmocka_unit_test(names_what_is_missing),
        cmocka_unit_test(measures_a_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
