/* The check of a folder that a collaboration left: it needs no host, no network and no trust in
 * whoever sent the folder. */
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>

#include "cli/file.h"
#include "cli/session.h"
#include "core/manifest/act.h"
#include "core/manifest/commitment.h"
#include "core/record/receipt.h"
#include "core/record/statement.h"

struct work {
    const char *folder;
    const struct cvm_manifest *m;
    struct cli_folder_check *out;
    bool have_session;
    struct cvm_public_key sign;
    struct cvm_digest session;
    bool have_transcript;
    struct cvm_transcript_summary transcript;
    struct cvm_buf lines;
    bool have_receipt;
    struct cvm_receipt *receipt;
};

static char *path_of(const struct work *w, const char *folder, const char *name, const char *end)
{
    return cvm_printf("%s/%s%s%s%s", w->folder, folder, *folder ? "/" : "", name, end);
}

/* result 0: ok; -1: refused with *err; 1: not checked, `why` says it. */
static void add_row(struct work *w, const char *name, int result, const struct cvm_error *err,
                    const char *why)
{
    static const char *const WORDS[] = {"refused", "ok", "not-checked"};
    json_array_append_new(w->out->rows, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "name", name,
                                                  "verdict", WORDS[result + 1], "code",
                                                  result < 0 ? cvm_code_info(err->code)->name : "",
                                                  "expected", result < 0 ? err->expected : "",
                                                  "got", result < 0 ? err->got : "", "detail",
                                                  result < 0 ? err->message
                                                  : why      ? why
                                                             : ""));
    w->out->refused |= result < 0;
}

static void check_commitments(struct work *w)
{
    for (uint32_t i = 0; i < w->m->n_participants; i++) {
        const char *id = w->m->participants[i].id;
        CVM_AUTO_FREE char *path = path_of(w, "commitments", id, ".jws");
        CVM_AUTO_FREE char *name = cvm_printf("commitment of %s", id);
        CVM_AUTO_BUF struct cvm_buf jws = {0};
        struct cvm_error err = {0};
        int result = cli_file_read(path, CVM_COMMITMENT_MAX, &jws, &err);
        if (result < 0 && err.code == CVM_E_NOT_FOUND)
            err.code = CVM_E_COMMITMENT_MISSING;
        if (result == 0)
            result = cvm_commitment_check(w->m, (int)i, jws.data, jws.len, &err);
        add_row(w, name, result, &err, NULL);
    }
}

static void check_last_evidence(struct work *w, const struct cvm_public_key *pin)
{
    CVM_AUTO_FREE char *path = path_of(w, "", "evidence", ".json");
    struct cvm_error err = {0};
    if (!cli_file_exists(path)) {
        add_row(w, "last evidence", 1, NULL,
                "evidence.json is not there (it is made when the collaboration closes)");
        return;
    }
    struct cli_evidence *e = &w->out->evidence;
    int result = cli_evidence_load(path, w->m, NULL, pin, e, &err);
    if (result == 0)
        result = cvm_appraisal_error(e->appraisal, &err);
    add_row(w, "last evidence", result, &err, NULL);
    if (result == 0 && !w->have_session) {
        w->have_session = true;
        w->sign = e->bundle.sign;
        w->session = e->session;
    }
}

/* What each participant saw before it released: another proof of the same session, from its own
 * nonce. */
static void check_participants_evidence(struct work *w)
{
    for (uint32_t i = 0; i < w->m->n_participants; i++) {
        const char *id = w->m->participants[i].id;
        CVM_AUTO_FREE char *path = path_of(w, "evidence", id, ".json");
        if (!cli_file_exists(path))
            continue;
        CVM_AUTO_FREE char *name = cvm_printf("evidence of %s", id);
        CLI_AUTO_EVIDENCE struct cli_evidence e = {0};
        struct cvm_error err = {0};
        int result =
            cli_evidence_load(path, w->m, NULL, w->have_session ? &w->sign : NULL, &e, &err);
        if (result == 0)
            result = cvm_appraisal_error(e.appraisal, &err);
        add_row(w, name, result, &err, NULL);
        if (result == 0 && !w->have_session) {
            w->have_session = true;
            w->sign = e.bundle.sign;
            w->session = e.session;
        }
        if (result == 0 && !w->out->evidence.appraisal) {
            w->out->evidence = e;
            e = (struct cli_evidence){0};
        }
    }
}

