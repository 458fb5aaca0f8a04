/* AMD's key server, played by a child process that answers as told: rightly, slowly, wrongly,
 * busily, and not at all. */
#include <curl/curl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "cli/file.h"
#include "cli/kds.h"
#include "core/base/encode.h"

enum { SILENT = -1, CUT = -2, HANG_UP = -3, ENDLESS = -4 };

struct server {
    pid_t pid;
    char base[64];
};

/* Answers the i-th connection with statuses[i] and `body`, and the last status for ever after. */
static void serve(int fd, const int *statuses, size_t n, const char *body, size_t body_len)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (size_t i = 0;; i++) {
        int c = accept(fd, NULL, NULL), status = statuses[i < n ? i : n - 1];
        char request[2048];
        if (c < 0 || status == HANG_UP || read(c, request, sizeof(request)) <= 0) {
            close(c);
            continue;
        }
        if (status == ENDLESS) { /* no length, and no end but the reader's */
            static const char endless[] = "HTTP/1.1 200 X\r\nConnection: close\r\n\r\n";
            ssize_t sent = write(c, endless, sizeof(endless) - 1);
            while (sent > 0)
                sent = send(c, request, sizeof(request), MSG_NOSIGNAL);
            close(c);
            continue;
        }
        char head[256];
        size_t len = status == 200 || status == CUT ? body_len : 0;
        int k = snprintf(head, sizeof(head),
                         "HTTP/1.1 %d X\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                         status > 0 ? status : 200, status == CUT ? len + 10 : len);
        if (status == SILENT)
            (void)poll(NULL, 0, 3000);
        else if (write(c, head, (size_t)k) == k && len)
            (void)!write(c, body, len);
        close(c);
    }
}

static struct server start(const int *statuses, size_t n, const char *body, size_t body_len)
{
    struct server s;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    snprintf(s.base, sizeof(s.base), "http://127.0.0.1:%u", ntohs(a.sin_port));
    s.pid = fork();
    if (s.pid == 0)
        serve(fd, statuses, n, body, body_len);
    close(fd);
    return s;
}

static void stop(struct server *s)
{
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
}

static int get(const int *statuses, size_t n, const char *body, struct cvm_error *err)
{
    struct server s = start(statuses, n, body, strlen(body));
    const struct cli_kds k = {.base = s.base, .backoff_ms = 5};
    CVM_AUTO_FREE char *url = cvm_printf("%s/x", s.base);
    CVM_AUTO_BUF struct cvm_buf got = {0};
    int r = cli_kds_get(&k, url, true, &got, err);
    if (r == 0) {
        assert_int_equal(got.len, strlen(body));
        assert_memory_equal(got.data, body, got.len);
    }
    stop(&s);
    return r;
}
#define GET(err, body, ...)                                                                        \
    get((const int[]){__VA_ARGS__}, sizeof((const int[]){__VA_ARGS__}) / sizeof(int), body, err)

static void test_answers(void **state)
{
    (void)state;
    struct cvm_error err = {0};
    assert_int_equal(GET(&err, "body", 200), 0);
    assert_int_equal(GET(&err, "body", 429, 503, 200), 0);
    assert_int_equal(GET(&err, "body", HANG_UP, 200), 0);
    assert_int_equal(GET(&err, "body", CUT, 200), 0);
    assert_int_equal(GET(&err, "body", SILENT, 200), 0);
    assert_int_equal(GET(&err, "body", CUT), -1);
    assert_int_equal(err.code, CVM_E_IO);
    assert_int_equal(GET(&err, "body", 429), -1);
    assert_non_null(strstr(err.message, "429 after 4 attempts"));
    assert_int_equal(GET(&err, "body", 404, 200), -1); /* no second attempt helps */
    assert_int_equal(err.code, CVM_E_NOT_FOUND);
    assert_int_equal(GET(&err, "", 200), -1); /* nothing is no answer */
    assert_int_equal(GET(&err, "body", 302, 200), -1);
    CVM_AUTO_FREE char *large = cvm_alloc(70001);
    memset(large, 'x', 70000);
    assert_int_equal(GET(&err, large, 200), -1);
    assert_int_equal(err.code, CVM_E_TOO_LARGE);
}

/* 200 MB of data must do for an answer without end. */
static void test_endless(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        struct cvm_error err = {0};
#ifndef __SANITIZE_ADDRESS__ /* which needs its own gigabytes */
        setrlimit(RLIMIT_DATA, &(struct rlimit){200 << 20, 200 << 20});
#endif
        bool good = GET(&err, "body", ENDLESS) == -1 && err.code == CVM_E_TOO_LARGE;
        _exit(good ? 0 : 1);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
}

