/*
 * Files of the participant's machine: whole small files in and out, always atomic and durable. A
 * written file either is there completely or not at all; a name that is a symbolic link is
 * replaced, never followed.
 */
#ifndef CVM_CLI_FILE_H
#define CVM_CLI_FILE_H

#include "core/base/json.h"

#define CLI_FILE_MAX (8 * 1024 * 1024)

/* CVM_E_NOT_FOUND when it is not there, CVM_E_TOO_LARGE above max. Appends. */
int cli_file_read(const char *path, size_t max, struct cvm_buf *ret,
                  struct cvm_error *err) CVM_MUST_USE;
/* The same for secrets: refuses links, other owners and files that others can read. */
int cli_file_read_private(const char *path, size_t max, struct cvm_buf *ret,
                          struct cvm_error *err) CVM_MUST_USE;
bool cli_file_exists(const char *path);

/* Writes beside it, fsync, rename, fsync of the folder. mode 0600 or 0644. */
int cli_file_write(const char *path, const void *data, size_t len, unsigned mode,
                   struct cvm_error *err) CVM_MUST_USE;
/* The same, but CVM_E_EXISTS when there is something of that name. */
int cli_file_create(const char *path, const void *data, size_t len, unsigned mode,
                    struct cvm_error *err) CVM_MUST_USE;

/* Canonical JSON with a newline at its end (our own files; the manifest never). */
json_t *cli_json_read(const char *path, bool private_file, struct cvm_error *err) CVM_MUST_USE;
int cli_json_write(const char *path, const json_t *value, unsigned mode, bool replace,
                   struct cvm_error *err) CVM_MUST_USE;

/* A file that is built up: open, write to fd, then commit; a dropped one leaves nothing. */
struct cli_temp {
    char *path, *temp;
    int fd; /* -1: none */
};
int cli_temp_open(struct cli_temp *t, const char *path, unsigned mode,
                  struct cvm_error *err) CVM_MUST_USE;
int cli_temp_commit(struct cli_temp *t, struct cvm_error *err) CVM_MUST_USE;
void cli_temp_drop(struct cli_temp *t); /* fine after commit */
#define CLI_AUTO_TEMP CVM_CLEANUP(cli_temp_drop)

/* Makes the folder and its missing parents with mode 0700. */
int cli_folder(const char *path, struct cvm_error *err) CVM_MUST_USE;

#endif
