/* 2cvm measure: what MEASUREMENT will be, recomputed from the files at hand, in the form that a
 * manifest needs. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/file.h"
#include "core/base/encode.h"
#include "core/evidence/measure-sim.h"
#include "core/evidence/measure-snp.h"
#include "core/evidence/report.h"

#define KERNEL_FILE_MAX (512 << 20)

static int file_digest(const struct cli *c, const char *option, struct cvm_digest *ret,
                       struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf file = {0};
    if (cli_opt(c, option))
        CVM_GUARD(cli_file_read(cli_opt(c, option), KERNEL_FILE_MAX, &file, err));
    *ret = cvm_sha256(file.data ? (const void *)file.data : "", file.len);
    return 0;
}

/* The command line itself, or a file that holds it; one newline at the file's end is not part of
 * it. */
static int cmdline_digest(const struct cli *c, struct cvm_digest *ret, struct cvm_error *err)
{
    const char *text = cli_opt(c, "cmdline"), *path = cli_opt(c, "cmdline-file");
    CVM_ENSURE(!text || !path, err, CVM_E_USAGE, "--cmdline or --cmdline-file, not both");
    CVM_AUTO_BUF struct cvm_buf file = {0};
    if (path) {
        CVM_GUARD(cli_file_read(path, 65536, &file, err));
        if (file.len && file.data[file.len - 1] == '\n')
            file.len--;
        text = cvm_buf_cstr(&file);
        CVM_ENSURE(strlen(text) == file.len, err, CVM_E_USAGE, "%s has a zero byte in it", path);
    }
    *ret = cvm_snp_cmdline_digest(text ? text : "");
    return 0;
}

static int features_of(const struct cli *c, uint64_t *ret, struct cvm_error *err)
{
    const char *text = cli_opt(c, "features");
    *ret = CVM_SNP_FEATURES_DEFAULT;
    if (!text)
        return 0;
    char *end = NULL;
    unsigned long long v = strncmp(text, "0x", 2) == 0 ? strtoull(text + 2, &end, 16) : 0;
    CVM_ENSURE(end && !*end && end != text + 2 && strlen(text) <= 18, err, CVM_E_USAGE,
               "--features needs a number like 0x1");
    *ret = v;
    return 0;
}

static int measure_snp(const struct cli *c, uint32_t vcpus, uint8_t ret[CVM_SHA384_LEN],
                       struct cvm_error *err)
{
    const char *model = cli_opt(c, "cpu") ? cli_opt(c, "cpu") : CVM_SNP_VCPU_DEFAULT;
    CVM_AUTO_BUF struct cvm_buf ovmf = {0};
    CVM_GUARD(cli_file_read(cli_opt(c, "ovmf"), CVM_SNP_FIRMWARE_MAX, &ovmf, err));
    struct cvm_snp_kernel k;
    struct cvm_snp_guest g = {.firmware = CVM_BYTES(ovmf.data, ovmf.len),
                              .vcpus = vcpus,
                              .vcpu_signature = cvm_snp_vcpu_signature(model)};
    CVM_ENSURE(g.vcpu_signature, err, CVM_E_USAGE,
               "the processor model \"%s\" is not known; \"host\" can't be measured beforehand",
               model);
    CVM_GUARD(features_of(c, &g.features, err));
    bool kernel = cli_opt(c, "kernel");
    CVM_ENSURE(kernel ||
                   (!cli_opt(c, "initrd") && !cli_opt(c, "cmdline") && !cli_opt(c, "cmdline-file")),
               err, CVM_E_USAGE, "initrd and command line need --kernel");
    if (kernel) {
        CVM_GUARD(file_digest(c, "kernel", &k.kernel, err));
        CVM_GUARD(file_digest(c, "initrd", &k.initrd, err));
        CVM_GUARD(cmdline_digest(c, &k.cmdline, err));
        g.kernel = &k;
    }
    return cvm_measure_snp(&g, ret, err);
}

