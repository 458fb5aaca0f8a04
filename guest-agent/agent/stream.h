/*
 * Bytes from one cell's standard output to another's standard input while both run, or from an open
 * input into a cell. Two pipes with the agent between them: the kernel's buffers bound what is
 * under way, so a slow reader makes the writer wait and the agent holds nothing.
 *
 * Every byte is asked of the policy before it is moved. The reader sees an end only after the
 * writer has ended well; a writer whose reader is gone sees a broken stream.
 */
#ifndef CVM_AGENT_STREAM_H
#define CVM_AGENT_STREAM_H

#include "guest-agent/agent/loop.h"
#include "guest-agent/agent/agent.h"

struct cvm_stream {
    struct cvm_agent *agent;
    uint32_t channel;
    int from, to; /* our ends: what the writer wrote, and what the reader will read; or -1 */
    struct cvm_source readable, writable; /* at most one is watched: what the stream waits for */
    uint64_t paid;                        /* the policy has let through, and still in `from` */
    bool complete;                        /* nothing more will be written */
    bool broken;                          /* nobody reads */
    struct cvm_buf queue;                 /* of an open input: what the pipe did not take yet */
    size_t taken;                         /* of the queue */
    /* The policy refused; called once, nothing is moved afterwards. */
    void (*refused)(struct cvm_stream *stream, enum cvm_code code);
    void *owner;
};

void cvm_stream_open(struct cvm_stream *s, struct cvm_agent *a, uint32_t channel);
/* The cell's end, owned by the caller. */
int cvm_stream_writer(struct cvm_stream *s, struct cvm_error *err) CVM_MUST_USE;
int cvm_stream_reader(struct cvm_stream *s, struct cvm_error *err) CVM_MUST_USE;
/* The writer's cell has ended well: after what it left comes the end. */
void cvm_stream_writer_ended(struct cvm_stream *s);
/* The reader's cell has ended. */
void cvm_stream_reader_ended(struct cvm_stream *s);

/* Of an open input: bytes for the reader, all or none, once the policy has spent them; `end`: the
 * last ones. Behind the pipe a queue of CVM_STREAM_QUEUE_MAX bytes waits for the reader; what would
 * go beyond is CVM_E_STREAM_FULL, and CVM_E_INPUT_ENDED when nobody will read it. */
#define CVM_STREAM_QUEUE_MAX 65536
enum cvm_code cvm_stream_can_feed(const struct cvm_stream *s, size_t len);
int cvm_stream_feed(struct cvm_stream *s, const void *data, size_t len, bool end,
                    struct cvm_error *err) CVM_MUST_USE;

void cvm_stream_close(struct cvm_stream *s); /* fine on one that was never opened to a cell */

#endif
