/* 2cvm measure: what MEASUREMENT will be, recomputed from the files at hand, in the form that a
 * manifest needs. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>

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

static int hex_number(const struct cli *c, const char *option, uint64_t absent, uint64_t *ret,
                      struct cvm_error *err)
{
    const char *text = cli_opt(c, option);
    *ret = absent;
    if (!text)
        return 0;
    char *end = NULL;
    unsigned long long v = strncmp(text, "0x", 2) == 0 ? strtoull(text + 2, &end, 16) : 0;
    CVM_ENSURE(end && !*end && end != text + 2 && strlen(text) <= 18, err, CVM_E_USAGE,
               "--%s needs a number like 0x1", option);
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
    CVM_GUARD(hex_number(c, "features", CVM_SNP_FEATURES_DEFAULT, &g.features, err));
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

/* The name that reports and manifests give to the public key in a PEM file. */
static int key_digest(const char *path, uint8_t ret[CVM_SHA384_LEN], struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf file = {0};
    CVM_GUARD(cli_file_read(path, 65536, &file, err));
    BIO *bio = BIO_new_mem_buf(file.data, (int)file.len);
    EVP_PKEY *key = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
    char group[32] = "";
    uint8_t point[97];
    size_t len = 0;
    bool good = key && EVP_PKEY_is_a(key, "EC") &&
                EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 &&
                strcmp(group, "secp384r1") == 0 &&
                EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point),
                                                &len) == 1 &&
                len == sizeof(point) && point[0] == 4;
    EVP_PKEY_free(key);
    BIO_free(bio);
    ERR_clear_error();
    CVM_ENSURE(good, err, CVM_E_USAGE,
               "%s is no public P-384 key in PEM (`openssl pkey -in KEY -pubout` makes one)", path);
    cvm_snp_key_digest(point, ret);
    return 0;
}

static int add_keys(struct cli *c, const char *option, const char *member, json_t *o,
                    struct cvm_error *err)
{
    const char *path;
    json_t *list = json_array();
    json_object_set_new(o, member, list);
    for (int i = 0; (path = cli_opt_at(c, option, i)); i++) {
        uint8_t d[CVM_SHA384_LEN];
        CVM_GUARD(key_digest(path, d, err));
        CVM_AUTO_FREE char *hex = cvm_hex(d, sizeof(d));
        CVM_AUTO_FREE char *text = cvm_printf("sha384:%s", hex);
        json_array_append_new(list, json_string(text));
        cli_say(c, "%-10s %s\n", option, text);
    }
    return 0;
}

static bool asks_for_id_block(const struct cli *c)
{
    return cli_opt(c, "guest-svn") || cli_opt(c, "policy") || cli_opt(c, "id-key") ||
           cli_opt(c, "author-key");
}

/* The block that an ID key must sign for this measurement, and what the manifest calls the keys. */
static int add_id_block(struct cli *c, const uint8_t m[CVM_SHA384_LEN], json_t *o,
                        struct cvm_error *err)
{
    int64_t svn;
    uint64_t policy;
    uint8_t block[CVM_SNP_ID_BLOCK_LEN], digest[CVM_SHA384_LEN];
    CVM_GUARD(cli_opt_int(c, "guest-svn", 0, UINT32_MAX, 0, &svn, err));
    CVM_GUARD(hex_number(c, "policy", CVM_POLICY_RESERVED1 | CVM_POLICY_SMT, &policy, err));
    CVM_ENSURE(policy & CVM_POLICY_RESERVED1, err, CVM_E_USAGE,
               "--policy needs bit 17, as every policy has it: 0x30000 is QEMU's own");
    cvm_snp_id_block(m, (uint32_t)svn, policy, block);
    cvm_sha384(block, sizeof(block), digest);
    CVM_AUTO_FREE char *id = cvm_hex(block, sizeof(block));
    CVM_AUTO_FREE char *hex = cvm_hex(digest, sizeof(digest));
    CVM_AUTO_FREE char *text = cvm_printf("sha384:%s", hex);
    json_object_set_new(o, "id_block", json_string(id));
    json_object_set_new(o, "id_block_digest", json_string(text));
    json_object_set_new(o, "guest_svn", json_integer(svn));
    if (asks_for_id_block(c))
        cli_say(c, "id-block   %s\n", text);
    CVM_GUARD(add_keys(c, "id-key", "id_keys", o, err));
    return add_keys(c, "author-key", "author_keys", o, err);
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
    bool snp = machine && !simulated;
    int64_t memory = 0;
    CVM_GUARD(cli_opt_int(c, "memory-mib", 1, INT64_C(1) << 22, 0, &memory, err));
    CVM_ENSURE(!simulated || (image && machine), err, CVM_E_USAGE,
               "--memory-mib is of a simulated machine: it needs --image with a kernel");
    CVM_ENSURE(snp || !asks_for_id_block(c), err, CVM_E_USAGE,
               "a simulated isolate has no ID block");
    uint8_t m[CVM_SHA384_LEN];
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
    const char *platform = simulated ? "sim-vm" : snp ? "sev-snp" : "sim-process";
    CVM_AUTO_JSON json_t *o = json_pack("{s:s, s:[s], s:I}", "platform", platform, "measurements",
                                        text, "vcpus", (json_int_t)vcpus);
    if (snp)
        CVM_GUARD(add_id_block(c, m, o, err));
    cli_result(c, json_incref(o));
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
    {"guest-svn", 0, "N", "for the ID block: version of the guest; 0 when absent"},
    {"policy", 0, "HEX", "for the ID block: policy of the launch; 0x30000 when absent"},
    {"id-key", 0, "FILE",
     "public P-384 key (PEM): print what a manifest calls it; may be repeated"},
    {"author-key", 0, "FILE", "the same for the key that certifies the ID key"},
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
