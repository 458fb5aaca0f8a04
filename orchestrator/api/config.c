#include "orchestrator/api/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/lifecycle/files.h"

#define FILE_MAX (64 * 1024)

const char cvm_config_usage[] =
    "usage: 2cvmd [--config FILE] [--state DIR] [--listen ADDR:PORT] [--socket PATH]\n"
    "             [--image DIR] [--psp FILE] [--log json|journal]\n"
    "             [--libvirt URI --machine-image DIR [--templates DIR] [--vsock FILE] [--runtime "
    "DIR]]\n"
    "\n"
    "The host daemon of 2cVM. It keeps ciphertext and statements, starts isolates and serves "
    "REST.\n"
    "\n"
    "  --config FILE        JSON: state, listen, socket, image, psp, log, tls {certificate, key}, "
    "libvirt,\n"
    "                       machine_image, templates, vsock, runtime\n"
    "  --state DIR          everything that must survive (made when missing)\n"
    "  --listen ADDR:PORT   REST; plain HTTP only on loopback, else the file must name tls\n"
    "                       (default 127.0.0.1:8420)\n"
    "  --socket PATH        the operator's Unix socket (default STATE/operator.sock)\n"
    "  --image DIR          the measured programs (default: beside this program)\n"
    "  --psp FILE           the software PSP of simulated isolates (default: beside this program)\n"
    "  --libvirt URI        virtual machines, by this libvirt: qemu:///system, qemu:///session\n"
    "  --machine-image DIR  kernel, initramfs, cmdline (sev-snp: and firmware) of machines\n"
    "  --templates DIR      the domains' templates (default: launch-templates beside this "
    "program)\n"
    "  --vsock FILE         vhost-device-vsock, of simulated machines (default: beside this "
    "program)\n"
    "  --runtime DIR        where links with short paths are made, when those of STATE are too "
    "long "
    "for sockets\n"
    "  --log FORM           json: one JSON object a line; journal: text with priorities\n"
    "\n"
    "example: 2cvmd --state /var/lib/2cvm --listen 127.0.0.1:8420 --image /usr/lib/2cvm/image\n";

/* The options, which are also the members of the file. */
static const struct option options[] = {
    {"config", required_argument, NULL, 'c'},
    {"state", required_argument, NULL, 's'},
    {"listen", required_argument, NULL, 'l'},
    {"socket", required_argument, NULL, 'o'},
    {"image", required_argument, NULL, 'i'},
    {"psp", required_argument, NULL, 'p'},
    {"log", required_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'v'},
    {"libvirt", required_argument, NULL, 'L'},
    {"machine-image", required_argument, NULL, 'm'},
    {"templates", required_argument, NULL, 't'},
    {"vsock", required_argument, NULL, 'V'},
    {"runtime", required_argument, NULL, 'r'},
    {NULL, 0, NULL, 0},
};

static void set(char **field, const char *value)
{
    free(*field);
    *field = cvm_strdup(value);
}

static void set_default(char **field, const char *value)
{
    if (!*field && value)
        *field = cvm_strdup(value);
}

static int set_log(struct cvm_config *c, const char *word, struct cvm_error *err)
{
    CVM_ENSURE(strcmp(word, "json") == 0 || strcmp(word, "journal") == 0, err, CVM_E_USAGE,
               "log is `json` or `journal`, not '%s'", word);
    c->log = strcmp(word, "json") == 0 ? CVM_LOG_JSON : CVM_LOG_JOURNAL;
    return 0;
}

