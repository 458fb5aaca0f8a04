#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "cli/collaboration.h"
#include "cli/file.h"
#include "core/manifest/explain.h"

static char folder[64];
static struct cli c;

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/2cvm-home-XXXXXX");
    c = (struct cli){.home = mkdtemp(folder)};
    return c.home ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)kind;
    (void)where;
    return remove(path);
}

static int teardown(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void assert_code(const struct cvm_error *err, enum cvm_code code)
{
    assert_string_equal(cvm_code_info(err->code)->name, cvm_code_info(code)->name);
}

static void make_identity(struct cli_identity *me)
{
    struct cvm_error err = {0};
    struct cli_card card = {.id = "clinic-a", .name = "Clinic A"};
    assert_int_equal(cli_identity_create(&c, &card, me, &err), 0);
}

static void identity_is_made_once_and_kept_secret(void **state)
{
    (void)state;
    struct cvm_error err = {0};
    CLI_AUTO_IDENTITY struct cli_identity made = {0};
    CLI_AUTO_IDENTITY struct cli_identity again = {0};
    make_identity(&made);
    assert_int_equal(cli_identity_load(&c, &again, &err), 0);
    assert_memory_equal(&made.sign.pub, &again.sign.pub, sizeof made.sign.pub);
    assert_memory_equal(&again.card.seal, &again.seal.pub, sizeof again.seal.pub);
    struct cli_card other = {.id = "clinic-b", .name = "B"};
    CLI_AUTO_IDENTITY struct cli_identity second = {0};
    assert_int_equal(cli_identity_create(&c, &other, &second, &err), -1);
    assert_code(&err, CVM_E_EXISTS);
    struct stat st;
    CVM_AUTO_FREE char *path = cli_home_path(&c, "sign.jwk");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    /* Readable by others, a link, or another key: refused. */
    CLI_AUTO_IDENTITY struct cli_identity refused = {0};
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(cli_identity_load(&c, &refused, &err), -1);
    assert_code(&err, CVM_E_IO);
    assert_int_equal(chmod(path, 0600), 0);
    CVM_AUTO_FREE char *moved = cli_home_path(&c, "elsewhere");
    assert_int_equal(rename(path, moved), 0);
    assert_int_equal(symlink(moved, path), 0);
    assert_int_equal(cli_identity_load(&c, &refused, &err), -1);
    assert_int_equal(unlink(path), 0);
    CVM_AUTO_KEY struct cvm_key foreign = {0};
    CVM_AUTO_BUF struct cvm_buf bytes = {0};
    assert_int_equal(cvm_key_generate(&foreign, CVM_ED25519, &err), 0);
    cvm_jwk_write_private(&foreign, &bytes);
    assert_int_equal(cli_file_write(path, bytes.data, bytes.len, 0600, &err), 0);
    assert_int_equal(cli_identity_load(&c, &refused, &err), -1);
    assert_code(&err, CVM_E_KEY_FORMAT);
}

/* 101 bytes: one more than a manifest takes. */
#define TEN "0123456789"
#define LONG TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "0"

static void cards_say_who_and_nothing_else(void **state)
{
    (void)state;
    struct cvm_error err = {0};
    CLI_AUTO_IDENTITY struct cli_identity me = {0};
    make_identity(&me);
    CVM_AUTO_JSON json_t *json = cli_card_json(&me.card);
    struct cli_card read;
    assert_int_equal(cli_card_parse(json, &read, &err), 0);
    struct cvm_digest a = cli_card_thumbprint(&me.card), b = cli_card_thumbprint(&read);
    assert_memory_equal(&a, &b, sizeof a);
    /* The thumbprint covers id and both keys. */
    read.seal.b[0] ^= 1;
    b = cli_card_thumbprint(&read);
    assert_memory_not_equal(&a, &b, sizeof a);
    read = me.card;
    read.id[0] = 'x';
    b = cli_card_thumbprint(&read);
    assert_memory_not_equal(&a, &b, sizeof a);
    static const struct {
        const char *name, *value;
    } BAD[] = {{"id", "../keys/x"},
               {"id", "Clinic"},
               {"name", ""},
               {"name", "a\x1b[2J"},
               {"name", "a\xc2\x9b"
                        "2J"},
               {"name", "a\xe2\x80\xae"
                        "b"},
               {"name", LONG},
               {"extra", "x"}};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        CVM_AUTO_JSON json_t *bad = json_deep_copy(json);
        json_object_set_new(bad, BAD[i].name, json_string(BAD[i].value));
        assert_int_equal(cli_card_parse(bad, &read, &err), -1);
    }
    CVM_AUTO_JSON json_t *swapped = json_deep_copy(json);
    json_object_set(swapped, "sign", json_object_get(json, "seal"));
    assert_int_equal(cli_card_parse(swapped, &read, &err), -1);
}

