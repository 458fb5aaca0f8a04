/* The parts of 2cvm-cell. Its descriptors and its record: guest-agent/sandbox/results.h,
 * doc/PROTOCOL.md section 9. */
#ifndef CVM_CELL_CELL_H
#define CVM_CELL_CELL_H

#include "guest-agent/engine/cvm-engine.h"
#include "guest-agent/sandbox/results.h"
#include "guest-agent/sandbox/sandbox.h"

#define CVM_CELL_STDOUT "/dev/stdout" /* the from_path of standard output */

struct cvm_cell_input {
    int fd;
    const char *path; /* "in/…", borrowed from the spec */
    bool last;        /* nobody reads it after this cell: its pages may go as they are copied */
};

struct cvm_cell_output {
    int fd;
    const char *path; /* "out/…" or CVM_CELL_STDOUT */
    uint64_t max_bytes;
};

/* One call channel on this component's side. */
struct cvm_cell_call {
    uint32_t channel;
    int fd; /* the region, a memfd of exactly `bytes` */
    uint64_t bytes;
    const char *interface;
};

enum cvm_cell_serve {
    CVM_CELL_SERVE_NONE, /* no calls are answered: the component's own run is what it does */
    CVM_CELL_SERVE_RUN,  /* as many as come */
    CVM_CELL_SERVE_ONE   /* one, then the end */
};

struct cvm_cell_spec {
    json_t *json; /* owns the strings */
    struct cvm_engine_options options;
    uint64_t fuel;
    const char *args[1 + CVM_ARGS_MAX]; /* the component's id first */
    size_t n_args;
    struct cvm_cell_input inputs[CVM_CELL_CHANNELS_MAX];
    size_t n_inputs;
    struct cvm_cell_output outputs[CVM_CELL_CHANNELS_MAX];
    size_t n_outputs;
    struct cvm_cell_call calls[CVM_CELL_CALLS_MAX]; /* exports, then imports */
    size_t n_exports, n_imports;
    enum cvm_cell_serve serve;
    int stdin_fd, stdout_fd; /* pipes; -1: none */
    uint64_t scratch_bytes;
    uint8_t seed[32];
};

int cvm_cell_spec_read(struct cvm_cell_spec *ret, struct cvm_error *err) CVM_MUST_USE;

/* How large the cell's file system and its largest file may become. */
int cvm_cell_files_size(const struct cvm_cell_spec *spec, struct cvm_sandbox_enter *ret,
                        struct cvm_error *err) CVM_MUST_USE;

/* Copies every input into the new root, and makes the folders that the outputs' paths name. Before
 * the walls close. */
int cvm_cell_files_fill(const struct cvm_cell_spec *spec, struct cvm_error *err) CVM_MUST_USE;

/*
 * Copies every output from /out to its descriptor, after the run. What the component left wrong
 * (missing, no plain file, too large) makes result->end CVM_CELL_OUTPUT, and is no error.
 */
int cvm_cell_files_collect(const struct cvm_cell_spec *spec, uint64_t stdout_bytes,
                           struct cvm_cell_result *result, struct cvm_error *err) CVM_MUST_USE;

/* The cell's side of its calls: regions and doorbell. */
struct cvm_cell_calls {
    struct cvm_engine_calls engine;
    struct cvm_engine_channel channels[CVM_CELL_CALLS_MAX];
    enum cvm_cell_serve serve;
    bool answered; /* one call, when that is all */
};

/* Maps the regions and closes their descriptors; before the walls close, which forbid shared
 * memory. *ret is used until the process ends, and is not moved. */
int cvm_cell_calls_open(const struct cvm_cell_spec *spec, struct cvm_cell_calls *ret,
                        struct cvm_error *err) CVM_MUST_USE;

#endif
