#include "cli/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "core/http/signature.h"

#define REQUEST_LIFETIME 120 /* seconds that a signature lives */
#define CONNECT_SECONDS 15L
#define STALL_SECONDS 120L /* no byte for so long: given up */
#define PROBLEM_MAX (64 * 1024)

struct exchange {
    struct cli_client *client;
    struct cvm_buf *into; /* small answers, and all refusals */
    int fd;               /* large answers; -1 */
    uint64_t max, got, size;
    int up; /* descriptor of the body; -1 */
    struct cli_progress *progress;
    struct cvm_error *err;
    bool failed;
};

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
    struct exchange *x = ctx;
    size_t len = size * n;
    long status = 0;
    curl_easy_getinfo(x->client->curl, CURLINFO_RESPONSE_CODE, &status);
    bool refused = status < 200 || status > 299;
    if (x->got + len > (refused ? PROBLEM_MAX : x->max)) {
        cvm_fail(x->err, CVM_E_TOO_LARGE, "the daemon's answer is larger than %llu bytes",
                 (unsigned long long)x->max);
        x->failed = true;
        return 0;
    }
    x->got += len;
    if (x->fd < 0 || refused) {
        cvm_buf_append(x->into, data, len);
        return len;
    }
    for (size_t at = 0; at < len;) {
        ssize_t w = write(x->fd, data + at, len - at);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0) {
            cvm_fail_errno(x->err, "writing what was fetched");
            x->failed = true;
            return 0;
        }
        at += (size_t)w;
    }
    curl_off_t total = 0;
    curl_easy_getinfo(x->client->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &total);
    cli_progress_update(x->progress, x->got, total > 0 ? (uint64_t)total : 0);
    return len;
}

static size_t on_upload(char *data, size_t size, size_t n, void *ctx)
{
    struct exchange *x = ctx;
    ssize_t r;
    do
        r = read(x->up, data, size * n);
    while (r < 0 && errno == EINTR);
    if (r < 0) {
        cvm_fail_errno(x->err, "reading what is sent");
        x->failed = true;
        return CURL_READFUNC_ABORT;
    }
    x->size += (uint64_t)r;
    return (size_t)r;
}

static int on_progress(void *ctx, curl_off_t dltotal, curl_off_t dlnow, curl_off_t ultotal,
                       curl_off_t ulnow)
{
    (void)dltotal;
    (void)dlnow;
    struct exchange *x = ctx;
    if (x->up >= 0)
        cli_progress_update(x->progress, (uint64_t)ulnow, (uint64_t)ultotal);
    return 0;
}

/* The daemon may be asked again after an upload was refused early. */
static int on_seek(void *ctx, curl_off_t offset, int origin)
{
    struct exchange *x = ctx;
    return lseek(x->up, offset, origin) < 0 ? CURL_SEEKFUNC_FAIL : CURL_SEEKFUNC_OK;
}

