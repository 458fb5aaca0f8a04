#include "orchestrator/api/api.h"

#include <string.h>
#include <sys/stat.h>

static void queue(struct cvm_request *q, unsigned status, const char *type,
                  struct MHD_Response *response)
{
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED && q->allow[0])
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, q->allow);
    if (status == MHD_HTTP_UNAUTHORIZED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
                                "Signature realm=\"2cvm\"");
    q->answered = MHD_queue_response(q->connection, status, response) == MHD_YES;
    q->status = status;
    MHD_destroy_response(response);
}

int cvm_reply_bytes(struct cvm_request *q, unsigned status, const char *type, const void *data,
                    size_t len)
{
    queue(q, status, type,
          MHD_create_response_from_buffer(len, (void *)data, MHD_RESPMEM_MUST_COPY));
    return 0;
}

int cvm_reply_json(struct cvm_request *q, unsigned status, json_t *taken)
{
    CVM_AUTO_JSON json_t *value = taken;
    CVM_AUTO_BUF struct cvm_buf out = {0};
    struct cvm_error err;
    if (cvm_json_write(value, &out, &err) < 0) {
        cvm_reply_problem(q, &err);
        return 0;
    }
    return cvm_reply_bytes(q, status, status >= 400 ? CVM_API_PROBLEM : "application/json",
                           out.data, out.len);
}

int cvm_reply_file(struct cvm_request *q, unsigned status, const char *type, int taken_fd,
                   struct cvm_error *err)
{
    CVM_AUTO_CLOSE int fd = taken_fd;
    struct stat st;
    if (fstat(fd, &st) < 0)
        return cvm_fail_errno(err, "cannot read the file");
    /* The response closes the descriptor. */
    struct MHD_Response *r = MHD_create_response_from_fd64((uint64_t)st.st_size, fd);
    CVM_ENSURE(r, err, CVM_E_NO_MEMORY, "no memory for the answer");
    (void)CVM_TAKE_FD(fd);
    queue(q, status, type, r);
    return 0;
}

void cvm_reply_problem(struct cvm_request *q, const struct cvm_error *err)
{
    const struct cvm_code_info *info = cvm_code_info(err->code);
    CVM_AUTO_FREE char *type = cvm_printf("urn:2cvm:error:%s", info->name);
    cvm_reply_json(q, (unsigned)info->http,
                   json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:s}", "type", type, "title",
                             info->text, "status", info->http, "detail", err->message, "code",
                             info->name, "expected", err->expected, "got", err->got, "remedy",
                             info->remedy));
}
