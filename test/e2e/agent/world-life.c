#include "test/e2e/agent/world-internal.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

void world_component_file(struct world *w, const char *id, const char *name, const char *args)
{
    static char bytes[128 << 10];
    CVM_AUTO_FREE char *path = cvm_printf("%s/cells/%s.wasm", CVM_BINARY_DIR, name);
    CVM_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        fail_msg("%s is missing: run test/attack/cells/build", path);
    ssize_t len = read(fd, bytes, sizeof bytes);
    assert_in_range(len, 1, sizeof bytes - 1);
    world_component_bytes(w, id, bytes, (size_t)len);
    json_object_set_new(world_last_component(w), "args", json_loads(args, 0, NULL));
}

void world_limit_wall(struct world *w, int ms)
{
    int slower = world_is_machine() ? WORLD_MACHINE_SLOWER : 1;
    json_object_set_new(json_object_get(world_last_component(w), "limits"), "wall_ms",
                        json_integer((json_int_t)ms * slower));
}

/* Whether it ended well; *ret_how gets the diagnostics. */
static bool live(struct world *w, struct cvm_buf *ret_how)
{
    world_seal(w);
    world_fill(w);
    assert_string_equal(world_run(w), "releasing");
    world_open_output(w, 0, "how", ret_how);
    CVM_AUTO_JSON json_t *report = cvm_json_parse_canonical(ret_how->data, ret_how->len, NULL);
    if (!report)
        fail_msg("not of our JSON: %s", cvm_buf_cstr(ret_how));
    CVM_AUTO_JSON json_t *s = world_status(w);
    const char *result = json_string_value(json_object_get(s, "result"));
    if (!strcmp(result, "completed"))
        return true;
    assert_string_equal(result, "failed");
    assert_int_equal(world_refusal(w, "output", "result"), CVM_E_RUN_FAILED);
    return false;
}

static bool says(const struct cvm_buf *how, const char *id, const char *why, const char *limit)
{
    CVM_AUTO_JSON json_t *all = json_loads((const char *)how->data, 0, NULL);
    size_t i;
    json_t *c;
    json_array_foreach(json_object_get(all, "components"), i, c)
    {
        if (!strcmp(json_string_value(json_object_get(c, "id")), id))
            return !strcmp(json_string_value(json_object_get(c, "why")), why) &&
                   !strcmp(json_string_value(json_object_get(c, "limit")), limit);
    }
    return false;
}

void world_assert_result(struct world *w, const char *want)
{
    CVM_AUTO_BUF struct cvm_buf got = {0}, how = {0};
    if (!live(w, &how))
        fail_msg("the run failed: %s", cvm_buf_cstr(&how));
    world_open_output(w, 0, "result", &got);
    if (want)
        assert_string_equal(cvm_buf_cstr(&got), want);
    world_close(w);
}

void world_assert_fails(struct world *w, const char *id, const char *why, const char *limit)
{
    CVM_AUTO_BUF struct cvm_buf how = {0};
    bool well = live(w, &how);
    cvm_buf_cstr(&how);
    if (well || !says(&how, id, why, limit))
        fail_msg("not %s: %s (%s) but %s", id, why, limit, cvm_buf_cstr(&how));
    world_close(w);
}

void world_assert_result_or_fails(struct world *w, const char *id, const char *why,
                                  const char *limit)
{
    CVM_AUTO_BUF struct cvm_buf how = {0};
    bool well = live(w, &how);
    cvm_buf_cstr(&how);
    if (!well && !says(&how, id, why, limit))
        fail_msg("neither well nor %s: %s (%s) but %s", id, why, limit, cvm_buf_cstr(&how));
    world_close(w);
}
