/* 2cvm evidence show|verify|diff: bare reports of SEV-SNP and their certificate files, offline and
 * without a collaboration. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/file.h"
#include "cli/kds.h"
#include "core/base/encode.h"
#include "core/base/json.h"
#include "core/evidence/appraise.h"

#define EVIDENCE_FILE_MAX (1 << 20)

/* A report as 1184 bytes, or the report inside an evidence bundle. */
static int read_report_bytes(const char *path, struct cvm_buf *ret, struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf file = {0};
    CVM_GUARD(cli_file_read(path, EVIDENCE_FILE_MAX, &file, err));
    if (!file.len || file.data[0] != '{') {
        cvm_buf_append(ret, file.data, file.len);
        return 0;
    }
    CVM_AUTO_BUNDLE struct cvm_bundle b = {0};
    if (cvm_bundle_parse(file.data, file.len, &b, err) < 0)
        return cvm_error_wrap(err, "%s", path);
    cvm_buf_append(ret, b.report.data, b.report.len);
    return 0;
}

static int read_report(const char *path, struct cvm_report *ret, struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf bytes = {0};
    CVM_GUARD(read_report_bytes(path, &bytes, err));
    if (cvm_report_parse(bytes.data, bytes.len, ret, err) < 0)
        return cvm_error_wrap(err, "%s", path);
    return 0;
}

static int run_show(struct cli *c, struct cvm_error *err)
{
    struct cvm_report r;
    CVM_GUARD(read_report(c->args[0], &r, err));
    CVM_AUTO_BUF struct cvm_buf text = {0};
    cvm_report_print(&r, &text);
    cli_say(c, "%s", cvm_buf_cstr(&text));
    cli_say(c, "\nnothing was checked: see `2cvm evidence verify`\n");
    cli_result(c, cvm_report_json(&r));
    return CLI_EXIT_OK;
}

static int run_diff(struct cli *c, struct cvm_error *err)
{
    struct cvm_report a, b;
    CVM_GUARD(read_report(c->args[0], &a, err));
    CVM_GUARD(read_report(c->args[1], &b, err));
    CVM_AUTO_BUF struct cvm_buf text = {0};
    size_t n = cvm_report_diff(&a, &b, &text);
    cli_say(c, "%s%zu fields differ\n", cvm_buf_cstr(&text), n);
    cli_result(c,
               json_pack("{s:I, s:s}", "differences", (json_int_t)n, "text", cvm_buf_cstr(&text)));
    return n ? CLI_EXIT_REFUSED : CLI_EXIT_OK;
}

/* RFC 3339: "2025-06-01T00:00:00Z", with a fraction (passed over) or an offset such as +02:00. */
static int parse_time(const char *text, int64_t *ret, struct cvm_error *err)
{
    struct tm tm = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    bool good = end && end - text == 19;
    if (good && *end == '.') {
        size_t digits = strspn(end + 1, "0123456789");
        good = digits > 0;
        end += 1 + digits;
    }
    int64_t offset = 0;
    if (good && (*end == '+' || *end == '-')) {
        struct tm o = {0};
        const char *rest = strptime(end + 1, "%H:%M", &o);
        good = rest && rest - end == 6 && !*rest;
        offset = (*end == '-' ? -1 : 1) * (o.tm_hour * 3600 + o.tm_min * 60);
    } else {
        good = good && strcmp(end, "Z") == 0;
    }
    CVM_ENSURE(good, err, CVM_E_USAGE, "--at needs a time like 2025-06-01T00:00:00Z");
    *ret = timegm(&tm) - offset;
    return 0;
}

/* "bootloader=4,tee=0,snp=24,microcode=219", on Turin also fmc; parts that are not named demand
 * nothing. */
static int parse_tcb(const char *text, struct cvm_tcb *ret, struct cvm_error *err)
{
    struct cvm_tcb t = {-1, 0, 0, 0, 0};
    struct {
        const char *name;
        int *value;
    } parts[] = {{"fmc", &t.fmc},
                 {"bootloader", &t.bootloader},
                 {"tee", &t.tee},
                 {"snp", &t.snp},
                 {"microcode", &t.microcode}};
    while (*text) {
        size_t len = strcspn(text, "="), i = 0;
        while (i < 5 && (strlen(parts[i].name) != len || strncmp(parts[i].name, text, len) != 0))
            i++;
        char *end = NULL;
        unsigned long v = 256;
        if (i < 5 && text[len] == '=' && text[len + 1] >= '0' && text[len + 1] <= '9')
            v = strtoul(text + len + 1, &end, 10);
        CVM_ENSURE(v <= 255 && (*end == ',' || !*end), err, CVM_E_USAGE,
                   "--min-tcb needs parts like bootloader=4,tee=0,snp=24,microcode=219 "
                   "(0 to 255; fmc on Turin)");
        *parts[i].value = (int)v;
        text = *end ? end + 1 : end;
    }
    *ret = t;
    return 0;
}

