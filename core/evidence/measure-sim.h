/*
 * Expected measurements of simulated isolates. Of a process: SHA-384 of
 * L("2cvm/sim-process/1", SHA-384(2cvm-agent), SHA-384(2cvm-compile), SHA-384(2cvm-cell), vcpus as
 * u32be). Of a virtual machine: SHA-384 of L("2cvm/sim-vm/1", SHA-384(kernel), SHA-384(initramfs),
 * SHA-384(command line), vcpus as u32be, memory in MiB as u64be).
 *
 * The software PSP and every participant's machine compute it by this one function.
 */
#ifndef CVM_EVIDENCE_MEASURE_SIM_H
#define CVM_EVIDENCE_MEASURE_SIM_H

#include "core/base/hash.h"

/* Order of the programs everywhere: agent, compile, cell. Names as they stand in an image folder.
 */
#define CVM_SIM_PROGRAMS 3
extern const char
    *const cvm_sim_program_names[CVM_SIM_PROGRAMS]; /* "2cvm-agent", "2cvm-compile", "2cvm-cell" */

struct cvm_sim_image {
    uint8_t program[CVM_SIM_PROGRAMS][CVM_SHA384_LEN];
};

/* Opens a regular file of a folder, also by its name for messages; no link. -1 on failure. */
int cvm_measure_open(int dir, const char *folder, const char *name,
                     struct cvm_error *err) CVM_MUST_USE;
/* Reads a descriptor from its first byte to its end (position is moved) and hashes it with SHA-384.
 */
int cvm_measure_fd(int fd, uint8_t ret[CVM_SHA384_LEN], struct cvm_error *err) CVM_MUST_USE;

void cvm_measure_sim(const struct cvm_sim_image *image, uint32_t vcpus,
                     uint8_t out[CVM_SHA384_LEN]);

/* All of it for a folder that holds the three programs; regular files only, links are not followed
 * at the last part. */
int cvm_measure_sim_folder(const char *folder, uint32_t vcpus, uint8_t ret[CVM_SHA384_LEN],
                           struct cvm_error *err) CVM_MUST_USE;

/* Files of a machine's image folder: "kernel", "initramfs", "cmdline". The last is hashed as the
 * guest gets it: the file's bytes, without one newline at its end. */
#define CVM_SIM_VM_FILES 3
extern const char *const cvm_sim_vm_file_names[CVM_SIM_VM_FILES];
struct cvm_sim_vm_image {
    uint8_t file[CVM_SIM_VM_FILES][CVM_SHA384_LEN];
};
#define CVM_SIM_CMDLINE_MAX 2048

void cvm_measure_sim_vm(const struct cvm_sim_vm_image *image, uint32_t vcpus, uint64_t memory_mib,
                        uint8_t out[CVM_SHA384_LEN]);
int cvm_measure_sim_vm_folder(const char *folder, uint32_t vcpus, uint64_t memory_mib,
                              uint8_t ret[CVM_SHA384_LEN], struct cvm_error *err) CVM_MUST_USE;

#endif