static void test_cache(void **state)
{
    (void)state;
    char folder[] = "/tmp/2cvm-kds-XXXXXX";
    assert_non_null(mkdtemp(folder));
    struct server s = start((const int[]){200, 404}, 2, "kept", 4);
    struct cli_kds k = {.base = s.base, .cache = folder, .backoff_ms = 5};
    CVM_AUTO_FREE char *url = cvm_printf("%s/x", s.base);
    CVM_AUTO_BUF struct cvm_buf got = {0};
    struct cvm_error err = {0};
    k.offline = true;
    assert_int_equal(cli_kds_get(&k, url, true, &got, &err), -1);
    assert_int_equal(err.code, CVM_E_NOT_FOUND);
    k.offline = false;
    assert_int_equal(cli_kds_get(&k, url, true, &got, &err), 0);
    /* From now on the server knows nothing. */
    assert_int_equal(cli_kds_get(&k, url, true, &got, &err), 0);
    k.offline = true;
    assert_int_equal(cli_kds_get(&k, url, true, &got, &err), 0);
    assert_int_equal(got.len, 12);
    k.offline = false;
    assert_int_equal(cli_kds_get(&k, url, false, &got, &err),
                     -1); /* not from the cache where it must be new */
    /* A damaged file is as none. */
    struct cvm_digest d = cvm_sha256(url, strlen(url));
    CVM_AUTO_FREE char *hex = cvm_hex(d.b, 32);
    CVM_AUTO_FREE char *path = cvm_printf("%s/%s", folder, hex);
    CVM_AUTO_BUF struct cvm_buf file = {0};
    assert_int_equal(cli_file_read(path, 1000, &file, NULL), 0);
    file.data[file.len - 1] ^= 1;
    assert_int_equal(cli_file_write(path, file.data, file.len, 0644, NULL), 0);
    k.offline = true;
    assert_int_equal(cli_kds_get(&k, url, true, &got, &err), -1);
    stop(&s);
    unlink(path);
    rmdir(folder);
}

static void test_urls(void **state)
{
    (void)state;
    struct cvm_report r = {.version = 5};
    memset(r.chip_id, 0xab, 8);
    memcpy(r.reported_tcb, ((const uint8_t[]){1, 2, 3, 4, 0, 0, 0, 80}), 8);
    char url[CVM_KDS_URL_MAX];
    assert_int_equal(cvm_kds_vcek_url(CVM_KDS_BASE, CVM_LINE_TURIN, &r, url, NULL), 0);
    assert_string_equal(url, "https://kdsintf.amd.com/vcek/v1/Turin/"
                             "abababababababab?fmcSPL=01&blSPL=02&teeSPL=03&snpSPL=04&ucodeSPL=80");
    memcpy(r.reported_tcb, ((const uint8_t[]){4, 0, 0, 0, 0, 0, 24, 219}), 8);
    assert_int_equal(cvm_kds_vcek_url(CVM_KDS_BASE, CVM_LINE_MILAN, &r, url, NULL), 0);
    assert_non_null(strstr(url, "/vcek/v1/Milan/abababababababab0000"));
    assert_non_null(strstr(url, "?blSPL=04&teeSPL=00&snpSPL=24&ucodeSPL=219"));
    assert_string_equal(cvm_kds_chain_url(CVM_KDS_BASE, CVM_LINE_GENOA, CVM_VEK_VLEK, url),
                        "https://kdsintf.amd.com/vlek/v1/Genoa/cert_chain");
    assert_string_equal(cvm_kds_crl_url(CVM_KDS_BASE, CVM_LINE_GENOA, CVM_VEK_VCEK, url),
                        "https://kdsintf.amd.com/vcek/v1/Genoa/crl");
    struct cvm_error err = {0};
    r.key_info = CVM_KEY_SIGNER_VLEK << 2;
    assert_int_equal(cvm_kds_vcek_url(CVM_KDS_BASE, CVM_LINE_MILAN, &r, url, &err), -1);
    r.key_info = 0;
    assert_int_equal(cvm_kds_vcek_url(CVM_KDS_BASE, CVM_LINE_UNKNOWN, &r, url, &err), -1);
    assert_int_equal(cvm_kds_vcek_url(CVM_KDS_BASE, CVM_LINE_SIMULATED, &r, url, &err), -1);
    memset(r.chip_id, 0, sizeof(r.chip_id));
    assert_int_equal(cvm_kds_vcek_url(CVM_KDS_BASE, CVM_LINE_MILAN, &r, url, &err), -1);
}

static void test_garbage(void **state)
{
    (void)state;
    /* A server that answers everything with the same nonsense: refused, not believed. */
    struct server s = start((const int[]){200}, 1, "<html>maintenance</html>", 24);
    const struct cli_kds k = {.base = s.base, .backoff_ms = 5};
    struct cvm_report r = {.version = 3, .cpuid_family = 0x19, .cpuid_model = 1};
    memset(r.chip_id, 7, 64);
    CVM_AUTO_CERTIFICATES struct cvm_certificates c = {0};
    struct cvm_error err = {0};
    assert_int_equal(cli_kds_fetch(&k, &r, CVM_LINE_UNKNOWN, &c, &err), -1);
    assert_int_equal(err.code, CVM_E_EVIDENCE_REFUSED);
    stop(&s);
}

/* Nonsense is not kept: when the server has come to its senses, so have we. */
static void test_garbage_not_kept(void **state)
{
    (void)state;
    char folder[] = "/tmp/2cvm-kds-XXXXXX";
    assert_non_null(mkdtemp(folder));
    struct server s = start((const int[]){200}, 1, "<html>maintenance</html>", 24);
    struct cli_kds k = {.base = s.base, .cache = folder, .backoff_ms = 5};
    struct cvm_report r = {.version = 3, .cpuid_family = 0x19, .cpuid_model = 1};
    memset(r.chip_id, 7, 64);
    CVM_AUTO_CERTIFICATES struct cvm_certificates c = {0};
    struct cvm_error err = {0};
    assert_int_equal(cli_kds_fetch(&k, &r, CVM_LINE_UNKNOWN, &c, &err), -1);
    assert_int_equal(err.code, CVM_E_EVIDENCE_REFUSED);
    k.offline = true;
    assert_int_equal(cli_kds_fetch(&k, &r, CVM_LINE_UNKNOWN, &c, &err), -1);
    assert_int_equal(err.code, CVM_E_NOT_FOUND);
    stop(&s);
    assert_int_equal(rmdir(folder), 0); /* empty */
}

int main(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_garbage_not_kept),
        cmocka_unit_test(test_endless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
