/* An image folder as `./run image` makes it, with the firmware beside it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/evidence/measure-snp.h"

#define FILE_MAX ((size_t)512 << 20)
#define TEXT_MAX 65536

static int read_at(int dir, const char *folder, const char *name, size_t max, struct cvm_buf *ret,
                   struct cvm_error *err)
{
    CVM_AUTO_CLOSE int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return cvm_fail_errno(err, "cannot open %s/%s", folder, name);
    CVM_ENSURE(S_ISREG(st.st_mode) && (uint64_t)st.st_size <= max, err, CVM_E_USAGE,
               "%s/%s is not a file of at most %zu bytes", folder, name, max);
    CVM_AUTO_FREE uint8_t *chunk = cvm_alloc(65536);
    for (;;) {
        ssize_t n = read(fd, chunk, 65536);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return cvm_fail_errno(err, "cannot read %s/%s", folder, name);
        if (n == 0)
            return 0;
        CVM_ENSURE(ret->len + (size_t)n <= max, err, CVM_E_USAGE, "%s/%s grows while it is read",
                   folder, name);
        cvm_buf_append(ret, chunk, (size_t)n);
    }
}

static int digest_at(int dir, const char *folder, const char *name, struct cvm_digest *ret,
                     struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf b = {0};
    CVM_GUARD(read_at(dir, folder, name, FILE_MAX, &b, err));
    *ret = cvm_sha256(b.data ? (const void *)b.data : "", b.len);
    return 0;
}

/* One line of text; its newline is not part of it. */
static int line_at(int dir, const char *folder, const char *name, struct cvm_buf *ret,
                   struct cvm_error *err)
{
    CVM_GUARD(read_at(dir, folder, name, TEXT_MAX, ret, err));
    if (ret->len && ret->data[ret->len - 1] == '\n')
        ret->len--;
    CVM_ENSURE(!ret->len || !memchr(ret->data, 0, ret->len), err, CVM_E_USAGE,
               "%s/%s has a zero byte in it", folder, name);
    return 0;
}

int cvm_measure_snp_folder(const char *folder, uint32_t vcpus, uint8_t ret[CVM_SHA384_LEN],
                           struct cvm_error *err)
{
    CVM_AUTO_CLOSE int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return cvm_fail_errno(err, "cannot open the image folder %s", folder);
    CVM_AUTO_BUF struct cvm_buf firmware = {0}, cmdline = {0}, model = {0};
    struct cvm_snp_kernel k;
    CVM_GUARD(read_at(dir, folder, "firmware", CVM_SNP_FIRMWARE_MAX, &firmware, err));
    CVM_GUARD(digest_at(dir, folder, "kernel", &k.kernel, err));
    CVM_GUARD(digest_at(dir, folder, "initramfs", &k.initrd, err));
    CVM_GUARD(line_at(dir, folder, "cmdline", &cmdline, err));
    k.cmdline = cvm_snp_cmdline_digest(cvm_buf_cstr(&cmdline));
    if (faccessat(dir, "cpu", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        CVM_GUARD(line_at(dir, folder, "cpu", &model, err));
    else
        cvm_buf_append_str(&model, CVM_SNP_VCPU_DEFAULT);
    const struct cvm_snp_guest g = {.firmware = CVM_BYTES(firmware.data, firmware.len),
                                    .kernel = &k,
                                    .vcpus = vcpus,
                                    .vcpu_signature = cvm_snp_vcpu_signature(cvm_buf_cstr(&model)),
                                    .features = CVM_SNP_FEATURES_DEFAULT};
    CVM_ENSURE(g.vcpu_signature, err, CVM_E_USAGE, "%s/cpu names no processor model that is known",
               folder);
    return cvm_measure_snp(&g, ret, err);
}
