/* Files that must survive a crash whole: written beside, synced, renamed, the folder synced. */
#ifndef CVM_LIFECYCLE_FILES_H
#define CVM_LIFECYCLE_FILES_H

#include "core/base/memory.h"

#define CVM_TEMP_PREFIX ".tmp-"

/* A new temporary file in the folder; *ret_path is owned. */
int cvm_temp_open(const char *folder, char **ret_path, struct cvm_error *err) CVM_MUST_USE;
/* Syncs the file, gives it its name, syncs the folder. The file descriptor stays the caller's. */
int cvm_temp_commit(int fd, const char *temp, const char *path, struct cvm_error *err) CVM_MUST_USE;
/* Removes what an earlier daemon left half-written. */
int cvm_temp_sweep(const char *folder, struct cvm_error *err) CVM_MUST_USE;

int cvm_file_write(const char *path, const void *data, size_t len,
                   struct cvm_error *err) CVM_MUST_USE;
/* Appends the whole file; CVM_E_NOT_FOUND, CVM_E_TOO_LARGE. Never through a link. */
int cvm_file_read(const char *path, size_t max, struct cvm_buf *ret,
                  struct cvm_error *err) CVM_MUST_USE;
int cvm_file_rename(const char *from, const char *to, struct cvm_error *err) CVM_MUST_USE;

int cvm_folder_make(const char *path, struct cvm_error *err) CVM_MUST_USE; /* fine if there; 0700 */
int cvm_folder_sync(const char *path, struct cvm_error *err) CVM_MUST_USE;

#endif