/* Fills what the command line left open. */
static int read_file(struct cvm_config *c, const char *path, bool have_log, struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf text = {0};
    CVM_GUARD(cvm_file_read(path, FILE_MAX, &text, err));
    CVM_AUTO_JSON json_t *o = cvm_json_parse(text.data, text.len, err);
    if (!o)
        return cvm_error_wrap(err, "%s", path);
    struct cvm_json_reader r;
    cvm_json_begin(&r, o, path, err);
    set_default(&c->state, cvm_json_string_opt(&r, "state"));
    set_default(&c->listen, cvm_json_string_opt(&r, "listen"));
    set_default(&c->socket, cvm_json_string_opt(&r, "socket"));
    set_default(&c->image, cvm_json_string_opt(&r, "image"));
    set_default(&c->psp, cvm_json_string_opt(&r, "psp"));
    set_default(&c->libvirt, cvm_json_string_opt(&r, "libvirt"));
    set_default(&c->machine_image, cvm_json_string_opt(&r, "machine_image"));
    set_default(&c->templates, cvm_json_string_opt(&r, "templates"));
    set_default(&c->vsock, cvm_json_string_opt(&r, "vsock"));
    set_default(&c->runtime, cvm_json_string_opt(&r, "runtime"));
    const char *log = cvm_json_string_opt(&r, "log");
    json_t *tls = json_object_get(o, "tls") ? cvm_json_object(&r, "tls") : NULL;
    CVM_GUARD(cvm_json_end(&r));
    if (log && !have_log)
        CVM_GUARD(set_log(c, log, err));
    if (!tls)
        return 0;
    cvm_json_begin(&r, tls, "tls", err);
    set_default(&c->tls_certificate, cvm_json_string(&r, "certificate"));
    set_default(&c->tls_key, cvm_json_string(&r, "key"));
    return cvm_json_end(&r);
}

static int read_options(int argc, char **argv, struct cvm_config *c, char **ret_file,
                        bool *ret_have_log, struct cvm_error *err)
{
    int o;
    opterr = 0;
    optind = 1;
    while ((o = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        switch (o) {
        case 'c':
            set(ret_file, optarg);
            break;
        case 's':
            set(&c->state, optarg);
            break;
        case 'l':
            set(&c->listen, optarg);
            break;
        case 'o':
            set(&c->socket, optarg);
            break;
        case 'i':
            set(&c->image, optarg);
            break;
        case 'p':
            set(&c->psp, optarg);
            break;
        case 'L':
            set(&c->libvirt, optarg);
            break;
        case 'm':
            set(&c->machine_image, optarg);
            break;
        case 't':
            set(&c->templates, optarg);
            break;
        case 'V':
            set(&c->vsock, optarg);
            break;
        case 'r':
            set(&c->runtime, optarg);
            break;
        case 'j':
            CVM_GUARD(set_log(c, optarg, err));
            *ret_have_log = true;
            break;
        case 'h':
            c->help = true;
            break;
        case 'v':
            c->version = true;
            break;
        case ':':
            return cvm_fail(err, CVM_E_USAGE, "'%s' needs a value", argv[optind - 1]);
        default:
            return cvm_fail(err, CVM_E_USAGE, "unknown option '%s'", argv[optind - 1]);
        }
    }
    CVM_ENSURE(optind == argc, err, CVM_E_USAGE, "unknown argument '%s'", argv[optind]);
    return 0;
}

/* Splits "ADDR:PORT" and reads both. */
static int parse_listen(struct cvm_config *c, bool *ret_loopback, struct cvm_error *err)
{
    const char *colon = strrchr(c->listen, ':');
    CVM_ENSURE(colon, err, CVM_E_USAGE, "listen is ADDR:PORT, not '%s'", c->listen);
    const char *start = c->listen;
    size_t len = (size_t)(colon - start);
    if (len >= 2 && start[0] == '[' && start[len - 1] == ']') {
        start++;
        len -= 2;
    }
    char host[INET6_ADDRSTRLEN + 1], *end;
    CVM_ENSURE(len > 0 && len < sizeof host, err, CVM_E_USAGE, "listen is ADDR:PORT, not '%s'",
               c->listen);
    memcpy(host, start, len);
    host[len] = '\0';
    errno = 0;
    unsigned long port = strtoul(colon + 1, &end, 10);
    CVM_ENSURE(colon[1] >= '0' && colon[1] <= '9' && *end == '\0' && errno == 0 && port <= 65535,
               err, CVM_E_USAGE, "'%s' is no port", colon + 1);
    struct sockaddr_in *v4 = (struct sockaddr_in *)&c->address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&c->address;
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        c->address_len = sizeof *v4;
        *ret_loopback = ntohl(v4->sin_addr.s_addr) >> 24 == 127;
        return 0;
    }
    CVM_ENSURE(inet_pton(AF_INET6, host, &v6->sin6_addr) == 1, err, CVM_E_USAGE,
               "'%s' is no numeric address", host);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons((uint16_t)port);
    c->address_len = sizeof *v6;
    *ret_loopback = IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
    return 0;
}

