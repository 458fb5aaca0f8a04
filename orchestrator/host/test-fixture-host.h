/*
 * A recorded host, for the tests of the judges. It was not taken from a machine: it is made here by
 * hand, file by file, in the form that Linux documents or prints (named beside each).
 */
#ifndef CVM_HOST_TEST_FIXTURE_HOST_H
#define CVM_HOST_TEST_FIXTURE_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ftw.h>
#include <sys/stat.h>

#include "orchestrator/host/internal.h"

#define FIXTURE __attribute__((unused)) static

struct host {
    char root[32];
    json_t *answers;
    struct cvm_host_place place;
};

FIXTURE char *inside(const struct host *h, const char *path)
{
    return cvm_printf("%s%s", h->root, path);
}

/* Makes the file and the folders above it. */
FIXTURE void put_bytes(const struct host *h, const char *path, const void *data, size_t len,
                       mode_t mode)
{
    CVM_AUTO_FREE char *full = inside(h, path);
    for (char *p = full + strlen(h->root) + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        assert_true(mkdir(full, 0755) == 0 || access(full, F_OK) == 0);
        *p = '/';
    }
    FILE *f = fopen(full, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(full, mode), 0);
}

FIXTURE void put(const struct host *h, const char *path, const char *text)
{
    put_bytes(h, path, text, strlen(text), 0644);
}

FIXTURE void drop(const struct host *h, const char *path)
{
    CVM_AUTO_FREE char *full = inside(h, path);
    assert_int_equal(remove(full), 0);
}

FIXTURE void node(struct host *h, const char *path, const char *said)
{
    json_object_set_new(json_object_get(h->answers, "nodes"), path, json_string(said));
}

FIXTURE void answer(struct host *h, const char *name, json_t *value)
{
    json_object_set_new(h->answers, name, value);
}

/* ---- a firmware image: nothing but the table at its end and the SEV metadata before it ---- */

FIXTURE void le(struct cvm_buf *b, uint32_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        cvm_buf_append_u8(b, (uint8_t)(v >> 8 * i));
}

FIXTURE void entry(struct cvm_buf *b, const char *guid, const uint32_t *words, size_t n)
{
    uint8_t g[16];
    assert_int_equal(cvm_hex_decode(guid, g, sizeof g, NULL), 0);
    for (size_t i = 0; i < n; i++)
        le(b, words[i], 4);
    le(b, (uint32_t)(4 * n + 18), 2);
    cvm_buf_append(b, g, sizeof g);
}

FIXTURE void put_ovmf(const struct host *h, const char *path, bool hashes)
{
    static const uint32_t METADATA[] = {2048}, RESET[] = {0x80b004}, AREA[] = {0x810c00, 0x400};
    static const uint32_t SECTIONS[] = {0x800000, 0x9000, 1, 0x80d000, 0x1000, 2,
                                        0x80e000, 0x1000, 3, 0x810000, 0x1000, 0x10};
    CVM_AUTO_BUF struct cvm_buf table = {0}, metadata = {0}, image = {0};
    uint32_t n = hashes ? 4 : 3;
    entry(&table, "666588dc4a989847a75e5585a7bf67cc", METADATA, 1);
    entry(&table, "de71f7007e1acb4f890e68c77e2fb44e", RESET, 1);
    if (hashes)
        entry(&table, "1f3755723b3a044b927b1da6efa8d454", AREA, 2);
    le(&table, (uint32_t)table.len + 18, 2);
    static const uint8_t FOOTER[16] = {0xde, 0x82, 0xb5, 0x96, 0xb2, 0x1f, 0xf7, 0x45,
                                       0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d};
    cvm_buf_append(&table, FOOTER, sizeof FOOTER);
    cvm_buf_append_str(&metadata, "ASEV");
    le(&metadata, 16 + 12 * n, 4);
    le(&metadata, 1, 4);
    le(&metadata, n, 4);
    for (uint32_t i = 0; i < 3 * n; i++)
        le(&metadata, SECTIONS[i], 4);
    uint8_t *all = cvm_buf_extend(&image, 8192);
    memcpy(all + 8192 - 2048, metadata.data, metadata.len);
    memcpy(all + 8192 - 32 - table.len, table.data, table.len);
    put_bytes(h, path, image.data, image.len, 0644);
}

/* ---- the good host ---- */

/* As arch/x86/kernel/cpu/proc.c prints; flags shortened to those that matter and some others. */
#define CPUINFO(vendor, family, model, name, flags)                                                \
    "processor\t: 0\nvendor_id\t: " vendor "\ncpu family\t: " family "\nmodel\t\t: " model         \
    "\nmodel name\t: " name "\nstepping\t: 1\nflags\t\t: fpu vme svm sse4a " flags                 \
    " overflow_recov succor\nbugs\t\t: sysret_ss_attrs\n\nprocessor\t: 1\n"
#define GENOA(flags) CPUINFO("AuthenticAMD", "25", "17", "AMD EPYC 9354 32-Core Processor", flags)

