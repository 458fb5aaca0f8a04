#include "guest-agent/agent/session.h"

#include <string.h>

#include "core/evidence/bundle.h"
#include "core/evidence/report.h"
#include "core/manifest/commitment.h"
#include "core/policy/policy-rules.h"
#include "core/record/nonce-tree.h"
#include "core/record/report-data.h"

#define CHALLENGE_MAX 64 /* nonces in one request */

static int read_commitment(json_t *entry, struct cvm_commitment *ret, struct cvm_error *err)
{
    struct cvm_json_reader r;
    cvm_json_begin(&r, entry, "commitments", err);
    ret->participant = cvm_json_string(&r, "participant");
    ret->len = (size_t)cvm_json_int(&r, "bytes", 1, CVM_COMMITMENT_MAX);
    return cvm_json_end(&r);
}

struct lock_layout {
    size_t manifest;
    size_t n;
    struct cvm_commitment set[CVM_PARTICIPANTS_MAX];
};

static int read_layout(json_t *control, uint64_t body_bytes, struct lock_layout *ret,
                       struct cvm_error *err)
{
    struct cvm_json_reader r;
    cvm_json_begin(&r, control, "lock", err);
    cvm_json_string(&r, "op");
    cvm_json_int(&r, "bytes", 0, CVM_JSON_INT_MAX);
    int64_t manifest = cvm_json_int(&r, "manifest_bytes", 1, CVM_JSON_INT_MAX);
    const json_t *list = cvm_json_array(&r, "commitments", CVM_PARTICIPANTS_MAX);
    CVM_GUARD(cvm_json_end(&r));
    CVM_ENSURE(manifest <= CVM_MANIFEST_MAX, err, CVM_E_MANIFEST_TOO_LARGE,
               "the announced manifest has %lld bytes", (long long)manifest);
    struct lock_layout out = {.manifest = (size_t)manifest, .n = json_array_size(list)};
    uint64_t sum = (uint64_t)manifest;
    for (size_t i = 0; i < out.n; i++) {
        CVM_GUARD(read_commitment(json_array_get(list, i), &out.set[i], err));
        sum += out.set[i].len;
    }
    CVM_ENSURE(sum == body_bytes, err, CVM_E_USAGE,
               "the parts of the body do not add up to its length");
    *ret = out;
    return 0;
}

static int check_phase(const struct cvm_agent *a, struct cvm_error *err)
{
    CVM_ENSURE(a->state.phase == CVM_PHASE_EMPTY, err, CVM_E_ALREADY_LOCKED, "the session is `%s`",
               cvm_phase_word(a->state.phase));
    return 0;
}

int cvm_agent_lock_check(struct cvm_agent *a, json_t *control, uint64_t body_bytes,
                         struct cvm_error *err)
{
    struct lock_layout layout;
    CVM_GUARD(check_phase(a, err));
    return read_layout(control, body_bytes, &layout, err);
}

/* Our own report, to learn which manifest this isolate was started for and what we are. */
static int own_report(struct cvm_agent *a, struct cvm_report *ret, struct cvm_error *err)
{
    uint8_t nothing[CVM_REPORT_DATA_LEN] = {0};
    CVM_AUTO_PROVIDER_REPORT struct cvm_provider_report got = {0};
    CVM_GUARD(a->provider->get_report(a->setup.device_fd, nothing, &got, err));
    return cvm_report_parse(got.report, sizeof got.report, ret, err);
}

static int check_host_data(const struct cvm_report *report, const struct cvm_digest *manifest,
                           struct cvm_error *err)
{
    _Static_assert(sizeof report->host_data == sizeof manifest->b, "HOST_DATA is a SHA-256");
    if (!memcmp(report->host_data, manifest->b, sizeof manifest->b))
        return 0;
    CVM_AUTO_FREE char *want = cvm_hex(report->host_data, sizeof report->host_data);
    CVM_AUTO_FREE char *came = cvm_hex(manifest->b, sizeof manifest->b);
    return cvm_fail_expected(err, CVM_E_HOST_DATA_MISMATCH, want, came,
                             "HOST_DATA of the own report is not the manifest's digest");
}

static int check_measurement(const struct cvm_manifest *m, const struct cvm_report *report,
                             struct cvm_error *err)
{
    for (uint32_t i = 0; i < m->isolate.n_measurements; i++)
        if (!memcmp(m->isolate.measurements[i], report->measurement, CVM_SHA384_LEN))
            return 0;
    CVM_AUTO_FREE char *own = cvm_hex(report->measurement, CVM_SHA384_LEN);
    return cvm_fail_expected(err, CVM_E_MEASUREMENT_UNKNOWN, "one of isolate.measurements", own,
                             "the manifest does not list this isolate's measurement");
}

