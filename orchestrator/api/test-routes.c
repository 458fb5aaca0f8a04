#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <string.h>

#include "orchestrator/api/api.h"

static json_t *document(void)
{
    struct cvm_error err = {0};
    json_t *doc = cvm_json_parse(cvm_openapi, (size_t)(cvm_openapi_end - cvm_openapi), &err);
    if (!doc)
        fail_msg("doc/openapi.json: %s", err.message);
    return doc;
}

static const json_t *operation(const json_t *doc, const char *method, const char *path)
{
    char lower[16] = "";
    for (size_t i = 0; method[i] && i < sizeof lower - 1; i++)
        lower[i] = (char)tolower((unsigned char)method[i]);
    return json_object_get(json_object_get(json_object_get(doc, "paths"), path), lower);
}

static bool has_security(const json_t *op, const char *scheme)
{
    size_t i;
    json_t *e;
    json_array_foreach(json_object_get(op, "security"), i,
                       e) if (json_object_get(e, scheme)) return true;
    return false;
}

/* Each route is documented, with the body and the rights that the table gives it. */
static void routes_are_documented(void **state)
{
    (void)state;
    CVM_AUTO_JSON json_t *doc = document();
    for (size_t i = 0; i < cvm_route_count; i++) {
        const struct cvm_route *r = &cvm_routes[i];
        const json_t *op = operation(doc, r->method, r->path);
        if (!op)
            fail_msg("%s %s is not in doc/openapi.json", r->method, r->path);
        bool participant =
            r->who == CVM_WHO_CREATOR || r->who == CVM_WHO_PARTICIPANT || r->who == CVM_WHO_READER;
        bool by_operator = r->who == CVM_WHO_OPERATOR || r->who == CVM_WHO_READER;
        if ((json_object_get(op, "requestBody") != NULL) != (r->body_max != 0) ||
            has_security(op, "signature") != participant ||
            has_security(op, "operatorSocket") != by_operator)
            fail_msg("%s %s is documented with another body or other rights", r->method, r->path);
    }
}

/* The reverse: nothing is documented that is not served. */
static void documented_is_routed(void **state)
{
    (void)state;
    CVM_AUTO_JSON json_t *doc = document();
    const char *path, *member;
    json_t *item, *op;
    size_t operations = 0;
    json_object_foreach(json_object_get(doc, "paths"), path, item)
    {
        json_object_foreach(item, member, op)
        {
            if (strcmp(member, "parameters") == 0)
                continue;
            operations++;
            bool found = false;
            for (size_t i = 0; i < cvm_route_count; i++)
                found |= strcmp(cvm_routes[i].path, path) == 0 &&
                         strcasecmp(cvm_routes[i].method, member) == 0;
            if (!found)
                fail_msg("%s %s is documented and not served", member, path);
        }
    }
    assert_int_equal(operations, cvm_route_count);
}

/* Every refusal that the code table can send has a response in the document. */
static void every_status_is_documented(void **state)
{
    (void)state;
    CVM_AUTO_JSON json_t *doc = document();
    const json_t *responses = json_object_get(json_object_get(doc, "components"), "responses");
    assert_true(json_object_size(responses) > 10);
    static const char *const common[] = {"400", "405", "500"};
    for (size_t i = 0; i < cvm_route_count; i++) {
        const json_t *op = operation(doc, cvm_routes[i].method, cvm_routes[i].path);
        for (size_t k = 0; k < 3; k++)
            assert_non_null(json_object_get(json_object_get(op, "responses"), common[k]));
        const char *status;
        json_t *response;
        json_object_foreach(json_object_get(op, "responses"), status, response)
        {
            const char *ref = json_string_value(json_object_get(response, "$ref"));
            if (ref && !json_object_get(responses, strrchr(ref, '/') + 1))
                fail_msg("%s does not resolve", ref);
        }
    }
}

#define UUID "0f0f0f0f-1111-4222-8333-444444444444"
static void finding(void **state)
{
    (void)state;
    char params[CVM_API_PARAMS][80], allow[64];
    struct cvm_error err;
    const struct cvm_route *r =
        cvm_route_find("PUT", "/v1/collaborations/" UUID "/blobs/rows-a", params, allow, &err);
    assert_non_null(r);
    assert_string_equal(params[0], UUID);
    assert_string_equal(params[1], "rows-a");
    assert_null(cvm_route_find("DELETE", "/v1/collaborations", params, allow, &err));
    assert_int_equal(err.code, CVM_E_METHOD);
    assert_string_equal(allow, "POST, GET");
    static const char *const wrong[] = {
        "",
        "/",
        "/v1",
        "/v2/health",
        "/v1/health/",
        "/v1/collaborations/",
        "//v1/health",
        "/v1/collaborations/../health",
        "/v1/collaborations/" UUID "/blobs/../manifest",
        "/v1/collaborations/" UUID "/blobs/a%2fb",
        "/v1/collaborations/" UUID "/blobs/",
        "/v1/collaborations/" UUID "/blobs/A",
        "/v1/collaborations/" UUID "/blobs/a/b",
        "/v1/collaborations/" UUID "/manifest.json",
        "/V1/health",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_null(cvm_route_find("GET", wrong[i], params, allow, &err));
        assert_int_equal(err.code, CVM_E_NOT_FOUND);
    }
    char longest[256] = "/v1/collaborations/" UUID "/blobs/";
    memset(longest + strlen(longest), 'a', 100);
    assert_null(cvm_route_find("PUT", longest, params, allow, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes_are_documented),
        cmocka_unit_test(documented_is_routed),
        cmocka_unit_test(every_status_is_documented),
        cmocka_unit_test(finding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
