/* What QEMU says of itself: one JSON object a line, the answers in the order of the questions, with
 * a greeting before and events in between. */
#include <string.h>

#include "orchestrator/host/internal.h"

static const json_t *path_of(const json_t *o, const char *a, const char *b)
{
    return json_object_get(json_object_get(o, a), b);
}

static char *version_text(const json_t *qemu)
{
    const json_t *part[3] = {json_object_get(qemu, "major"), json_object_get(qemu, "minor"),
                             json_object_get(qemu, "micro")};
    for (size_t i = 0; i < 3; i++)
        if (!json_is_integer(part[i]) || json_integer_value(part[i]) < 0 ||
            json_integer_value(part[i]) > 9999)
            return NULL;
    return cvm_printf("%d.%d.%d", (int)json_integer_value(part[0]),
                      (int)json_integer_value(part[1]), (int)json_integer_value(part[2]));
}

static bool lists_snp(const json_t *list)
{
    size_t i;
    json_t *type;
    json_array_foreach((json_t *)list, i, type)
    {
        const char *name = json_string_value(json_object_get(type, "name"));
        if (name && strcmp(name, "sev-snp-guest") == 0)
            return true;
    }
    return false;
}

json_t *cvm_host_qemu_answer(const char *text, size_t len)
{
    CVM_AUTO_FREE char *version = NULL;
    bool snp = false, listed = false;
    for (size_t at = 0; at < len;) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t n = end ? (size_t)(end - text) - at : len - at;
        CVM_AUTO_JSON json_t *line = json_loadb(text + at, n, JSON_REJECT_DUPLICATES, NULL);
        const json_t *said = json_object_get(line, "return");
        if (!version && path_of(line, "return", "qemu"))
            version = version_text(path_of(line, "return", "qemu"));
        if (json_is_array(said)) {
            listed = true;
            snp = lists_snp(said);
        }
        at += n + 1;
    }
    if (!version || !listed)
        return NULL;
    return json_pack("{s:s, s:b}", "version", version, "sev_snp_guest", snp);
}
