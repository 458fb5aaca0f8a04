/*
 * The one connection to the host: frames in, frames out, and the rules of doc/PROTOCOL.md section 7
 * on which frame may come when. It knows nothing of operations: those are in requests.c.
 *
 * Security: everything that arrives here was sent by the untrusted host. A frame that may not come
 * ends the connection and nothing else. What waits to be written is bounded: while more than
 * CVM_CONNECTION_QUEUE bytes wait, nothing is read. A body is handed on as it comes, never
 * collected here; the body of an answer is read from its descriptor as the host takes it.
 */
#ifndef CVM_AGENT_CONNECTION_H
#define CVM_AGENT_CONNECTION_H

#include <jansson.h>

#include "core/wire/frame.h"
#include "guest-agent/agent/loop.h"

#define CVM_CONNECTION_QUEUE (256 * 1024)
#define CVM_CONNECTION_WRITE 16384 /* no write above 16 KiB */

enum cvm_connection_state {
    CVM_CONNECTION_CLOSED,
    CVM_CONNECTION_IDLE,      /* a REQUEST may come */
    CVM_CONNECTION_BODY,      /* DATA or END of the open request */
    CVM_CONNECTION_DROPPING,  /* the same, but the request was refused: bytes are dropped */
    CVM_CONNECTION_WORKING,   /* the request is complete, its answer is not there yet */
    CVM_CONNECTION_ANSWERING, /* the answer's body is on its way */
};

/*
 * What the owner does. Each gets the connection's owner. `request` and `body_end` may answer,
 * refuse, or do nothing and answer later; `body` may refuse. `lost`: the connection has ended, for
 * whatever reason, and what was open is void.
 */
struct cvm_connection_calls {
    void (*request)(void *owner, json_t *control, bool has_body, uint64_t body_bytes);
    void (*body)(void *owner, const uint8_t *data, size_t len);
    void (*body_end)(void *owner);
    void (*lost)(void *owner, const struct cvm_error *why);
    void (*connected)(void *owner);
};

struct cvm_connection {
    struct cvm_loop *loop;
    const struct cvm_connection_calls *calls;
    void *owner;
    struct cvm_source listener, source;
    enum cvm_connection_state state;
    struct cvm_frame_decoder decoder;
    uint32_t stream, last_stream;
    uint64_t body_left; /* announced bytes that have not come */
    bool ending;        /* end it when all that waits is written */

    struct cvm_buf out; /* encoded frames; out_at are written */
    size_t out_at;
    struct cvm_buf answer; /* body of the answer in memory, or … */
    int answer_fd;         /* … in a file that stays the owner's, -1: none */
    uint64_t answer_at, answer_len;
};

/* Takes the listening socket (not owned). */
int cvm_connection_listen(struct cvm_connection *c, struct cvm_loop *loop, int listen_fd,
                          const struct cvm_connection_calls *calls, void *owner,
                          struct cvm_error *err) CVM_MUST_USE;
void cvm_connection_close(struct cvm_connection *c); /* the connection and the listener's watch */

/* Answers the open request. `control` is borrowed. */
void cvm_connection_answer(struct cvm_connection *c, const json_t *control);
/* … with a body: the buffer is taken over. */
void cvm_connection_answer_bytes(struct cvm_connection *c, const json_t *control,
                                 struct cvm_buf *body);
/* … with the first `len` bytes of a file, which must stay as it is until the isolate ends. */
void cvm_connection_answer_file(struct cvm_connection *c, const json_t *control, int fd,
                                uint64_t len);
/* Refuses the open request; the rest of its body is dropped. */
void cvm_connection_refuse(struct cvm_connection *c, const struct cvm_error *err);
/* An EVENT; dropped when nobody is connected. */
void cvm_connection_event(struct cvm_connection *c, const json_t *control);
/* Ends the loop when all that waits is written. */
void cvm_connection_finish(struct cvm_connection *c);

#endif