static int evidence_fits_transcript(const struct work *w, struct cvm_error *err)
{
    const struct cli_evidence *e = &w->out->evidence;
    if (!e->appraisal || e->bundle.nonce_len)
        return 0;
    if (e->bundle.transcript_n == w->transcript.n &&
        memcmp(&e->bundle.transcript_head, &w->transcript.head, sizeof w->transcript.head) == 0)
        return 0;
    char expected[CVM_DIGEST_TEXT], got[CVM_DIGEST_TEXT];
    return cvm_fail_expected(err, CVM_E_TRANSCRIPT_BROKEN,
                             cvm_digest_text(&e->bundle.transcript_head, expected),
                             cvm_digest_text(&w->transcript.head, got),
                             "the transcript does not end where the last evidence says");
}

static void check_transcript(struct work *w)
{
    CVM_AUTO_FREE char *path = path_of(w, "", "transcript", ".jsonl");
    struct cvm_error err = {0};
    int result = cli_file_read(path, CVM_TRANSCRIPT_MAX, &w->lines, &err);
    if (result < 0 && err.code == CVM_E_NOT_FOUND) {
        add_row(w, "transcript", 1, NULL, "transcript.jsonl is not there");
        return;
    }
    if (result == 0)
        result = cvm_transcript_check(w->m, w->lines.data, w->lines.len, &w->transcript, &err);
    w->have_transcript = result == 0;
    if (result == 0)
        result = evidence_fits_transcript(w, &err);
    add_row(w, "transcript", result, &err, NULL);
}

static int release_fits_evidence(const struct work *w, const char *participant,
                                 const struct cvm_act *act, struct cvm_error *err)
{
    CVM_AUTO_FREE char *path = path_of(w, "evidence", participant, ".json");
    CVM_AUTO_BUF struct cvm_buf bytes = {0};
    if (act->kind != CVM_ACT_RELEASE || !cli_file_exists(path))
        return 0;
    CVM_AUTO_BUNDLE struct cvm_bundle b = {0};
    CVM_GUARD(cli_file_read(path, CVM_BUNDLE_MAX, &bytes, err));
    CVM_GUARD(cvm_bundle_parse(bytes.data, bytes.len, &b, err));
    CVM_ENSURE(b.nonce_len == act->nonce_len && memcmp(b.nonce, act->nonce, b.nonce_len) == 0, err,
               CVM_E_ACT_NONCE, "%s released for other evidence than evidence/%s.json", participant,
               participant);
    return 0;
}

/* One act entry of the transcript against its file. */
static int check_act(struct work *w, const json_t *entry, struct cvm_error *err)
{
    const char *participant = json_string_value(json_object_get(entry, "participant"));
    json_int_t seq = json_integer_value(json_object_get(entry, "seq"));
    const char *digest = json_string_value(json_object_get(entry, "digest"));
    /* The transcript was checked: its participants are ids of the manifest. */
    CVM_AUTO_FREE char *file = cvm_printf("%s-%lld", participant, (long long)seq);
    CVM_AUTO_FREE char *path = path_of(w, "acts", file, ".jws");
    CVM_AUTO_BUF struct cvm_buf jws = {0};
    struct cvm_digest expected, session;
    CVM_GUARD(cvm_digest_parse(digest, &expected, err));
    CVM_GUARD(cli_file_read(path, CVM_ACT_MAX, &jws, err));
    struct cvm_digest got = cvm_sha256(jws.data, jws.len);
    if (memcmp(&got, &expected, sizeof got) != 0) {
        char text[CVM_DIGEST_TEXT];
        return cvm_fail_expected(err, CVM_E_TRANSCRIPT_BROKEN, digest, cvm_digest_text(&got, text),
                                 "acts/%s.jws is not the act of the transcript", file);
    }
    CVM_AUTO_FREE struct cvm_act *act = cvm_alloc(sizeof *act);
    CVM_GUARD(cvm_act_read(w->m, jws.data, jws.len, act, &session, err));
    CVM_ENSURE(!w->have_session || memcmp(&session, &w->session, sizeof session) == 0, err,
               CVM_E_ACT_SESSION, "acts/%s.jws", file);
    return release_fits_evidence(w, participant, act, err);
}