/* What the manifest asks of the place that it runs in. */
static int check_isolate(const struct cvm_agent *a, const struct cvm_manifest *m,
                         const struct cvm_report *report, struct cvm_error *err)
{
    int platform = cvm_platform_by_word(a->setup.platform);
    CVM_ENSURE(platform >= 0 && cvm_manifest_has_platform(m, (enum cvm_platform)platform), err,
               CVM_E_PLATFORM, "the manifest does not list the platform %s", a->setup.platform);
    CVM_GUARD(check_measurement(m, report, err));
    if (a->setup.memory_mib < m->isolate.memory_mib) {
        char want[32], have[32];
        snprintf(want, sizeof want, "%llu MiB", (unsigned long long)m->isolate.memory_mib);
        snprintf(have, sizeof have, "%llu MiB", (unsigned long long)a->setup.memory_mib);
        return cvm_fail_expected(err, CVM_E_MANIFEST_MEMORY, want, have,
                                 "this isolate has less memory than the manifest says");
    }
    for (int p = 0; p < CVM_PROTECTION_COUNT; p++) {
        bool waived = m->isolate.waive & (1U << p);
        CVM_ENSURE(waived || a->protections >> p & 1, err, CVM_E_PROTECTION_MISSING,
                   "this kernel lacks %s", cvm_protection_word((enum cvm_protection)p));
    }
    return 0;
}

static int make_session(struct cvm_session *s, struct cvm_error *err)
{
    CVM_AUTO_KEY struct cvm_key sign = {0}, seal = {0};
    CVM_GUARD(cvm_key_generate(&sign, CVM_ED25519, err));
    CVM_GUARD(cvm_key_generate(&seal, CVM_X25519, err));
    s->sign_pub = sign.pub;
    s->seal_pub = seal.pub;
    s->thumb = cvm_jwk_thumbprint(&sign.pub, CVM_ED25519);
    s->sign = sign;
    s->seal = seal;
    sign = seal = (struct cvm_key){0}; /* handed over */
    return 0;
}

static int read_manifest(struct cvm_agent *a, const struct lock_layout *layout,
                         const struct cvm_buf *body, struct cvm_manifest *ret,
                         struct cvm_error *err)
{
    struct cvm_report report;
    struct cvm_digest digest = cvm_sha256(body->data, layout->manifest);
    CVM_GUARD(own_report(a, &report, err));
    CVM_GUARD(check_host_data(&report, &digest, err));
    CVM_GUARD(cvm_manifest_parse(body->data, layout->manifest, ret, err));
    CVM_GUARD(check_isolate(a, ret, &report, err));
    return cvm_commitment_check_all(ret, layout->set, layout->n, err);
}

int cvm_agent_lock(struct cvm_agent *a, const json_t *control, const struct cvm_buf *body,
                   struct cvm_error *err)
{
    struct lock_layout layout;
    CVM_GUARD(check_phase(a, err));
    CVM_GUARD(read_layout((json_t *)control, body->len, &layout, err));
    const uint8_t *at = body->data + layout.manifest;
    for (size_t i = 0; i < layout.n; i++) {
        layout.set[i].jws = at;
        at += layout.set[i].len;
    }
    cvm_manifest_free(&a->manifest);
    if (read_manifest(a, &layout, body, &a->manifest, err) < 0 ||
        make_session(&a->session, err) < 0) {
        cvm_manifest_free(&a->manifest);
        return -1;
    }
    cvm_policy_compile(&a->manifest, &a->rules);
    uint32_t refused[CVM_TRANSCRIPT_CODES];
    memcpy(refused, a->transcript.refused, sizeof refused);
    cvm_transcript_start(&a->transcript, &a->manifest.digest);
    memcpy(a->transcript.refused, refused, sizeof refused);
    return cvm_agent_step(a, &(struct cvm_policy_request){.kind = CVM_REQUEST_LOCK}, err);
}

struct cvm_nonce *cvm_session_nonce(struct cvm_session *s, const uint8_t *nonce, size_t len)
{
    for (uint32_t i = 0; i < s->n_nonces; i++)
        if (s->nonces[i].len == len && !memcmp(s->nonces[i].b, nonce, len))
            return &s->nonces[i];
    return NULL;
}