/* The folder of the running program. */
static int program_folder(char out[PATH_MAX], struct cvm_error *err)
{
    ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);
    if (n < 0)
        return cvm_fail_errno(err, "cannot find this program");
    out[n] = '\0';
    *strrchr(out, '/') = '\0';
    return 0;
}

/* Absolute, so that it holds in a child with another working folder. */
static int make_absolute(char **path, const char *what, struct cvm_error *err)
{
    char *real = realpath(*path, NULL);
    if (!real)
        return cvm_fail_errno(err, "%s '%s'", what, *path);
    free(*path);
    *path = real;
    return 0;
}

static int complete_machines(struct cvm_config *c, const char *folder, struct cvm_error *err)
{
    if (!c->libvirt) {
        CVM_ENSURE(!c->machine_image && !c->runtime, err, CVM_E_USAGE,
                   "--machine-image and --runtime are of machines: they need --libvirt");
        return 0;
    }
    CVM_ENSURE(c->machine_image, err, CVM_E_USAGE, "--libvirt needs --machine-image");
    CVM_AUTO_FREE char *templates = cvm_printf("%s/launch-templates", folder);
    CVM_AUTO_FREE char *vsock = cvm_printf("%s/vhost-device-vsock", folder);
    set_default(&c->templates, templates);
    set_default(&c->vsock, vsock);
    CVM_GUARD(make_absolute(&c->machine_image, "the machines' image folder", err));
    CVM_GUARD(make_absolute(&c->templates, "the folder of the domains' templates", err));
    if (access(c->vsock, F_OK) == 0)
        CVM_GUARD(make_absolute(&c->vsock, "vhost-device-vsock", err));
    return c->runtime ? make_absolute(&c->runtime, "the runtime folder", err) : 0;
}

static int complete(struct cvm_config *c, struct cvm_error *err)
{
    char folder[PATH_MAX];
    CVM_GUARD(program_folder(folder, err));
    CVM_ENSURE(c->state, err, CVM_E_USAGE, "--state is missing");
    CVM_GUARD(cvm_folder_make(c->state, err));
    CVM_GUARD(make_absolute(&c->state, "the state folder", err));
    CVM_AUTO_FREE char *psp = cvm_printf("%s/2cvm-psp", folder);
    CVM_AUTO_FREE char *socket = cvm_printf("%s/operator.sock", c->state);
    set_default(&c->image, folder);
    set_default(&c->psp, psp);
    set_default(&c->socket, socket);
    set_default(&c->listen, "127.0.0.1:8420");
    CVM_GUARD(make_absolute(&c->image, "the image folder", err));
    if (access(c->psp, F_OK) == 0)
        CVM_GUARD(make_absolute(&c->psp, "the software PSP", err));
    CVM_GUARD(complete_machines(c, folder, err));
    bool loopback = false;
    CVM_GUARD(parse_listen(c, &loopback, err));
    CVM_ENSURE(loopback || c->tls_certificate, err, CVM_E_USAGE,
               "plain HTTP is served on loopback only: name `tls` in the configuration file, or "
               "listen on 127.0.0.1");
    return 0;
}

int cvm_config_read(int argc, char **argv, struct cvm_config *ret, struct cvm_error *err)
{
    struct cvm_config c = {0};
    CVM_AUTO_FREE char *file = NULL;
    bool have_log = false;
    int rc = read_options(argc, argv, &c, &file, &have_log, err);
    if (rc == 0 && !c.help && !c.version) {
        if (file)
            rc = read_file(&c, file, have_log, err);
        if (rc == 0)
            rc = complete(&c, err);
    }
    if (rc < 0) {
        cvm_config_free(&c);
        return -1;
    }
    *ret = c;
    return 0;
}

void cvm_config_free(struct cvm_config *c)
{
    free(c->state);
    free(c->socket);
    free(c->image);
    free(c->psp);
    free(c->libvirt);
    free(c->machine_image);
    free(c->templates);
    free(c->vsock);
    free(c->runtime);
    free(c->listen);
    free(c->tls_certificate);
    free(c->tls_key);
    *c = (struct cvm_config){0};
}
