/*
 * Recorded hosts, good and bad. None was taken from a machine: the good one is made here by hand,
 * file by file, in the form that Linux documents or prints (named beside each); each bad one is the
 * good one with what such a fault changes, also further down, where one fault takes others along.
 * Every verdict of every check is compared, so that a fault is seen where it is and nowhere else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <ftw.h>
#include <sys/stat.h>

#include "orchestrator/host/internal.h"

struct host {
    char root[32];
    json_t *answers;
    struct cvm_host_place place;
};

static char *inside(const struct host *h, const char *path)
{
    return cvm_printf("%s%s", h->root, path);
}

/* Makes the file and the folders above it. */
static void put_bytes(const struct host *h, const char *path, const void *data, size_t len,
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

static void put(const struct host *h, const char *path, const char *text)
{
    put_bytes(h, path, text, strlen(text), 0644);
}

static void drop(const struct host *h, const char *path)
{
    CVM_AUTO_FREE char *full = inside(h, path);
    assert_int_equal(remove(full), 0);
}

static void node(struct host *h, const char *path, const char *said)
{
    json_object_set_new(json_object_get(h->answers, "nodes"), path, json_string(said));
}

static void answer(struct host *h, const char *name, json_t *value)
{
    json_object_set_new(h->answers, name, value);
}

/* ---- a firmware image: nothing but the table at its end and the SEV metadata before it ---- */

static void le(struct cvm_buf *b, uint32_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        cvm_buf_append_u8(b, (uint8_t)(v >> 8 * i));
}

static void entry(struct cvm_buf *b, const char *guid, const uint32_t *words, size_t n)
{
    uint8_t g[16];
    assert_int_equal(cvm_hex_decode(guid, g, sizeof g, NULL), 0);
    for (size_t i = 0; i < n; i++)
        le(b, words[i], 4);
    le(b, (uint32_t)(4 * n + 18), 2);
    cvm_buf_append(b, g, sizeof g);
}

static void put_ovmf(const struct host *h, const char *path, bool hashes)
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

static void put_kernel_files(const struct host *h)
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

static void put_programs(const struct host *h)
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

static void good_host(struct host *h)
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

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static void end_host(struct host *h)
{
    nftw(h->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    json_decref(h->answers);
}

/* ---- faults ---- */

static void nothing(struct host *h)
{
    (void)h;
}

static void intel(struct host *h)
{
    put(h, "/proc/cpuinfo", CPUINFO("GenuineIntel", "6", "143", "Intel(R) Xeon(R)", "vmx"));
}

static void desktop(struct host *h)
{
    put(h, "/proc/cpuinfo",
        CPUINFO("AuthenticAMD", "25", "33", "AMD Ryzen 9 5950X", "sme sev sev_es sev_snp"));
}

static void virtual_machine(struct host *h)
{
    put(h, "/proc/cpuinfo", GENOA("sme sev sev_es sev_snp hypervisor"));
}

/* SNP off in the BIOS: no RMP, so that the kernel clears the flag (bsp_determine_snp()), the
 * IOMMU has not the feature, KVM turns SNP off, the firmware stays uninitialised. */
static void snp_off_in_bios(struct host *h)
{
    put(h, "/proc/cpuinfo", GENOA("sme sev sev_es"));
    put(h, "/sys/class/iommu/ivhd0/amd-iommu/features", "25bf7320a2294aee:1d\n");
    put(h, "/sys/module/kvm_amd/parameters/sev_snp", "N\n");
    answer(h, "platform_status", json_string(STATUS("0137", "00", "00", "0900000000001449")));
}

/* SMEE off: the kernel clears all of these (early_detect_mem_encrypt()). */
static void smee_off_in_bios(struct host *h)
{
    snp_off_in_bios(h);
    put(h, "/proc/cpuinfo", GENOA("npt"));
    put(h, "/sys/module/kvm_amd/parameters/sev", "N\n");
    put(h, "/sys/module/kvm_amd/parameters/sev_es", "N\n");
    put(h, "/sys/fs/cgroup/misc.capacity", "rdma 1\n");
}

/* A kernel that passes devices through by default needs iommu=nopt. */
static void parameter_missing(struct host *h)
{
    put(h, "/sys/kernel/iommu_groups/0/type", "identity\n");
    put(h, "/sys/module/kvm_amd/parameters/sev_snp", "N\n");
}

static void pass_through_asked(struct host *h)
{
    parameter_missing(h);
    put(h, "/proc/cmdline", "BOOT_IMAGE=/vmlinuz-6.12 amd_iommu=pgtbl_v2 iommu=pt quiet\n");
}

static void kvm_without_snp(struct host *h)
{
    put(h, "/proc/cmdline", "quiet kvm_amd.sev_snp=0\n");
    put(h, "/sys/module/kvm_amd/parameters/sev_snp", "N\n");
}

/* As Debian 12's own kernel 6.1: no parameter of this name at all. */
static void old_kernel(struct host *h)
{
    put(h, "/proc/sys/kernel/osrelease", "6.1.0-28-amd64\n");
    put(h, "/proc/cpuinfo", GENOA("sme sev sev_es"));
    drop(h, "/sys/module/kvm_amd/parameters/sev_snp");
    json_object_del(h->answers, "platform_status");
    answer(h, "platform_status_error", json_string("EINVAL"));
}

static void no_address_space_ids(struct host *h)
{
    put(h, "/sys/fs/cgroup/misc.capacity", "sev 509\nsev_es 0\n");
}

static void no_modules(struct host *h)
{
    drop(h, "/sys/module/ccp/refcnt");
    drop(h, "/sys/module/ccp");
    drop(h, "/sys/module/kvm_amd/parameters/sev");
    drop(h, "/sys/module/kvm_amd/parameters/sev_es");
    drop(h, "/sys/module/kvm_amd/parameters/sev_snp");
    drop(h, "/sys/module/kvm_amd/parameters");
    drop(h, "/sys/module/kvm_amd");
    node(h, "/dev/kvm", "ENOENT");
    node(h, "/dev/sev", "ENOENT");
    json_object_del(h->answers, "platform_status");
}

static void old_firmware(struct host *h)
{
    answer(h, "platform_status", json_string(STATUS("0132", "01", "01", "0900000000001449")));
}

static void middle_firmware(struct host *h)
{
    answer(h, "platform_status", json_string(STATUS("0133", "01", "01", "0900000000001449")));
}

static void not_committed(struct host *h)
{
    answer(h, "platform_status", json_string(STATUS("0137", "01", "01", "0900000000001348")));
}

static void wrong_permissions(struct host *h)
{
    node(h, "/dev/sev", "EACCES");
    node(h, "/dev/kvm", "EACCES");
    node(h, "/dev/vhost-vsock", "EACCES");
    node(h, "/run/libvirt/libvirt-sock", "EACCES");
    json_object_del(h->answers, "platform_status");
    CVM_AUTO_FREE char *state = inside(h, "/var/lib/2cvm");
    assert_int_equal(chmod(state, 0755), 0);
}

static void another_user(struct host *h)
{
    answer(h, "uid", json_integer((json_int_t)getuid() + 4242));
    put(h, "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n");
}

/* Debian 12's own: 9.0.0. */
static void old_libvirt(struct host *h)
{
    drop(h, "/usr/lib/x86_64-linux-gnu/libvirt.so.0.11003.0");
    put(h, "/usr/lib/x86_64-linux-gnu/libvirt.so.0.9000.0", "");
}

static void libvirt_10_4(struct host *h)
{
    drop(h, "/usr/lib/x86_64-linux-gnu/libvirt.so.0.11003.0");
    put(h, "/usr/lib64/libvirt.so.0.10004.0", "");
}

static void no_libvirt(struct host *h)
{
    drop(h, "/usr/lib/x86_64-linux-gnu/libvirt.so.0.11003.0");
    node(h, "/run/libvirt/libvirt-sock", "ENOENT");
}

/* Its socket was left over: nobody takes a connection. */
static void libvirt_stopped(struct host *h)
{
    node(h, "/run/libvirt/libvirt-sock", "ECONNREFUSED");
}

static void old_qemu(struct host *h)
{
    answer(h, "qemu", json_pack("{s:s, s:b}", "version", "7.2.15", "sev_snp_guest", 0));
}

static void qemu_without_sev(struct host *h)
{
    answer(h, "qemu", json_pack("{s:s, s:b}", "version", "9.1.0", "sev_snp_guest", 0));
}

static void broken_qemu(struct host *h)
{
    json_object_del(h->answers, "qemu");
    answer(h, "qemu_error", json_string("cannot start"));
}

static void ovmf_without_hashes(struct host *h)
{
    put_ovmf(h, "/usr/lib/2cvm/machine/firmware", false);
}

static void ovmf_of_another_kind(struct host *h)
{
    put(h, "/usr/lib/2cvm/machine/firmware", "no firmware at all");
}

static void ovmf_of_the_package(struct host *h)
{
    drop(h, "/usr/lib/2cvm/machine/firmware");
    put_ovmf(h, "/usr/share/ovmf/OVMF.amdsev.fd", true);
}

static void no_ovmf(struct host *h)
{
    drop(h, "/usr/lib/2cvm/machine/firmware");
}

static void no_vsock(struct host *h)
{
    node(h, "/dev/vhost-vsock", "ENOENT");
}

static void no_vsock_program(struct host *h)
{
    drop(h, "/usr/local/bin/vhost-device-vsock");
}

static void vsock_program_not_executable(struct host *h)
{
    put_bytes(h, "/usr/local/bin/vhost-device-vsock", "x", 1, 0644);
}

static void production_image(struct host *h)
{
    put(h, "/usr/lib/2cvm/machine/image.json", "{\"kind\":\"production\"}\n");
}

static void simulation_image(struct host *h)
{
    put(h, "/usr/lib/2cvm/machine/image.json", "{\"kind\":\"simulation\",\"files\":{}}\n");
}

static void broken_image_json(struct host *h)
{
    put(h, "/usr/lib/2cvm/machine/image.json", "{\"kind\":[7]}\n");
}

static void full_disk(struct host *h)
{
    answer(h, "disk_free_mib", json_integer(3));
}

static void little_room(struct host *h)
{
    answer(h, "disk_free_mib", json_integer(9000));
}

static void no_images(struct host *h)
{
    drop(h, "/usr/lib/2cvm/image/2cvm-cell");
    drop(h, "/usr/lib/2cvm/machine/kernel");
    drop(h, "/usr/lib/2cvm/2cvm-psp");
}

static void no_walls(struct host *h)
{
    answer(h, "missing_protections", json_pack("[s, s]", "user-namespace", "cgroup"));
    put(h, "/proc/sys/user/max_user_namespaces", "0\n");
    put(h, "/proc/self/cgroup", "3:memory:/x\n");
}

static void controller_missing(struct host *h)
{
    put(h, "/sys/fs/cgroup/system.slice/2cvmd.service/cgroup.controllers", "cpu memory\n");
}

static void probe_failed(struct host *h)
{
    json_object_del(h->answers, "missing_protections");
    answer(h, "probe_error", json_string("no list"));
}

static void nothing_answered(struct host *h)
{
    json_object_clear(json_object_get(h->answers, "nodes"));
    json_object_del(h->answers, "platform_status");
    json_object_del(h->answers, "qemu");
    json_object_del(h->answers, "disk_free_mib");
    json_object_del(h->answers, "missing_protections");
}

static void no_files(struct host *h)
{
    nftw(h->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    assert_int_equal(mkdir(h->root, 0700), 0);
}

/* Words: what is not OK, in the table's order: "name VERDICT a part of the text;". */
static const struct {
    const char *name;
    void (*make)(struct host *h);
    const char *seen;
} HOSTS[] = {
    {"good", nothing, ""},
    {"intel", intel,
     "processor FAIL GenuineIntel, expected AuthenticAMD;memory-encryption FAIL sme, sev, sev_es;"
     "snp-flag FAIL sev_snp;"},
    {"desktop", desktop, "processor FAIL family 25 model 33;"},
    {"virtual machine", virtual_machine, "processor FAIL is itself a virtual machine;"},
    {"SNP off in the BIOS", snp_off_in_bios,
     "snp-flag FAIL sev_snp;iommu FAIL feature SNP;kvm-sev FAIL sev_snp=N, expected Y;"
     "sev-firmware FAIL not initialised;rmp FAIL not initialised;"},
    {"SMEE off in the BIOS", smee_off_in_bios,
     "memory-encryption FAIL sme, sev, sev_es;snp-flag FAIL sev_snp;iommu FAIL feature SNP;"
     "kvm-sev FAIL sev=N, sev_es=N, sev_snp=N;sev-firmware FAIL not initialised;"
     "rmp FAIL not initialised;snp-slots FAIL none;"},
    {"kernel parameter missing", parameter_missing,
     "iommu FAIL group 0: identity;kvm-sev FAIL sev_snp=N;"},
    {"pass-through asked", pass_through_asked,
     "kernel-parameters FAIL iommu=pt amd_iommu=pgtbl_v2;iommu FAIL identity;kvm-sev FAIL N;"},
    {"KVM without SNP", kvm_without_snp,
     "kernel-parameters FAIL kvm_amd.sev_snp=0;kvm-sev FAIL sev_snp=N;"},
    {"old kernel", old_kernel,
     "snp-flag FAIL sev_snp;kernel FAIL 6.1.0-28-amd64, expected 6.11;"
     "kvm-sev FAIL sev_snp=(not there);sev-firmware FAIL EINVAL;rmp FAIL EINVAL;"
     "firmware-commit FAIL EINVAL;"},
    {"no identifiers", no_address_space_ids, "snp-slots FAIL none;"},
    {"modules not loaded", no_modules,
     "ccp FAIL not loaded;kvm-sev FAIL kvm_amd is not loaded;sev-device FAIL is not there;"
     "sev-firmware SKIP could not be asked;rmp SKIP ;firmware-commit SKIP ;"
     "kvm FAIL is not there;acceleration WARN is not there;"},
    {"old firmware", old_firmware, "sev-firmware FAIL 1.50.29, expected 1.51;"},
    {"middle firmware", middle_firmware, "sev-firmware WARN 1.51.29;"},
    {"not committed", not_committed,
     "firmware-commit WARN 0x4914000000000009 runs, 0x4813000000000009 is reported;"},
    {"wrong permissions", wrong_permissions,
     "sev-device FAIL /dev/sev: EACCES;sev-firmware SKIP ;rmp SKIP ;firmware-commit SKIP ;"
     "kvm FAIL EACCES;acceleration WARN EACCES;libvirt-daemon FAIL libvirt-sock: EACCES;"
     "vhost-vsock FAIL EACCES;state-folder FAIL mode 0755, expected 0700;"},
    {"another user", another_user,
     "user-namespaces WARN apparmor_restrict_unprivileged_userns is 1;"
     "cgroups WARN belongs to another user;state-folder FAIL belongs to user;"},
    {"old libvirt", old_libvirt, "libvirt FAIL 9.0.0, expected 10.5;"},
    {"libvirt 10.4", libvirt_10_4, "libvirt FAIL 10.4.0, expected 10.5;"},
    {"no libvirt", no_libvirt, "libvirt FAIL no libvirt.so.0;libvirt-daemon FAIL no socket;"},
    {"libvirt stopped", libvirt_stopped, "libvirt-daemon FAIL ECONNREFUSED;"},
    {"old QEMU", old_qemu, "qemu-snp FAIL 7.2.15, expected 9.1;"},
    {"QEMU without SEV", qemu_without_sev, "qemu-snp FAIL does not know sev-snp-guest;"},
    {"broken QEMU", broken_qemu, "qemu FAIL cannot start;qemu-snp SKIP ;"},
    {"OVMF without hashes", ovmf_without_hashes,
     "ovmf FAIL no place for the kernel's digests;snp-image FAIL no place for kernel hashes;"},
    {"no OVMF at all", ovmf_of_another_kind, "ovmf FAIL too small;snp-image FAIL ;"},
    {"OVMF of the package", ovmf_of_the_package, "snp-image FAIL no `firmware`;"},
    {"OVMF missing", no_ovmf, "ovmf FAIL is not there;snp-image FAIL no `firmware`;"},
    {"no vsock", no_vsock, "vhost-vsock FAIL is not there;"},
    {"no vsock program", no_vsock_program, "vsock FAIL vhost-device-vsock is not there;"},
    {"vsock program", vsock_program_not_executable, "vsock FAIL no program;"},
    {"production image", production_image, "vm-image FAIL is the production image;"},
    {"simulation image", simulation_image, "snp-image FAIL is the simulation image;"},
    {"broken image.json", broken_image_json, ""},
    {"full disk", full_disk, "disk-space FAIL 3 MiB free, expected 512;"},
    {"little room", little_room, "disk-space WARN 9000 MiB;"},
    {"images missing", no_images,
     "snp-image FAIL machine/kernel is not there;vm-image FAIL machine/kernel;"
     "process-image FAIL 2cvm-cell is not there;psp FAIL 2cvm-psp;"},
    {"no walls", no_walls,
     "protections WARN user-namespace, cgroup;user-namespaces WARN max_user_namespaces is 0;"
     "cgroups WARN no group of cgroup v2;"},
    {"controller missing", controller_missing, "cgroups WARN has not the controller pids;"},
    {"probe failed", probe_failed, "protections FAIL no list;"},
    {"nothing answered", nothing_answered,
     "sev-device SKIP ;sev-firmware SKIP ;rmp SKIP ;firmware-commit SKIP ;kvm SKIP ;"
     "acceleration SKIP ;libvirt-daemon SKIP ;qemu FAIL it was not asked;qemu-snp SKIP ;"
     "vhost-vsock SKIP ;protections SKIP ;disk-space SKIP ;"},
    {"no files", no_files,
     "processor FAIL no maker;memory-encryption FAIL ;snp-flag FAIL ;kernel FAIL no version;"
     "kernel-parameters SKIP ;iommu FAIL no AMD IOMMU;ccp FAIL ;kvm-sev FAIL ;snp-slots SKIP ;"
     "libvirt FAIL ;qemu FAIL ;ovmf FAIL ;vsock FAIL ;snp-image FAIL ;vm-image FAIL ;process-image "
     "FAIL ;"
     "psp FAIL ;user-namespaces WARN the kernel has none;cgroups WARN ;state-folder WARN ;"},
};

/* Takes the next "name VERDICT text;" off the list when it is of this check. */
static void compare(const char *host, const char **seen, const struct cvm_host_check_info *info,
                    const struct cvm_host_result *r)
{
    size_t n = strlen(info->name);
    bool listed = strncmp(*seen, info->name, n) == 0 && (*seen)[n] == ' ';
    if (!listed) {
        if (r->verdict != CVM_HOST_OK)
            fail_msg("%s: %s is %s: %s", host, info->name, cvm_host_verdict_word(r->verdict),
                     r->found);
        return;
    }
    char verdict[8] = "", text[160] = "";
    sscanf(*seen + n + 1, "%7s", verdict);
    const char *begin = *seen + n + 1 + strlen(verdict) + 1, *end = strchr(begin, ';');
    snprintf(text, sizeof text, "%.*s", (int)(end - begin), begin);
    *seen = end + 1;
    if (strcmp(cvm_host_verdict_word(r->verdict), verdict) != 0 || !strstr(r->found, text))
        fail_msg("%s: %s should be %s (%s), is %s: %s", host, info->name, verdict, text,
                 cvm_host_verdict_word(r->verdict), r->found);
}

static void test_hosts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof HOSTS / sizeof HOSTS[0]; i++) {
        struct host h;
        struct cvm_host_result results[CVM_HOST_CHECKS];
        struct cvm_error err = {0};
        good_host(&h);
        HOSTS[i].make(&h);
        if (cvm_host_judge(&h.place, h.answers, 7, results, &err) < 0)
            fail_msg("%s: %s", HOSTS[i].name, err.message);
        const char *seen = HOSTS[i].seen;
        for (size_t k = 0; k < CVM_HOST_CHECKS; k++)
            compare(HOSTS[i].name, &seen, cvm_host_check_info(k), &results[k]);
        if (*seen)
            fail_msg("%s: never seen: %s", HOSTS[i].name, seen);
        end_host(&h);
    }
}

/* A fault of one platform does not count for another, and the first cause is named. */
static void test_platforms(void **state)
{
    (void)state;
    const unsigned snp = 1u << CVM_PLATFORM_SEV_SNP, vm = 1u << CVM_PLATFORM_SIM_VM,
                   process = 1u << CVM_PLATFORM_SIM_PROCESS;
    struct host h;
    struct cvm_host_result results[CVM_HOST_CHECKS];
    const struct cvm_host_result *r = NULL;
    good_host(&h);
    snp_off_in_bios(&h);
    full_disk(&h);
    assert_int_equal(cvm_host_judge(&h.place, h.answers, snp, results, NULL), 0);
    assert_string_equal(cvm_host_first_failure(results, snp, &r)->name, "snp-flag");
    assert_non_null(strstr(r->found, "sev_snp"));
    assert_int_equal(results[CVM_HOST_CHECK_vm_image].verdict, CVM_HOST_SKIP);
    assert_int_equal(cvm_host_judge(&h.place, h.answers, vm | process, results, NULL), 0);
    assert_string_equal(cvm_host_first_failure(results, vm, &r)->name, "disk-space");
    assert_string_equal(cvm_host_first_failure(results, process, &r)->name, "disk-space");
    assert_int_equal(results[CVM_HOST_CHECK_snp_flag].verdict, CVM_HOST_SKIP);
    little_room(&h);
    assert_int_equal(cvm_host_judge(&h.place, h.answers, vm, results, NULL), 0);
    assert_null(cvm_host_first_failure(results, vm, &r));
    end_host(&h);
}

/* A recording from elsewhere leads nowhere else on this machine. */
static void test_links_stay_inside(void **state)
{
    (void)state;
    struct host h;
    struct cvm_host_result results[CVM_HOST_CHECKS];
    good_host(&h);
    drop(&h, "/proc/sys/kernel/osrelease");
    CVM_AUTO_FREE char *link = inside(&h, "/proc/sys/kernel/osrelease");
    assert_int_equal(symlink("/proc/sys/kernel/ostype-of-this-machine", link), 0);
    put(&h, "/proc/sys/kernel/ostype-of-this-machine", "6.13.0\n");
    assert_int_equal(cvm_host_judge(&h.place, h.answers, 1, results, NULL), 0);
    assert_string_equal(results[CVM_HOST_CHECK_kernel].found, "6.13.0");
    drop(&h, "/proc/sys/kernel/osrelease");
    assert_int_equal(symlink("/../../../../../../proc/sys/kernel/osrelease", link), 0);
    assert_int_equal(cvm_host_judge(&h.place, h.answers, 1, results, NULL), 0);
    assert_int_equal(results[CVM_HOST_CHECK_kernel].verdict, CVM_HOST_FAIL);
    end_host(&h);
}

/* What comes from files never drives a terminal. */
static void test_text_is_plain(void **state)
{
    (void)state;
    struct host h;
    struct cvm_host_result results[CVM_HOST_CHECKS];
    good_host(&h);
    put(&h, "/proc/sys/kernel/osrelease", "6.12\033[2J\xc3\xa9\n");
    assert_int_equal(cvm_host_judge(&h.place, h.answers, 1, results, NULL), 0);
    assert_string_equal(results[CVM_HOST_CHECK_kernel].found, "6.12?[2J??");
    end_host(&h);
}

static void test_answers_refused(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "[]",
        "{\"version\":2,\"uid\":0,\"nodes\":{}}",
        "{\"version\":1,\"nodes\":{}}",
        "{\"version\":1,\"uid\":-1,\"nodes\":{}}",
        "{\"version\":1,\"uid\":0}",
        "{\"version\":1,\"uid\":0,\"nodes\":{\"/dev/kvm\":1}}",
        "{\"version\":1,\"uid\":0,\"nodes\":{},\"platform_status\":\"00\"}",
        "{\"version\":1,\"uid\":0,\"nodes\":{},\"platform_status\":7}",
        "{\"version\":1,\"uid\":0,\"nodes\":{},\"qemu\":{}}",
        "{\"version\":1,\"uid\":0,\"nodes\":{},\"qemu\":{\"version\":\"9.1.0\",\"x\":1}}",
        "{\"version\":1,\"uid\":0,\"nodes\":{},\"disk_free_mib\":-1}",
        "{\"version\":1,\"uid\":0,\"nodes\":{},\"missing_protections\":[1]}",
        "{\"version\":1,\"uid\":0,\"nodes\":{},\"unknown\":1}",
    };
    struct host h;
    struct cvm_host_result results[CVM_HOST_CHECKS];
    good_host(&h);
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        struct cvm_error err = {0};
        CVM_AUTO_JSON json_t *answers = cvm_host_answers_parse(BAD[i], strlen(BAD[i]), &err);
        if (answers && cvm_host_judge(&h.place, answers, 7, results, &err) == 0)
            fail_msg("taken: %s", BAD[i]);
        assert_int_not_equal(err.code, CVM_OK);
    }
    h.place.root = "/nowhere-at-all";
    struct cvm_error err = {0};
    assert_int_equal(cvm_host_judge(&h.place, h.answers, 7, results, &err), -1);
    assert_int_equal(err.code, CVM_E_IO);
    end_host(&h);
}