static void check_acts(struct work *w)
{
    CVM_AUTO_FREE char *folder = path_of(w, "", "acts", "");
    if (!w->have_transcript)
        return;
    if (!cli_file_exists(folder)) {
        add_row(w, "acts", 1, NULL, "there is no folder acts");
        return;
    }
    size_t at = 0;
    for (json_t *next; (next = cvm_transcript_entry(&w->lines, &at));) {
        CVM_AUTO_JSON json_t *entry = next;
        const char *kind = json_string_value(json_object_get(entry, "act"));
        if (!kind)
            continue;
        struct cvm_error err = {0};
        int result = check_act(w, entry, &err);
        CVM_AUTO_FREE char *name = cvm_printf(
            "act %s of %s", kind, json_string_value(json_object_get(entry, "participant")));
        if (result < 0 && err.code == CVM_E_NOT_FOUND)
            add_row(w, name, 1, NULL, "its file is not there");
        else
            add_row(w, name, result, &err, NULL);
    }
}

static void check_receipt(struct work *w)
{
    CVM_AUTO_FREE char *path = path_of(w, "", "receipt", ".jws");
    CVM_AUTO_BUF struct cvm_buf jws = {0};
    struct cvm_error err = {0};
    int result = cli_file_read(path, CVM_RECEIPT_MAX, &jws, &err);
    if (result < 0 && err.code == CVM_E_NOT_FOUND) {
        bool due = w->have_transcript && w->transcript.has_receipt;
        err.code = CVM_E_RECEIPT_MISMATCH;
        add_row(w, "receipt", due ? -1 : 1, &err, "receipt.jws is not there");
        return;
    }
    if (result == 0 && !w->have_session)
        result = cvm_fail(&err, CVM_E_RECEIPT_MISMATCH,
                          "without evidence no session key is known that could have signed it");
    if (result == 0)
        result = cvm_receipt_verify(w->m, &w->sign, jws.data, jws.len, w->receipt, &err);
    w->have_receipt = result == 0;
    if (result == 0 && w->have_transcript && w->transcript.has_receipt)
        result = cvm_receipt_check_transcript(w->receipt, &w->transcript, &err);
    add_row(w, "receipt", result, &err, NULL);
}

/* Of a session that an act has stopped: it must be there, and nowhere else. */
static void check_statement(struct work *w)
{
    CVM_AUTO_FREE char *path = path_of(w, "", "statement", ".jws");
    CVM_AUTO_BUF struct cvm_buf jws = {0};
    struct cvm_statement s;
    struct cvm_error err = {0};
    bool due = w->have_transcript && w->transcript.stopped;
    if (!cli_file_exists(path)) {
        if (due)
            add_row(w, "statement of wiping",
                    cvm_fail(&err, CVM_E_STATEMENT_MISMATCH, "statement.jws is not there"), &err,
                    NULL);
        return;
    }
    int result = cli_file_read(path, CVM_STATEMENT_MAX, &jws, &err);
    if (result == 0 && !w->have_session)
        result = cvm_fail(&err, CVM_E_STATEMENT_MISMATCH,
                          "without evidence no session key is known that could have signed it");
    if (result == 0)
        result = cvm_statement_verify(w->m, &w->sign, jws.data, jws.len, &s, &err);
    if (result == 0 && w->have_transcript)
        result = cvm_statement_check_transcript(&s, &w->transcript, &err);
    add_row(w, "statement of wiping", result, &err, NULL);
}