static void contacts_keep_their_keys(void **state)
{
    (void)state;
    struct cvm_error err = {0};
    CLI_AUTO_IDENTITY struct cli_identity me = {0};
    make_identity(&me);
    struct cli_card other = me.card;
    snprintf(other.id, sizeof other.id, "clinic-b");
    assert_int_equal(cli_contacts_add(&c, &other, false, &err), 0);
    assert_int_equal(cli_contacts_add(&c, &other, false, &err), 0);
    CLI_AUTO_CONTACTS struct cli_contacts known = {0};
    assert_int_equal(cli_contacts_load(&c, &known, &err), 0);
    assert_int_equal(known.n, 1);
    assert_non_null(cli_contacts_find(&known, "clinic-b"));
    assert_null(cli_contacts_find(&known, "clinic-c"));
    CVM_AUTO_KEY struct cvm_key fresh = {0};
    assert_int_equal(cvm_key_generate(&fresh, CVM_X25519, &err), 0);
    other.seal = fresh.pub;
    assert_int_equal(cli_contacts_add(&c, &other, false, &err), -1);
    assert_code(&err, CVM_E_EXISTS);
    assert_int_equal(cli_contacts_add(&c, &other, true, &err), 0);
}

static void items_are_found_by_digest(void **state)
{
    (void)state;
    struct cvm_error err = {0};
    assert_int_equal(cli_home_prepare(&c, &err), 0);
    struct cvm_digest digests[2] = {cvm_sha256("1", 1), cvm_sha256("2", 1)},
                      none = cvm_sha256("3", 1);
    CVM_AUTO_SECRET struct cvm_secret key = {0};
    CVM_AUTO_SECRET struct cvm_secret read = {0};
    assert_int_equal(cvm_secret_random(&key, 32, &err), 0);
    for (int i = 0; i < 2; i++) {
        CLI_AUTO_ITEM struct cli_item item = {.id = "rows-a",
                                              .digest = digests[i],
                                              .max_bytes = 10,
                                              .bytes = 5,
                                              .padded = i == 0,
                                              .packed = 100 + i,
                                              .blob = cvm_strdup("/b")};
        assert_int_equal(cli_item_save(&c, &item, &key, &err), 0);
    }
    CLI_AUTO_ITEM struct cli_item newest = {0};
    CLI_AUTO_ITEM struct cli_item older = {0};
    CLI_AUTO_ITEM struct cli_item missing = {0};
    assert_int_equal(cli_item_load(&c, "rows-a", NULL, &newest, &err), 0);
    assert_memory_equal(&newest.digest, &digests[1], sizeof newest.digest);
    assert_false(newest.padded);
    assert_int_equal(cli_item_load(&c, "rows-a", &digests[0], &older, &err), 0);
    assert_true(older.padded);
    assert_int_equal(cli_item_key(&c, &older, &read, &err), 0);
    assert_memory_equal(read.data, key.data, 32);
    assert_int_equal(cli_item_load(&c, "rows-a", &none, &missing, &err), -1);
    assert_code(&err, CVM_E_DIGEST_MISMATCH);
    assert_int_equal(cli_item_load(&c, "rows-b", NULL, &missing, &err), -1);
    assert_code(&err, CVM_E_NOT_FOUND);
    assert_int_equal(cli_item_load(&c, "../rows-a", NULL, &missing, &err), -1);
    CVM_AUTO_JSON json_t *list = NULL;
    assert_int_equal(cli_item_list(&c, &list, &err), 0);
    assert_int_equal(json_array_size(list), 1);
}

static void seeds_answer_to_their_commitment_only(void **state)
{
    (void)state;
    struct cvm_error err = {0};
    struct cvm_digest commitment, other = cvm_sha256("x", 1);
    CVM_AUTO_SECRET struct cvm_secret share = {0};
    assert_int_equal(cli_seed_create(&c, &commitment, &err), 0);
    assert_int_equal(cli_seed_load(&c, &other, &share, &err), -1);
    assert_code(&err, CVM_E_SEED_MISMATCH);
    assert_int_equal(cli_seed_load(&c, &commitment, &share, &err), 0);
    assert_int_equal(share.len, 32);
    CVM_AUTO_FREE char *hex = cvm_hex(commitment.b, 32);
    CVM_AUTO_FREE char *path = cli_home_path(&c, "seeds/%s.key", hex);
    uint8_t changed[32] = {1};
    assert_int_equal(cli_file_write(path, changed, sizeof changed, 0600, &err), 0);
    CVM_AUTO_SECRET struct cvm_secret again = {0};
    assert_int_equal(cli_seed_load(&c, &commitment, &again, &err), -1);
    assert_code(&err, CVM_E_SEED_MISMATCH);
}

