/*
 * What 2cvm-compile and 2cvm-cell say at their end: one record of fixed size on their result pipe
 * (descriptor 1), below PIPE_BUF so that one write carries it. Both sides are built together;
 * native byte order.
 *
 * Security: the writers run participants' code and may lie. The agent reads these only through
 * cvm_*_result_read(), which checks every field's range; a lie then harms nothing but the liar's
 * own component. A process that ends without a whole record has been killed: the agent tells from
 * its wait status which limit that was.
 */
#ifndef CVM_SANDBOX_RESULTS_H
#define CVM_SANDBOX_RESULTS_H

#include <stdint.h>

#include "core/base/error.h"

/* The descriptors of doc/PROTOCOL.md section 9. */
enum {
    CVM_FD_SPEC = 0,
    CVM_FD_RESULT = 1,
    CVM_FD_NULL = 2,
    CVM_FD_CODE = 3,     /* compiler: the component; cell: the .cwasm */
    CVM_FD_CWASM = 4,    /* compiler only: written by it */
    CVM_FD_TEXTS = 5,    /* compiler only: the canonical text of its call interfaces, written by it;
                            a cell has its doorbell there (bell.h) */
    CVM_FD_CHANNELS = 10 /* cell only: inputs, outputs, regions of calls, pipes */
};
#define CVM_CELL_CHANNELS_MAX 256             /* inputs and outputs together */
#define CVM_CELL_CALLS_MAX 256                /* regions of calls, imports and exports together */
#define CVM_TEXTS_MAX (1u << 20)              /* bytes of canonical text */
#define CVM_CELL_COUNT_MAX ((1ULL << 53) - 1) /* of fuel and of bytes */

#define CVM_COMPILE_RESULT_MAGIC 0x32634331u
#define CVM_CELL_RESULT_MAGIC 0x32634332u

enum cvm_compile_end {
    CVM_COMPILE_OK,
    CVM_COMPILE_INVALID, /* no valid component */
    CVM_COMPILE_IMPORT,  /* `function` is imported and not granted */
    CVM_COMPILE_FEATURE, /* shared memory, memory64, threads, … */
    CVM_COMPILE_EXPORT,  /* the export that its kind needs is missing */
    CVM_COMPILE_MEMORY,  /* its memories start above its limit */
    /* What is wrong with an interface that a call channel names: `side`, `interface`, `function`.
     */
    CVM_COMPILE_CALL_RESOURCE,
    CVM_COMPILE_CALL_STREAM,
    CVM_COMPILE_CALL_FUTURE, /* also: an asynchronous function */
    CVM_COMPILE_CALL_ERROR_CONTEXT,
    CVM_COMPILE_CALL_PARAMETERS, /* more than 16 flat ones */
    CVM_COMPILE_CALL_IMPORT,     /* it does not import that interface; `function` is 0 */
    CVM_COMPILE_CALL_EXPORT,     /* it does not export that interface; `function` is 0 */
    CVM_COMPILE_CALL_TYPE,       /* no wire value has that type, or its text is too long */
    CVM_COMPILE_LIMIT,           /* the .cwasm is larger than max_cwasm_bytes, or memory ran out */
    CVM_COMPILE_INTERNAL,        /* the spec, the sandbox or the engine failed */
    CVM_COMPILE_END_COUNT
};

#define CVM_WASI_FUNCTION_UNKNOWN UINT32_MAX

struct cvm_compile_result {
    uint32_t magic;
    uint32_t end;       /* enum cvm_compile_end */
    uint32_t function;  /* IMPORT: row of engine/wasi-functions.def, or CVM_WASI_FUNCTION_UNKNOWN;
                           CALL_…: index among the interface's functions, sorted by name */
    uint32_t internal;  /* enum cvm_code when end is INTERNAL, else 0 */
    uint32_t side;      /* CALL_…: 0 the spec's exports, 1 its imports; else 0 */
    uint32_t interface; /* CALL_…: index in that list; else 0 */
    uint64_t cwasm_bytes;
    uint64_t memory_bytes; /* what its memories start with, summed */
    uint64_t texts_bytes;  /* in CVM_FD_TEXTS; only with OK, 0 when the spec names no interface */
};

enum cvm_cell_end {
    CVM_CELL_OK,
    CVM_CELL_EXIT,     /* a code other than 0 */
    CVM_CELL_TRAP,     /* also: stack overflow, unreachable */
    CVM_CELL_MEMORY,   /* it ended badly after memory_bytes had refused it memory */
    CVM_CELL_FUEL,     /* all fuel is used */
    CVM_CELL_CALL,     /* a call's value was too large for its region, or no value of its type */
    CVM_CELL_OUTPUT,   /* output `which` is missing, no plain file, or above its max_bytes */
    CVM_CELL_INTERNAL, /* the spec, the sandbox or the engine failed */
    CVM_CELL_END_COUNT
};

struct cvm_cell_result {
    uint32_t magic;
    uint32_t end;       /* enum cvm_cell_end */
    uint32_t exit_code; /* 0 to 255; 0 unless end is EXIT */
    uint32_t which;     /* index among the spec's outputs when end is OUTPUT, else 0 */
    uint32_t too_large; /* 1: output `which` is above its max_bytes; else 0 */
    uint32_t internal;  /* enum cvm_code when end is INTERNAL, else 0 */
    uint32_t n_outputs;
    uint32_t zero;
    /* At most CVM_CELL_COUNT_MAX: */
    uint64_t fuel;         /* used */
    uint64_t memory_bytes; /* most linear memory at a time */
    uint64_t stdout_bytes, stderr_bytes;
    uint64_t
        output_bytes[CVM_CELL_CHANNELS_MAX]; /* length of each output's content in its descriptor */
};
_Static_assert(sizeof(struct cvm_cell_result) <= 4096, "one atomic write to a pipe");

/*
 * Read a record that came from the pipe. Refused (CVM_E_CELL_FAILED): another length, an unknown
 * end, a count or size above what the caller allowed, fields that must be 0 and are not.
 */
int cvm_compile_result_read(const void *data, size_t len, uint64_t max_cwasm_bytes,
                            struct cvm_compile_result *ret, struct cvm_error *err) CVM_MUST_USE;
int cvm_cell_result_read(const void *data, size_t len, const uint64_t *max_output_bytes,
                         size_t n_outputs, struct cvm_cell_result *ret,
                         struct cvm_error *err) CVM_MUST_USE;

/* Fills *err with the refusal that an end of the compiler means for `component` (an id), and
 * returns -1; 0 for OK. */
int cvm_compile_result_refuse(const struct cvm_compile_result *result, const char *component,
                              struct cvm_error *err) CVM_MUST_USE;

/* "wasi:filesystem/types#[method]descriptor.open-at", or "a function outside WASI 0.2" for an
 * unknown row. */
const char *cvm_wasi_function_text(uint32_t row);

/* The word of DESIGN's diagnostics for an end of a cell: "ok", "exit", "trap", … ("internal"
 * becomes "signal"). */
const char *cvm_cell_end_word(uint32_t end);

#endif