/* What QEMU 10.0 prints to the four questions, shortened. */
static void test_qemu_answer(void **state)
{
    (void)state;
    static const char VERSION[] =
        "{\"return\":{\"qemu\":{\"micro\":2,\"minor\":0,\"major\":10},\"package\":\"x\"}}\n";
    static const struct {
        const char *greeting, *types;
        bool well, snp;
    } CASES[] = {
        {"{\"QMP\":{\"version\":{},\"capabilities\":[]}}\n{\"return\":{}}\n",
         "{\"return\":[{\"name\":\"sev-guest\"},{\"name\":\"sev-snp-guest\"}]}\n{\"return\":{}}\n",
         true, true},
        {"", "{\"return\":[{\"name\":\"sev-guest\"},{\"name\":\"sev-snp-guest2\"}]}", true, false},
        {"", "{\"return\":[]}\n{\"timestamp\":{},\"event\":\"SHUTDOWN\"}\n", true, false},
        {"", "{\"return\":[7,{\"name\":8}]}\n", true, false},
        {"", "{\"error\":{\"class\":\"GenericError\"}}\n", false, false},
        {"no JSON\n", "", false, false},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        CVM_AUTO_FREE char *text = cvm_printf("%s%s%s", CASES[i].greeting, VERSION, CASES[i].types);
        CVM_AUTO_JSON json_t *said = cvm_host_qemu_answer(text, strlen(text));
        assert_int_equal(said != NULL, CASES[i].well);
        if (!said)
            continue;
        assert_string_equal(json_string_value(json_object_get(said, "version")), "10.0.2");
        assert_int_equal(json_is_true(json_object_get(said, "sev_snp_guest")), CASES[i].snp);
    }
    static const char WRONG[] = "{\"return\":{\"qemu\":{\"micro\":2,\"minor\":-1,\"major\":10}}}\n"
                                "{\"return\":[]}\n";
    assert_null(cvm_host_qemu_answer(WRONG, sizeof WRONG - 1));
    assert_null(cvm_host_qemu_answer("", 0));
}

