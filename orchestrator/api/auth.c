/*
 * Who is asking. Participants sign their requests (core/http/signature.h); the operator is the peer
 * of the Unix socket.
 *
 * A nonce is accepted once: it is leased from a store of its own until the signature expires. That
 * store outlives the daemon's process, so that a restart forgets no nonce; it need not outlive a
 * crash of the machine, because every request here may be repeated without harm.
 */
#include "orchestrator/api/api.h"

#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

struct header_search {
    const char *name, *value;
    unsigned count;
};

static enum MHD_Result see_header(void *arg, enum MHD_ValueKind kind, const char *key,
                                  const char *value)
{
    (void)kind;
    struct header_search *s = arg;
    if (strcasecmp(key, s->name) == 0) {
        s->value = value ? value : "";
        s->count++;
    }
    return MHD_YES;
}

int cvm_header(struct cvm_request *q, const char *name, const char **ret, struct cvm_error *err)
{
    struct header_search s = {.name = name};
    MHD_get_connection_values(q->connection, MHD_HEADER_KIND, see_header, &s);
    CVM_ENSURE(s.count <= 1, err, CVM_E_USAGE, "the header %s comes %u times", name, s.count);
    *ret = s.value;
    return 0;
}

static int parse_length(const char *text, uint64_t *ret, struct cvm_error *err)
{
    uint64_t v = 0;
    size_t n = strspn(text, "0123456789");
    CVM_ENSURE(n > 0 && n <= 18 && text[n] == '\0', err, CVM_E_USAGE,
               "Content-Length is no plain number");
    for (size_t i = 0; i < n; i++)
        v = v * 10 + (uint64_t)(text[i] - '0');
    *ret = v;
    return 0;
}

int cvm_request_check_headers(struct cvm_request *q, struct cvm_error *err)
{
    const char *host, *length, *encoding, *digest;
    CVM_GUARD(cvm_header(q, "Transfer-Encoding", &encoding, err));
    CVM_ENSURE(!encoding, err, CVM_E_USAGE, "a body has a Content-Length here, never chunks");
    CVM_GUARD(cvm_header(q, "Content-Length", &length, err));
    CVM_GUARD(cvm_header(q, "Host", &host, err));
    CVM_ENSURE(host && *host, err, CVM_E_USAGE, "the header Host is missing");
    CVM_GUARD(cvm_header(q, "Content-Digest", &digest, err));
    CVM_GUARD(cvm_header(q, "Content-Encoding", &encoding, err));
    CVM_ENSURE(!encoding, err, CVM_E_USAGE, "no content coding is understood here");
    if (length)
        CVM_GUARD(parse_length(length, &q->content_length, err));
    q->has_body = q->content_length > 0;
    if (q->route->body_max == 0) {
        CVM_ENSURE(!q->has_body, err, CVM_E_USAGE, "this request has no body");
    } else {
        CVM_ENSURE(q->has_body, err, CVM_E_USAGE, "this request needs a body and Content-Length");
        if (q->route->body_max > 0 && q->content_length > (uint64_t)q->route->body_max) {
            char most[32], got[32];
            snprintf(most, sizeof most, "at most %lld", (long long)q->route->body_max);
            snprintf(got, sizeof got, "%llu", (unsigned long long)q->content_length);
            return cvm_fail_expected(
                err, q->route->who == CVM_WHO_CREATOR ? CVM_E_MANIFEST_TOO_LARGE : CVM_E_TOO_LARGE,
                most, got, "the body");
        }
    }
    if (digest) {
        CVM_GUARD(cvm_http_content_digest_parse(digest, &q->content_digest, err));
        q->digested = true;
    }
    return 0;
}

static bool peer_is_operator(struct cvm_request *q)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(q->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct ucred peer;
    socklen_t len = sizeof peer;
    return info && getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
           len == sizeof peer && (peer.uid == 0 || peer.uid == geteuid());
}

