/*
 * Talking to the host's daemon (doc/PROTOCOL.md section 8): over http(s) with signed requests, or
 * over its Unix socket as the operator. What it answers is foreign: bounded, parsed by the caller,
 * and believed for nothing that matters.
 */
#ifndef CVM_CLI_CLIENT_H
#define CVM_CLI_CLIENT_H

#include "cli/collaboration.h"

#define CLI_RESPONSE_MAX (8 * 1024 * 1024)

struct cli_client { /* zero-initialise; end with cli_client_close() */
    void *curl;
    char *url; /* without a slash at its end */
    char *authority;
    char *socket; /* the operator's; NULL: none */
    char *cacert;
    const struct cvm_key *sign; /* borrowed; NULL: unsigned */
};

/*
 * The daemon that --socket or --host names, or else the one that the collaboration remembers (`co`
 * may be NULL). Signs with `sign` (borrowed, may be NULL for what needs no signature).
 */
int cli_client_open(const struct cli *c, const struct cli_collaboration *co,
                    const struct cvm_key *sign, struct cli_client *ret,
                    struct cvm_error *err) CVM_MUST_USE;
void cli_client_close(struct cli_client *client);
#define CLI_AUTO_CLIENT CVM_CLEANUP(cli_client_close)

#define CLI_OPTIONS_HOST                                                                           \
    {"host", 0, "URL", "the daemon: https://NAME[:PORT], or http://127.0.0.1:PORT"},               \
    {                                                                                              \
        "cacert", 0, "FILE", "certificate authority of the daemon, instead of the system's"        \
    }
#define CLI_OPTION_SOCKET                                                                          \
    {                                                                                              \
        "socket", 0, "PATH", "the daemon's Unix socket (as the operator)"                          \
    }

/*
 * One exchange with a small body. `body` NULL: none. Appends the answer's body to `ret` (may be
 * NULL). A refusal by the daemon becomes the error of its code; `ret_status` may be NULL.
 */
int cli_client_call(struct cli_client *client, const char *method, const char *path,
                    const struct cvm_bytes *body, const char *content_type, struct cvm_buf *ret,
                    long *ret_status, struct cvm_error *err) CVM_MUST_USE;
/* The same, the answer parsed as JSON (not canonical; the daemon's word). */
json_t *cli_client_json(struct cli_client *client, const char *method, const char *path,
                        const struct cvm_bytes *body, const char *content_type,
                        struct cvm_error *err) CVM_MUST_USE;

/* Streams a file up from its first byte, or a body down into fd (at most max bytes), in constant
 * memory. */
int cli_client_upload(struct cli_client *client, const char *path, int fd,
                      struct cli_progress *progress, long *ret_status,
                      struct cvm_error *err) CVM_MUST_USE;
int cli_client_download(struct cli_client *client, const char *path, int fd, uint64_t max,
                        struct cli_progress *progress, struct cvm_error *err) CVM_MUST_USE;

#endif
