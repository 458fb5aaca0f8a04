/*
 * libmicrohttpd's side: from connections to requests and back. A request is worked on in three
 * steps: headers (begin), body (take_body), end. A refusal that comes before a large body is
 * answered at once and ends the connection; a small body is taken first, so that the client reads
 * the answer instead of a reset.
 */
#include "orchestrator/api/api.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/clock.h"
#include "orchestrator/api/log.h"

#define IDLE_S 30              /* without a byte */
#define SLOW_AFTER_MS 60000    /* from then on … */
#define SLOW_BYTES_PER_S 16384 /* … a body must have come at this pace */
#define DRAIN_MAX (64 * 1024)
#define CONNECTIONS 256
#define CONNECTION_MEMORY (64 * 1024)

/* The first thing that is called for a request: its URI as sent, before any decoding. */
static void *on_uri(void *cls, const char *uri, struct MHD_Connection *connection)
{
    struct cvm_listener *l = cls;
    struct cvm_request *q = cvm_alloc(sizeof *q);
    q->listener = l;
    q->api = l->api;
    q->connection = connection;
    q->started_ms = cvm_now_ms();
    q->uri = cvm_strdup(uri);
    q->path = cvm_strdup(uri);
    char *mark = strchr(q->path, '?');
    if (mark)
        *mark = '\0';
    q->query = mark ? mark + 1 : NULL;
    q->participant = -1;
    return q;
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
                         enum MHD_RequestTerminationCode how)
{
    (void)cls;
    (void)connection;
    (void)how;
    struct cvm_request *q = *con_cls;
    if (!q)
        return;
    if (q->method)
        cvm_log(CVM_LOG_INFO, "request",
                json_pack("{s:s, s:s, s:I, s:I, s:I}", "method", q->method, "path", q->path,
                          "status", (json_int_t)(q->answered ? q->status : 0), "bytes",
                          (json_int_t)q->received, "ms",
                          (json_int_t)(cvm_now_ms() - q->started_ms)),
                q->err.code ? &q->err : NULL);
    cvm_upload_abandon(q->upload);
    cvm_buf_free(&q->body);
    cvm_job_free(&q->job);
    free((char *)q->method);
    free(q->path);
    free(q->uri);
    free(q);
    *con_cls = NULL;
}

/* Everything that the headers allow to judge. */
static int begin(struct cvm_request *q, const char *method, struct cvm_error *err)
{
    q->method = cvm_strdup(method);
    q->route = cvm_route_find(method, q->path, q->params, q->allow, err);
    if (!q->route)
        return -1;
    CVM_ENSURE(!q->query || !*q->query, err, CVM_E_USAGE, "no path here has a query");
    CVM_GUARD(cvm_request_check_headers(q, err));
    bool named = strchr(q->route->path, '{') != NULL;
    /* A stranger may learn that an id is not there; what is there needs a key of its manifest. */
    if (named) {
        q->collaboration = cvm_lifecycle_find(q->api->lifecycle, q->params[0]);
        CVM_ENSURE(q->collaboration, err, CVM_E_NOT_FOUND, "there is no collaboration '%s'",
                   q->params[0]);
        q->manifest = cvm_collaboration_manifest(q->collaboration);
    }
    CVM_GUARD(cvm_request_authorise(q, err));
    return q->route->start ? q->route->start(q, err) : 0;
}

static int take_body(struct cvm_request *q, const char *data, size_t len, struct cvm_error *err)
{
    q->received += len;
    if (q->refused)
        return 0;
    CVM_ENSURE(q->received <= q->content_length, err, CVM_E_TOO_LARGE,
               "the body is longer than its Content-Length");
    if (q->upload)
        return cvm_upload_write(q->upload, data, len, err);
    cvm_buf_append(&q->body, data, len);
    return 0;
}

static bool too_slow(const struct cvm_request *q)
{
    int64_t ms = cvm_now_ms() - q->started_ms;
    return ms > SLOW_AFTER_MS && (int64_t)q->received / (ms / 1000) < SLOW_BYTES_PER_S;
}

