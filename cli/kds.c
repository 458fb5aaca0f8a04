#include "cli/kds.h"

#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/file.h"
#include "core/base/encode.h"

#define ANSWER_MAX 65536
#define ATTEMPTS 4
#define WAIT_MAX_MS 30000
#define CONNECT_MS 10000L
#define TOTAL_MS 20000L

struct answer {
    struct cvm_buf body;
    bool too_large;
    long status;
    curl_off_t retry_after; /* seconds; 0: not said */
    CURLcode code;
};

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
    struct answer *a = ctx;
    if (a->body.len + size * n > ANSWER_MAX) {
        a->too_large = true;
        return 0;
    }
    cvm_buf_append(&a->body, data, size * n);
    return size * n;
}

static int ask_once(const char *url, struct answer *a, struct cvm_error *err)
{
    CURL *h = curl_easy_init();
    CVM_ENSURE(h, err, CVM_E_NO_MEMORY, "libcurl cannot start");
    curl_easy_setopt(h, CURLOPT_URL, url);
    /* Plain HTTP is for a test's server on this machine only. */
    bool local = strncmp(url, "http://127.0.0.1:", 17) == 0;
    curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, local ? "http" : "https");
    curl_easy_setopt(h, CURLOPT_PROXY, "");
    curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, local ? 2000L : TOTAL_MS);
    curl_easy_setopt(h, CURLOPT_USERAGENT, "2cvm/" CVM_VERSION);
    curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(h, CURLOPT_WRITEDATA, a);
    a->code = curl_easy_perform(h);
    curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &a->status);
    curl_easy_getinfo(h, CURLINFO_RETRY_AFTER, &a->retry_after);
    curl_easy_cleanup(h);
    return 0;
}

static void wait_ms(int64_t ms)
{
    (void)poll(NULL, 0, (int)(ms > WAIT_MAX_MS ? WAIT_MAX_MS : ms));
}

/* Worth another attempt: the server is busy or broken, or the connection was. */
static bool passing(const struct answer *a)
{
    return !a->too_large && (a->code != CURLE_OK || a->status == 429 || a->status >= 500);
}

static int ask(const struct cli_kds *k, const char *url, struct cvm_buf *ret, struct cvm_error *err)
{
    int64_t wait = k->backoff_ms > 0 ? k->backoff_ms : 1000;
    for (int attempt = 1;; attempt++) {
        CVM_AUTO_BUF struct cvm_buf body = {0};
        struct answer a = {0};
        int r = ask_once(url, &a, err);
        body = a.body;
        CVM_GUARD(r);
        CVM_ENSURE(!a.too_large, err, CVM_E_TOO_LARGE, "the key server answers more than %d bytes",
                   ANSWER_MAX);
        if (a.code == CURLE_OK && a.status == 200 && body.len > 0) {
            cvm_buf_append(ret, body.data, body.len);
            return 0;
        }
        CVM_ENSURE(a.status != 404 || a.code != CURLE_OK, err, CVM_E_NOT_FOUND,
                   "the key server does not know %s", url);
        if (attempt < ATTEMPTS && passing(&a)) {
            wait_ms(a.retry_after > 0 ? (int64_t)a.retry_after * 1000 : wait);
            wait *= 2;
            continue;
        }
        if (a.code != CURLE_OK)
            return cvm_fail(err, a.code == CURLE_OPERATION_TIMEDOUT ? CVM_E_TIMEOUT : CVM_E_IO,
                            "the key server gave nothing after %d attempts: %s", attempt,
                            curl_easy_strerror(a.code));
        return cvm_fail(err, CVM_E_IO, "the key server answered %ld after %d attempts", a.status,
                        attempt);
    }
}

/* A file of the cache: SHA-256 of what follows, then the bytes; a damaged one counts as absent. */
static char *cache_path(const struct cli_kds *k, const char *url)
{
    struct cvm_digest d = cvm_sha256(url, strlen(url));
    CVM_AUTO_FREE char *hex = cvm_hex(d.b, sizeof(d.b));
    return cvm_printf("%s/%s", k->cache, hex);
}

