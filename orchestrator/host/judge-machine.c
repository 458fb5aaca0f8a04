/* What virtual machines need: libvirt, QEMU, the firmware image, vsock. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "core/evidence/measure-snp.h"
#include "core/evidence/ovmf.h"
#include "orchestrator/host/internal.h"

#define LIBVIRT_NEEDED 10005 /* 1000 * major + minor */

/*
 * libvirt's release is in its library's file name by its own rule: libvirt.so.0.AGE.MICRO with
 * AGE = 1000 * major + minor. That is read, not the library: no foreign code runs here, and a
 * recording of a host can hold it. True when one was found; the newest then.
 */
static bool libvirt_version(const struct cvm_host *h, unsigned *ret_age, unsigned *ret_micro)
{
    static const char *const FOLDERS[] = {"/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib",
                                          "/usr/local/lib64", "/usr/local/lib"};
    bool found = false;
    *ret_age = *ret_micro = 0;
    for (size_t i = 0; i < sizeof FOLDERS / sizeof FOLDERS[0]; i++) {
        int fd = cvm_host_open(h, FOLDERS[i], O_RDONLY | O_DIRECTORY);
        DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
        if (!d) {
            if (fd >= 0)
                close(fd);
            continue;
        }
        unsigned age, micro;
        for (struct dirent *e; (e = readdir(d));) {
            if (sscanf(e->d_name, "libvirt.so.0.%u.%u", &age, &micro) != 2 || age < *ret_age)
                continue;
            *ret_age = age;
            *ret_micro = micro;
            found = true;
        }
        closedir(d);
    }
    return found;
}

void cvm_host_judge_libvirt(const struct cvm_host *h, struct cvm_host_result *r)
{
    unsigned age, micro;
    if (!libvirt_version(h, &age, &micro))
        cvm_host_say(r, CVM_HOST_FAIL, "no libvirt.so.0 in the usual folders");
    else if (age < LIBVIRT_NEEDED)
        cvm_host_say(r, CVM_HOST_FAIL, "%u.%u.%u, expected 10.5 or later", age / 1000, age % 1000,
                     micro);
    else
        cvm_host_say(r, CVM_HOST_OK, "%u.%u.%u", age / 1000, age % 1000, micro);
}

void cvm_host_judge_libvirt_daemon(const struct cvm_host *h, struct cvm_host_result *r)
{
    const char *path, *worst = NULL, *where = NULL;
    json_t *said;
    json_object_foreach(h->nodes, path, said)
    {
        const char *word = json_string_value(said);
        if (!strstr(path, "/libvirt/"))
            continue;
        if (strcmp(word, "ok") == 0) {
            cvm_host_say(r, CVM_HOST_OK, "%s", path);
            return;
        }
        if (!where || strcmp(word, "ENOENT") != 0) {
            where = path;
            worst = word;
        }
    }
    if (!where)
        cvm_host_say(r, CVM_HOST_SKIP, "no socket was asked");
    else if (strcmp(worst, "ENOENT") == 0)
        cvm_host_say(r, CVM_HOST_FAIL, "no socket of virtqemud or libvirtd is there");
    else
        cvm_host_say(r, CVM_HOST_FAIL, "%s: %s", where, worst);
}

void cvm_host_judge_qemu(const struct cvm_host *h, struct cvm_host_result *r)
{
    const char *program = cvm_host_program(h, h->place->qemu, cvm_host_qemu_programs);
    if (!program)
        cvm_host_say(r, CVM_HOST_FAIL, "%s is not there",
                     h->place->qemu ? h->place->qemu : "qemu-system-x86_64");
    else if (!h->qemu_version)
        cvm_host_say(r, CVM_HOST_FAIL, "%s: %s", program,
                     h->qemu_error ? h->qemu_error : "it was not asked");
    else
        cvm_host_say(r, CVM_HOST_OK, "%s (%s)", h->qemu_version, program);
}