static int run(struct cli *c, struct cvm_error *err)
{
    int64_t vcpus;
    const char *image = cli_opt(c, "image"), *ovmf = cli_opt(c, "ovmf");
    CVM_GUARD(cli_opt_int(c, "vcpus", 1, CVM_SNP_VCPUS_MAX, 0, &vcpus, err));
    CVM_ENSURE(vcpus > 0, err, CVM_E_USAGE, "--vcpus is needed: it is part of the measurement");
    CVM_ENSURE(!image != !ovmf, err, CVM_E_USAGE, "--image DIR, or --ovmf FILE for SEV-SNP");
    CVM_AUTO_FREE char *kernel = image ? cvm_printf("%s/kernel", image) : NULL;
    bool machine = ovmf || access(kernel, F_OK) == 0, simulated = cli_opt(c, "memory-mib");
    int64_t memory = 0;
    CVM_GUARD(cli_opt_int(c, "memory-mib", 1, INT64_C(1) << 22, 0, &memory, err));
    CVM_ENSURE(!simulated || (image && machine), err, CVM_E_USAGE,
               "--memory-mib is of a simulated machine: it needs --image with a kernel");
    uint8_t m[CVM_SHA384_LEN], block[CVM_SNP_ID_BLOCK_LEN];
    if (simulated)
        CVM_GUARD(cvm_measure_sim_vm_folder(image, (uint32_t)vcpus, (uint64_t)memory, m, err));
    else if (image)
        CVM_GUARD((machine ? cvm_measure_snp_folder
                           : cvm_measure_sim_folder)(image, (uint32_t)vcpus, m, err));
    else
        CVM_GUARD(measure_snp(c, (uint32_t)vcpus, m, err));
    CVM_AUTO_FREE char *hex = cvm_hex(m, sizeof(m));
    CVM_AUTO_FREE char *text = cvm_printf("sha384:%s", hex);
    cli_say(c, "%s\n", text);
    const char *platform = simulated ? "sim-vm" : machine ? "sev-snp" : "sim-process";
    json_t *o = json_pack("{s:s, s:[s], s:I}", "platform", platform, "measurements", text, "vcpus",
                          (json_int_t)vcpus);
    if (machine && !simulated) {
        cvm_snp_id_block(m, 0, CVM_POLICY_RESERVED1 | CVM_POLICY_SMT, block);
        CVM_AUTO_FREE char *id = cvm_hex(block, sizeof(block));
        json_object_set_new(o, "id_block", json_string(id));
    }
    cli_result(c, o);
    return CLI_EXIT_OK;
}

static const struct cli_option OPTIONS[] = {
    {"image", 0, "DIR",
     "folder with firmware, kernel, initramfs, cmdline (SEV-SNP), or the three guest programs"},
    {"ovmf", 0, "FILE", "firmware image of the AmdSev kind (SEV-SNP)"},
    {"kernel", 0, "FILE", "kernel that the firmware boots and checks"},
    {"initrd", 0, "FILE", "its initramfs"},
    {"cmdline", 0, "TEXT", "its command line"},
    {"cmdline-file", 0, "FILE", "a file that holds its command line"},
    {"vcpus", 0, "N", "number of processors"},
    {"memory-mib", 0, "N", "of a simulated machine (sim-vm), whose memory is measured too"},
    {"cpu", 0, "MODEL", "QEMU's processor model; EPYC-v4 when absent"},
    {"features", 0, "HEX", "SEV_FEATURES; 0x1 when absent"},
    {0},
};

const struct cli_verb cli_verb_measure = {
    .name = "measure",
    .arguments = "",
    .summary = "recompute the measurement of an image, for the manifest and to compare",
    .example = "2cvm measure --image /usr/lib/2cvm --vcpus 2\n"
               "2cvm measure --ovmf OVMF.amdsev.fd --kernel vmlinuz --initrd initrd.img "
               "--cmdline-file cmdline --vcpus 2 --json",
    .options = OPTIONS,
    .min_args = 0,
    .max_args = 0,
    .run = run,
};
