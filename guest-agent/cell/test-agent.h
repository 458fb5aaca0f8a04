/*
 * Cells that call one another. The test is the agent: it holds the doorbells, copies values from
 * one region to another, and sometimes does wrong. The components come from
 * test/attack/cells/calls.
 */
#ifndef CVM_CELL_TEST_AGENT_H
#define CVM_CELL_TEST_AGENT_H

#include <stdlib.h>
#include <string.h>

#include "guest-agent/cell/test-support.h"
#include "guest-agent/sandbox/bell.h"

#define TESTING_REGION (1u << 20)
#define TESTING_CELLS_MAX 3
#define TESTING_CHANNELS_MAX 2
#define TESTING_THINGS "test:calls/things@1.0.0"
#define TESTING_CHAIN "test:calls/chain@1.0.0"
#define TESTING_EXPORTS_THINGS "{\"exports\":[\"" TESTING_THINGS "\"],\"imports\":[]}"
#define TESTING_IMPORTS_THINGS "{\"exports\":[],\"imports\":[\"" TESTING_THINGS "\"]}"

extern const struct testing_grants testing_grants_command, testing_grants_library;

struct testing_side { /* of a cell, of one channel */
    bool export;
    unsigned channel;
    const char *interface;
    int fd;
    uint8_t *at;
};

struct testing_cell {
    int cwasm;
    const struct testing_grants *grants;
    const char *args, *serve; /* JSON strings; "none", "run" or "one" */
    size_t region;
    struct testing_side sides[2];
    size_t n_sides;
    int in, out; /* the cell's ends of pipes, or -1 */
    /* While it runs */
    int bell;
    struct testing_child child;
    bool ended;
    struct testing_end end;
    struct cvm_cell_result result;
    bool recorded;
};

/* Compiled and not yet started; `calls` as in testing_compile(). */
struct testing_cell testing_library(const char *name, const char *calls, const char *serve);
struct testing_cell testing_command(const char *name, const char *calls, const char *args);
void testing_side(struct testing_cell *c, bool export, unsigned channel, const char *interface);
void testing_cell_start(struct testing_cell *c);
void testing_cell_wait(struct testing_cell *c);
void testing_cell_release(struct testing_cell *c); /* kills it first when it still runs */

/* How it ended; fails the test when it was otherwise. */
void testing_ended_well(const struct testing_cell *c);
void testing_ended(const struct testing_cell *c, enum cvm_cell_end end);

/* The doorbell. What is heard of a cell that has ended is of kind 0. */
struct cvm_bell testing_hear(const struct testing_cell *c);
void testing_ring(const struct testing_cell *c, struct cvm_bell bell);

struct testing_agent {
    struct testing_cell *cells[TESTING_CELLS_MAX];
    size_t n_cells;
    struct {
        struct testing_cell *from, *to;
        uint8_t *from_at, *to_at;
        uint32_t first; /* the callee's number of the caller's first function */
    } channels[TESTING_CHANNELS_MAX];
    uint64_t calls;
    /* Changes what crosses. */
    void (*meddle)(struct cvm_bell *bell, uint8_t *value);
};

void testing_wire(struct testing_agent *a, unsigned channel, struct testing_cell *from,
                  struct testing_cell *to, const char *interface);
/* Starts the cells, the callees first, and passes calls on until the first cell, which calls, or
 * another one that failed has ended, or nobody has said anything for five seconds. */
void testing_run(struct testing_agent *a);
void testing_run_two(struct testing_agent *a, struct testing_cell *caller,
                     struct testing_cell *things, const char *args); /* caller -> things */
void testing_end_libraries(struct testing_agent *a);

#endif
