/*
 * What bench-stock uses of Wasmtime's own C API, version 48, declared as its headers do: shapes
 * that the library reads and writes, and functions found in it by name. The library itself comes
 * with benchmarks/requirements.txt, which fixes its version and digest.
 *
 * A function that may fail returns NULL or an error, which the caller owns. A list's elements are
 * the library's memory: made by vallist_new_uninit, freed with the value by val_delete.
 */
#ifndef CVM_BENCHMARKS_STOCK_H
#define CVM_BENCHMARKS_STOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STOCK_U32 = 6 }; /* wasmtime_component_valkind_t */

struct stock_val {
    uint8_t kind;
    union {
        uint8_t u8;
        uint32_t u32;
        double f64;
        struct {
            size_t size;
            struct stock_val *data;
        } list;
        void *widest[3]; /* a variant */
    } of;
};
_Static_assert(sizeof(struct stock_val) == 32, "wasmtime_component_val_t");

struct stock_instance {
    uint64_t store;
    uint32_t index;
}; /* 16 bytes: its end is filled up */

struct stock_func {
    struct stock_instance within;
    uint32_t index;
};
_Static_assert(sizeof(struct stock_func) == 24, "wasmtime_component_func_t");

/* A function that a component imports: its own data, a context, its type, arguments, results. */
typedef void *stock_callback(void *, void *, const void *, struct stock_val *, size_t,
                             struct stock_val *, size_t);

/* name in the library, result, parameters */
#define STOCK_FUNCTIONS(X)                                                                         \
    X(wasm_config_new, void *, (void))                                                             \
    X(wasm_engine_new_with_config, void *, (void *config))                                         \
    X(wasmtime_config_concurrency_support_set, void, (void *config, bool))                         \
    X(wasmtime_store_new, void *, (void *engine, void *data, void (*end)(void *)))                 \
    X(wasmtime_store_context, void *, (void *store))                                               \
    X(wasmtime_error_message, void, (const void *error, size_t *ret_name))                         \
    X(wasmtime_component_new, void *, (void *engine, const uint8_t *, size_t, void **ret))         \
    X(wasmtime_component_linker_new, void *, (void *engine))                                       \
    X(wasmtime_component_linker_root, void *, (void *linker))                                      \
    X(wasmtime_component_linker_instance_add_instance, void *,                                     \
      (void *instance, const char *, size_t, void **ret))                                          \
    X(wasmtime_component_linker_instance_add_func, void *,                                         \
      (void *instance, const char *, size_t, stock_callback *, void *data, void (*end)(void *)))   \
    X(wasmtime_component_linker_instance_delete, void, (void *instance))                           \
    X(wasmtime_component_linker_instantiate, void *,                                               \
      (void *linker, void *context, void *component, struct stock_instance *ret))                  \
    X(wasmtime_component_instance_get_export_index, void *,                                        \
      (const struct stock_instance *, void *context, void *within, const char *, size_t))          \
    X(wasmtime_component_instance_get_func, bool,                                                  \
      (const struct stock_instance *, void *context, void *index, struct stock_func *ret))         \
    X(wasmtime_component_func_call, void *,                                                        \
      (const struct stock_func *, void *context, const struct stock_val *, size_t,                 \
       struct stock_val *ret, size_t))

#define STOCK_MEMBER(name, result, parameters) result(*name) parameters;
struct stock {
    STOCK_FUNCTIONS(STOCK_MEMBER)
};

#endif
