#include "core/evidence/measure-sim.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

const char *const cvm_sim_program_names[CVM_SIM_PROGRAMS] = {"2cvm-agent", "2cvm-compile",
                                                             "2cvm-cell"};
const char *const cvm_sim_vm_file_names[CVM_SIM_VM_FILES] = {"kernel", "initramfs", "cmdline"};

int cvm_measure_fd(int fd, uint8_t ret[CVM_SHA384_LEN], struct cvm_error *err)
{
    if (lseek(fd, 0, SEEK_SET) < 0)
        return cvm_fail_errno(err, "cannot read the program from its start");
    struct cvm_hasher h;
    cvm_hasher_start384(&h);
    CVM_AUTO_FREE uint8_t *chunk = cvm_alloc(65536);
    for (;;) {
        ssize_t n = read(fd, chunk, 65536);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            cvm_hasher_free(&h);
            return cvm_fail_errno(err, "cannot read the program");
        }
        if (n == 0)
            break;
        cvm_hasher_add(&h, chunk, (size_t)n);
    }
    cvm_hasher_end(&h, ret);
    return 0;
}

void cvm_measure_sim(const struct cvm_sim_image *image, uint32_t vcpus, uint8_t out[CVM_SHA384_LEN])
{
    const uint8_t n[4] = {(uint8_t)(vcpus >> 24), (uint8_t)(vcpus >> 16), (uint8_t)(vcpus >> 8),
                          (uint8_t)vcpus};
    struct cvm_bytes parts[CVM_SIM_PROGRAMS + 1];
    for (size_t i = 0; i < CVM_SIM_PROGRAMS; i++)
        parts[i] = CVM_BYTES(image->program[i], CVM_SHA384_LEN);
    parts[CVM_SIM_PROGRAMS] = CVM_BYTES(n, sizeof(n));
    CVM_AUTO_BUF struct cvm_buf l = {0};
    cvm_label(&l, "2cvm/sim-process/1", parts, CVM_SIM_PROGRAMS + 1);
    cvm_sha384(l.data, l.len, out);
}

/* Without O_NONBLOCK a pipe would hold the caller for ever. */
int cvm_measure_open(int dir, const char *folder, const char *name, struct cvm_error *err)
{
    CVM_AUTO_CLOSE int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return cvm_fail_errno(err, "cannot open %s/%s", folder, name);
    struct stat st;
    if (fstat(fd, &st) < 0)
        return cvm_fail_errno(err, "cannot look at %s/%s", folder, name);
    CVM_ENSURE(S_ISREG(st.st_mode), err, CVM_E_USAGE, "%s/%s is not a file", folder, name);
    return CVM_TAKE_FD(fd);
}

static int measure_at(int dir, const char *folder, const char *name, uint8_t ret[CVM_SHA384_LEN],
                      struct cvm_error *err)
{
    CVM_AUTO_CLOSE int fd = cvm_measure_open(dir, folder, name, err);
    CVM_GUARD(fd);
    return cvm_measure_fd(fd, ret, err);
}

int cvm_measure_sim_folder(const char *folder, uint32_t vcpus, uint8_t ret[CVM_SHA384_LEN],
                           struct cvm_error *err)
{
    CVM_AUTO_CLOSE int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return cvm_fail_errno(err, "cannot open the image folder %s", folder);
    struct cvm_sim_image image;
    for (size_t i = 0; i < CVM_SIM_PROGRAMS; i++)
        CVM_GUARD(measure_at(dir, folder, cvm_sim_program_names[i], image.program[i], err));
    cvm_measure_sim(&image, vcpus, ret);
    return 0;
}

static int measure_cmdline(int dir, const char *folder, const char *name,
                           uint8_t ret[CVM_SHA384_LEN], struct cvm_error *err)
{
    CVM_AUTO_CLOSE int fd = cvm_measure_open(dir, folder, name, err);
    CVM_GUARD(fd);
    char text[CVM_SIM_CMDLINE_MAX + 2];
    size_t len = 0;
    for (ssize_t n = 1; n > 0 && len<sizeof text; len += n> 0 ? (size_t)n : 0) {
        do
            n = read(fd, text + len, sizeof text - len);
        while (n < 0 && errno == EINTR);
        if (n < 0)
            return cvm_fail_errno(err, "cannot read %s/%s", folder, name);
    }
    if (len > 0 && text[len - 1] == '\n')
        len--;
    CVM_ENSURE(len <= CVM_SIM_CMDLINE_MAX, err, CVM_E_TOO_LARGE,
               "the command line %s/%s is above %d bytes", folder, name, CVM_SIM_CMDLINE_MAX);
    CVM_ENSURE(!memchr(text, '\0', len) && !memchr(text, '\n', len), err, CVM_E_USAGE,
               "the command line %s/%s is not one line of text", folder, name);
    cvm_sha384(text, len, ret);
    return 0;
}

void cvm_measure_sim_vm(const struct cvm_sim_vm_image *image, uint32_t vcpus, uint64_t memory_mib,
                        uint8_t out[CVM_SHA384_LEN])
{
    CVM_AUTO_BUF struct cvm_buf processors = {0}, memory = {0}, l = {0};
    cvm_buf_append_u32be(&processors, vcpus);
    cvm_buf_append_u64be(&memory, memory_mib);
    struct cvm_bytes parts[CVM_SIM_VM_FILES + 2];
    for (size_t i = 0; i < CVM_SIM_VM_FILES; i++)
        parts[i] = CVM_BYTES(image->file[i], CVM_SHA384_LEN);
    parts[CVM_SIM_VM_FILES] = CVM_BYTES(processors.data, processors.len);
    parts[CVM_SIM_VM_FILES + 1] = CVM_BYTES(memory.data, memory.len);
    cvm_label(&l, "2cvm/sim-vm/1", parts, CVM_SIM_VM_FILES + 2);
    cvm_sha384(l.data, l.len, out);
}

int cvm_measure_sim_vm_folder(const char *folder, uint32_t vcpus, uint64_t memory_mib,
                              uint8_t ret[CVM_SHA384_LEN], struct cvm_error *err)
{
    CVM_AUTO_CLOSE int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return cvm_fail_errno(err, "cannot open the image folder %s", folder);
    struct cvm_sim_vm_image image;
    for (size_t i = 0; i < CVM_SIM_VM_FILES - 1; i++)
        CVM_GUARD(measure_at(dir, folder, cvm_sim_vm_file_names[i], image.file[i], err));
    CVM_GUARD(measure_cmdline(dir, folder, cvm_sim_vm_file_names[2], image.file[2], err));
    cvm_measure_sim_vm(&image, vcpus, memory_mib, ret);
    return 0;
}
