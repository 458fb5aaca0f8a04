/* 2cvmd, the host daemon: configuration, the two sockets, and an orderly end. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <sys/stat.h>

#include "orchestrator/api/api.h"
#include "orchestrator/api/config.h"
#include "orchestrator/lifecycle/files.h"
#include "orchestrator/transport/unix-socket.h"

#define PEM_MAX (256 * 1024)

struct daemon {
    struct cvm_config config;
    struct cvm_api api;
    struct cvm_listener rest, local;
    struct cvm_buf certificate, key;
};

static void observe(void *arg, const struct cvm_lifecycle_event *e)
{
    (void)arg;
    cvm_log(e->err ? CVM_LOG_WARNING : CVM_LOG_INFO, e->what,
            json_pack("{s:s, s:s}", "collaboration", e->collaboration, "detail", e->detail),
            e->err);
}

/* What this host can do; asked once, it does not change under a running kernel. */
static json_t *health(const struct cvm_platform_host *host)
{
    json_t *platforms = json_array(), *missing = NULL;
    for (size_t i = 0; i < cvm_platform_driver_count; i++) {
        const struct cvm_platform_driver *d = cvm_platform_drivers[i];
        struct cvm_error err = {0};
        if (d->machine && !host->libvirt)
            continue; /* not configured */
        if (d->probe(host, &err) < 0) {
            cvm_log(CVM_LOG_WARNING, "platform",
                    json_pack("{s:s}", "platform", cvm_platform_word(d->platform)), &err);
            continue;
        }
        json_array_append_new(platforms, json_string(cvm_platform_word(d->platform)));
        if (!missing && d->protections)
            missing = d->protections(host, NULL);
    }
    json_t *o = json_pack("{s:s, s:s, s:o}", "status", "ok", "version", CVM_VERSION, "platforms",
                          platforms);
    if (missing)
        json_object_set_new(o, "protections_missing", missing);
    return o;
}

static int listen_rest(struct daemon *d, struct cvm_error *err)
{
    const struct cvm_config *c = &d->config;
    CVM_AUTO_CLOSE int fd =
        socket(c->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int one = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
        bind(fd, (const struct sockaddr *)&c->address, c->address_len) < 0 || listen(fd, 128) < 0)
        return cvm_fail_errno(err, "cannot listen on %s", c->listen);
    struct sockaddr_storage bound;
    socklen_t len = sizeof bound;
    if (getsockname(fd, (struct sockaddr *)&bound, &len) < 0)
        return cvm_fail_errno(err, "cannot listen on %s", c->listen);
    uint16_t port = ntohs(bound.ss_family == AF_INET ? ((struct sockaddr_in *)&bound)->sin_port
                                                     : ((struct sockaddr_in6 *)&bound)->sin6_port);
    if (c->tls_certificate) {
        CVM_GUARD(cvm_file_read(c->tls_certificate, PEM_MAX, &d->certificate, err));
        CVM_GUARD(cvm_file_read(c->tls_key, PEM_MAX, &d->key, err));
    }
    d->rest = (struct cvm_listener){.api = &d->api};
    const char *certificate = c->tls_certificate ? cvm_buf_cstr(&d->certificate) : NULL;
    CVM_GUARD(cvm_listener_start(&d->rest, fd, certificate,
                                 certificate ? cvm_buf_cstr(&d->key) : NULL, 4, err));
    (void)CVM_TAKE_FD(fd);
    cvm_log(CVM_LOG_INFO, "listening",
            json_pack("{s:s, s:i, s:s, s:b}", "listen", c->listen, "port", port, "socket",
                      c->socket, "tls", certificate != NULL),
            NULL);
    return 0;
}

static int start(struct daemon *d, struct cvm_error *err)
{
    const struct cvm_config *c = &d->config;
    CVM_AUTO_FREE char *nonces = cvm_printf("%s/nonces.db", c->state);
    struct cvm_lifecycle_options options = {
        .state = c->state,
        .host = {.image = c->image,
                 .psp = c->psp,
                 .libvirt = c->libvirt,
                 .machine_image = c->machine_image,
                 .templates = c->templates,
                 .vsock = c->vsock,
                 .runtime = c->runtime},
        .observer = observe,
    };
    CVM_GUARD(cvm_lifecycle_open(&options, &d->api.lifecycle, err));
    CVM_GUARD(cvm_store_open(nonces, true, &d->api.nonces, err));
    d->api.health = health(&options.host);
    CVM_AUTO_CLOSE int local = cvm_unix_listen(c->socket, err);
    CVM_GUARD(local);
    d->local = (struct cvm_listener){.api = &d->api, .local = true};
    CVM_GUARD(cvm_listener_start(&d->local, local, NULL, NULL, 2, err));
    (void)CVM_TAKE_FD(local);
    return listen_rest(d, err);
}

static void stop(struct daemon *d)
{
    /* In this order: no connection may be suspended when its server stops. */
    if (d->api.lifecycle)
        cvm_lifecycle_stop(d->api.lifecycle);
    cvm_listener_stop(&d->rest);
    cvm_listener_stop(&d->local);
    if (d->local.api)
        unlink(d->config.socket);
    cvm_lifecycle_close(d->api.lifecycle);
    cvm_store_close(d->api.nonces);
    json_decref(d->api.health);
    cvm_buf_free(&d->certificate);
    cvm_buf_free(&d->key);
    cvm_config_free(&d->config);
}

int main(int argc, char **argv)
{
    struct daemon d = {0};
    struct cvm_error err = {0};
    if (cvm_config_read(argc, argv, &d.config, &err) < 0) {
        char line[800];
        fprintf(stderr, "2cvmd: %s\n%s\n", cvm_error_line(&err, line, sizeof line),
                "see 2cvmd --help");
        return 2;
    }
    if (d.config.help || d.config.version) {
        fputs(d.config.help ? cvm_config_usage : "2cvmd " CVM_VERSION "\n", stdout);
        return 0;
    }
    cvm_log_form(d.config.log);
    umask(077);
    /* Blocked before any thread is made: only sigwait() below takes them. */
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    signal(SIGPIPE, SIG_IGN);

    int rc = start(&d, &err);
    if (rc == 0) {
        int which = 0;
        while (sigwait(&ends, &which) != 0)
            ;
        cvm_log(CVM_LOG_INFO, "ending", NULL, NULL);
    } else {
        cvm_log(CVM_LOG_ERROR, "start", NULL, &err);
    }
    stop(&d);
    return rc < 0 ? 1 : 0;
}
