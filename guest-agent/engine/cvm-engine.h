/*
 * The engine: Wasmtime behind a few C functions of ours. Two libraries offer them:
 * libcvm-engine-compiler.a (in 2cvm-compile only) and libcvm-engine-runner.a (in 2cvm-cell only,
 * holds no compiler). Both make their configuration by one function, so a .cwasm fits the runner
 * exactly when both were given the same options.
 *
 * Security: cvm_engine_run() executes whatever machine code the .cwasm holds. Call it inside the
 * sandbox only, and believe nothing that the process says afterwards beyond what
 * guest-agent/sandbox/results.h allows.
 */
#ifndef CVM_ENGINE_H
#define CVM_ENGINE_H

#include <stddef.h>
#include <stdint.h>

/* The numbers are those of the enums of core/manifest/manifest.h (asserted where both meet). */
enum { CVM_ENGINE_GRANT_CLI = 1, CVM_ENGINE_GRANT_FILESYSTEM = 2 }; /* bits */
enum { CVM_ENGINE_CLOCK_NONE, CVM_ENGINE_CLOCK_FIXED, CVM_ENGINE_CLOCK_HOST };
enum { CVM_ENGINE_RANDOM_NONE, CVM_ENGINE_RANDOM_SEEDED, CVM_ENGINE_RANDOM_REAL };
enum { CVM_ENGINE_KIND_COMMAND, CVM_ENGINE_KIND_LIBRARY };

struct cvm_engine_options {
    uint32_t grants;
    uint32_t clock;
    uint32_t random;
    uint32_t kind;
    uint32_t count_fuel; /* 0 or 1; halves the speed of tight loops */
    uint32_t zero;
    uint64_t memory_bytes; /* all linear memories and tables together */
};

/* ------------------------------------------------------------------------ compiler library */

/* Ends of cvm_engine_compile(); the numbers are those of enum cvm_compile_end. */
enum cvm_engine_admission_end {
    CVM_ENGINE_ADMITTED,
    CVM_ENGINE_INVALID,
    CVM_ENGINE_IMPORT,
    CVM_ENGINE_FEATURE,
    CVM_ENGINE_EXPORT,
    CVM_ENGINE_MEMORY,
};

struct cvm_engine_admission {
    uint32_t end;          /* enum cvm_engine_admission_end */
    uint32_t function;     /* IMPORT: row of wasi-functions.def, or UINT32_MAX for one outside it */
    uint64_t memory_bytes; /* what its memories start with, summed */
};

/*
 * Admits the component, and compiles it if it is admissible. An import is judged by the functions
 * that it holds: one that brings only types needs no grant. *ret_code is written only for
 * CVM_ENGINE_ADMITTED; end it with cvm_engine_free().
 */
void cvm_engine_compile(const struct cvm_engine_options *options, const uint8_t *component,
                        size_t len, struct cvm_engine_admission *ret, uint8_t **ret_code,
                        size_t *ret_len);
void cvm_engine_free(uint8_t *code, size_t len);

/* -------------------------------------------------------------------------- runner library */

/* Ends of cvm_engine_run(); the numbers of the first five are those of enum cvm_cell_end. */
enum cvm_engine_end {
    CVM_ENGINE_OK,
    CVM_ENGINE_EXIT,      /* a code other than 0 */
    CVM_ENGINE_TRAP,      /* also: recursion, an instance that could not be made */
    CVM_ENGINE_NO_MEMORY, /* it ended badly after it had been refused memory */
    CVM_ENGINE_NO_FUEL,
    CVM_ENGINE_UNUSABLE, /* not a .cwasm of this engine and these options, or it wants functions not
                            granted */
    CVM_ENGINE_STOPPED,  /* `loaded` said no */
};

struct cvm_engine_sink {
    int fd; /* written from its start, or -1: bytes are counted and dropped */
    uint32_t zero;
    uint64_t max; /* bytes behind this are counted and dropped too */
};

struct cvm_engine_run {
    struct cvm_engine_options options;
    uint64_t fuel;           /* with count_fuel */
    const char *const *args; /* argv, its first included; UTF-8 */
    size_t n_args;
    const char *in;   /* folder that the guest sees as /in, read-only; NULL: none */
    const char *out;  /* folder that the guest sees as /out; NULL: none */
    uint8_t seed[32]; /* with CVM_ENGINE_RANDOM_SEEDED: key of the ChaCha20 stream that the guest
                         gets */
    struct cvm_engine_sink out_sink,
        err_sink; /* standard output and error; standard input is empty */
    /*
     * Called once, when all code is in place and before any of it runs: the moment to forbid new
     * executable memory. A return other than 0 ends the run.
     */
    int (*loaded)(void *context);
    void *context;
};

struct cvm_engine_result {
    uint32_t end;                        /* enum cvm_engine_end */
    uint32_t exit_code;                  /* 1 to 255 with CVM_ENGINE_EXIT, else 0 */
    uint64_t fuel;                       /* used; 0 without count_fuel */
    uint64_t memory_bytes;               /* most linear memory at a time */
    uint64_t stdout_bytes, stderr_bytes; /* all that was written */
};

/*
 * Runs a command component to its end, on the calling thread and without making another; a
 * component that exports no wasi:cli/run is only instantiated. No environment, no network. Clock
 * "fixed": the wall clock stands at 0, the monotonic clock advances by 1,000 ns a reading, waits
 * end at once and advance it to their end; file times are absent then.
 */
void cvm_engine_run(const uint8_t *code, size_t len, const struct cvm_engine_run *spec,
                    struct cvm_engine_result *ret);

#endif