/* A report over the keys, the manifest, the head and the nonces, as a bundle without its nonce. */
static int make_bundle(struct cvm_agent *a, const struct cvm_digest *nonce_root,
                       struct cvm_bundle *b, struct cvm_error *err)
{
    struct cvm_report_data of = {
        .sign = a->session.sign_pub,
        .seal = a->session.seal_pub,
        .manifest = a->manifest.digest,
        .transcript_head = a->transcript.head,
        .nonce_root = *nonce_root,
    };
    uint8_t data[CVM_REPORT_DATA_LEN];
    cvm_report_data(&of, data);
    CVM_AUTO_PROVIDER_REPORT struct cvm_provider_report got = {0};
    CVM_GUARD(a->provider->get_report(a->setup.device_fd, data, &got, err));
    snprintf(b->platform, sizeof b->platform, "%s", a->setup.platform);
    cvm_buf_append(&b->report, got.report, sizeof got.report);
    for (size_t i = 0; i < got.n_certificates && i < CVM_CERTIFICATES_MAX; i++)
        cvm_buf_append(&b->certificates.der[b->certificates.n++], got.certificates[i].data,
                       got.certificates[i].len);
    b->sign = of.sign;
    b->seal = of.seal;
    b->manifest = of.manifest;
    b->transcript_n = a->transcript.n;
    b->transcript_head = of.transcript_head;
    return 0;
}

static void remember(struct cvm_session *s, const struct cvm_bytes *nonce)
{
    if (cvm_session_nonce(s, nonce->data, nonce->len) || s->n_nonces == CVM_POLICY_NONCES)
        return;
    struct cvm_nonce *n = &s->nonces[s->n_nonces++];
    *n = (struct cvm_nonce){.len = (uint8_t)nonce->len};
    memcpy(n->b, nonce->data, nonce->len);
}

static int answer_nonces(struct cvm_agent *a, const struct cvm_bytes *nonces, size_t n,
                         struct cvm_buf *ret, json_t *sizes, struct cvm_error *err)
{
    struct cvm_digest root = cvm_nonce_tree_root(nonces, n);
    CVM_AUTO_BUNDLE struct cvm_bundle b = {0};
    CVM_GUARD(make_bundle(a, &root, &b, err));
    CVM_AUTO_BUF struct cvm_buf out = {0};
    for (size_t i = 0; i < n; i++) {
        size_t before = out.len;
        memcpy(b.nonce, nonces[i].data, nonces[i].len);
        b.nonce_len = nonces[i].len;
        b.path = cvm_nonce_tree_path(nonces, n, i);
        CVM_GUARD(cvm_bundle_write(&b, &out, err));
        json_array_append_new(sizes, json_integer((json_int_t)(out.len - before)));
    }
    for (size_t i = 0; i < n; i++)
        remember(&a->session, &nonces[i]);
    *ret = out;
    out = (struct cvm_buf){0};
    return 0;
}

int cvm_agent_challenge(struct cvm_agent *a, json_t *list, struct cvm_buf *ret, json_t *sizes,
                        struct cvm_error *err)
{
    size_t n = json_array_size(list);
    CVM_ENSURE(n >= 1 && n <= CHALLENGE_MAX, err, CVM_E_USAGE, "1 to %d nonces in one request",
               CHALLENGE_MAX);
    uint8_t bytes[CHALLENGE_MAX][CVM_NONCE_MAX];
    struct cvm_bytes nonces[CHALLENGE_MAX];
    for (size_t i = 0; i < n; i++) {
        const json_t *text = json_array_get(list, i);
        CVM_ENSURE(json_is_string(text), err, CVM_E_JSON_TYPE, "a nonce is a string");
        CVM_AUTO_BUF struct cvm_buf nonce = {0};
        CVM_GUARD(cvm_b64u_decode(json_string_value(text), json_string_length(text), &nonce, err));
        CVM_ENSURE(nonce.len >= CVM_NONCE_MIN && nonce.len <= CVM_NONCE_MAX, err, CVM_E_USAGE,
                   "a nonce has %d to %d bytes", CVM_NONCE_MIN, CVM_NONCE_MAX);
        memcpy(bytes[i], nonce.data, nonce.len);
        nonces[i] = CVM_BYTES(bytes[i], nonce.len);
    }
    struct cvm_policy_request ask = {.kind = CVM_REQUEST_CHALLENGE, .nonces = (uint32_t)n};
    CVM_GUARD(cvm_agent_step(a, &ask, err));
    return answer_nonces(a, nonces, n, ret, sizes, err);
}

int cvm_agent_last_evidence(struct cvm_agent *a, struct cvm_error *err)
{
    struct cvm_digest root = cvm_nonce_tree_root(NULL, 0);
    CVM_AUTO_BUNDLE struct cvm_bundle b = {0};
    CVM_GUARD(make_bundle(a, &root, &b, err));
    CVM_AUTO_BUF struct cvm_buf out = {0};
    CVM_GUARD(cvm_bundle_write(&b, &out, err));
    cvm_buf_free(&a->last_evidence);
    a->last_evidence = out;
    out = (struct cvm_buf){0};
    return 0;
}