/* struct sev_user_data_snp_status of include/uapi/linux/psp-sev.h, little-endian: version 1.55,
 * state 1 (initialised), RMP initialised, build 29, nothing masked, 2 guests, TCB twice. */
#define STATUS(version, state, rmp, reported)                                                      \
    version state rmp "1d000000"                                                                   \
                      "00000000"                                                                   \
                      "02000000"                                                                   \
                      "0900000000001449" reported

FIXTURE void put_kernel_files(const struct host *h)
{
    put(h, "/proc/cpuinfo", GENOA("sme sev sev_es sev_snp"));
    put(h, "/proc/sys/kernel/osrelease", "6.12.90+deb12-amd64\n");
    put(h, "/proc/cmdline", "BOOT_IMAGE=/vmlinuz-6.12 root=/dev/sda1 ro mem_encrypt=off quiet\n");
    /* drivers/iommu/amd/init.c: "%llx:%llx", the first with bit 63 for SNP */
    put(h, "/sys/class/iommu/ivhd0/amd-iommu/features", "a5bf7320a2294aee:1d\n");
    /* Documentation/ABI/testing/sysfs-kernel-iommu_groups: DMA, DMA-FQ, identity, auto */
    put(h, "/sys/kernel/iommu_groups/0/type", "DMA-FQ\n");
    put(h, "/sys/module/ccp/refcnt", "1\n");
    /* bool parameters print Y or N */
    put(h, "/sys/module/kvm_amd/parameters/sev", "Y\n");
    put(h, "/sys/module/kvm_amd/parameters/sev_es", "Y\n");
    put(h, "/sys/module/kvm_amd/parameters/sev_snp", "Y\n");
    /* Documentation/admin-guide/cgroup-v2.rst, "misc.capacity" */
    put(h, "/sys/fs/cgroup/misc.capacity", "sev 410\nsev_es 99\n");
    put(h, "/proc/self/cgroup", "1:name=systemd:/x\n0::/system.slice/2cvmd.service\n");
    put(h, "/sys/fs/cgroup/system.slice/2cvmd.service/cgroup.controllers",
        "cpuset cpu io memory hugetlb pids misc\n");
    put(h, "/proc/sys/user/max_user_namespaces", "127345\n");
    put(h, "/proc/sys/kernel/unprivileged_userns_clone", "1\n");
}

FIXTURE void put_programs(const struct host *h)
{
    put(h, "/usr/lib/x86_64-linux-gnu/libvirt.so.0.11003.0", "");
    put(h, "/usr/lib/x86_64-linux-gnu/libvirt-admin.so.0.11003.0", "");
    static const char *const PROGRAMS[] = {
        "/usr/bin/qemu-system-x86_64",    "/usr/lib/2cvm/2cvm-psp",
        "/usr/lib/2cvm/image/2cvm-agent", "/usr/lib/2cvm/image/2cvm-compile",
        "/usr/lib/2cvm/image/2cvm-cell",  "/usr/local/bin/vhost-device-vsock",
    };
    for (size_t i = 0; i < sizeof PROGRAMS / sizeof PROGRAMS[0]; i++)
        put_bytes(h, PROGRAMS[i], PROGRAMS[i], strlen(PROGRAMS[i]), 0755);
    put(h, "/usr/lib/2cvm/machine/kernel", "kernel");
    put(h, "/usr/lib/2cvm/machine/initramfs", "initramfs");
    put(h, "/usr/lib/2cvm/machine/cmdline", "console=ttyS0");
    put_ovmf(h, "/usr/lib/2cvm/machine/firmware", true);
}

FIXTURE void good_host(struct host *h)
{
    *h = (struct host){.root = "/tmp/2cvm-host-XXXXXX"};
    assert_non_null(mkdtemp(h->root));
    h->place.root = h->root;
    put_kernel_files(h);
    put_programs(h);
    put(h, "/var/lib/2cvm/state.db", "");
    CVM_AUTO_FREE char *state = inside(h, "/var/lib/2cvm");
    assert_int_equal(chmod(state, 0700), 0);
    h->answers =
        json_pack("{s:i, s:I, s:{s:s, s:s, s:s, s:s, s:s}, s:s, s:{s:s, s:b}, s:i, s:[]}",
                  "version", 1, "uid", (json_int_t)getuid(), "nodes", "/dev/kvm", "ok", "/dev/sev",
                  "ok", "/dev/vhost-vsock", "ok", "/run/libvirt/virtqemud-sock", "ENOENT",
                  "/run/libvirt/libvirt-sock", "ok", "platform_status",
                  STATUS("0137", "01", "01", "0900000000001449"), "qemu", "version", "10.0.2",
                  "sev_snp_guest", 1, "disk_free_mib", 200000, "missing_protections");
    assert_non_null(h->answers);
}

FIXTURE int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

FIXTURE void end_host(struct host *h)
{
    nftw(h->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    json_decref(h->answers);
}

#endif