struct wanted {
    uint8_t host_data[CVM_HOST_DATA_LEN], report_data[CVM_REPORT_DATA_LEN];
    uint8_t measurements[CVM_MEASUREMENTS_MAX][CVM_MEASUREMENT_LEN];
    struct cvm_tcb min_tcb;
    struct cvm_id_block_rule id_block;
    struct cvm_expectations e;
};

/* Hex as other programs print it: in either case, our own prefix allowed. */
static int hex_text(const char *text, const char *prefix, uint8_t *ret, size_t len,
                    struct cvm_error *err)
{
    size_t n = strlen(prefix);
    CVM_AUTO_FREE char *lower = cvm_printf("%s", strncmp(text, prefix, n) == 0 ? text + n : text);
    for (char *p = lower; *p; p++)
        if (*p >= 'A' && *p <= 'F')
            *p = (char)(*p - 'A' + 'a');
    return cvm_hex_decode(lower, ret, len, err);
}

static int hex_option(const struct cli *c, const char *name, const char *prefix, uint8_t *ret,
                      size_t len, const uint8_t **set, struct cvm_error *err)
{
    const char *text = cli_opt(c, name);
    if (!text)
        return 0;
    if (hex_text(text, prefix, ret, len, err) < 0)
        return cvm_fail(err, CVM_E_USAGE, "--%s needs %zu hex digits", name, 2 * len);
    *set = ret;
    return 0;
}

/* Every value of an option that may be repeated, as SHA-384. */
static int sha384_options(const struct cli *c, const char *name, size_t max,
                          uint8_t (*ret)[CVM_SHA384_LEN], size_t *ret_n, struct cvm_error *err)
{
    const char *text;
    size_t n = 0;
    for (int i = 0; (text = cli_opt_at(c, name, i)); i++) {
        CVM_ENSURE(n < max, err, CVM_E_USAGE, "at most %zu times --%s", max, name);
        if (hex_text(text, "sha384:", ret[n++], CVM_SHA384_LEN, err) < 0)
            return cvm_fail(err, CVM_E_USAGE, "--%s needs 96 hex digits", name);
    }
    *ret_n = n;
    return 0;
}

static int read_id_block(const struct cli *c, struct wanted *w, struct cvm_error *err)
{
    struct cvm_id_block_rule *b = &w->id_block;
    int64_t svn;
    size_t ids = 0, authors = 0;
    CVM_GUARD(cli_opt_int(c, "guest-svn", 0, UINT32_MAX, -1, &svn, err));
    CVM_GUARD(sha384_options(c, "id-key", CVM_ID_KEYS_MAX, b->id_keys, &ids, err));
    CVM_GUARD(sha384_options(c, "author-key", CVM_ID_KEYS_MAX, b->author_keys, &authors, err));
    b->present = svn >= 0 || ids || authors;
    b->guest_svn = svn > 0 ? (uint32_t)svn : 0;
    b->n_id_keys = (uint32_t)ids;
    b->n_author_keys = (uint32_t)authors;
    w->e.id_block = b;
    return 0;
}

static int read_wanted(const struct cli *c, struct wanted *w, struct cvm_error *err)
{
    w->e.time = cli_now();
    w->e.production = cli_flag(c, "production");
    w->e.committed_only = cli_flag(c, "committed-firmware");
    if (cli_opt(c, "at"))
        CVM_GUARD(parse_time(cli_opt(c, "at"), &w->e.time, err));
    CVM_GUARD(hex_option(c, "host-data", "sha256:", w->host_data, sizeof(w->host_data),
                         &w->e.host_data, err));
    CVM_GUARD(hex_option(c, "report-data", "", w->report_data, sizeof(w->report_data),
                         &w->e.report_data, err));
    CVM_GUARD(sha384_options(c, "measurement", CVM_MEASUREMENTS_MAX, w->measurements,
                             &w->e.n_measurements, err));
    CVM_GUARD(read_id_block(c, w, err));
    w->e.measurements = w->measurements;
    if (cli_opt(c, "min-tcb")) {
        CVM_GUARD(parse_tcb(cli_opt(c, "min-tcb"), &w->min_tcb, err));
        w->e.min_tcb = &w->min_tcb;
    }
    return 0;
}

