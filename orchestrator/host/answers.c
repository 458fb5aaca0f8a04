/* The document of answers: what no file of a host tells. Written by ask.c, read here. */
#include <string.h>

#include "orchestrator/host/internal.h"

json_t *cvm_host_answers_parse(const void *data, size_t len, struct cvm_error *err)
{
    return cvm_json_parse(data, len, err);
}

static void read_nodes(struct cvm_host *h, struct cvm_json_reader *r)
{
    const char *path;
    json_t *value;
    h->nodes = cvm_json_object(r, "nodes");
    json_object_foreach(h->nodes, path, value)
    {
        if (!json_is_string(value))
            cvm_json_fail(r, CVM_E_JSON_TYPE, "nodes: what opening gave is a text");
    }
}

static void read_status(struct cvm_host *h, struct cvm_json_reader *r)
{
    const char *hex = cvm_json_string_opt(r, "platform_status");
    h->status_error = cvm_json_string_opt(r, "platform_status_error");
    struct cvm_error e;
    if (!hex || r->failed)
        return;
    h->has_status = cvm_hex_decode(hex, h->status, sizeof h->status, &e) == 0;
    if (!h->has_status)
        cvm_json_fail(r, CVM_E_BAD_ENCODING, "platform_status: 32 bytes in hexadecimal");
}

static void read_qemu(struct cvm_host *h, struct cvm_json_reader *r)
{
    json_t *o = json_object_get(r->object, "qemu") ? cvm_json_object(r, "qemu") : NULL;
    h->qemu_error = cvm_json_string_opt(r, "qemu_error");
    if (!o || r->failed)
        return;
    struct cvm_json_reader q;
    cvm_json_begin(&q, o, "qemu", r->err);
    h->qemu_version = cvm_json_string(&q, "version");
    h->qemu_snp = cvm_json_bool_opt(&q, "sev_snp_guest", false);
    if (cvm_json_end(&q) < 0)
        r->failed = true;
}

static void read_missing(struct cvm_host *h, struct cvm_json_reader *r)
{
    size_t i;
    json_t *value;
    h->missing = cvm_json_array_opt(r, "missing_protections", CVM_PROTECTION_COUNT);
    h->probe_error = cvm_json_string_opt(r, "probe_error");
    json_array_foreach(h->missing, i, value)
    {
        if (!json_is_string(value))
            cvm_json_fail(r, CVM_E_JSON_TYPE, "missing_protections: names");
    }
}

int cvm_host_open_answers(struct cvm_host *h, json_t *answers, struct cvm_error *err)
{
    struct cvm_json_reader r;
    cvm_json_begin(&r, answers, "answers", err);
    (void)cvm_json_int(&r, "version", 1, 1);
    h->uid = (uint32_t)cvm_json_int(&r, "uid", 0, UINT32_MAX);
    read_nodes(h, &r);
    read_status(h, &r);
    read_qemu(h, &r);
    h->disk_free_mib = cvm_json_int_opt(&r, "disk_free_mib", 0, CVM_JSON_INT_MAX, -1);
    read_missing(h, &r);
    return cvm_json_end(&r);
}
