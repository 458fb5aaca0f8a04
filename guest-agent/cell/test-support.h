/* What the tests of this folder do in the agent's place: start the two programs in their sandboxes,
 * with the descriptors of doc/PROTOCOL.md section 9, and read what they say at their end. */
#ifndef CVM_CELL_TEST_SUPPORT_H
#define CVM_CELL_TEST_SUPPORT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "guest-agent/sandbox/results.h"
#include "guest-agent/sandbox/sandbox.h"

#define TESTING_MEMORY (64u << 20)
#define TESTING_CLI_AND_FILES "\"wasi:cli\",\"wasi:filesystem\""

/* A group set-up: asks what the kernel has. */
int testing_setup(void **state);

/* A memfd with these bytes, its offset at 0. */
int testing_memory(const void *data, size_t len);

/* A component that test/attack/cells/build has made. */
int testing_component(const char *name);

struct testing_child {
    struct cvm_sandbox_child child;
    int result, null;
};

struct testing_end {
    int status;
    ssize_t len; /* of the record */
    uint8_t record[8192];
};

void testing_start(const char *path, const struct cvm_sandbox_fd *fds, size_t n_fds,
                   uint64_t data_bytes, struct testing_child *ret);
/* Waits, and kills it after a few seconds: what the agent's timer does. */
void testing_wait(struct testing_child *child, struct testing_end *ret);

struct testing_grants {
    const char *list, *clock, *random;
    int fuel;
    const char *kind;
};

struct testing_compiled {
    struct cvm_compile_result result;
    int cwasm;   /* -1: refused */
    char *texts; /* the canonical text, where `calls` named an interface; free() it */
};

/* Closes `component`. `calls` is JSON, or NULL. */
void testing_compile(int component, const struct testing_grants *g, const char *calls,
                     uint64_t max_cwasm, struct testing_compiled *ret);

#endif