/* Adds what AMD's key server has for this report; without network only what is in the cache. */
static int ask_kds(const struct cli *c, const struct cvm_buf *report,
                   struct cvm_certificates *certificates, struct cvm_error *err)
{
    struct cvm_report r;
    CVM_GUARD(cvm_report_parse(report->data, report->len, &r, err));
    enum cvm_line line = CVM_LINE_UNKNOWN;
    if (cli_opt(c, "line")) {
        line = cvm_line_by_name(cli_opt(c, "line"));
        CVM_ENSURE(line != CVM_LINE_UNKNOWN, err, CVM_E_USAGE, "--line is milan, genoa or turin");
    }
    CVM_AUTO_FREE char *cache = cvm_printf("%s/kds", c->home);
    const struct cli_kds k = {.base = cli_opt(c, "kds-url") ? cli_opt(c, "kds-url") : CVM_KDS_BASE,
                              .cache = cache,
                              .offline = cli_flag(c, "offline")};
    return cli_kds_fetch(&k, &r, line, certificates, err);
}

static int run_verify(struct cli *c, struct cvm_error *err)
{
    struct wanted w = {0};
    CVM_GUARD(read_wanted(c, &w, err));
    CVM_AUTO_BUF struct cvm_buf report = {0};
    CVM_GUARD(read_report_bytes(c->args[0], &report, err));
    CVM_AUTO_CERTIFICATES struct cvm_certificates certificates = {0};
    for (int i = 1; i < c->n_args; i++) {
        CVM_AUTO_BUF struct cvm_buf file = {0};
        CVM_GUARD(cli_file_read(c->args[i], EVIDENCE_FILE_MAX, &file, err));
        if (cvm_certificates_add(&certificates, file.data, file.len, err) < 0)
            return cvm_error_wrap(err, "%s", c->args[i]);
    }
    if (cli_flag(c, "kds"))
        CVM_GUARD(ask_kds(c, &report, &certificates, err));
    CVM_AUTO_FREE struct cvm_appraisal *a = cvm_alloc(sizeof(*a));
    cvm_evidence_check(report.data, report.len, &certificates, &w.e, a);
    CVM_AUTO_BUF struct cvm_buf text = {0};
    cvm_appraisal_print(a, &text);
    cli_say(c, "%s", cvm_buf_cstr(&text));
    json_t *json = cvm_appraisal_json(a);
    json_object_set_new(json, "exit", json_integer(cvm_appraisal_exit_code(a)));
    cli_result(c, json);
    return cvm_appraisal_exit_code(a);
}

static const struct cli_option VERIFY_OPTIONS[] = {
    {"at", 0, "TIME", "judge certificates at this time (RFC 3339, UTC), not now"},
    {"host-data", 0, "HEX", "the manifest's digest, 64 hex digits"},
    {"report-data", 0, "HEX", "what the guest bound, 128 hex digits"},
    {"measurement", 0, "HEX", "an accepted launch digest, 96 hex digits; may be repeated"},
    {"min-tcb", 0, "PARTS", "bootloader=N,tee=N,snp=N,microcode=N[,fmc=N]"},
    {"id-key", 0, "HEX", "ID_KEY_DIGEST that may have signed the launch; may be repeated"},
    {"author-key", 0, "HEX", "AUTHOR_KEY_DIGEST that may have certified it; may be repeated"},
    {"guest-svn", 0, "N", "the least version of the guest that the ID block may state"},
    {"production", 0, NULL, "demand no debugging, no migration, VMPL 0 and the alias check"},
    {"committed-firmware", 0, NULL, "refuse provisional firmware, which the host could take back"},
    {"kds", 0, NULL, "fetch what is missing from AMD's key server, and keep it"},
    {"offline", 0, NULL, "use no network: with --kds only what was kept"},
    {"line", 0, "NAME", "milan, genoa or turin: for reports of version 2, with --kds"},
    {"kds-url", 0, "URL", "another server that answers as AMD's does"},
    {0},
};

const struct cli_verb cli_verb_evidence_show = {
    .name = "evidence show",
    .arguments = "REPORT",
    .summary = "print a report's fields, checking nothing",
    .example = "2cvm evidence show report.bin",
    .min_args = 1,
    .max_args = 1,
    .run = run_show,
};

const struct cli_verb cli_verb_evidence_verify = {
    .name = "evidence verify",
    .arguments = "REPORT [CERTIFICATE...]",
    .summary = "check a report under the pinned roots; certificates in any order, DER or PEM",
    .example = "2cvm evidence verify --at 2025-06-01T00:00:00Z report.bin vcek.der chain.pem",
    .options = VERIFY_OPTIONS,
    .min_args = 1,
    .max_args = CLI_ARGS_MAX,
    .run = run_verify,
};

const struct cli_verb cli_verb_evidence_diff = {
    .name = "evidence diff",
    .arguments = "A B",
    .summary = "the fields in which two reports differ (exit 1 when they do)",
    .example = "2cvm evidence diff before.bin after.bin",
    .min_args = 2,
    .max_args = 2,
    .run = run_diff,
};
