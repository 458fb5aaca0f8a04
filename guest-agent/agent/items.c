/* Items: ciphertext from the host, plain bytes inside, believed only when the whole digest matched.
 */
#include <string.h>

#include "guest-agent/agent/admission.h"
#include "guest-agent/agent/requests.h"

int cvm_item_start(struct cvm_agent *a, json_t *control, uint64_t bytes, struct cvm_error *err)
{
    struct cvm_json_reader r;
    cvm_json_begin(&r, control, "item", err);
    cvm_json_string(&r, "op");
    cvm_json_int(&r, "bytes", 0, CVM_JSON_INT_MAX);
    const char *id = cvm_json_string(&r, "id");
    CVM_GUARD(cvm_json_end(&r));
    int item = cvm_manifest_item(&a->manifest, id);
    CVM_ENSURE(item >= 0, err, CVM_E_NOT_FOUND, "the manifest has no such item");
    struct cvm_policy_request ask = {.kind = CVM_REQUEST_ITEM_REFUSED, .item = (uint32_t)item};
    CVM_GUARD(cvm_agent_would(a, &ask, err)); /* refuses unless it is wanted */
    CVM_ENSURE(!a->items[item].admission, err, CVM_E_ITEM_NOT_WANTED, "it is being admitted");
    const struct cvm_item facts = cvm_manifest_item_at(&a->manifest, (uint32_t)item);
    CVM_ENSURE(bytes <= cvm_blob_size_max(facts.max_bytes), err, CVM_E_CONTENT_TOO_LARGE,
               "the blob of %s is larger than its max_bytes allow", facts.id);
    int fd = cvm_memory_file("item", err);
    CVM_GUARD(fd);
    a->request.fd = fd;
    a->request.item = item;
    CVM_AUTO_BUF struct cvm_buf associated = {0};
    cvm_blob_associated(facts.id, &associated);
    struct cvm_blob_spec spec = {
        .key = &a->items[item].key,
        .associated = CVM_BYTES(associated.data, associated.len),
        .padding = facts.padding,
        .max_bytes = facts.max_bytes,
    };
    return cvm_blob_opener_new(&a->request.opener, &spec, bytes, fd, err);
}

int cvm_item_body(struct cvm_agent *a, const uint8_t *data, size_t len, struct cvm_error *err)
{
    return cvm_blob_opener_update(a->request.opener, data, len, err);
}

static int admit_data(struct cvm_agent *a, uint32_t item, uint64_t length, struct cvm_error *err)
{
    struct cvm_policy_request ask = {.kind = CVM_REQUEST_ITEM_ADMITTED, .item = item};
    CVM_GUARD(cvm_agent_would(a, &ask, err));
    a->items[item].length = length;
    a->items[item].fd = CVM_TAKE_FD(a->request.fd);
    cvm_secret_free(&a->items[item].key);
    CVM_GUARD(cvm_agent_step(a, &ask, err));
    cvm_agent_answer_state(a);
    return 0;
}

int cvm_item_end(struct cvm_agent *a, struct cvm_error *err)
{
    uint32_t item = (uint32_t)a->request.item;
    const struct cvm_item facts = cvm_manifest_item_at(&a->manifest, item);
    uint64_t length;
    CVM_GUARD(cvm_blob_opener_finish(a->request.opener, facts.digest, NULL, &length, err));
    cvm_blob_opener_free(a->request.opener);
    a->request.opener = NULL;
    if (facts.component < 0)
        return admit_data(a, item, length, err);
    CVM_GUARD(cvm_memory_file_seal(a->request.fd, err));
    return cvm_admission_start(a, item, &a->request.fd, length, err);
}