static bool cache_read(const char *path, struct cvm_buf *ret)
{
    CVM_AUTO_BUF struct cvm_buf file = {0};
    if (cli_file_read(path, ANSWER_MAX + CVM_SHA256_LEN, &file, NULL) < 0 ||
        file.len <= CVM_SHA256_LEN)
        return false;
    const uint8_t *body = file.data + CVM_SHA256_LEN;
    struct cvm_digest d = cvm_sha256(body, file.len - CVM_SHA256_LEN);
    if (memcmp(d.b, file.data, sizeof(d.b)) != 0)
        return false;
    cvm_buf_append(ret, body, file.len - CVM_SHA256_LEN);
    return true;
}

static int cache_write(const struct cli_kds *k, const char *path, const struct cvm_buf *body,
                       struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf file = {0};
    struct cvm_digest d = cvm_sha256(body->data, body->len);
    cvm_buf_append(&file, d.b, sizeof(d.b));
    cvm_buf_append(&file, body->data, body->len);
    CVM_GUARD(cli_folder(k->cache, err));
    return cli_file_write(path, file.data, file.len, 0644, err);
}

int cli_kds_get(const struct cli_kds *k, const char *url, bool cached, struct cvm_buf *ret,
                struct cvm_error *err)
{
    CVM_AUTO_FREE char *path = k->cache ? cache_path(k, url) : NULL;
    if (path && (cached || k->offline) && cache_read(path, ret))
        return 0;
    CVM_ENSURE(!k->offline, err, CVM_E_NOT_FOUND, "offline, and not in the cache: %s", url);
    CVM_AUTO_BUF struct cvm_buf body = {0};
    CVM_GUARD(ask(k, url, &body, err));
    if (path)
        CVM_GUARD(cache_write(k, path, &body, err));
    cvm_buf_append(ret, body.data, body.len);
    return 0;
}

static int add(const struct cli_kds *k, const char *url, bool cached, struct cvm_certificates *ret,
               struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf body = {0};
    CVM_GUARD(cli_kds_get(k, url, cached, &body, err));
    if (cvm_certificates_add(ret, body.data, body.len, err) < 0) {
        /* Kept, it would be taken for the answer for ever. */
        CVM_AUTO_FREE char *path = k->cache ? cache_path(k, url) : NULL;
        if (path)
            (void)unlink(path);
        return cvm_error_wrap(err, "what the key server gave for %s", url);
    }
    return 0;
}

int cli_kds_fetch(const struct cli_kds *k, const struct cvm_report *r, enum cvm_line line,
                  struct cvm_certificates *ret, struct cvm_error *err)
{
    char url[CVM_KDS_URL_MAX];
    if (r->version >= 3)
        line = cvm_line_by_cpuid(r->cpuid_family, r->cpuid_model);
    enum cvm_vek_kind kind =
        CVM_KEY_SIGNER(r->key_info) == CVM_KEY_SIGNER_VLEK ? CVM_VEK_VLEK : CVM_VEK_VCEK;
    if (kind == CVM_VEK_VCEK || !ret->n) {
        CVM_GUARD(cvm_kds_vcek_url(k->base, line, r, url, err));
        CVM_GUARD(add(k, url, true, ret, err));
    }
    CVM_ENSURE(cvm_line_info(line), err, CVM_E_UNSUPPORTED,
               "the report is of a processor line that this program does not know");
    CVM_GUARD(add(k, cvm_kds_chain_url(k->base, line, kind, url), true, ret, err));
    /* A list is worth something only while it is new; without one the check says NOT CHECKED. */
    struct cvm_error ignored;
    (void)add(k, cvm_kds_crl_url(k->base, line, kind, url), false, ret, &ignored);
    return 0;
}
