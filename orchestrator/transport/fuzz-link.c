/* A hostile agent: whatever it sends, the host's end neither crashes nor waits for ever. */
#include <stdlib.h>
#include <sys/socket.h>

#include "orchestrator/transport/link.h"

static void on_event(void *arg, const json_t *event)
{
    (void)arg;
    (void)event;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fds[2];
    if (size > 60000 || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
        return 0;
    if (send(fds[0], data, size, MSG_NOSIGNAL) < 0)
        abort();
    shutdown(fds[0], SHUT_WR);
    struct cvm_link *link = NULL;
    if (cvm_link_open(fds[1], 100, on_event, NULL, &link, NULL) == 0) {
        CVM_AUTO_JSON json_t *request = json_pack("{s:s}", "op", "transcript");
        for (int i = 0; i < 3; i++) {
            CVM_AUTO_JSON json_t *r = cvm_link_call(link, request, NULL, 100, NULL);
            CVM_AUTO_BUF struct cvm_buf body = {0};
            const json_t *bytes = json_object_get(r, "bytes");
            if (json_is_integer(bytes) && json_integer_value(bytes) >= 0 &&
                cvm_link_read(link, (uint64_t)json_integer_value(bytes), &body, -1, 100, NULL) < 0)
                break;
        }
        cvm_link_close(link);
    }
    close(fds[0]);
    return 0;
}
