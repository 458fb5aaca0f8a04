#include "cli/collaboration.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/file.h"

void cli_manifest_free(struct cvm_manifest **m)
{
    if (*m)
        cvm_manifest_free(*m);
    free(*m);
    *m = NULL;
}

int cli_manifest_read(const char *path, struct cvm_manifest **ret, struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf bytes = {0};
    /* The parser knows the limit, and says it better. */
    CVM_GUARD(cli_file_read(path, CLI_FILE_MAX, &bytes, err));
    CVM_AUTO_FREE struct cvm_manifest *m = cvm_alloc(sizeof *m);
    if (cvm_manifest_parse(bytes.data, bytes.len, m, err) < 0)
        return cvm_error_wrap(err, "%s", path);
    *ret = CVM_TAKE(m);
    return 0;
}

int cli_not_expired(const struct cvm_manifest *m, struct cvm_error *err)
{
    if (cli_now() <= m->not_after)
        return 0;
    char expected[48], got[32], text[32];
    snprintf(expected, sizeof expected, "before %s", cli_time_text(m->not_after, text));
    return cvm_fail_expected(err, CVM_E_MANIFEST_EXPIRED, expected, cli_time_text(cli_now(), got),
                             "by this machine's clock");
}

char *cli_collaboration_path(const struct cli_collaboration *co, const char *fmt, ...)
{
    char tail[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(tail, sizeof tail, fmt, ap);
    va_end(ap);
    return cvm_printf("%s/%s", co->folder, tail);
}

const char *cli_my_id(const struct cli_collaboration *co)
{
    return co->manifest->participants[co->me].id;
}

char *cli_short_digest(const struct cvm_digest *d, char out[20])
{
    for (size_t i = 0; i < 6; i++)
        snprintf(out + 2 * i, 3, "%02x", d->b[i]);
    return out;
}

/* The manifest must name this home's identity with exactly its keys. */
static int find_me(struct cli_collaboration *co, const struct cli_card *me, struct cvm_error *err)
{
    const struct cvm_manifest *m = co->manifest;
    co->me = cvm_manifest_participant(m, me->id);
    CVM_ENSURE(co->me >= 0, err, CVM_E_NOT_A_PARTICIPANT,
               "\"%s\" (this home) is not in the manifest", me->id);
    const struct cvm_participant *p = &m->participants[co->me];
    if (memcmp(&p->sign, &me->sign, sizeof me->sign) == 0 &&
        memcmp(&p->seal, &me->seal, sizeof me->seal) == 0)
        return 0;
    char expected[CVM_KID_TEXT], got[CVM_KID_TEXT];
    return cvm_fail_expected(err, CVM_E_CONTACT_UNKNOWN,
                             cvm_jwk_kid(&me->sign, CVM_ED25519, expected),
                             cvm_jwk_kid(&p->sign, CVM_ED25519, got),
                             "the manifest gives your id \"%s\" to other keys than yours", me->id);
}

static int make_folders(const struct cli_collaboration *co, struct cvm_error *err)
{
    static const char *const FOLDERS[] = {"commitments", "acts", "evidence", "outputs"};
    for (size_t i = 0; i < sizeof FOLDERS / sizeof *FOLDERS; i++) {
        CVM_AUTO_FREE char *path = cli_collaboration_path(co, "%s", FOLDERS[i]);
        CVM_GUARD(cli_folder(path, err));
    }
    return 0;
}

static int load_host(struct cli_collaboration *co, struct cvm_error *err)
{
    CVM_AUTO_FREE char *path = cli_collaboration_path(co, "host.json");
    if (!cli_file_exists(path))
        return 0;
    CVM_AUTO_JSON json_t *json = cli_json_read(path, true, err);
    if (!json)
        return -1;
    struct cvm_json_reader r;
    cvm_json_begin(&r, json, "host", err);
    const char *cacert = cvm_json_string_opt(&r, "cacert"), *url = cvm_json_string(&r, "url");
    CVM_GUARD(cvm_json_end(&r));
    co->host = cvm_strdup(url);
    co->cacert = cvm_strdup(cacert);
    return 0;
}

int cli_collaboration_remember_host(struct cli_collaboration *co, const char *host,
                                    const char *cacert, struct cvm_error *err)
{
    CVM_AUTO_FREE char *path = cli_collaboration_path(co, "host.json");
    CVM_AUTO_JSON json_t *json = json_pack("{s:s, s:s*}", "url", host, "cacert", cacert);
    CVM_ENSURE(json, err, CVM_E_USAGE, "--host or --cacert is not UTF-8");
    return cli_json_write(path, json, 0600, true, err);
}

int cli_collaboration_create(const struct cli *c, const void *bytes, size_t len,
                             const struct cli_card *me, struct cli_collaboration *ret,
                             struct cvm_error *err)
{
    CLI_AUTO_COLLABORATION struct cli_collaboration co = {0};
    CLI_AUTO_MANIFEST struct cvm_manifest *m = cvm_alloc(sizeof *m);
    if (cvm_manifest_parse(bytes, len, m, err) < 0)
        return -1;
    co.manifest = CVM_TAKE(m);
    CVM_GUARD(find_me(&co, me, err));
    CVM_GUARD(cli_home_prepare(c, err));
    co.folder = cli_home_path(c, "collaborations/%s", co.manifest->collaboration);
    CVM_GUARD(make_folders(&co, err));
    CVM_AUTO_FREE char *path = cli_collaboration_path(&co, "manifest.json");
    if (!cli_file_exists(path)) {
        CVM_GUARD(cli_file_create(path, bytes, len, 0644, err));
    } else {
        CVM_AUTO_BUF struct cvm_buf old = {0};
        CVM_GUARD(cli_file_read(path, CVM_MANIFEST_MAX, &old, err));
        if (old.len != len || memcmp(old.data, bytes, len) != 0) {
            char expected[CVM_DIGEST_TEXT], got[CVM_DIGEST_TEXT];
            struct cvm_digest d = cvm_sha256(old.data, old.len);
            return cvm_fail_expected(err, CVM_E_MANIFEST_DIFFERS, cvm_digest_text(&d, expected),
                                     cvm_digest_text(&co.manifest->digest, got),
                                     "you have signed another manifest for this collaboration");
        }
    }
    CVM_GUARD(load_host(&co, err));
    *ret = co;
    co = (struct cli_collaboration){0};
    return 0;
}

static bool is_uuid(const char *s)
{
    return strlen(s) == 36 && strspn(s, "0123456789abcdef-") == 36;
}

/* Owned UUID of the folder that is meant. */
static int choose(const struct cli *c, char **ret, struct cvm_error *err)
{
    const char *wanted = cli_opt(c, "collaboration");
    CVM_AUTO_FREE char *folder = cli_home_path(c, "collaborations");
    CVM_AUTO_FREE char *found = NULL;
    char list[150] = "";
    int n = 0;
    DIR *d = opendir(folder);
    const struct dirent *e;
    while (d && (e = readdir(d))) {
        if (!is_uuid(e->d_name) || (wanted && strncmp(e->d_name, wanted, strlen(wanted)) != 0))
            continue;
        size_t at = strlen(list);
        snprintf(list + at, sizeof list - at, "%s%.8s...", n ? ", " : "", e->d_name);
        free(found);
        found = cvm_strdup(e->d_name);
        n++;
    }
    if (d)
        closedir(d);
    CVM_ENSURE(n > 0, err, CVM_E_NOT_FOUND,
               wanted ? "this home has no collaboration %s"
                      : "this home has no collaboration%s yet: run `2cvm commit`",
               wanted ? wanted : "");
    if (n > 1)
        return cvm_fail_expected(err, CVM_E_USAGE, "--collaboration UUID", list,
                                 "there are %d collaborations", n);
    *ret = CVM_TAKE(found);
    return 0;
}

int cli_collaboration_open(const struct cli *c, struct cli_collaboration *ret,
                           struct cvm_error *err)
{
    CLI_AUTO_COLLABORATION struct cli_collaboration co = {0};
    CVM_AUTO_FREE char *uuid = NULL;
    struct cli_card me;
    CVM_GUARD(cli_identity_card(c, &me, err));
    CVM_GUARD(choose(c, &uuid, err));
    co.folder = cli_home_path(c, "collaborations/%s", uuid);
    CVM_AUTO_FREE char *path = cli_collaboration_path(&co, "manifest.json");
    CVM_GUARD(cli_manifest_read(path, &co.manifest, err));
    CVM_ENSURE(strcmp(co.manifest->collaboration, uuid) == 0, err, CVM_E_MANIFEST_DIFFERS,
               "%s is of another collaboration", path);
    CVM_GUARD(find_me(&co, &me, err));
    CVM_GUARD(load_host(&co, err));
    *ret = co;
    co = (struct cli_collaboration){0};
    return 0;
}

void cli_collaboration_free(struct cli_collaboration *co)
{
    free(co->folder);
    free(co->host);
    free(co->cacert);
    cli_manifest_free(&co->manifest);
    *co = (struct cli_collaboration){0};
}

int cli_record_parse(json_t *document, struct cli_record *ret, struct cvm_error *err)
{
    struct cvm_json_reader r, rr;
    struct cli_record out = {0};
    cvm_json_begin(&r, document, "record", err);
    json_t *list = cvm_json_array(&r, "released", 1);
    out.seq = (uint64_t)cvm_json_int(&r, "seq", 0, CVM_JSON_INT_MAX);
    cvm_json_int(&r, "version", 1, 1);
    CVM_GUARD(cvm_json_end(&r));
    if (json_array_size(list)) {
        CVM_AUTO_BUF struct cvm_buf nonce = {0};
        cvm_json_begin(&rr, json_array_get(list, 0), "record.released", err);
        out.act_seq = (uint64_t)cvm_json_int(&rr, "act", 1, CVM_JSON_INT_MAX);
        const char *text = cvm_json_string(&rr, "nonce");
        const json_t *seal = cvm_json_object(&rr, "seal"), *sign = cvm_json_object(&rr, "sign");
        out.time = cvm_json_int(&rr, "time", 0, CVM_JSON_INT_MAX);
        CVM_GUARD(cvm_json_end(&rr));
        CVM_GUARD(cvm_jwk_parse(sign, CVM_ED25519, &out.sign, err));
        CVM_GUARD(cvm_jwk_parse(seal, CVM_X25519, &out.seal, err));
        CVM_GUARD(cvm_b64u_decode(text, strlen(text), &nonce, err));
        CVM_ENSURE(nonce.len >= 16 && nonce.len <= sizeof out.nonce, err, CVM_E_BAD_ENCODING,
                   "the record's nonce");
        memcpy(out.nonce, nonce.data, nonce.len);
        out.nonce_len = nonce.len;
        out.released = true;
    }
    *ret = out;
    return 0;
}

int cli_record_load(const struct cli_collaboration *co, struct cli_record *ret,
                    struct cvm_error *err)
{
    CVM_AUTO_FREE char *path = cli_collaboration_path(co, "record.json");
    if (!cli_file_exists(path)) {
        *ret = (struct cli_record){0};
        return 0;
    }
    CVM_AUTO_JSON json_t *json = cli_json_read(path, true, err);
    /* A broken record is never taken for "nothing released yet". */
    if (!json)
        return -1;
    if (cli_record_parse(json, ret, err) < 0)
        return cvm_error_wrap(err, "%s", path);
    return 0;
}

int cli_record_save(const struct cli_collaboration *co, const struct cli_record *record,
                    struct cvm_error *err)
{
    json_t *list = json_array();
    if (record->released) {
        CVM_AUTO_FREE char *nonce = cvm_b64u(record->nonce, record->nonce_len);
        json_array_append_new(
            list, json_pack("{s:I, s:s, s:o, s:o, s:I}", "act", (json_int_t)record->act_seq,
                            "nonce", nonce, "seal", cvm_jwk(&record->seal, CVM_X25519), "sign",
                            cvm_jwk(&record->sign, CVM_ED25519), "time", (json_int_t)record->time));
    }
    CVM_AUTO_JSON json_t *json = json_pack("{s:o, s:I, s:i}", "released", list, "seq",
                                           (json_int_t)record->seq, "version", 1);
    CVM_AUTO_FREE char *path = cli_collaboration_path(co, "record.json");
    return cli_json_write(path, json, 0600, true, err);
}