/* The signature's headers; neither of them there: *ret_signed is false. */
static int read_signature(struct cvm_request *q, struct cvm_http_signature *ret, bool *ret_signed,
                          struct cvm_error *err)
{
    const char *input, *signature;
    CVM_GUARD(cvm_header(q, "Signature-Input", &input, err));
    CVM_GUARD(cvm_header(q, "Signature", &signature, err));
    *ret_signed = input || signature;
    if (!*ret_signed)
        return 0;
    CVM_ENSURE(input && signature, err, CVM_E_HTTP_SIGNATURE,
               "Signature and Signature-Input come together");
    return cvm_http_signature_parse(input, signature, ret, err);
}

static int spend_nonce(struct cvm_request *q, const struct cvm_http_signature *s,
                       struct cvm_error *err)
{
    CVM_AUTO_FREE char *hex = cvm_hex(s->nonce, sizeof s->nonce);
    CVM_AUTO_FREE char *name = cvm_printf("nonce/%s/%s", s->kid, hex);
    /* A second more, so that no moment lies between the lease's end and the signature's. */
    int rc = cvm_store_lease(q->api->nonces, name, "", (int64_t)time(NULL), s->expires + 1, err);
    CVM_GUARD(rc);
    CVM_ENSURE(rc == 1, err, CVM_E_HTTP_REPLAY, "its nonce was used before");
    return 0;
}

static int check_signature(struct cvm_request *q, const struct cvm_manifest *m,
                           const struct cvm_http_signature *s, struct cvm_error *err)
{
    struct cvm_digest thumb;
    CVM_GUARD(cvm_kid_parse(s->kid, &thumb, err));
    int p = cvm_manifest_participant_by_thumb(m, &thumb);
    CVM_ENSURE(p >= 0, err, CVM_E_NOT_A_PARTICIPANT, "the request is signed by key %s", s->kid);
    const char *host, *length, *digest;
    CVM_GUARD(cvm_header(q, "Host", &host, err));
    CVM_GUARD(cvm_header(q, "Content-Length", &length, err));
    CVM_GUARD(cvm_header(q, "Content-Digest", &digest, err));
    struct cvm_http_request r = {
        .method = q->method,
        .authority = host,
        .path = q->path,
        .query = q->query,
        .content_digest = q->has_body ? digest : NULL,
        .content_length = q->has_body ? length : NULL,
    };
    CVM_ENSURE(!q->has_body || digest, err, CVM_E_HTTP_SIGNATURE, "Content-Digest is missing");
    CVM_GUARD(cvm_http_signature_verify(s, &r, &m->participants[p].sign, (int64_t)time(NULL), err));
    CVM_GUARD(spend_nonce(q, s, err));
    q->participant = p;
    return 0;
}

int cvm_request_authorise(struct cvm_request *q, struct cvm_error *err)
{
    enum cvm_who who = q->route->who;
    q->participant = -1;
    q->operator_peer = q->listener->local && peer_is_operator(q);
    CVM_ENSURE(!q->listener->local || q->operator_peer, err, CVM_E_NOT_OPERATOR,
               "the peer is another user");
    if (who == CVM_WHO_ANY)
        return 0;
    if (who == CVM_WHO_OPERATOR) {
        CVM_ENSURE(q->operator_peer, err, CVM_E_NOT_OPERATOR, "%s %s", q->method, q->path);
        return 0;
    }
    struct cvm_http_signature s;
    bool is_signed;
    CVM_GUARD(read_signature(q, &s, &is_signed, err));
    if (!is_signed && who == CVM_WHO_READER && q->operator_peer)
        return 0;
    CVM_ENSURE(is_signed, err, CVM_E_HTTP_SIGNATURE, "the request is not signed");
    if (who == CVM_WHO_CREATOR)
        return 0; /* when the body is there */
    return check_signature(q, q->manifest, &s, err);
}

int cvm_request_authorise_creator(struct cvm_request *q, const struct cvm_manifest *m,
                                  struct cvm_error *err)
{
    struct cvm_http_signature s;
    bool is_signed;
    CVM_GUARD(read_signature(q, &s, &is_signed, err));
    CVM_ENSURE(is_signed, err, CVM_E_HTTP_SIGNATURE, "the request is not signed");
    return check_signature(q, m, &s, err);
}