static int split_url(const char *text, char **ret_url, char **ret_authority, struct cvm_error *err)
{
    CURLU *u = curl_url();
    char *scheme = NULL, *host = NULL, *port = NULL, *path = NULL, *query = NULL, *user = NULL;
    bool good = u && curl_url_set(u, CURLUPART_URL, text, 0) == CURLUE_OK &&
                curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                curl_url_get(u, CURLUPART_PATH, &path, 0) == CURLUE_OK;
    if (good) {
        curl_url_get(u, CURLUPART_PORT, &port, CURLU_NO_DEFAULT_PORT);
        good = strcmp(path, "/") == 0 && curl_url_get(u, CURLUPART_QUERY, &query, 0) != CURLUE_OK &&
               curl_url_get(u, CURLUPART_USER, &user, 0) != CURLUE_OK;
        bool plain = good && strcmp(scheme, "http") == 0;
        bool local = strcmp(host, "127.0.0.1") == 0 || strcmp(host, "[::1]") == 0 ||
                     strcmp(host, "localhost") == 0;
        good = good && ((plain && local) || strcmp(scheme, "https") == 0);
    }
    if (good) {
        for (char *p = host; *p; p++)
            *p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
        *ret_authority = cvm_printf("%s%s%s", host, port ? ":" : "", port ? port : "");
        *ret_url = cvm_printf("%s://%s", scheme, *ret_authority);
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_free(path);
    curl_free(query);
    curl_free(user);
    curl_url_cleanup(u);
    if (!good)
        return cvm_fail_expected(err, CVM_E_USAGE, "https://NAME[:PORT], or http://127.0.0.1:PORT",
                                 text, "the daemon's address");
    return 0;
}

int cli_client_open(const struct cli *c, const struct cli_collaboration *co,
                    const struct cvm_key *sign, struct cli_client *ret, struct cvm_error *err)
{
    CLI_AUTO_CLIENT struct cli_client x = {.sign = sign};
    const char *socket_path = cli_opt(c, "socket"), *host = cli_opt(c, "host"),
               *cacert = cli_opt(c, "cacert");
    if (!socket_path && !host && co) {
        host = co->host;
        cacert = cacert ? cacert : co->cacert;
    }
    CVM_ENSURE(socket_path || host, err, CVM_E_USAGE, "which daemon? --host URL%s",
               cli_flag(c, "socket") || !co ? ", or as the operator --socket PATH" : "");
    if (socket_path) {
        x.socket = cvm_strdup(socket_path);
        x.url = cvm_strdup("http://localhost");
        x.authority = cvm_strdup("localhost");
        x.sign = NULL;
    } else {
        CVM_GUARD(split_url(host, &x.url, &x.authority, err));
        /* Whole, because it is remembered. */
        x.cacert = cacert ? realpath(cacert, NULL) : NULL;
        CVM_ENSURE(!cacert || x.cacert, err, CVM_E_NOT_FOUND, "--cacert %s is not there", cacert);
    }
    x.curl = curl_easy_init();
    CVM_ENSURE(x.curl, err, CVM_E_INTERNAL, "libcurl does not start");
    *ret = x;
    x = (struct cli_client){0};
    return 0;
}

void cli_client_close(struct cli_client *client)
{
    if (client->curl)
        curl_easy_cleanup(client->curl);
    free(client->url);
    free(client->authority);
    free(client->socket);
    free(client->cacert);
    *client = (struct cli_client){0};
}

static struct curl_slist *add_header(struct curl_slist *list, const char *name, const char *value)
{
    CVM_AUTO_FREE char *line = cvm_printf("%s: %s", name, value);
    return curl_slist_append(list, line);
}

/* Content-Digest and signature; `digest` is of the body, NULL without one. */
static int sign_headers(struct cli_client *client, const char *method, const char *path,
                        const struct cvm_digest *digest, uint64_t len, struct curl_slist **headers,
                        struct cvm_error *err)
{
    char length[24], content_digest[CVM_HTTP_CONTENT_DIGEST];
    CVM_AUTO_FREE char *input = NULL;
    CVM_AUTO_FREE char *signature = NULL;
    snprintf(length, sizeof length, "%llu", (unsigned long long)len);
    if (digest)
        *headers =
            add_header(*headers, "Content-Digest", cvm_http_content_digest(digest, content_digest));
    if (!client->sign)
        return 0;
    CVM_AUTO_FREE char *plain = cvm_printf("%.*s", (int)strcspn(path, "?"), path);
    const char *query = strchr(path, '?');
    struct cvm_http_request request = {.method = method,
                                       .authority = client->authority,
                                       .path = plain,
                                       .query = query ? query + 1 : NULL,
                                       .content_digest = digest ? content_digest : NULL,
                                       .content_length = digest ? length : NULL};
    int64_t now = cli_now();
    CVM_GUARD(cvm_http_sign(&request, client->sign, now, now + REQUEST_LIFETIME, &input, &signature,
                            err));
    *headers = add_header(*headers, "Signature-Input", input);
    *headers = add_header(*headers, "Signature", signature);
    return 0;
}

/* problem+json -> the error that it says; anything else -> CVM_E_IO with the status. */
static int refusal(const struct cli_client *client, long status, const struct cvm_buf *body,
                   struct cvm_error *err)
{
    json_t *p = json_loadb((const char *)body->data, body->len, 0, NULL);
    CVM_AUTO_JSON json_t *problem = p;
    const char *code = json_string_value(json_object_get(problem, "code"));
    const char *detail = json_string_value(json_object_get(problem, "detail"));
    const char *expected = json_string_value(json_object_get(problem, "expected"));
    const char *got = json_string_value(json_object_get(problem, "got"));
    if (!code)
        return cvm_fail(err, CVM_E_IO, "%s answered with HTTP status %ld and no explanation",
                        client->url, status);
    enum cvm_code known = cvm_code_by_name(code);
    if (known == CVM_E_INTERNAL && strcmp(code, "internal") != 0)
        return cvm_fail(err, CVM_E_IO, "%s refused with the code \"%s\", unknown here: %s",
                        client->url, code, detail ? detail : "");
    return cvm_fail_expected(err, known, expected && *expected ? expected : NULL,
                             got && *got ? got : NULL, "said by the daemon: %s",
                             detail ? detail : "");
}

static int transport_failed(const struct cli_client *client, CURLcode code, const char *text,
                            struct cvm_error *err)
{
    const char *where = client->socket ? client->socket : client->url;
    if (code == CURLE_OPERATION_TIMEDOUT)
        return cvm_fail(err, CVM_E_TIMEOUT, "%s", where);
    return cvm_fail(err, CVM_E_IO, "%s cannot be reached: %s", where,
                    text[0] ? text : curl_easy_strerror(code));
}

static void set_common(struct cli_client *client, struct exchange *x, const char *url,
                       const char *method, struct curl_slist *headers, char *text)
{
    CURL *h = client->curl;
    curl_easy_reset(h);
    curl_easy_setopt(h, CURLOPT_URL, url);
    curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, client->socket ? "http" : "http,https");
    curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h, CURLOPT_PROXY, ""); /* no configuration by environment */
    curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
    curl_easy_setopt(h, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(h, CURLOPT_LOW_SPEED_TIME, STALL_SECONDS);
    curl_easy_setopt(h, CURLOPT_USERAGENT, "2cvm/" CVM_VERSION);
    curl_easy_setopt(h, CURLOPT_ERRORBUFFER, text);
    curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(h, CURLOPT_WRITEDATA, x);
    curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(h, CURLOPT_XFERINFODATA, x);
    curl_easy_setopt(h, CURLOPT_NOPROGRESS, x->progress ? 0L : 1L);
    if (client->socket)
        curl_easy_setopt(h, CURLOPT_UNIX_SOCKET_PATH, client->socket);
    if (client->cacert)
        curl_easy_setopt(h, CURLOPT_CAINFO, client->cacert);
    if (strcmp(method, "GET") != 0)
        curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, method);
}

