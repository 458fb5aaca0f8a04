#include "orchestrator/api/api.h"

#include <string.h>

const struct cvm_route cvm_routes[] = {
#define R(method, path, who, body, start, end)                                                     \
    {method, path, CVM_WHO_##who, body, start, cvm_handle_##end},
#include "orchestrator/api/routes.def"
#undef R
};
const size_t cvm_route_count = sizeof cvm_routes / sizeof cvm_routes[0];

/* Parameters are what ids are made of (and the dash and digits of an act's number): nothing that
 * could name another folder ever gets past here. */
static size_t parameter(const char *path, char out[80])
{
    size_t n = strspn(path, "abcdefghijklmnopqrstuvwxyz0123456789-");
    if (n == 0 || n >= 80)
        return 0;
    memcpy(out, path, n);
    out[n] = '\0';
    return n;
}

static bool match(const char *pattern, const char *path, char params[CVM_API_PARAMS][80])
{
    size_t p = 0;
    while (*pattern) {
        if (*pattern != '{') {
            if (*pattern++ != *path++)
                return false;
            continue;
        }
        size_t n = p < CVM_API_PARAMS ? parameter(path, params[p++]) : 0;
        if (n == 0)
            return false;
        path += n;
        pattern = strchr(pattern, '}') + 1;
    }
    return *path == '\0';
}

const struct cvm_route *cvm_route_find(const char *method, const char *path,
                                       char params[CVM_API_PARAMS][80], char allow[64],
                                       struct cvm_error *err)
{
    allow[0] = '\0';
    for (size_t i = 0; i < cvm_route_count; i++) {
        if (!match(cvm_routes[i].path, path, params))
            continue;
        if (strcmp(cvm_routes[i].method, method) == 0)
            return &cvm_routes[i];
        size_t at = strlen(allow);
        snprintf(allow + at, 64 - at, "%s%s", at ? ", " : "", cvm_routes[i].method);
    }
    if (allow[0])
        cvm_fail_expected(err, CVM_E_METHOD, allow, method, "this path has other methods");
    else
        cvm_fail(err, CVM_E_NOT_FOUND, "no such path; see /v1/openapi.json");
    return NULL;
}
