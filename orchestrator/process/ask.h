/* Programs that are asked something: started without a shell and without an environment, given
 * their whole input at once, read within a time and a size, and ended. */
#ifndef CVM_PROCESS_ASK_H
#define CVM_PROCESS_ASK_H

#include "core/base/json.h"

/* Appends to `out` what the program prints, at most 256 KiB within ten seconds (CVM_E_TIMEOUT; it
 * is killed then). NULL-terminated argv, its first a path; at most 4 KiB of input. The program's
 * exit status is its own affair, but CVM_E_PLATFORM when it can't be started or a signal ends it.
 */
int cvm_ask_program(const char *const *argv, struct cvm_bytes input, struct cvm_buf *out,
                    struct cvm_error *err) CVM_MUST_USE;

/* The protections that this host's kernel lacks, as the agent of `image` (a folder) sees it: an
 * owned list of names. NULL: it can't be told. */
json_t *cvm_ask_protections(const char *image, struct cvm_error *err) CVM_MUST_USE;

#endif