static int check_body(struct cvm_request *q, struct cvm_error *err)
{
    CVM_ENSURE(q->received == q->content_length, err, CVM_E_CONTENT_DIGEST,
               "%llu of %llu bytes came", (unsigned long long)q->received,
               (unsigned long long)q->content_length);
    if (q->upload || !q->has_body || !q->digested)
        return 0; /* an upload is hashed as it comes */
    struct cvm_digest d = cvm_sha256(q->body.data, q->body.len);
    char want[CVM_DIGEST_TEXT], got[CVM_DIGEST_TEXT];
    if (!cvm_equal(&d, &q->content_digest, sizeof d))
        return cvm_fail_expected(err, CVM_E_CONTENT_DIGEST,
                                 cvm_digest_text(&q->content_digest, want),
                                 cvm_digest_text(&d, got), "the body");
    return 0;
}

static void refuse(struct cvm_request *q, const struct cvm_error *err)
{
    q->refused = true;
    q->err = *err;
    cvm_upload_abandon(CVM_TAKE(q->upload));
    cvm_buf_free(&q->body);
}

static void job_done(void *arg)
{
    struct cvm_request *q = arg;
    q->job_done = true;
    MHD_resume_connection(q->connection);
}

void cvm_request_submit(struct cvm_request *q)
{
    q->submitted = true;
    q->job.done = job_done;
    q->job.arg = q;
    /* Suspended first: the job may be done before submit() returns. */
    struct MHD_Connection *connection = q->connection;
    MHD_suspend_connection(connection);
    struct cvm_error err;
    int rc = cvm_collaboration_submit(q->collaboration, &q->job, &err);
    if (rc == 0)
        return; /* q belongs to the collaboration's thread now */
    if (rc < 0) {
        q->job.ok = false;
        q->job.err = err;
    }
    job_done(q);
}

static enum MHD_Result finish(struct cvm_request *q)
{
    struct cvm_error err;
    int rc = 0;
    if (!q->refused && !q->submitted)
        rc = check_body(q, &err);
    if (!q->refused && q->job_done && !q->job.ok) {
        err = q->job.err;
        rc = -1;
    }
    if (!q->refused && rc == 0 && (!q->submitted || q->job_done)) {
        bool before = q->submitted;
        rc = q->route->end(q, &err);
        if (rc == 0 && !before && q->submitted)
            return MHD_YES; /* suspended; q may not be touched */
    }
    if (rc < 0)
        refuse(q, &err);
    if (q->refused)
        cvm_reply_problem(q, &q->err);
    return q->answered ? MHD_YES : MHD_NO;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *len, void **con_cls)
{
    (void)cls;
    (void)connection;
    (void)url;
    (void)version;
    struct cvm_request *q = *con_cls;
    struct cvm_error err;
    if (!q->begun) {
        q->begun = true;
        if (begin(q, method, &err) == 0)
            return MHD_YES;
        refuse(q, &err);
        const char *encoding = NULL;
        bool chunked = cvm_header(q, "Transfer-Encoding", &encoding, NULL) < 0 || encoding;
        if (chunked || q->content_length > DRAIN_MAX) {
            cvm_reply_problem(q, &q->err);
            return q->answered ? MHD_YES : MHD_NO;
        }
        return MHD_YES;
    }
    if (*len) {
        if (too_slow(q) || q->received > q->content_length)
            return MHD_NO;
        if (take_body(q, data, *len, &err) < 0)
            refuse(q, &err);
        *len = 0;
        return MHD_YES;
    }
    return q->answered ? MHD_YES : finish(q);
}

int cvm_listener_start(struct cvm_listener *l, int fd, const char *certificate, const char *key,
                       unsigned threads, struct cvm_error *err)
{
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC |
                     (certificate ? MHD_USE_TLS : 0);
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)certificate},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)key},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem plain[] = {{MHD_OPTION_END, 0, NULL}};
    l->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, l, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_THREAD_POOL_SIZE, threads, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK,
        on_uri, l, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_ARRAY,
        certificate ? tls : plain, MHD_OPTION_END);
    CVM_ENSURE(l->daemon, err, CVM_E_IO, "the HTTP server did not start%s",
               certificate ? " (look at certificate and key)" : "");
    return 0;
}

void cvm_listener_stop(struct cvm_listener *l)
{
    if (l->daemon)
        MHD_stop_daemon(l->daemon); /* closes the listening socket too */
    l->daemon = NULL;
}
