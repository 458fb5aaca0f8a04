/* The inside of the REST interface: one request, its route, its answer. */
#ifndef CVM_API_API_H
#define CVM_API_API_H

#include <microhttpd.h>

#include "core/http/signature.h"
#include "orchestrator/lifecycle/lifecycle.h"
#include "orchestrator/store/store.h"

#define CVM_API_PARAMS 2
#define CVM_API_PROBLEM "application/problem+json"

struct cvm_api {
    struct cvm_lifecycle *lifecycle;
    struct cvm_store *nonces; /* of requests; see auth.c */
    json_t *health;           /* made at the start */
};

/* One socket that is served. */
struct cvm_listener {
    struct cvm_api *api;
    bool local; /* the operator's Unix socket */
    struct MHD_Daemon *daemon;
};

enum cvm_who {
    CVM_WHO_ANY,
    CVM_WHO_CREATOR,     /* a participant that the body names */
    CVM_WHO_PARTICIPANT, /* of the collaboration */
    CVM_WHO_READER,      /* a participant or the operator */
    CVM_WHO_OPERATOR,
};

struct cvm_request;
typedef int (*cvm_handler)(struct cvm_request *q, struct cvm_error *err);

struct cvm_route {
    const char *method, *path; /* "/v1/collaborations/{collaboration}", … */
    enum cvm_who who;
    int64_t body_max;  /* bytes; 0: no body; -1: a blob, which `start` bounds */
    cvm_handler start; /* after the headers, for blobs; or NULL */
    cvm_handler end;   /* after the body: answers, or submits q->job */
};
extern const struct cvm_route cvm_routes[];
extern const size_t cvm_route_count;

/* Finds the route; fills the parameters. NOT_FOUND, or METHOD with the allowed ones in `allow`. */
const struct cvm_route *cvm_route_find(const char *method, const char *path,
                                       char params[CVM_API_PARAMS][80], char allow[64],
                                       struct cvm_error *err);

struct cvm_request {
    struct cvm_listener *listener;
    struct cvm_api *api;
    struct MHD_Connection *connection;
    char *uri; /* as sent */
    char *path;
    const char *query, *method;
    int64_t started_ms;
    const struct cvm_route *route;
    char params[CVM_API_PARAMS][80];
    char allow[64];

    bool begun, refused;
    struct cvm_error err; /* when refused */

    struct cvm_collaboration *collaboration;
    const struct cvm_manifest *manifest; /* of it */
    int participant;                     /* who signed; -1: the operator */
    bool operator_peer; /* the peer of the Unix socket is the daemon's user or root */

    bool has_body;
    uint64_t content_length, received;
    struct cvm_digest content_digest;
    bool digested; /* content_digest is there: it is for every signed body */
    struct cvm_buf body;
    struct cvm_upload *upload;

    struct cvm_job job;
    bool submitted, job_done;

    bool answered;
    unsigned status;
};

/* reply.c: exactly one of these in a handler, or a submitted job. Each returns 0. */
int cvm_reply_json(struct cvm_request *q, unsigned status, json_t *taken);
int cvm_reply_bytes(struct cvm_request *q, unsigned status, const char *type, const void *data,
                    size_t len);
int cvm_reply_file(struct cvm_request *q, unsigned status, const char *type, int taken_fd,
                   struct cvm_error *err);
void cvm_reply_problem(struct cvm_request *q, const struct cvm_error *err);

/* auth.c */
/* The value of a header that may come once: NULL when absent, -1 when it comes twice. */
int cvm_header(struct cvm_request *q, const char *name, const char **ret,
               struct cvm_error *err) CVM_MUST_USE;
/* Checks Content-Length, Transfer-Encoding, Host and Content-Digest. */
int cvm_request_check_headers(struct cvm_request *q, struct cvm_error *err) CVM_MUST_USE;
/* Who may do this: fills q->participant. */
int cvm_request_authorise(struct cvm_request *q, struct cvm_error *err) CVM_MUST_USE;
/* For CVM_WHO_CREATOR, when the body is there. */
int cvm_request_authorise_creator(struct cvm_request *q, const struct cvm_manifest *m,
                                  struct cvm_error *err) CVM_MUST_USE;

/* jobs: suspends the connection until the agent has answered; `end` is called again then. */
void cvm_request_submit(struct cvm_request *q);

/* openapi.c */
extern const char cvm_openapi[], cvm_openapi_end[];

/* handlers-*.c */
#define R(method, path, who, body, start, end)                                                     \
    int cvm_handle_##end(struct cvm_request *q, struct cvm_error *err) CVM_MUST_USE;
#include "orchestrator/api/routes.def"
#undef R
int cvm_handle_blob_start(struct cvm_request *q, struct cvm_error *err) CVM_MUST_USE;

/* server.c: serves an already listening socket. `pem` members NULL: plain. */
int cvm_listener_start(struct cvm_listener *l, int fd, const char *pem_certificate,
                       const char *pem_key, unsigned threads, struct cvm_error *err) CVM_MUST_USE;
void cvm_listener_stop(struct cvm_listener *l);

#endif
