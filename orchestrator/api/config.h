/* The daemon's configuration: a JSON file and command-line options, which win. No environment. */
#ifndef CVM_API_CONFIG_H
#define CVM_API_CONFIG_H

#include <sys/socket.h>

#include "core/base/json.h"
#include "orchestrator/api/log.h"

struct cvm_config { /* all owned */
    char *state, *socket, *image, *psp;
    char *libvirt, *machine_image, *templates, *vsock, *runtime; /* of machines; NULL: none */
    char *listen;                    /* "127.0.0.1:8420", "[::1]:8420" */
    char *tls_certificate, *tls_key; /* PEM files; both or none */
    enum cvm_log_form log;
    bool help, version;

    struct sockaddr_storage address; /* of `listen` */
    socklen_t address_len;
};

/* Reads the command line and the file that it names, and checks the whole: folders exist (the state
 * folder is made), plain HTTP only on loopback. CVM_E_USAGE with what is wrong. */
int cvm_config_read(int argc, char **argv, struct cvm_config *ret,
                    struct cvm_error *err) CVM_MUST_USE;
void cvm_config_free(struct cvm_config *c);

extern const char cvm_config_usage[];

#endif
