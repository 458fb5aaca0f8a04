/*
 * The same calls as its makers' C API offers them: bench-stock LIBRARY CALLER.wasm CALLEE.wasm.
 * Two instances in one store of one process; a function of the host's, which the caller imports,
 * hands what came to the callee's export. Every element of a list is a value of the API's, twice.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "benchmarks/drive.h"
#include "benchmarks/stock.h"

#define VALUES "bench:calls/values@1.0.0"
#define DRIVER "bench:calls/driver@1.0.0"

static const char *const names[] = {"nothing", "take-bytes", "take-doubles", "give-bytes",
                                    "give-doubles"};
enum { FUNCTIONS = sizeof names / sizeof names[0] };

static struct stock api;
static struct stock_func callee[FUNCTIONS];

static _Noreturn void fail(const char *what, const char *why, size_t len)
{
    fprintf(stderr, "%s: %.*s\n", what, (int)len, why);
    exit(1);
}

static void need(const void *error, const char *what)
{
    struct {
        size_t len;
        const char *text;
    } message;
    if (!error)
        return;
    api.wasmtime_error_message(error, &message.len);
    fail(what, message.text, message.len);
}

static void load(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        fail(path, dlerror(), 200);
#define STOCK_LOAD(name, result, parameters)                                                       \
    *(void **)(void *)&api.name = dlsym(library, #name);                                           \
    if (!api.name)                                                                                 \
        fail(path, "no " #name, 100);
    STOCK_FUNCTIONS(STOCK_LOAD)
}

static void *component_of(void *engine, const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *bytes = MAP_FAILED, *ret;
    if (fd >= 0 && fstat(fd, &st) == 0)
        bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        fail(path, "cannot be read", 100);
    need(api.wasmtime_component_new(engine, bytes, (size_t)st.st_size, &ret), path);
    return ret;
}

static struct stock_func export_of(const struct stock_instance *instance, void *context,
                                   const char *interface, const char *name)
{
    struct stock_func ret;
    void *within = api.wasmtime_component_instance_get_export_index(instance, context, NULL,
                                                                    interface, strlen(interface));
    void *index = api.wasmtime_component_instance_get_export_index(instance, context, within, name,
                                                                   strlen(name));
    if (!within || !index ||
        !api.wasmtime_component_instance_get_func(instance, context, index, &ret))
        fail(name, "no such export", 100);
    return ret;
}

/* The caller calls: its arguments are the callee's, the callee's results are its own. */
static void *hand_over(void *data, void *context, const void *type, struct stock_val *args,
                       size_t n_args, struct stock_val *results, size_t n_results)
{
    (void)type;
    return api.wasmtime_component_func_call(data, context, args, n_args, results, n_results);
}

static void measure(void *context, const struct stock_func *drive, const struct bench_drive *d)
{
    uint32_t times = d->bytes > 100000 ? 1 : d->bytes ? 2 : 10000;
    const struct stock_val args[] = {{STOCK_U32, {.u32 = d->function}},
                                     {STOCK_U32, {.u32 = times}},
                                     {STOCK_U32, {.u32 = d->bytes}}};
    int rounds = d->bytes > 100000 ? 5 : BENCH_ROUNDS; /* a tenth of a second and more each */
    double best = 1e9;
    for (int round = 0; round <= rounds; round++) {
        double start = bench_now();
        need(api.wasmtime_component_func_call(drive, context, args, 3, NULL, 0), d->name);
        double each = (bench_now() - start) / times;
        best = each < best ? each : best;
    }
    bench_figure("calls", d->name, 1e6 * best, "us");
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    load(argv[1]);
    void *config = api.wasm_config_new();
    api.wasmtime_config_concurrency_support_set(config, false); /* as ours; faster */
    void *engine = api.wasm_engine_new_with_config(config);
    void *context = api.wasmtime_store_context(api.wasmtime_store_new(engine, NULL, NULL));
    void *linker = api.wasmtime_component_linker_new(engine), *values;
    struct stock_instance instance;
    need(api.wasmtime_component_linker_instantiate(linker, context, component_of(engine, argv[3]),
                                                   &instance),
         argv[3]);
    void *root = api.wasmtime_component_linker_root(linker);
    need(api.wasmtime_component_linker_instance_add_instance(root, VALUES, strlen(VALUES), &values),
         VALUES);
    for (size_t i = 0; i < FUNCTIONS; i++) {
        callee[i] = export_of(&instance, context, VALUES, names[i]);
        need(api.wasmtime_component_linker_instance_add_func(values, names[i], strlen(names[i]),
                                                             hand_over, &callee[i], NULL),
             names[i]);
    }
    api.wasmtime_component_linker_instance_delete(values);
    api.wasmtime_component_linker_instance_delete(root);
    need(api.wasmtime_component_linker_instantiate(linker, context, component_of(engine, argv[2]),
                                                   &instance),
         argv[2]);
    struct stock_func drive = export_of(&instance, context, DRIVER, "drive");
    for (size_t i = 0; i < BENCH_DRIVES; i++)
        measure(context, &drive, &bench_drives[i]);
    return 0;
}
