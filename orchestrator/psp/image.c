#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "orchestrator/psp/launch.h"

#ifndef MFD_EXEC
#define MFD_EXEC                                                                                   \
    0x0010U /* since Linux 6.3; without it a system that forbids executable memory files would     \
               refuse */
#endif

/* A read-only descriptor of a sealed copy. One that may write would keep it from being executed. */
static int sealed_copy(int from, const char *name, int *ret, struct cvm_error *err)
{
    CVM_AUTO_CLOSE int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
    if (fd < 0 && errno == EINVAL)
        fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return cvm_fail_errno(err, "cannot make a memory file for %s", name);
    for (;;) {
        ssize_t n = sendfile(fd, from, NULL, 1 << 20);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return cvm_fail_errno(err, "cannot copy %s", name);
        if (n == 0)
            break;
    }
    if (fchmod(fd, 0555) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
        return cvm_fail_errno(err, "cannot seal the copy of %s", name);
    char path[40];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    *ret = open(path, O_RDONLY | O_CLOEXEC);
    if (*ret < 0)
        return cvm_fail_errno(err, "cannot open the copy of %s again", name);
    return 0;
}

static int load_one(int dir, const char *folder, const char *name, int *ret,
                    uint8_t hash[CVM_SHA384_LEN], struct cvm_error *err)
{
    CVM_AUTO_CLOSE int fd = cvm_measure_open(dir, folder, name, err);
    CVM_GUARD(fd);
    CVM_GUARD(sealed_copy(fd, name, ret, err));
    return cvm_measure_fd(*ret, hash, err);
}

int cvm_psp_image_load(const char *folder, uint32_t vcpus, struct cvm_psp_image *ret,
                       struct cvm_error *err)
{
    CVM_AUTO_CLOSE int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return cvm_fail_errno(err, "cannot open the image folder %s", folder);
    CVM_AUTO_PSP_IMAGE struct cvm_psp_image image = {.program = {-1, -1, -1}};
    struct cvm_sim_image sums;
    for (size_t i = 0; i < CVM_SIM_PROGRAMS; i++)
        CVM_GUARD(load_one(dir, folder, cvm_sim_program_names[i], &image.program[i],
                           sums.program[i], err));
    cvm_measure_sim(&sums, vcpus, image.measurement);
    *ret = image;
    image = (struct cvm_psp_image){.program = {-1, -1, -1}};
    return 0;
}

void cvm_psp_image_close(struct cvm_psp_image *image)
{
    for (size_t i = 0; i < CVM_SIM_PROGRAMS; i++) {
        if (image->program[i] >= 0)
            close(image->program[i]);
        image->program[i] = -1;
    }
}