static int file_digest(const char *path, struct cvm_digest *ret, struct cvm_error *err)
{
    uint8_t chunk[65536];
    struct cvm_hasher hasher;
    CVM_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return cvm_fail_errno(err, "opening %s", path);
    ssize_t n;
    cvm_hasher_start(&hasher);
    while ((n = read(fd, chunk, sizeof chunk)) > 0)
        cvm_hasher_add(&hasher, chunk, (size_t)n);
    cvm_hasher_end(&hasher, ret->b);
    return n < 0 ? cvm_fail_errno(err, "reading %s", path) : 0;
}

static void check_outputs(struct work *w)
{
    for (uint32_t i = 0; w->have_receipt && i < w->m->n_outputs; i++) {
        const char *id = w->m->outputs[i].id;
        CVM_AUTO_FREE char *path = path_of(w, "outputs", id, ".sealed");
        CVM_AUTO_FREE char *name = cvm_printf("sealed output %s", id);
        struct cvm_error err = {0};
        struct cvm_digest digest;
        if (!w->receipt->outputs[i].present)
            continue;
        if (!cli_file_exists(path)) {
            add_row(w, name, 1, NULL, "its file is not there");
            continue;
        }
        int result = file_digest(path, &digest, &err);
        if (result == 0)
            result = cvm_receipt_check_output(w->m, w->receipt, (int)i, &digest, &err);
        add_row(w, name, result, &err, NULL);
    }
}

int cli_folder_check(const char *folder, const struct cvm_manifest *m,
                     const struct cvm_public_key *pin, struct cli_folder_check *ret,
                     struct cvm_error *err)
{
    (void)err;
    CVM_AUTO_FREE struct cvm_receipt *receipt = cvm_alloc(sizeof *receipt);
    struct work w = {.folder = folder, .m = m, .out = ret, .receipt = receipt};
    if (pin) {
        w.have_session = true;
        w.sign = *pin;
        w.session = cvm_jwk_thumbprint(pin, CVM_ED25519);
    }
    ret->rows = json_array();
    check_commitments(&w);
    check_last_evidence(&w, pin);
    check_participants_evidence(&w);
    check_transcript(&w);
    check_acts(&w);
    check_receipt(&w);
    check_statement(&w);
    check_outputs(&w);
    cvm_buf_free(&w.lines);
    return 0;
}

/* What comes from the folder's files stays on its line. */
static const char *text_of(const json_t *row, const char *name, char *out, size_t size)
{
    return cli_plain(json_string_value(json_object_get(row, name)), out, size);
}

void cli_folder_check_say(const struct cli *c, const struct cli_folder_check *check)
{
    size_t i;
    json_t *row;
    json_array_foreach(check->rows, i, row)
    {
        char verdict[16], code[64], detail[512], expected[512], got[512];
        text_of(row, "verdict", verdict, sizeof verdict);
        text_of(row, "code", code, sizeof code);
        text_of(row, "detail", detail, sizeof detail);
        text_of(row, "expected", expected, sizeof expected);
        text_of(row, "got", got, sizeof got);
        bool refused = strcmp(verdict, "refused") == 0;
        cli_say(c, "  %-32s %s%s%s%s%s\n", json_string_value(json_object_get(row, "name")),
                refused                      ? "REFUSED"
                : strcmp(verdict, "ok") == 0 ? "ok"
                                             : "not checked",
                refused ? " " : "", code, *detail ? ": " : "", detail);
        if (refused && (*expected || *got))
            cli_say(c, "  %-32s   expected %s\n  %-32s   got      %s\n", "", expected, "", got);
    }
}

void cli_folder_check_free(struct cli_folder_check *check)
{
    json_decref(check->rows);
    cli_evidence_free(&check->evidence);
    *check = (struct cli_folder_check){0};
}
