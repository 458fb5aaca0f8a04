/*
 * The host's end of a connection to an agent: one request at a time over frames
 * (doc/PROTOCOL.md section 7), with events in between.
 *
 * Blocking, for the one thread that owns the link; cvm_link_shutdown() alone may come from another
 * thread and makes every call of the owner fail soon.
 *
 * Security: the agent is on the other side of a trust boundary in both directions; what it sends is
 * checked for form and size here, and nothing that it announces is allocated before it came.
 */
#ifndef CVM_TRANSPORT_LINK_H
#define CVM_TRANSPORT_LINK_H

#include "core/base/json.h"
#include "core/wire/frame.h"

struct cvm_link;

/* An event; borrowed. Called from within the calls below. */
typedef void (*cvm_link_event)(void *arg, const json_t *event);

/* Takes over the connected socket; nothing else may be done before the agent's `ready` has come. A
 * link whose agent never says it can be shut down from another thread all the same. */
struct cvm_link *cvm_link_new(int fd, cvm_link_event on_event, void *arg) CVM_MUST_USE;
int cvm_link_greeted(struct cvm_link *link, int timeout_ms, struct cvm_error *err) CVM_MUST_USE;

/* Both in one. Takes over the socket also on failure. */
int cvm_link_open(int fd, int timeout_ms, cvm_link_event on_event, void *arg, struct cvm_link **ret,
                  struct cvm_error *err) CVM_MUST_USE;
struct cvm_link *cvm_link_close(struct cvm_link *link); /* NULL is fine; returns NULL */
void cvm_link_shutdown(struct cvm_link *link);

/* Body of a request: `len` bytes of memory, or of a file from its start when fd >= 0. */
struct cvm_link_body {
    const void *data;
    int fd;
    uint64_t len;
};

/*
 * Sends a request (with its body, NULL for none) and returns the agent's answer: owned, "ok" is
 * true. A refusal of the agent becomes the error, with the agent's code, message, expected and got.
 * A timeout is for the whole call without progress of either side.
 *
 * Failures of the connection itself have the code CVM_E_CONNECTION, CVM_E_TIMEOUT or a CVM_E_FRAME_
 * one, and cvm_link_broken() is true from then on.
 */
json_t *cvm_link_call(struct cvm_link *link, const json_t *request,
                      const struct cvm_link_body *body, int timeout_ms, struct cvm_error *err);

/* After an answer that announces data: reads exactly `len` bytes and the END. Appends to `ret`, or
 * writes to fd when `ret` is NULL. */
int cvm_link_read(struct cvm_link *link, uint64_t len, struct cvm_buf *ret, int fd, int timeout_ms,
                  struct cvm_error *err) CVM_MUST_USE;

/* Waits for an event or for wake_fd to be readable (not read here). 1: at least one event came.
 * 2: wake_fd. 0: time went by (timeout_ms -1: never). */
int cvm_link_wait(struct cvm_link *link, int wake_fd, int timeout_ms,
                  struct cvm_error *err) CVM_MUST_USE;

bool cvm_link_broken(const struct cvm_link *link);

#endif
