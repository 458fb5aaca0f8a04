/*
 * Recorded hosts, good and bad: each bad one is the good one with what such a fault changes, also
 * further down, where one fault takes others along. Every verdict of every check is compared, so
 * that a fault is seen where it is and nowhere else.
 */
#include "orchestrator/host/test-fixture-host.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_platforms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
