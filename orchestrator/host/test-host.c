/* What a recording may say at all, and this machine. */
#include "orchestrator/host/test-fixture-host.h"

/* A recording from elsewhere leads nowhere else on this machine. */
static void test_links_stay_inside(void **state)
{
    (void)state;
    struct host h;
    struct cvm_host_result results[CVM_HOST_CHECKS];
    good_host(&h);
    drop(&h, "/proc/sys/kernel/osrelease");
    CVM_AUTO_FREE char *link = inside(&h, "/proc/sys/kernel/osrelease");
    assert_int_equal(symlink("/proc/sys/kernel/ostype-of-this-machine", link), 0);
    put(&h, "/proc/sys/kernel/ostype-of-this-machine", "6.13.0\n");
    assert_int_equal(cvm_host_judge(&h.place, h.answers, 1, results, NULL), 0);
    assert_string_equal(results[CVM_HOST_CHECK_kernel].found, "6.13.0");
    drop(&h, "/proc/sys/kernel/osrelease");
    assert_int_equal(symlink("/../../../../../../proc/sys/kernel/osrelease", link), 0);
    assert_int_equal(cvm_host_judge(&h.place, h.answers, 1, results, NULL), 0);
    assert_int_equal(results[CVM_HOST_CHECK_kernel].verdict, CVM_HOST_FAIL);
    end_host(&h);
}

/* What comes from files never drives a terminal. */
static void test_text_is_plain(void **state)
{
    (void)state;
    struct host h;
    struct cvm_host_result results[CVM_HOST_CHECKS];
    good_host(&h);
    put(&h, "/proc/sys/kernel/osrelease", "6.12\033[2J\xc3\xa9\n");
    assert_int_equal(cvm_host_judge(&h.place, h.answers, 1, results, NULL), 0);
    assert_string_equal(results[CVM_HOST_CHECK_kernel].found, "6.12?[2J??");
    end_host(&h);
}

static void test_answers_refused(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "[]",
        "{\"version\":2,\"uid\":0,\"nodes\":{}}",
        "{\"version\":1,\"nodes\":{}}",
        "{\"version\":1,\"uid\":-1,\"nodes\":{}}",
        "{\"version\":1,\"uid\":0}",
        "{\"version\":1,\"uid\":0,\"nodes\":{\"/dev/kvm\":1}}",
        "{\"version\":1,\"uid\":0,\"nodes\":{},\"platform_status\":\"00\"}",
        "{\"version\":1,\"uid\":0,\"nodes\":{},\"platform_status\":7}",
        "{\"version\":1,\"uid\":0,\"nodes\":{},\"qemu\":{}}",
        "{\"version\":1,\"uid\":0,\"nodes\":{},\"qemu\":{\"version\":\"9.1.0\",\"x\":1}}",
        "{\"version\":1,\"uid\":0,\"nodes\":{},\"disk_free_mib\":-1}",
        "{\"version\":1,\"uid\":0,\"nodes\":{},\"missing_protections\":[1]}",
        "{\"version\":1,\"uid\":0,\"nodes\":{},\"unknown\":1}",
    };
    struct host h;
    struct cvm_host_result results[CVM_HOST_CHECKS];
    good_host(&h);
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        struct cvm_error err = {0};
        CVM_AUTO_JSON json_t *answers = cvm_host_answers_parse(BAD[i], strlen(BAD[i]), &err);
        if (answers && cvm_host_judge(&h.place, answers, 7, results, &err) == 0)
            fail_msg("taken: %s", BAD[i]);
        assert_int_not_equal(err.code, CVM_OK);
    }
    h.place.root = "/nowhere-at-all";
    struct cvm_error err = {0};
    assert_int_equal(cvm_host_judge(&h.place, h.answers, 7, results, &err), -1);
    assert_int_equal(err.code, CVM_E_IO);
    end_host(&h);
}

/* What QEMU 10.0 prints to the four questions, shortened. */
static void test_qemu_answer(void **state)
{
    (void)state;
    static const char VERSION[] =
        "{\"return\":{\"qemu\":{\"micro\":2,\"minor\":0,\"major\":10},\"package\":\"x\"}}\n";
    static const struct {
        const char *greeting, *types;
        bool well, snp;
    } CASES[] = {
        {"{\"QMP\":{\"version\":{},\"capabilities\":[]}}\n{\"return\":{}}\n",
         "{\"return\":[{\"name\":\"sev-guest\"},{\"name\":\"sev-snp-guest\"}]}\n{\"return\":{}}\n",
         true, true},
        {"", "{\"return\":[{\"name\":\"sev-guest\"},{\"name\":\"sev-snp-guest2\"}]}", true, false},
        {"", "{\"return\":[]}\n{\"timestamp\":{},\"event\":\"SHUTDOWN\"}\n", true, false},
        {"", "{\"return\":[7,{\"name\":8}]}\n", true, false},
        {"", "{\"error\":{\"class\":\"GenericError\"}}\n", false, false},
        {"no JSON\n", "", false, false},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        CVM_AUTO_FREE char *text = cvm_printf("%s%s%s", CASES[i].greeting, VERSION, CASES[i].types);
        CVM_AUTO_JSON json_t *said = cvm_host_qemu_answer(text, strlen(text));
        assert_int_equal(said != NULL, CASES[i].well);
        if (!said)
            continue;
        assert_string_equal(json_string_value(json_object_get(said, "version")), "10.0.2");
        assert_int_equal(json_is_true(json_object_get(said, "sev_snp_guest")), CASES[i].snp);
    }
    static const char WRONG[] = "{\"return\":{\"qemu\":{\"micro\":2,\"minor\":-1,\"major\":10}}}\n"
                                "{\"return\":[]}\n";
    assert_null(cvm_host_qemu_answer(WRONG, sizeof WRONG - 1));
    assert_null(cvm_host_qemu_answer("", 0));
}

/* This machine, whatever it is: the answers have the form that a recording must have, and the whole
 * comes to a verdict; what a driver would be told names check and remedy. */
static void test_this_machine(void **state)
{
    (void)state;
    const struct cvm_host_place place = {.state = "/nowhere/at/all"};
    struct cvm_host_result results[CVM_HOST_CHECKS];
    struct cvm_error err = {0};
    CVM_AUTO_JSON json_t *answers = cvm_host_ask(&place);
    CVM_AUTO_FREE char *text = json_dumps(answers, 0);
    CVM_AUTO_JSON json_t *again = cvm_host_answers_parse(text, strlen(text), &err);
    assert_non_null(again);
    assert_int_equal(cvm_host_judge(&place, again, 7, results, &err), 0);
    assert_true(json_is_integer(json_object_get(again, "disk_free_mib")));
    assert_int_equal(results[CVM_HOST_CHECK_state_folder].verdict, CVM_HOST_WARN);
    const struct cvm_host_result *r = NULL;
    const unsigned snp = 1u << CVM_PLATFORM_SEV_SNP;
    const struct cvm_host_check_info *first = cvm_host_first_failure(results, snp, &r);
    int rc = cvm_host_check(CVM_PLATFORM_SEV_SNP, &place, &err);
    assert_int_equal(rc, first ? -1 : 0);
    if (!first)
        return;
    assert_int_equal(err.code, CVM_E_PLATFORM);
    assert_non_null(strstr(err.message, first->name));
    assert_non_null(strstr(err.message, r->found));
    assert_non_null(strstr(err.message, first->remedy));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_links_stay_inside), cmocka_unit_test(test_text_is_plain),
        cmocka_unit_test(test_answers_refused),   cmocka_unit_test(test_qemu_answer),
        cmocka_unit_test(test_this_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