static int perform(struct exchange *x, const char *method, const char *path,
                   const struct cvm_bytes *body, const struct cvm_digest *digest, uint64_t len,
                   const char *content_type, long *ret_status)
{
    struct cli_client *client = x->client;
    char text[CURL_ERROR_SIZE] = "";
    struct curl_slist *headers = NULL;
    CVM_AUTO_FREE char *url = cvm_printf("%s%s", client->url, path);
    if (content_type)
        headers = add_header(headers, "Content-Type", content_type);
    if (sign_headers(client, method, path, digest, len, &headers, x->err) < 0) {
        curl_slist_free_all(headers);
        return -1;
    }
    headers = add_header(headers, "Host", client->authority);
    set_common(client, x, url, method, headers, text);
    if (x->up >= 0) {
        curl_easy_setopt(client->curl, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(client->curl, CURLOPT_READFUNCTION, on_upload);
        curl_easy_setopt(client->curl, CURLOPT_READDATA, x);
        curl_easy_setopt(client->curl, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(client->curl, CURLOPT_SEEKDATA, x);
        curl_easy_setopt(client->curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)len);
    } else if (strcmp(method, "GET") != 0) {
        curl_easy_setopt(client->curl, CURLOPT_POSTFIELDSIZE_LARGE,
                         (curl_off_t)(body ? body->len : 0));
        curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS, body ? body->data : "");
    }
    CURLcode code = curl_easy_perform(client->curl);
    long status = 0;
    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    if (x->failed)
        return -1;
    bool said = status >= 400 && x->into->len; /* refused before the body was all sent */
    if (code != CURLE_OK && !said)
        return transport_failed(client, code, text, x->err);
    if (status < 200 || status > 299)
        return refusal(client, status, x->into, x->err);
    if (ret_status)
        *ret_status = status;
    return 0;
}