static void test_run(void **state)
{
    (void)state;
    CVM_AUTO_BUF struct cvm_buf out = {0};
    struct cvm_error err = {0};
    const char *const cat[] = {"/bin/cat", NULL}, *const none[] = {"/bin/no-such-program", NULL},
                      *const yes[] = {"/usr/bin/yes", NULL};
    assert_int_equal(cvm_host_run(cat, CVM_STR("in and out"), &out, &err), 0);
    assert_string_equal(cvm_buf_cstr(&out), "in and out");
    assert_int_equal(cvm_host_run(none, CVM_STR(""), &out, &err), -1);
    assert_int_equal(err.code, CVM_E_PLATFORM);
    out.len = 0;
    assert_int_equal(cvm_host_run(yes, CVM_STR(""), &out, &err), -1);
    assert_int_equal(err.code, CVM_E_TIMEOUT);
}

/* This machine, whatever it is: the answers have the form that a recording must have, and the whole
 * comes to a verdict; what a driver would be told names check and remedy. */
static void test_this_machine(void **state)
{
    (void)state;
    const struct cvm_host_place place = {.state = "/nowhere/at/all"};
    struct cvm_host_result results[CVM_HOST_CHECKS];
    struct cvm_error err = {0};
    CVM_AUTO_JSON json_t *answers = cvm_host_ask(&place);
    CVM_AUTO_FREE char *text = json_dumps(answers, 0);
    CVM_AUTO_JSON json_t *again = cvm_host_answers_parse(text, strlen(text), &err);
    assert_non_null(again);
    assert_int_equal(cvm_host_judge(&place, again, 7, results, &err), 0);
    assert_true(json_is_integer(json_object_get(again, "disk_free_mib")));
    assert_int_equal(results[CVM_HOST_CHECK_state_folder].verdict, CVM_HOST_WARN);
    const struct cvm_host_result *r = NULL;
    const unsigned snp = 1u << CVM_PLATFORM_SEV_SNP;
    const struct cvm_host_check_info *first = cvm_host_first_failure(results, snp, &r);
    int rc = cvm_host_check(CVM_PLATFORM_SEV_SNP, &place, &err);
    assert_int_equal(rc, first ? -1 : 0);
    if (!first)
        return;
    assert_int_equal(err.code, CVM_E_PLATFORM);
    assert_non_null(strstr(err.message, first->name));
    assert_non_null(strstr(err.message, r->found));
    assert_non_null(strstr(err.message, first->remedy));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_platforms),
        cmocka_unit_test(test_links_stay_inside),
        cmocka_unit_test(test_text_is_plain),
        cmocka_unit_test(test_answers_refused),
        cmocka_unit_test(test_qemu_answer),
        cmocka_unit_test(test_run),
        cmocka_unit_test(test_this_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
