#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "orchestrator/store/store.h"

struct fixture {
    char folder[64], path[96];
    struct cvm_store *store;
    struct cvm_error err;
};

static int setup(void **state)
{
    struct fixture *f = cvm_alloc(sizeof *f);
    snprintf(f->folder, sizeof f->folder, "/tmp/cvm-store-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/state.db", f->folder);
    assert_int_equal(cvm_store_open(f->path, false, &f->store, &f->err), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    cvm_store_close(f->store);
    static const char *const names[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        char p[128];
        snprintf(p, sizeof p, "%s%s", f->path, names[i]);
        unlink(p);
    }
    rmdir(f->folder);
    free(f);
    return 0;
}

static void put_and_get(void **state)
{
    struct fixture *f = *state;
    CVM_AUTO_BUF struct cvm_buf b = {0};
    uint64_t v = 0, w = 0;
    assert_int_equal(cvm_store_get(f->store, "a", &b, &v, &f->err), 0);
    assert_int_equal(cvm_store_put(f->store, "a", 0, "one", 3, &v, &f->err), 1);
    assert_int_equal(cvm_store_get(f->store, "a", &b, &w, &f->err), 1);
    assert_int_equal(v, w);
    assert_int_equal(b.len, 3);
    assert_memory_equal(b.data, "one", 3);
    struct stat st;
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void put_refuses_what_changed(void **state)
{
    struct fixture *f = *state;
    CVM_AUTO_BUF struct cvm_buf b = {0};
    uint64_t v = 0, w = 0;
    assert_int_equal(cvm_store_put(f->store, "a", 0, "one", 3, &v, &f->err), 1);
    assert_int_equal(cvm_store_put(f->store, "a", 0, "two", 3, NULL, &f->err), 0);
    assert_int_equal(cvm_store_put(f->store, "a", v + 1, "two", 3, NULL, &f->err), 0);
    assert_int_equal(cvm_store_put(f->store, "a", v, "two", 3, &w, &f->err), 1);
    assert_true(w > v);
    assert_int_equal(cvm_store_put(f->store, "a", v, "three", 5, NULL, &f->err), 0);
    assert_int_equal(cvm_store_put(f->store, "b", v, "new", 3, NULL, &f->err), 0);
    assert_int_equal(cvm_store_get(f->store, "a", &b, NULL, &f->err), 1);
    assert_memory_equal(b.data, "two", 3);
}

static void delete_and_make_again(void **state)
{
    struct fixture *f = *state;
    CVM_AUTO_BUF struct cvm_buf b = {0};
    uint64_t v = 0, w = 0;
    assert_int_equal(cvm_store_put(f->store, "a", 0, "one", 3, &v, &f->err), 1);
    assert_int_equal(cvm_store_delete(f->store, "a", v + 7, &f->err), 0);
    assert_int_equal(cvm_store_delete(f->store, "a", v, &f->err), 1);
    assert_int_equal(cvm_store_delete(f->store, "a", v, &f->err), 0);
    assert_int_equal(cvm_store_get(f->store, "a", &b, NULL, &f->err), 0);
    assert_int_equal(cvm_store_put(f->store, "a", v, "old", 3, NULL, &f->err), 0);
    assert_int_equal(cvm_store_put(f->store, "a", 0, "", 0, &w, &f->err), 1);
    assert_true(w > v + 1);
    assert_int_equal(cvm_store_get(f->store, "a", &b, NULL, &f->err), 1);
    assert_int_equal(b.len, 0);
}

static int collect(void *arg, const char *key, const void *data, size_t len, uint64_t version,
                   struct cvm_error *err)
{
    (void)version;
    (void)err;
    struct cvm_buf *out = arg;
    cvm_buf_append_str(out, key);
    cvm_buf_append_str(out, "=");
    cvm_buf_append(out, data, len);
    cvm_buf_append_str(out, ";");
    return 0;
}

static int refuse(void *arg, const char *key, const void *data, size_t len, uint64_t version,
                  struct cvm_error *err)
{
    (void)data, (void)len, (void)version;
    ++*(int *)arg;
    return cvm_fail(err, CVM_E_USAGE, "stopped at %s", key);
}

static void list_by_prefix(void **state)
{
    struct fixture *f = *state;
    CVM_AUTO_BUF struct cvm_buf out = {0};
    static const char *const keys[] = {"c/2", "c/1", "c", "d/1", "c%1", "c/10"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        assert_int_equal(cvm_store_put(f->store, keys[i], 0, "x", 1, NULL, &f->err), 1);
    assert_int_equal(cvm_store_list(f->store, "c/", collect, &out, &f->err), 0);
    assert_string_equal(cvm_buf_cstr(&out), "c/1=x;c/10=x;c/2=x;");
    int calls = 0;
    assert_int_equal(cvm_store_list(f->store, "c/", refuse, &calls, &f->err), -1);
    assert_int_equal(calls, 1);
    assert_int_equal(f->err.code, CVM_E_USAGE);
}

static void survives_reopening(void **state)
{
    struct fixture *f = *state;
    uint64_t v = 0, w = 0;
    assert_int_equal(cvm_store_put(f->store, "a", 0, "one", 3, &v, &f->err), 1);
    cvm_store_close(f->store);
    assert_int_equal(cvm_store_open(f->path, false, &f->store, &f->err), 0);
    assert_int_equal(cvm_store_put(f->store, "a", v, "two", 3, &w, &f->err), 1);
    assert_true(w > v);
}

static void refuses_damaged_file(void **state)
{
    struct fixture *f = *state;
    char path[128];
    snprintf(path, sizeof path, "%s/not.db", f->folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 400; i++)
        fputs("this is no database\n", file);
    fclose(file);
    struct cvm_store *s = NULL;
    assert_int_equal(cvm_store_open(path, false, &s, &f->err), -1);
    assert_int_equal(f->err.code, CVM_E_IO);
    assert_null(s);
    unlink(path);
}

static void leases(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(cvm_store_lease(f->store, "n", "", 100, 200, &f->err), 1);
    assert_int_equal(cvm_store_lease(f->store, "n", "", 150, 300, &f->err), 0);
    assert_int_equal(cvm_store_lease(f->store, "n", "", 200, 300, &f->err), 0);
    assert_int_equal(cvm_store_lease(f->store, "n", "", 201, 300, &f->err), 1);
    assert_int_equal(cvm_store_lease(f->store, "h", "me", 100, 400, &f->err), 1);
    assert_int_equal(cvm_store_lease(f->store, "h", "you", 110, 400, &f->err), 0);
    assert_int_equal(cvm_store_lease(f->store, "h", "me", 110, 500, &f->err), 1);
    assert_int_equal(cvm_store_lease(f->store, "h", "you", 450, 600, &f->err), 0);
    assert_int_equal(cvm_store_lease(f->store, "h", "you", 501, 600, &f->err), 1);
}

static void *write_later(void *arg)
{
    struct fixture *f = arg;
    uint64_t v = 0;
    struct cvm_error err;
    if (cvm_store_put(f->store, "other", 0, "x", 1, &v, &err) != 1 ||
        cvm_store_put(f->store, "w/1", 0, "x", 1, &v, &err) != 1)
        return NULL;
    return f;
}

static void watch_sees_its_prefix_only(void **state)
{
    struct fixture *f = *state;
    uint64_t r = 0, v = 0;
    assert_int_equal(cvm_store_watch(f->store, "w/", 0, 20, &r, &f->err), 0);
    pthread_t t;
    assert_int_equal(pthread_create(&t, NULL, write_later, f), 0);
    assert_int_equal(cvm_store_watch(f->store, "w/", 0, 5000, &r, &f->err), 1);
    void *done = NULL;
    pthread_join(t, &done);
    assert_ptr_equal(done, f);
    assert_int_equal(cvm_store_watch(f->store, "w/", r, 20, &r, &f->err), 0);
    CVM_AUTO_BUF struct cvm_buf b = {0};
    assert_int_equal(cvm_store_get(f->store, "w/1", &b, &v, &f->err), 1);
    assert_int_equal(cvm_store_delete(f->store, "w/1", v, &f->err), 1);
    assert_int_equal(cvm_store_watch(f->store, "w/", r, 1000, &r, &f->err), 1);
}

static void key_sizes(void **state)
{
    struct fixture *f = *state;
    char key[CVM_STORE_KEY_MAX + 2];
    memset(key, 'k', sizeof key);
    key[sizeof key - 1] = '\0';
    assert_int_equal(cvm_store_put(f->store, key, 0, "x", 1, NULL, &f->err), -1);
    assert_int_equal(cvm_store_put(f->store, "", 0, "x", 1, NULL, &f->err), -1);
    key[CVM_STORE_KEY_MAX] = '\0';
    assert_int_equal(cvm_store_put(f->store, key, 0, "x", 1, NULL, &f->err), 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(put_and_get),    T(put_refuses_what_changed),   T(delete_and_make_again),
        T(list_by_prefix), T(survives_reopening),         T(refuses_damaged_file),
        T(leases),         T(watch_sees_its_prefix_only), T(key_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