/* A record that cannot be read is never taken for "nothing released yet". */
static void a_broken_record_is_no_empty_record(void **state)
{
    (void)state;
    struct cvm_error err = {0};
    CLI_AUTO_IDENTITY struct cli_identity me = {0};
    make_identity(&me);
    struct cli_collaboration co = {.folder = folder};
    struct cli_record record = {.seq = 3,
                                .released = true,
                                .sign = me.card.sign,
                                .seal = me.card.seal,
                                .nonce_len = 32,
                                .act_seq = 2,
                                .time = 5},
                      read;
    struct cli_record none;
    assert_int_equal(cli_record_load(&co, &none, &err), 0);
    assert_false(none.released);
    assert_int_equal(cli_record_save(&co, &record, &err), 0);
    assert_int_equal(cli_record_load(&co, &read, &err), 0);
    assert_true(read.released);
    assert_int_equal(read.seq, 3);
    assert_int_equal(read.act_seq, 2);
    assert_memory_equal(&read.seal, &record.seal, sizeof read.seal);
    CVM_AUTO_FREE char *path = cli_collaboration_path(&co, "record.json");
    CVM_AUTO_BUF struct cvm_buf whole = {0};
    assert_int_equal(cli_file_read(path, 4096, &whole, &err), 0);
    for (size_t len = 0; len + 1 < whole.len; len++) {
        assert_int_equal(cli_file_write(path, whole.data, len, 0600, &err), 0);
        assert_int_equal(cli_record_load(&co, &read, &err), -1);
    }
}

static void files_are_written_whole_and_never_through_links(void **state)
{
    (void)state;
    struct cvm_error err = {0};
    CVM_AUTO_FREE char *path = cli_home_path(&c, "file");
    CVM_AUTO_FREE char *target = cli_home_path(&c, "target");
    assert_int_equal(cli_file_create(target, "old", 3, 0600, &err), 0);
    assert_int_equal(cli_file_create(target, "new", 3, 0600, &err), -1);
    assert_code(&err, CVM_E_EXISTS);
    assert_int_equal(symlink(target, path), 0);
    assert_int_equal(cli_file_create(path, "new", 3, 0600, &err), -1);
    assert_int_equal(cli_file_write(path, "new", 3, 0600, &err), 0);
    CVM_AUTO_BUF struct cvm_buf kept = {0};
    assert_int_equal(cli_file_read(target, 10, &kept, &err), 0);
    assert_memory_equal(kept.data, "old", 3);
    CVM_AUTO_BUF struct cvm_buf large = {0};
    assert_int_equal(cli_file_read(target, 2, &large, &err), -1);
    assert_code(&err, CVM_E_TOO_LARGE);
    {
        CLI_AUTO_TEMP struct cli_temp dropped = {.fd = -1};
        CVM_AUTO_FREE char *never = cli_home_path(&c, "never");
        assert_int_equal(cli_temp_open(&dropped, never, 0600, &err), 0);
        CVM_AUTO_FREE char *temp = cvm_strdup(dropped.temp);
        assert_true(cli_file_exists(temp));
        cli_temp_drop(&dropped);
        assert_false(cli_file_exists(temp));
        assert_false(cli_file_exists(never));
    }
}

static void trust_takes_whole_measurements(void **state)
{
    (void)state;
    struct cvm_error err = {0};
    uint8_t a[CVM_SHA384_LEN] = {1}, b[CVM_SHA384_LEN] = {2};
    bool has = true;
    assert_int_equal(cli_trusted_has(&c, a, &has, &err), 0);
    assert_false(has);
    assert_int_equal(cli_trusted_add(&c, a, "mine", &err), 0);
    assert_int_equal(cli_trusted_has(&c, a, &has, &err), 0);
    assert_true(has);
    assert_int_equal(cli_trusted_has(&c, b, &has, &err), 0);
    assert_false(has);
    CVM_AUTO_FREE char *path = cli_home_path(&c, "trusted.json");
    static const char SHORT[] =
        "{\"measurements\":[{\"measurement\":\"sha384:00\",\"note\":\"\"}],\"version\":1}";
    assert_int_equal(cli_file_write(path, SHORT, sizeof SHORT - 1, 0600, &err), 0);
    assert_int_equal(cli_trusted_has(&c, a, &has, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(identity_is_made_once_and_kept_secret, setup, teardown),
        cmocka_unit_test_setup_teardown(cards_say_who_and_nothing_else, setup, teardown),
        cmocka_unit_test_setup_teardown(contacts_keep_their_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(items_are_found_by_digest, setup, teardown),
        cmocka_unit_test_setup_teardown(seeds_answer_to_their_commitment_only, setup, teardown),
        cmocka_unit_test_setup_teardown(a_broken_record_is_no_empty_record, setup, teardown),
        cmocka_unit_test_setup_teardown(files_are_written_whole_and_never_through_links, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(trust_takes_whole_measurements, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