void cvm_host_judge_qemu_snp(const struct cvm_host *h, struct cvm_host_result *r)
{
    unsigned major = 0, minor = 0;
    if (!h->qemu_version) {
        cvm_host_say(r, CVM_HOST_SKIP, "QEMU did not answer");
        return;
    }
    if (sscanf(h->qemu_version, "%u.%u", &major, &minor) != 2 || major < 9 ||
        (major == 9 && minor < 1))
        cvm_host_say(r, CVM_HOST_FAIL, "%s, expected 9.1 or later", h->qemu_version);
    else if (!h->qemu_snp)
        cvm_host_say(r, CVM_HOST_FAIL, "%s does not know sev-snp-guest", h->qemu_version);
    else
        cvm_host_say(r, CVM_HOST_OK, "%s knows sev-snp-guest", h->qemu_version);
}

static const char *find_ovmf(const struct cvm_host *h, char **ret_owned)
{
    static const char *const USUAL[] = {"/usr/share/ovmf/OVMF.amdsev.fd",
                                        "/usr/share/edk2/ovmf/OVMF.amdsev.fd"};
    *ret_owned = NULL;
    if (h->place->ovmf)
        return h->place->ovmf;
    CVM_AUTO_FREE char *own = cvm_printf("%s/firmware", h->place->machine_image);
    if (cvm_host_exists(h, own))
        return *ret_owned = CVM_TAKE(own);
    for (size_t i = 0; i < sizeof USUAL / sizeof USUAL[0]; i++)
        if (cvm_host_exists(h, USUAL[i]))
            return USUAL[i];
    return NULL;
}

static int read_image(int fd, struct cvm_buf *ret, struct cvm_error *err)
{
    char block[65536];
    for (;;) {
        ssize_t n = read(fd, block, sizeof block);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return cvm_fail_errno(err, "it can't be read");
        if (n == 0)
            return 0;
        CVM_ENSURE(ret->len + (size_t)n <= CVM_SNP_FIRMWARE_MAX, err, CVM_E_MEASURE_IMAGE,
                   "it is too large");
        cvm_buf_append(ret, block, (size_t)n);
    }
}

static bool has_hashes(const struct cvm_ovmf *o)
{
    for (uint32_t i = 0; i < o->n_sections; i++)
        if (o->sections[i].type == CVM_OVMF_KERNEL_HASHES)
            return o->hashes_size > 0;
    return false;
}

void cvm_host_judge_ovmf(const struct cvm_host *h, struct cvm_host_result *r)
{
    CVM_AUTO_FREE char *owned = NULL;
    CVM_AUTO_BUF struct cvm_buf image = {0};
    struct cvm_error e = {0};
    struct cvm_ovmf ovmf;
    const char *path = find_ovmf(h, &owned);
    CVM_AUTO_CLOSE int fd = path ? cvm_host_open(h, path, O_RDONLY) : -1;
    if (fd < 0)
        cvm_host_say(r, CVM_HOST_FAIL, "%s is not there", path ? path : "an AmdSev firmware image");
    else if (read_image(fd, &image, &e) < 0 ||
             cvm_ovmf_parse(CVM_BYTES(image.data, image.len), &ovmf, &e) < 0)
        cvm_host_say(r, CVM_HOST_FAIL, "%s: %s", path, e.message);
    else if (!has_hashes(&ovmf))
        cvm_host_say(r, CVM_HOST_FAIL, "%s has no place for the kernel's digests", path);
    else
        cvm_host_say(r, CVM_HOST_OK, "%s measures kernel, initramfs and command line", path);
}

void cvm_host_judge_vsock(const struct cvm_host *h, struct cvm_host_result *r)
{
    const char *program = cvm_host_program(h, h->place->vsock_program, cvm_host_vsock_programs);
    if (program)
        cvm_host_say(r, CVM_HOST_OK, "%s", program);
    else
        cvm_host_say(r, CVM_HOST_FAIL, "%s is not there, or no program",
                     h->place->vsock_program ? h->place->vsock_program : "vhost-device-vsock");
}
