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

/* The numbers are those of the enums of core/manifest/manifest.h (asserted where both meet); grants
 * are bits. */
enum {
    CVM_ENGINE_GRANT_CLI = 1,
    CVM_ENGINE_GRANT_FILESYSTEM = 2,
    CVM_ENGINE_GRANT_SOCKETS_DENIED = 4, /* may be imported; a call of one traps */
};
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
    CVM_ENGINE_CALL_RESOURCE,
    CVM_ENGINE_CALL_STREAM,
    CVM_ENGINE_CALL_FUTURE,
    CVM_ENGINE_CALL_ERROR_CONTEXT,
    CVM_ENGINE_CALL_PARAMETERS,
    CVM_ENGINE_CALL_IMPORT,
    CVM_ENGINE_CALL_EXPORT,
    CVM_ENGINE_CALL_TYPE,
};

/* The interfaces that call channels name, with their versions; none of them is of WASI. */
struct cvm_engine_interfaces {
    const char *const *exports;
    size_t n_exports;
    const char *const *imports;
    size_t n_imports;
};

struct cvm_engine_admission {
    uint32_t end;          /* enum cvm_engine_admission_end */
    uint32_t function;     /* IMPORT: row of wasi-functions.def, or UINT32_MAX for one outside it;
                              CALL_…: index among the interface's functions, sorted by name */
    uint32_t side;         /* CALL_…: 0 exports, 1 imports */
    uint32_t interface;    /* CALL_…: index in that list */
    uint64_t memory_bytes; /* what its memories start with, summed */
};

struct cvm_engine_bytes {
    uint8_t *data;
    size_t len;
};

/*
 * Admits the component, and compiles it if it is admissible. An import is judged by the functions
 * that it holds: one that brings only types needs no grant, one that a channel names needs none
 * either. *ret_code and *ret_texts are written only for CVM_ENGINE_ADMITTED; end each with
 * cvm_engine_free(). The texts say the types of the named interfaces: canonical JSON
 * {"exports":{"<interface>":["<function>", …]},"imports":{…}}, functions sorted by name, every type
 * spelt out, at most 1 MiB (doc/PROTOCOL.md section 9.2).
 */
void cvm_engine_compile(const struct cvm_engine_options *options,
                        const struct cvm_engine_interfaces *calls, const uint8_t *component,
                        size_t len, struct cvm_engine_admission *ret,
                        struct cvm_engine_bytes *ret_code, struct cvm_engine_bytes *ret_texts);
void cvm_engine_free(struct cvm_engine_bytes *bytes);

/* -------------------------------------------------------------------------- runner library */

/* Ends of cvm_engine_run(); the numbers of the first six are those of enum cvm_cell_end. */
enum cvm_engine_end {
    CVM_ENGINE_OK,
    CVM_ENGINE_EXIT,      /* a code other than 0 */
    CVM_ENGINE_TRAP,      /* also: recursion, an instance that could not be made */
    CVM_ENGINE_NO_MEMORY, /* it ended badly after it had been refused memory */
    CVM_ENGINE_NO_FUEL,
    CVM_ENGINE_CALL,     /* a call's value was too large for its region, or no value of its type */
    CVM_ENGINE_UNUSABLE, /* not a .cwasm of this engine and these options, or it wants functions not
                            granted */
    CVM_ENGINE_STOPPED, /* a function of the caller's (`loaded`, one of cvm_engine_calls) said no */
};

struct cvm_engine_sink {
    int fd;        /* -1: bytes are counted and dropped */
    uint32_t pipe; /* 0: a file, written from its start; 1: written in order, waiting for room. Who
                      gives a pipe ignores SIGPIPE; without a reader the component sees the stream
                      closed */
    uint64_t max;  /* a file: bytes behind this are counted and dropped too */
};

/* One call channel, on this component's side. */
struct cvm_engine_channel {
    const char *interface; /* with its version */
    uint8_t *region;       /* where values lie; borrowed, no other channel's; who is not at work on
                              a call does not touch it */
    size_t bytes;          /* of the region */
    uint32_t channel;      /* a number of the caller's, handed back */
    uint32_t zero;
};

/*
 * Calls to and from other components. A function is meant by its index among the interface's
 * functions, sorted by name (for imports: among those that the component imports). Values lie in
 * the region as wire values, from its start: DESIGN's "values in call channels". Each of these
 * returns 0 when all is well; anything else ends the run with CVM_ENGINE_STOPPED.
 *
 * Security: what comes in by `call` and `next` is another component's word. The engine checks every
 * byte of a value, that it has exactly `bytes`, and that these lie in the region.
 */
struct cvm_engine_calls {
    const struct cvm_engine_channel *exports; /* one interface may come several times */
    size_t n_exports;
    const struct cvm_engine_channel *imports; /* no interface comes twice */
    size_t n_imports;
    /* 1: no wasi:cli/run is called; after instantiation `ready` once, then `next` and `reply` in
     * turn until `next` says end. 0: the three are not called. */
    uint32_t serve;
    uint32_t zero;
    /* The component calls: arguments lie in the region. Returns when the results lie there. */
    int (*call)(void *context, uint32_t channel, uint32_t function, size_t bytes,
                size_t *ret_bytes);
    int (*ready)(void *context);
    /* Waits for a call: 1 there is one, 0 no more will come, -1 failed. */
    int (*next)(void *context, uint32_t *ret_channel, uint32_t *ret_function, size_t *ret_bytes);
    int (*reply)(void *context, uint32_t channel, uint32_t function, size_t bytes);
    void *context;
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
    struct cvm_engine_sink out_sink, err_sink; /* standard output and error */
    int in_fd; /* standard input: read in order, waiting for more; -1: empty */
    uint32_t zero;
    const struct cvm_engine_calls *calls; /* NULL: none */
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
 * Runs a command component to its end, or serves a library's calls, on the calling thread and
 * without making another; a component that exports no wasi:cli/run is only instantiated unless it
 * serves. No environment, no network. Clock
 * "fixed": the wall clock stands at 0, the monotonic clock advances by 1,000 ns a reading, waits
 * end at once and advance it to their end; file times are absent then.
 */
void cvm_engine_run(const uint8_t *code, size_t len, const struct cvm_engine_run *spec,
                    struct cvm_engine_result *ret);

#endif