int cli_client_call(struct cli_client *client, const char *method, const char *path,
                    const struct cvm_bytes *body, const char *content_type, struct cvm_buf *ret,
                    long *ret_status, struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf into = {0};
    struct cvm_error own = {0};
    struct exchange x = {.client = client,
                         .into = &into,
                         .fd = -1,
                         .max = CLI_RESPONSE_MAX,
                         .up = -1,
                         .err = err ? err : &own};
    struct cvm_digest digest = {0};
    if (body)
        digest = cvm_sha256(body->data, body->len);
    CVM_GUARD(perform(&x, method, path, body, body ? &digest : NULL, body ? body->len : 0,
                      content_type, ret_status));
    if (ret)
        cvm_buf_append(ret, into.data, into.len);
    return 0;
}

json_t *cli_client_json(struct cli_client *client, const char *method, const char *path,
                        const struct cvm_bytes *body, const char *content_type,
                        struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf answer = {0};
    if (cli_client_call(client, method, path, body, content_type, &answer, NULL, err) < 0)
        return NULL;
    json_t *v = cvm_json_parse(answer.data, answer.len, err);
    if (!v)
        cvm_error_wrap(err, "the daemon's answer");
    return v;
}

int cli_client_upload(struct cli_client *client, const char *path, int fd,
                      struct cli_progress *progress, long *ret_status, struct cvm_error *err)
{
    struct cvm_digest digest;
    struct cvm_hasher hasher;
    uint8_t chunk[65536];
    uint64_t len = 0;
    ssize_t n;
    if (lseek(fd, 0, SEEK_SET) < 0)
        return cvm_fail_errno(err, "reading what is sent");
    cvm_hasher_start(&hasher);
    while ((n = read(fd, chunk, sizeof chunk)) > 0) {
        cvm_hasher_add(&hasher, chunk, (size_t)n);
        len += (uint64_t)n;
    }
    cvm_hasher_end(&hasher, digest.b);
    if (n < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return cvm_fail_errno(err, "reading what is sent");
    CVM_AUTO_BUF struct cvm_buf into = {0};
    struct cvm_error own = {0};
    struct exchange x = {.client = client,
                         .into = &into,
                         .fd = -1,
                         .max = CLI_RESPONSE_MAX,
                         .up = fd,
                         .progress = progress,
                         .err = err ? err : &own};
    return perform(&x, "PUT", path, NULL, &digest, len, "application/octet-stream", ret_status);
}

int cli_client_download(struct cli_client *client, const char *path, int fd, uint64_t max,
                        struct cli_progress *progress, struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf into = {0};
    struct cvm_error own = {0};
    struct exchange x = {.client = client,
                         .into = &into,
                         .fd = fd,
                         .max = max,
                         .up = -1,
                         .progress = progress,
                         .err = err ? err : &own};
    return perform(&x, "GET", path, NULL, NULL, 0, NULL, NULL);
}
